"""The wall between marshmallow and everybody else: errors become findings. Nothing passes but field names and ``Hint``.

marshmallow's ValidationError keeps the input, quotes unknown keys, and takes any string as a message. A key is quoted only if
it looks like a name a programmer gave: a file without its header row makes people's values into keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.fields.hint import REASONS, Hint
from schemas.verdict import Finding
from schemas.vocabulary import Reason

_KEY = re.compile(r"[a-z][a-z_]{0,39}(?:[0-9]{1,3})?|[0-9]{1,3}")
_HINTS = {hint.value: hint for hint in Hint}
_ABOUT_KEYS = frozenset({Hint.UNKNOWN_KEY, Hint.NOT_A_TOPIC_FIELD})
#: A document cannot make a verdict longer than this.
MOST_FINDINGS = 50


def findings_of(messages: Any) -> tuple[Finding, ...]:
    """Turn marshmallow's nested messages into findings, in the order of the schema; unknown keys last."""
    known: list[Finding] = []
    unknown: dict[str, Finding] = {}
    for path, message in _walk(messages, ()):
        hint = _HINTS.get(message, Hint.INVALID)
        finding = Finding(reason=REASONS.get(hint, Reason.INVALID_FIELD), field=_name(path), hint=hint.value)
        if hint in _ABOUT_KEYS:
            unknown[finding.field or ""] = finding
        else:
            known.append(finding)
    # marshmallow goes through unknown keys as a set: without sorting, the same document would give another verdict each time.
    return tuple([*known, *(unknown[name] for name in sorted(unknown))][:MOST_FINDINGS])


def _walk(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _walk(below, path if key == "_schema" else (*path, str(key)))
    elif isinstance(messages, (list, tuple)):
        for message in messages:
            yield from _walk(message, path)
    else:
        yield path, str(messages)


def _name(path: tuple[str, ...]) -> str | None:
    name = ""
    for part in path:
        if not _KEY.fullmatch(part):
            return f"{name}.?" if name else "?"
        name += f"[{part}]" if part.isdigit() else f".{part}" if name else part
    return name or None
