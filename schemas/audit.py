"""A leaf of the audit log before it is ordered, and the signed statement over all that were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.vocabulary import Event

#: Leaf values are restricted to these, so that sorted compact JSON equals RFC 8785 (JCS).
LeafValue = str | int | bool | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What happened to what, when, decided under which policy. Ids, names and digests only: never a personal value."""

    event: Event
    at: datetime  # aware, UTC
    actor: str  # "system" or a staff/login reference
    submission_id: str | None = None
    lead_id: str | None = None
    person_id: str | None = None
    delivery_id: str | None = None
    facts: Mapping[str, LeafValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """C2SP tlog-checkpoint: ``note`` is the signed text; ``origin``, ``size`` and ``root`` are what it says."""

    origin: str
    size: int
    root: bytes  # 32 bytes
    note: str
