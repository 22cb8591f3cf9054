"""Turns what happened into leaves; it refuses facts that the log does not allow (see consent.audit.leaf)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from consent.audit.leaf import encode_parts
from schemas.audit import LeafValue
from schemas.vocabulary import Event


class Recorder:
    """Collects encoded leaves of one step, to be appended in the step's own transaction."""

    __slots__ = ("_actor", "_at", "leaves")

    def __init__(self, *, at: datetime, actor: str = "system") -> None:
        self._at = at
        self._actor = actor
        self.leaves: list[tuple[str | None, bytes]] = []

    def note(
        self,
        event: Event,
        *,
        facts: Mapping[str, LeafValue],
        submission_id: str | None = None,
        lead_id: str | None = None,
        person_id: str | None = None,
        delivery_id: str | None = None,
        about: str | None = None,
    ) -> None:
        """Add one leaf. ``about`` is what it is found by, if not by its lead, submission or person."""
        leaf = encode_parts(
            event,
            self._at,
            self._actor,
            facts,
            submission_id=submission_id,
            lead_id=lead_id,
            person_id=person_id,
            delivery_id=delivery_id,
        )
        self.leaves.append((lead_id or submission_id or about or person_id, leaf))
