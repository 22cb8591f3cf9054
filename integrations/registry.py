"""Finds connectors by their folders and builds them. It refuses a name nobody has (and says which are near), a connector whose
class does not carry its folder's name, and a manifest whose transport nobody speaks.

A connector of our own is a folder under ``integrations/destinations`` or ``integrations/sources``. A stranger's is a package
that an entry point of the group ``leadgate.connectors`` names, with ``connector.yaml`` beside its ``__init__.py``; the entry
point's name is the connector's. Our own names cannot be taken over.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from integrations.contract.destination import Destination
from integrations.contract.loading import MANIFEST_FILE, load_manifest
from integrations.contract.manifest import Endpoint, Manifest
from integrations.contract.source import Source, SourceSettings
from schemas.errors import ConfigurationError

GROUP = "leadgate.connectors"
_HERE = Path(__file__).parent
#: Transports that need no Python: kind -> module and class.
_DECLARATIVE = {
    "rest": ("integrations.declarative.rest", "RestDestination"),
    "soap": ("integrations.declarative.soap", "SoapDestination"),
}
C = TypeVar("C", bound=Destination | Source)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """Where a destination's connector lives: its folder and its package."""

    folder: Path
    package: str


@cache
def _homes() -> dict[str, _Home]:
    homes: dict[str, _Home] = {}
    for entry in entry_points(group=GROUP):
        folder = files(entry.value)
        if isinstance(folder, Path):
            homes[entry.name] = _Home(folder=folder, package=entry.value)
    for manifest in sorted((_HERE / "destinations").glob(f"*/{MANIFEST_FILE}")):
        name = manifest.parent.name
        homes[name] = _Home(folder=manifest.parent, package=f"integrations.destinations.{name}")
    return homes


def destinations() -> list[str]:
    """Names of all destination connectors, ours and strangers'."""
    return sorted(_homes())


def sources() -> list[str]:
    """Names of all source connectors."""
    return sorted(found.parent.name for found in (_HERE / "sources").glob("*/connector.py"))


def load() -> None:
    """Import every connector and read every manifest: a process that forks workers does it once for all of them.

    One that cannot be loaded does not keep the others from it; whoever asks for it by name is told why.
    """
    for name in destinations():
        with suppress(Exception):
            _destination_class(name, manifest(name))
    for name in sources():
        with suppress(Exception):
            import_module(f"integrations.sources.{name}.connector")


def folder(name: str) -> Path:
    """The folder of the destination connector ``name``: its manifest, fixtures and README."""
    return _home(name).folder


@cache
def manifest(name: str) -> Manifest:
    """The checked manifest of the connector ``name``. Raises ConfigurationError."""
    return load_manifest(_home(name).folder, name=name)


def destination(name: str, endpoint: Endpoint) -> Destination:
    """The connector ``name``, built for ``endpoint``. Raises ConfigurationError; nothing is connected yet."""
    declared = manifest(name)
    return _destination_class(name, declared)(manifest=declared, endpoint=endpoint)


def source(settings: SourceSettings) -> Source:
    """The source of one configured entry. Raises ConfigurationError."""
    name = settings.connector
    if name not in sources():
        raise _unknown(name, sources(), "connector")
    return _own_class(import_module(f"integrations.sources.{name}.connector"), Source, name)(settings)  # type: ignore[type-abstract] # never the abstract one


def _home(name: str) -> _Home:
    homes = _homes()
    if name not in homes:
        raise _unknown(name, list(homes), "connector")
    return homes[name]


def _destination_class(name: str, declared: Manifest) -> type[Destination]:
    home = _home(name)
    if (home.folder / "connector.py").is_file():
        return _own_class(import_module(f"{home.package}.connector"), Destination, name)  # type: ignore[type-abstract] # as above
    kind = declared.transport.get("kind")
    if kind not in _DECLARATIVE:
        known = ", ".join(sorted(_DECLARATIVE))
        raise ConfigurationError(
            "bad_manifest", f"must be one of {known}, or the connector brings a connector.py", field=f"{name}: transport.kind"
        )
    module, word = _DECLARATIVE[kind]
    found: type[Destination] = getattr(import_module(module), word)
    return found


def _own_class(module: ModuleType, base: type[C], name: str) -> type[C]:
    """The one concrete class of ``module`` that carries ``name``."""
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, base) and not inspect.isabstract(found) and getattr(found, "name", None) == name:
            return found
    raise ConfigurationError(
        "bad_connector", f"no {base.__name__} class with this name stands there", field=f"{module.__name__}: {name}"
    )


def _unknown(name: str, known: list[str], what: str) -> ConfigurationError:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(known))}"
    return ConfigurationError("unknown_connector", f"there is no {what} of this name; {hint}", field=what)
