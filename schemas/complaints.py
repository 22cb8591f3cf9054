"""marshmallow's nested messages as (place, what to do), for files an operator writes. Values are never repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError


def check(schema: Schema, document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load ``document``. Answers clean values, and complaints; values only if there are none."""
    try:
        loaded: dict[str, Any] = schema.load(document)
    except ValidationError as error:
        return {}, list(_places(error.messages, ""))
    return loaded, []


def _places(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _places(below, _step(path, key, below))
    elif isinstance(messages, list | tuple):
        for message in messages:
            yield from _places(message, path)
    else:
        yield path, str(messages)


def _step(path: str, key: object, below: object) -> str:
    # What is wrong with an entry of a mapping stands under "key" or "value", with a whole schema under "_schema".
    if key == "_schema" or (key in ("key", "value") and isinstance(below, list | Mapping)):
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)
