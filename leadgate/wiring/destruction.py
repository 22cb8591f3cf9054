"""Destruction, as the doors say it: erase, hold, restore, and the acts that prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

from consent.keys.provider import KeyProvider
from consent.shredding import ShredListKey
from leadgate.pipeline import erase, hold, telling
from leadgate.pipeline.erase import Erased, Eraser
from leadgate.pipeline.publish import CHECKPOINT
from leadgate.pipeline.restore import Restorer, size_shown
from leadgate.pipeline.retention import Retention
from leadgate.pipeline.shred import Shredder
from leadgate.pipeline.strays import Strays
from leadgate.storage import holds, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.holds import Hold
from leadgate.wiring.parts import Parts


class DestructionDesk:
    """What destroys, and what says so. One a house."""

    def __init__(self, house: Parts) -> None:
        self._house = house

    @cached_property
    def eraser(self) -> Eraser:
        """Destroys people."""
        return self._eraser(self._house.ledger, self._shredder(self._house.own_keys))

    def _eraser(self, ledger: Ledger, shredder: Shredder) -> Eraser:
        return Eraser(
            ledger=ledger,
            shredder=shredder,
            tenant=self._house.settings.tenant,
            clock=self._house.clock,
            afterwards=telling.after_erasure,
        )

    def _shredder(self, keys: KeyProvider) -> Shredder:
        return Shredder(self._house.shred_list, ShredListKey(keys, self._house.settings.tenant))

    @cached_property
    def restorer(self) -> Restorer:
        """Holds a restored ledger against what is kept outside of it; works where nothing else does."""
        ledger, shredder = self._house.restored_ledger, self._shredder(self._house.keys)
        shown = self._house.settings.log.publish_to / CHECKPOINT
        return Restorer(
            ledger=ledger,
            shredder=shredder,
            eraser=self._eraser(ledger, shredder),
            clock=self._house.clock,
            kept_size=size_shown(shown, self._house.log_key.verifier),
        )

    # -- holds -------------------------------------------------------------------------------------------------------------

    def hold(self, person_id: str, *, reason: str, until: datetime | None, actor: str) -> Hold:
        """Let nobody destroy this person's data."""
        now = self._house.clock()
        return self._house.ledger.retrying(
            lambda tx: hold.place(tx, person_id, reason=reason, until=until, actor=actor, now=now)
        )

    def lift(self, hold_id: str, *, actor: str) -> Hold:
        """Let it be destroyed again when it is due."""
        now = self._house.clock()
        return self._house.ledger.retrying(lambda tx: hold.lift(tx, hold_id, actor=actor, now=now))

    def holds(self) -> list[Hold]:
        """Every hold that stands."""
        with self._house.ledger.snapshot() as tx:
            return holds.standing(tx, now=to_micros(self._house.clock()))

    # -- destruction -------------------------------------------------------------------------------------------------------

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

    def _strays(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Submissions that were put aside and speak of these people, though nobody recognised them."""
        searcher = Strays(
            ledger=self._house.ledger, vault=self._house.vault, index=self._house.index, sources=self._house.sources
        )
        return searcher.find(person_ids, regions={name: one.default_region for name, one in self._house.policies.items()})

    def erase(self, person_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Erased:
        """Destroy one person's key and everything sealed under it; with ``dry_run`` say what would be."""
        if not dry_run:
            done = self.eraser.run([person_id], actor=actor, reason=reason, strays=self._strays([person_id]))[0]
            self.eraser.complete()  # of somebody else, if a process died over them
            return done
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
