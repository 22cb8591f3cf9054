"""The section ``destruction`` of leadgate.yaml as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from schemas.controller import Party

#: Three years from the destruction, a leap day among them (Order 179 of Roskomnadzor of 28.10.2022, as third parties read it).
KEEP_ACTS: Final = timedelta(days=1096)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionSettings:
    """``system`` and ``position`` None: no act can be drawn up yet. ``processors`` process on the operator's behalf."""

    system: str | None = None
    position: str | None = None
    place: str | None = None
    keep_acts: timedelta = KEEP_ACTS
    processors: tuple[Party, ...] = ()


def destruction_settings(values: Mapping[str, Any]) -> DestructionSettings:
    """Of the checked section."""
    return DestructionSettings(**{**values, "processors": tuple(Party(**each) for each in values.get("processors", ()))})
