"""Destruction, as the doors say it: erase, hold, restore, and the acts that prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property

from consent.shredding import ShredListKey
from leadgate.pipeline import erase
from leadgate.pipeline.erase import Erased, Eraser
from leadgate.pipeline.retention import Retention
from leadgate.pipeline.shred import Shredder
from leadgate.storage import holds, people
from leadgate.storage.clock import to_micros
from leadgate.wiring.parts import Parts


class DestructionDesk:
    """What destroys, and what says so. One a house."""

    def __init__(self, house: Parts) -> None:
        self._house = house

    @cached_property
    def shredder(self) -> Shredder:
        """The shred list with the key that proves it."""
        return Shredder(self._house.shred_list, ShredListKey(self._house.own_keys, self._house.settings.tenant))

    @cached_property
    def eraser(self) -> Eraser:
        """Destroys people."""
        return Eraser(
            ledger=self._house.ledger, shredder=self.shredder, tenant=self._house.settings.tenant, clock=self._house.clock
        )

    def retention(self, valid_for: Mapping[tuple[str, str], timedelta]) -> Retention:
        """The retention rules over this ledger. Whoever is known by a withdrawal only is kept, unless leadgate.yaml says
        otherwise, for as long as any consent from before it could still carry.
        """
        rules = self._house.settings.retention
        if rules.without_lead is None:
            rules = replace(rules, without_lead=max(valid_for.values(), default=None))
        return Retention(
            ledger=self._house.ledger, rules=rules, valid_for=valid_for, clock=self._house.clock, eraser=lambda: self.eraser
        )

    def erase(self, person_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Erased:
        """Destroy one person's key and everything sealed under it; with ``dry_run`` say what would be."""
        if not dry_run:
            self.eraser.complete()
            return self.eraser.run([person_id], actor=actor, reason=reason)[0]
        with self._house.ledger.transaction() as tx:
            stop, recipients = erase.plan(tx, person_id)
            held = holds.of_people(tx, [person_id], now=to_micros(self._house.clock()))
            return Erased(
                person_id=person_id,
                leads=len(people.leads_of(tx, person_id)),
                suppressed=len(stop),
                recipients=recipients,
                held=tuple(hold.reason for hold in held.get(person_id, ())),
            )
