"""What happened to a consent, before and after it was given, in the words of ISO/IEC TS 27560 and the W3C DPV. An event is
written once and never changed. The ``given`` event of an admitted lead is its consent record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from schemas.audit import LeafValue


class ConsentState(StrEnum):
    """Event states of ISO/IEC TS 27560. Only ``given`` and ``renewed`` let data be used."""

    REQUESTED = "requested"  # the notice was shown, nothing was answered yet
    DEFERRED = "deferred"  # the person put the question off
    GIVEN = "given"
    RENEWED = "renewed"  # asked again, and agreed again
    REFUSED = "refused"  # asked, and said no
    WITHDRAWN = "withdrawn"  # the person took it back
    EXPIRED = "expired"  # its term ended
    TERMINATED = "terminated"  # we ended it: the purpose is achieved, the data destroyed
    INVALIDATED = "invalidated"  # it turned out never to have been valid


class ConsentEventType(StrEnum):
    """How the person indicated it (ISO/IEC TS 27560 event type)."""

    IMPLIED = "implied"
    EXPRESSED = "expressed"
    EXPLICITLY_EXPRESSED = "explicitly_expressed"


class ConsentOrigin(StrEnum):
    """By which way we learned of it."""

    MODERATOR = "moderator"
    WEBHOOK = "webhook"
    OFFICER = "officer"
    COMMAND = "command"
    RULE = "rule"  # nobody did it: a term ended, a notice was replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEvent:
    """One event. ``consent_id`` None: it concerns every record of the person; ``purpose`` None: every purpose.

    ``event_time`` is when it happened, ``recorded_at`` when we wrote it down; both aware UTC. ``facts``: what a leaf may say.
    """

    event_id: str
    person_id: str
    state: ConsentState
    event_time: datetime
    recorded_at: datetime
    origin: ConsentOrigin
    actor: str = "system"
    consent_id: str | None = None
    purpose: str | None = None
    event_type: ConsentEventType = ConsentEventType.EXPLICITLY_EXPRESSED
    facts: Mapping[str, LeafValue] = field(default_factory=dict)
    policy_version: str | None = None
