"""Writes a notice into leadgate.yaml as a person would: a few lines are put in, every other byte stays, comments included.

Refused: a file that would not load afterwards, and a list of notices that is not written one to a block.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from leadgate.settings.loading import load
from leadgate.settings.model import Settings
from schemas.errors import ConfigurationError

_KEY: Final = ("id", "version", "language")
#: Words that YAML would read as something else are quoted; so is everything that is no plain word.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz_-./")


def block_of(notice: Mapping[str, Any]) -> list[str]:
    """The lines of one notice, without indentation, the first with its dash."""
    lines = [f"{name}: {_written(value)}" for name, value in notice.items()]
    return [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]


def with_notice(text: str, brand: str, notice: Mapping[str, Any]) -> str:
    """The file with one more notice at the end of the brand's list."""
    items = _notices(text, brand)
    lines = text.splitlines(keepends=True)
    last = items[-1]
    dash = lines[last.start_mark.line].rindex("-", 0, last.start_mark.column)
    at = _line_after(last)
    if lines[at - 1][-1:] != "\n":
        lines[at - 1] += "\n"
    return "".join([*lines[:at], *(f"{' ' * dash}{line}\n" for line in block_of(notice)), *lines[at:]])


def with_end(text: str, brand: str, keys: Sequence[tuple[str, str, str]], until: datetime) -> str:
    """The file with ``valid_until`` of some notices (id, version, language) set to ``until``."""
    lines = text.splitlines(keepends=True)
    for item in reversed(_notices(text, brand)):  # from below, so that the places above stay
        fields = {name.value: (name, value) for name, value in item.value}
        if tuple(str(fields[name][1].value) if name in fields else "" for name in _KEY) not in keys:
            continue
        moment = _written(until)
        if "valid_until" in fields:
            mark = fields["valid_until"][1]
            line = lines[mark.start_mark.line]
            lines[mark.start_mark.line] = line[: mark.start_mark.column] + moment + line[mark.end_mark.column :]
        else:
            name, value = fields["valid_from"]
            lines.insert(value.end_mark.line + 1, f"{' ' * name.start_mark.column}valid_until: {moment}\n")
    return "".join(lines)


def replace_file(path: Path, text: str) -> Settings:
    """Put ``text`` in the place of the file once it has been read without complaint; answer what it says now.

    The temporary file lies beside it, because the paths it names are taken from there; whoever dies here leaves the old file.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            load(name)
            Path(name).chmod(path.stat().st_mode & 0o777)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        mend = f"cannot be written ({type(error).__name__}); put the printed lines into it by hand"
        raise ConfigurationError("settings_read_only", mend, field=path.name) from None
    return load(path)


def _notices(text: str, brand: str) -> list[yaml.MappingNode]:
    """The nodes of a brand's notices, in the order of the file."""
    node: yaml.Node | None = yaml.compose(text, yaml.SafeLoader)
    for name in ("brands", brand, "notices"):
        below = {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
        node = below.get(name)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or any(item.flow_style for item in node.value):
        mend = "must be a list with one block for each notice, for this command to add to it"
        raise ConfigurationError("notices_not_listed", mend, field=f"brands.{brand}.notices")
    return [item for item in node.value if isinstance(item, yaml.MappingNode)]


def _line_after(item: yaml.MappingNode) -> int:
    """The line that follows the last value of a block: a block's own end lies behind the comments that follow it."""
    node: yaml.Node = item
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    within = node.end_mark.column > 0  # a literal block ends at the beginning of the line after it
    return int(node.end_mark.line) + (1 if within else 0)


def _written(value: Any) -> str:
    """A value as YAML reads it back; JSON's way to write text is one of YAML's."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written(each) for each in value)}]"
    text = str(value)
    plain = (
        text[:1].isalpha() and set(text) <= _PLAIN and text not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    )
    return text if plain else json.dumps(text, ensure_ascii=False)
