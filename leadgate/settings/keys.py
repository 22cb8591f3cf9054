"""Where keys live, and how figures are anonymized: the small parts of leadgate.yaml. They hold no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from schemas.keys_schema import KeyPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """``connection`` names Vault's address and token; None for the file of LEADGATE_KEYRING."""

    provider: KeyPlace = KeyPlace.FILE
    connection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsSettings:
    """``suppress``: the share of rows that may be left out before values get coarser. ``places``: country, region, cities."""

    k: int = 10
    l_diversity: int = 2
    suppress: float = 0.05
    places: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)


def key_settings(values: Mapping[str, Any]) -> KeySettings:
    """The part ``keys``."""
    return KeySettings(provider=values["provider"], connection=values.get("connection"))


def analytics_settings(values: Mapping[str, Any]) -> AnalyticsSettings:
    """The part ``analytics``."""
    places = {
        country: MappingProxyType({region: tuple(cities) for region, cities in regions.items()})
        for country, regions in values["places"].items()
    }
    return AnalyticsSettings(
        k=values["k"], l_diversity=values["l_diversity"], suppress=values["suppress"], places=MappingProxyType(places)
    )
