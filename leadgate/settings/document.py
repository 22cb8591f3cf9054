"""Reads leadgate.yaml into plain values. Refused: a key that stands twice (YAML keeps the last one silently), whatever looks
like a secret, and YAML's surprises: ``NO`` stays Norway, a time stays text until a field has read its offset.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from leadgate.settings.problems import Problems

#: Bytes; a configuration larger than this is a mistake.
_LARGEST: Final = 4 * 1024 * 1024

_SECRET_KEY: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|secrets|token|tokens|apikey|api_key|private_key|signing_key|access_key|"
    r"credential|credentials|authorization)(?:$|_)"
)
_SECRET_VALUE: Final = re.compile(
    r"-----BEGIN |^whsec_|^[a-z][a-z0-9+.-]*://[^/@\s]+:[^/@\s]*@|^(?:Bearer|Basic) \S", re.MULTILINE
)


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML that is not read here; its words are ours."""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader with the booleans of YAML 1.2, without timestamps and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: a dozen of them nested make a document nobody can walk to its end."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _RefusedError(problem="an alias is not read here; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _RefusedError(problem="a key must be text; put it in quotes", problem_mark=key_node.start_mark)
        if key in seen:
            raise _RefusedError(problem="a key stands twice in one mapping", problem_mark=key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_document(path: Path, problems: Problems) -> Any:
    """Parse the file; on a mistake, adds it to ``problems`` and raises."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        problems.add("", "there is no such file; say where it is with LEADGATE_CONFIG or --config")
    except OSError as error:
        problems.add("", f"the file cannot be read ({type(error).__name__})")
    problems.raise_if_any()
    if len(raw) > _LARGEST:
        problems.add("", "the file is larger than 4 MiB")
        problems.raise_if_any()
    try:
        document = yaml.load(raw.decode("utf-8-sig"), _Loader)  # noqa: S506 - a subclass of SafeLoader
    except UnicodeDecodeError:
        problems.add("", "the file must be UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        ours = isinstance(error, _RefusedError)
        # PyYAML's own words may quote the line; only ours are repeated.
        problems.add("", line + (str(error.problem) if ours else "this is not valid YAML"))
    except yaml.YAMLError:
        problems.add("", "this is not valid YAML")
    problems.raise_if_any()
    for place in _secrets(document, ""):
        problems.add(place, "a secret never stands in this file; put it into the connection and remove it here")
    return document


def _secrets(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            place = f"{path}.{key}" if path else str(key)
            if _SECRET_KEY.search(str(key).lower()):
                yield place
            else:
                yield from _secrets(below, place)
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _secrets(below, f"{path}[{number}]")
    elif isinstance(value, str) and _SECRET_VALUE.search(value):
        yield path
