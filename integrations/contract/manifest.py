"""What a connector declares about itself as data; the pipeline asks this and never a vendor's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import RecipientKind, WriteMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the vendor can do. What it cannot do is said loudly, never dropped silently."""

    write_mode: WriteMode
    batch_size: int  # records a call, the vendor's largest safe batch
    lookup: bool = False  # records can be found again by our key
    suppress: bool = False
    suppress_fields: frozenset[str] = frozenset()  # what it needs for that beside our key; empty: the key is enough
    erase: bool = False
    key_length: int = 26  # characters the vendor keeps of our key, 20 to 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What we allow ourselves. Rates are calls a second; timeouts are seconds."""

    calls_per_second: float | None = None
    burst: int = 1
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    max_response_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``connector.yaml``, checked. ``discloses`` maps a purpose (or ``"*"``) to the only fields the vault will open."""

    name: str
    kind: RecipientKind
    title: Mapping[str, str]
    capabilities: Capabilities
    discloses: Mapping[str, frozenset[str]]
    requires: frozenset[str]
    limits: Limits = field(default_factory=Limits)
    connection_type: str = ""  # Airflow connection type its credentials come in
    transport: Mapping[str, Any] = field(default_factory=dict)
    mapping: Mapping[str, Any] = field(default_factory=dict)
    exemptions: Mapping[str, str] = field(default_factory=dict)  # conformance test -> reason
    folder: Path | None = None  # where connector.yaml stands; files it names (a WSDL) lie beside it

    def fields_for(self, purpose: str) -> frozenset[str]:
        """The fields disclosed for ``purpose``. Raises ConfigurationError if neither it nor ``"*"`` is declared."""
        for key in (purpose, "*"):
            if key in self.discloses:
                return self.discloses[key]
        raise ConfigurationError(
            "undeclared_purpose",
            "the manifest discloses nothing for this purpose",
            field=f"{self.name}/connector.yaml: discloses",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one configured destination is and how to sign in. Made from an Airflow connection or the environment.

    ``options`` are the destination's own settings from leadgate.yaml (list id, object name ...); ``hosts`` are the only
    hosts the transport will talk to, as ``host`` or ``host:port``.
    """

    destination: str
    base_url: str
    hosts: frozenset[str]
    login: str | None = None
    secret: Personal[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits | None = None  # overrides the manifest's
