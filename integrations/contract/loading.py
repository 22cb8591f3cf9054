"""From ``connector.yaml`` to a Manifest. Refused, with file and key named: what is not YAML, a key that stands twice (YAML lets
the last one win in silence), and everything ``ManifestSchema`` refuses.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from integrations.contract.manifest import Capabilities, Limits, Manifest
from schemas.errors import ConfigurationError
from schemas.manifest_schema import check_manifest

MANIFEST_FILE = "connector.yaml"


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key standing twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - yaml's
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, *, shown: str) -> Any:
    """The file as plain data. ``shown`` is what the errors call it."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader, made stricter
    except OSError as error:
        raise ConfigurationError("unreadable", f"the file cannot be read ({type(error).__name__})", field=shown) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}: line {mark.line + 1}" if mark else shown
        raise ConfigurationError("not_yaml", getattr(error, "problem", None) or "this is not YAML", field=where) from None


def load_manifest(folder: Path, *, name: str | None = None) -> Manifest:
    """The manifest of the connector in ``folder``. It must say ``name``: the folder's, unless a stranger's package differs."""
    expected = name or folder.name
    shown = f"{expected}/{MANIFEST_FILE}"
    manifest = build_manifest(read_yaml(folder / MANIFEST_FILE, shown=shown), shown=shown)
    if manifest.name != expected:
        raise ConfigurationError("bad_manifest", f"must be {expected!r}: where it stands names it", field=f"{shown}: name")
    return replace(manifest, folder=folder)


def build_manifest(data: Any, *, shown: str) -> Manifest:
    """The manifest of plain data; ``shown`` is the file the errors name. Raises with all complaints in the message."""
    loaded, complaints = check_manifest(data)
    if complaints:
        raise complaint(complaints, shown=shown)
    return Manifest(
        name=loaded["name"],
        kind=loaded["kind"],
        title={str(language): title for language, title in loaded["title"].items()},
        capabilities=_capabilities(loaded["capabilities"]),
        limits=Limits(**loaded.get("limits", {})),
        discloses={purpose: frozenset(names) for purpose, names in loaded["discloses"].items()},
        requires=frozenset(loaded.get("requires", ())),
        connection_type=loaded.get("connection_type", ""),
        transport=loaded.get("transport", {}),
        mapping=loaded.get("mapping", {}),
        exemptions=loaded.get("exemptions", {}),
    )


def _capabilities(loaded: dict[str, Any]) -> Capabilities:
    return Capabilities(**{**loaded, "suppress_fields": frozenset(loaded.get("suppress_fields", ()))})


def complaint(complaints: list[tuple[str, str]], *, shown: str) -> ConfigurationError:
    """One error for all that is wrong with a file: the first place in ``field``, the rest in the message."""
    (place, message), *more = complaints
    also = "".join(f"; {other or 'the file'}: {text}" for other, text in more)
    return ConfigurationError("bad_manifest", message + also, field=f"{shown}: {place or 'the file'}")
