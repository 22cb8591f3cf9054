"""Turns what happened into leaves; it refuses facts that the log does not allow (see consent.audit.leaf)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from consent.audit.leaf import encode_parts, moment
from consent.audit.leaf_form import LeafForm
from schemas.audit import LeafValue
from schemas.vocabulary import Event


class Recorder:
    """Collects encoded leaves of one step, to be appended in the step's own transaction."""

    __slots__ = ("_actor", "_at", "_filled", "_leaves", "_written_at")

    def __init__(self, *, at: datetime, actor: str = "system") -> None:
        self._at = at
        self._actor = actor
        self._written_at = moment(at)
        self._leaves: list[tuple[str | None, bytes]] = []
        self._filled: dict[LeafForm, list[tuple[str, ...]]] = {}  # values that nobody checked yet

    @property
    def leaves(self) -> list[tuple[str | None, bytes]]:
        """What was noted, each with what it is found by. Raises AuditError if a form was filled with what no leaf may say."""
        for form, rows in self._filled.items():
            form.check(rows)
        self._filled.clear()
        return self._leaves

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
        self._leaves.append((lead_id or submission_id or about or person_id, leaf))

    def fill(self, form: LeafForm, about: str, values: tuple[str, ...]) -> None:
        """Add one leaf of a form; its values are checked with those of its whole batch, when ``leaves`` are asked for."""
        self._leaves.append((about, form.fill(self._written_at, values)))
        self._filled.setdefault(form, []).append(values)
