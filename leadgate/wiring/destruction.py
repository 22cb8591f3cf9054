"""Destruction, as the doors say it: erase, hold, restore, and the acts that prove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

from consent.act_seal import ActSeal
from consent.blind_index import BlindIndex
from consent.keys.provider import KeyProvider
from consent.shredding import ShredListKey
from consent.vault import Vault
from leadgate.pipeline import act_facts, erase, hold
from leadgate.pipeline.act import Act, Acts, Given
from leadgate.pipeline.act_facts import Operator
from leadgate.pipeline.aftermath import after_destruction
from leadgate.pipeline.erase import Erased, Eraser
from leadgate.pipeline.memory import Memory
from leadgate.pipeline.publish import CHECKPOINT
from leadgate.pipeline.restore import Restorer, size_shown
from leadgate.pipeline.retention import Retention
from leadgate.pipeline.shred import Shredder
from leadgate.pipeline.strays import Strays
from leadgate.pipeline.take_up import TakenUp, Withdrawals
from leadgate.storage import holds, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.holds import Hold
from leadgate.storage.sweep import Swept, sweep
from leadgate.wiring.log import Logbook
from leadgate.wiring.parts import Parts
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language


class DestructionDesk:
    """What destroys, and what says so. One a house."""

    def __init__(self, house: Parts, logbook: Logbook) -> None:
        self._house = house
        self._logbook = logbook

    @cached_property
    def eraser(self) -> Eraser:
        """Destroys people."""
        return self._eraser(self._house.ledger, self._house.own_keys)

    def _eraser(self, ledger: Ledger, keys: KeyProvider) -> Eraser:
        tenant = self._house.settings.tenant
        memory = Memory(
            ledger=ledger,
            vault=Vault(keys, tenant),
            index=BlindIndex(keys, tenant),
            policies=self._house.policies,
            clock=self._house.clock,
        )
        return Eraser(
            ledger=ledger,
            shredder=self._shredder(keys),
            tenant=tenant,
            clock=self._house.clock,
            afterwards=after_destruction,
            beforehand=memory.before_erasure,
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
            eraser=self._eraser(ledger, self._house.keys),
            clock=self._house.clock,
            kept_size=size_shown(shown, self._house.log_key.verifier),
        )

    def take_up(self, *, apply: bool, actor: str) -> TakenUp:
        """Withdrawals that the recovered log remembers and this ledger does not; a dry run without ``apply``."""
        return Withdrawals(ledger=self._house.ledger, clock=self._house.clock).run(apply=apply, actor=actor)

    # -- acts --------------------------------------------------------------------------------------------------------------

    @cached_property
    def acts(self) -> Acts:
        """Draws up acts of destruction."""
        settings = self._house.settings
        return Acts(
            ledger=self._house.ledger,
            seal=ActSeal(self._house.own_keys, settings.tenant),
            tenant=settings.tenant,
            origin=settings.log_origin,
            clock=self._house.clock,
        )

    def operator(self, person_id: str, *, position: str | None) -> Operator:
        """The facts of leadgate.yaml for an act about this person. Raises ConfigurationError naming the one that is missing."""
        settings = self._house.settings
        with self._house.ledger.snapshot() as tx:
            brand = settings.brands[act_facts.brand_of(tx, person_id)]
        if brand.controller is None:
            raise _missing(f"brands.{brand.brand}.controller", "an act names the operator and its address")
        if settings.destruction.system is None:
            raise _missing("destruction.system", "an act names the information system")
        position = position or settings.destruction.position
        if position is None:
            raise _missing("destruction.position", "an act names the position of whoever destroyed")
        return Operator(
            controller=brand.controller,
            system=settings.destruction.system,
            position=position,
            place=settings.destruction.place or "",
            processors=settings.destruction.processors,
            parties={name: each.party for name, each in settings.destinations.items()},
            zone=brand.clocks.calendar.zone,
            witnesses=len(settings.log.witnesses),
        )

    def draw_up(
        self, person_id: str, *, given: Given, position: str | None, language: Language, actor: str, alone: bool = False
    ) -> Act:
        """The act and the extract of one destroyed person. Seals first, so that every line has its place and its proof."""
        operator = self.operator(person_id, position=position)
        self._logbook.seal()
        return self.acts.draw_up(
            person_id,
            given=given,
            operator=operator,
            proofs=self._logbook.proofs_of(person_id, alone=alone),
            keep_for=self._house.settings.destruction.keep_acts,
            language=language,
            actor=actor,
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

    def sweep(self) -> Swept:
        """Have the database give up what it still keeps of rows that are gone."""
        return sweep(self._house.ledger)

    def strays(self, person_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Submissions that were put aside and speak of these people, though nobody recognised them."""
        searcher = Strays(
            ledger=self._house.ledger, vault=self._house.vault, index=self._house.index, sources=self._house.sources
        )
        return searcher.find(person_ids, regions={name: one.default_region for name, one in self._house.policies.items()})

    def erase(self, person_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Erased:
        """Destroy one person's key and everything sealed under it; with ``dry_run`` say what would be."""
        if not dry_run:
            done = self.eraser.run([person_id], actor=actor, reason=reason, strays=self.strays([person_id]))[0]
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


def _missing(key: str, why: str) -> ConfigurationError:
    return ConfigurationError("act_lacks_a_field", f"{why}; add it", field=f"leadgate.yaml: {key}")
