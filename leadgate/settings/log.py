"""The section ``log`` of leadgate.yaml as frozen values: where the log is published, who watches it. No secret stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Seconds a witness may take for one answer, the whole of it.
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSettings:
    """A witness: how we call it, where it is asked, the public key it printed."""

    name: str
    url: str
    vkey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """``quorum`` witnesses must have cosigned before a proof leaves the house; 0 if there are none."""

    publish_to: Path
    witnesses: tuple[WitnessSettings, ...]
    quorum: int
    witness_timeout: float  # seconds


def log_settings(values: Mapping[str, Any], *, root: Path, state: Path) -> LogSettings:
    """Of the checked section; a relative folder is taken from where leadgate.yaml lies."""
    witnesses = tuple(WitnessSettings(name=name, **one) for name, one in values["witnesses"].items())
    folder = values.get("publish_to")
    patience = values.get("witness_timeout")
    return LogSettings(
        publish_to=(root / folder).resolve() if folder else state / "log",
        witnesses=witnesses,
        quorum=values.get("quorum", len(witnesses)),
        witness_timeout=patience.total_seconds() if patience else _PATIENCE,
    )
