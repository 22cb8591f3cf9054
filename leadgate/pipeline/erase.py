"""Erase: destroy people's keys and everything that could find them again; what happened stays provable, who it was does not.

1. Whoever is under a legal hold is not destroyed; the answer says why.
2. The shred list names them before their key goes (``leadgate.pipeline.shred`` says in which order, and why).
3. What is queued for them is suppressed in the same transaction.
4. A recipient that holds a lead is named in the result, in the log, and on the act: the key is ours to destroy, their copy is
   not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from consent.audit.merkle import leaf_hash
from consent.retention import Why
from consent.shredding import Shredded
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.shred import MOST_AT_ONCE, Shredder
from leadgate.storage import destruction, holdings, holds, log, outbox, people
from leadgate.storage.clock import to_micros
from leadgate.storage.destruction import Copy, Destruction, Holding
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.vocabulary import IN_DOUBT, Event, Outcome

#: Who of these people is still to be destroyed.
Still = Callable[[Transaction, Sequence[str]], set[str]]

_RULES: Final = frozenset(Why)
#: A destruction takes seconds; one that was decided longer ago has lost its process.
_UNDER_WAY: Final = timedelta(minutes=10)
_WAITING = frozenset({Outcome.QUEUED, Outcome.DEFERRED, Outcome.DEAD})
_HOLDS = frozenset({Outcome.ACCEPTED, Outcome.CLAIMED, Outcome.UNCERTAIN})
#: What is done to a person's data; the act of destruction says it in words.
METHOD: Final = "key_destroyed"
#: Why a person is destroyed whom a restored backup brought back.
RESTORED: Final = "restored_backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """``keys`` is 0 if there was nothing left to destroy, or if ``held`` says by which legal holds it was refused;
    ``recipients`` hold a copy that only they can destroy.
    """

    person_id: str
    keys: int = 0
    identifiers: int = 0
    leads: int = 0
    submissions: int = 0
    suppressed: int = 0
    recipients: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For the console."""
        return asdict(self)

    def counts(self) -> dict[str, int]:
        """Numbers only."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}


def plan(tx: Transaction, person_id: str) -> tuple[list[str], tuple[str, ...]]:
    """Deliveries that would be stopped, and recipients that hold a copy, or may: a doubt is no reason to be silent."""
    return _plan(destruction.holdings_of(tx, [person_id])[person_id].copies)


def _plan(copies: Sequence[Copy]) -> tuple[list[str], tuple[str, ...]]:
    stop = [each.delivery_id for each in copies if each.state in _WAITING]
    holding = {each.destination for each in copies if each.state in _HOLDS or each.reason == IN_DOUBT}
    return stop, tuple(sorted(holding))


class Eraser:
    """Destroys people, many in one transaction. Safe to say twice, and beside another process that says it."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        shredder: Shredder,
        tenant: str,
        clock: Callable[[], datetime],
        afterwards: Callable[[Transaction, Sequence[Destruction], datetime], None] = lambda _tx, _done, _now: None,
        beforehand: Callable[[Sequence[str], str], None] = lambda _people, _reason: None,
    ) -> None:
        """``afterwards`` is run in the destroying transaction: who else must learn of it (recipients, clocks, consents).

        ``beforehand`` is told of people and reason while their seals still open, in no transaction (the suppression memory).
        """
        self._ledger = ledger
        self._shredder = shredder
        self._tenant = tenant
        self._clock = clock
        self._afterwards = afterwards
        self._beforehand = beforehand

    def run(
        self,
        person_ids: Sequence[str],
        *,
        actor: str,
        reason: str,
        strays: Mapping[str, Sequence[str]] | None = None,
        still: Still | None = None,
    ) -> list[Erased]:
        """Destroy these people. ``strays`` are submissions of theirs that nobody had recognised; ``still`` is asked once more
        who of them is to be destroyed, when nothing about them can change any more.
        """
        held = self._ledger.retrying(lambda tx: self._intend(tx, person_ids, actor=actor, reason=reason))
        self._beforehand([each for each in person_ids if each not in held], reason)
        return self._ledger.retrying(lambda tx: self._destroy(tx, person_ids, held=held, strays=strays or {}, still=still))

    def complete(self) -> int:
        """Finish what a process that died had begun, not what another one is at; answer how many.

        What retention had only decided is decided anew: a lead may have come in since.
        """
        with self._ledger.snapshot() as tx:
            waiting = destruction.intended(tx, before=to_micros(self._clock() - _UNDER_WAY), limit=MOST_AT_ONCE)
        if not waiting:
            return 0
        asked = {each.person_id for each in waiting if each.reason not in _RULES}
        ids = [each.person_id for each in waiting]
        for each in waiting:
            self._beforehand([each.person_id], each.reason)
        done = self._ledger.retrying(lambda tx: self._destroy(tx, ids, held={}, strays={}, still=lambda _tx, _ids: asked))
        return sum(each.keys for each in done)

    def again(self, lines: Sequence[Shredded], *, actor: str) -> list[Erased]:
        """Destroy once more whoever of these lines a restored backup brought back; answer those it had."""
        listed = {line.person_id: line.number for line in lines}
        self._beforehand(list(listed), RESTORED)
        return self._ledger.retrying(lambda tx: self._again(tx, listed, actor=actor, reason=RESTORED))

    # -- the transactions ------------------------------------------------------------------------------------------

    def _intend(self, tx: Transaction, person_ids: Sequence[str], *, actor: str, reason: str) -> dict[str, tuple[str, ...]]:
        people.lock(tx)
        now = to_micros(self._clock())
        found = holds.of_people(tx, person_ids, now=now)
        living = destruction.living(tx, person_ids)
        wanted = [each for each in dict.fromkeys(person_ids) if each in living and each not in found]
        ids = new_ids(len(wanted), now)
        destruction.intend(tx, [(ident, each, reason, actor, now) for ident, each in zip(ids, wanted, strict=True)])
        return {each: tuple(sorted(hold.reason for hold in of)) for each, of in found.items() if each in living}

    def _destroy(
        self,
        tx: Transaction,
        person_ids: Sequence[str],
        *,
        held: Mapping[str, tuple[str, ...]],
        strays: Mapping[str, Sequence[str]],
        still: Still | None,
    ) -> list[Erased]:
        people.lock(tx)  # an admission that found the key a moment ago commits first, and what it stored is destroyed too
        now = self._clock()
        listed = {line.person_id: line.number for line in self._shredder.ahead(tx)}
        everybody = list(dict.fromkeys([*listed, *person_ids]))
        living = destruction.living(tx, everybody)
        intended = destruction.intended_of(tx, everybody)
        wanted = living & (set(everybody) if still is None else still(tx, person_ids) | listed.keys())
        destruction.give_up(tx, [each.destruction_id for person, each in intended.items() if person not in wanted])
        batch = {each: intended[each] for each in everybody if each in wanted and each in intended}
        there = destruction.holdings_of(tx, everybody)
        results = {
            each: Erased(person_id=each, recipients=_plan(there[each].copies)[1], held=held.get(each, ()))
            for each in person_ids
        }
        if batch or listed:
            fresh = [each for each in batch if each not in listed]
            lines = self._shredder.write(tx, [(each, there[each].key_sha256) for each in fresh], at=now)
            listed |= {each: lines - len(fresh) + place for place, each in enumerate(fresh, 1)}
            done = self._carry_out(tx, batch, there, listed=listed, strays=strays, now=now)
            destruction.carry_out(tx, lines)
            results |= {each.person_id: each for each in done if each.person_id in results}
        return [results[each] for each in person_ids]

    def _again(self, tx: Transaction, listed: Mapping[str, int], *, actor: str, reason: str) -> list[Erased]:
        people.lock(tx)
        now = self._clock()
        living = destruction.living(tx, list(listed))
        wanted = [each for each in listed if each in living]
        ids = new_ids(len(wanted), to_micros(now))
        destruction.intend(tx, [(ident, each, reason, actor, to_micros(now)) for ident, each in zip(ids, wanted, strict=True)])
        intended = destruction.intended_of(tx, wanted)
        batch = {each: replace(intended[each], reason=reason, actor=actor) for each in wanted}
        there = destruction.holdings_of(tx, wanted)
        return self._carry_out(tx, batch, there, listed=listed, strays={}, now=now) if batch else []

    def _carry_out(
        self,
        tx: Transaction,
        batch: Mapping[str, Destruction],
        there: Mapping[str, Holding],
        *,
        listed: Mapping[str, int],
        strays: Mapping[str, Sequence[str]],
        now: datetime,
    ) -> list[Erased]:
        moment = to_micros(now)
        counts = people.destroy(tx, list(batch), moment)
        for person_id, submission_ids in strays.items():
            if person_id in counts:
                counts[person_id]["submissions"] += holdings.destroy_submissions(tx, submission_ids)
        stopped: list[str] = []
        leaves: list[tuple[str | None, bytes]] = []
        erased: list[Erased] = []
        done: list[Destruction] = []
        for person_id, intent in batch.items():
            stop, recipients = _plan(there[person_id].copies)
            stopped += stop
            told = self._leaves(intent, there[person_id], stop=len(stop), recipients=recipients, now=now)
            leaves += told
            counted = {name: counts[person_id][name] for name in ("keys", "identifiers", "leads", "submissions")}
            erased.append(_told(person_id, counted, suppressed=len(stop), recipients=recipients))
            done.append(
                replace(
                    intent,
                    done_at=moment,
                    method=METHOD,
                    counts=counted | {"suppressed": len(stop)},
                    categories=_categories(there[person_id]),
                    recipients=recipients,
                    key_sha256=there[person_id].key_sha256,
                    shred_number=listed[person_id],
                    leaf_sha256=leaf_hash(told[0][1]).hex(),
                )
            )
        outbox.suppress(tx, stopped, reason="erased", now=moment)
        log.append(tx, leaves)
        destruction.done(tx, done)
        self._afterwards(tx, done, now)
        return erased

    def _leaves(
        self, intent: Destruction, there: Holding, *, stop: int, recipients: Sequence[str], now: datetime
    ) -> list[tuple[str | None, bytes]]:
        """A leaf for each lead, so that every lead's trace tells of it; of somebody without leads, one about the person."""
        recorder = Recorder(at=now, actor=intent.actor)
        facts: dict[str, LeafValue] = {"reason": intent.reason, "method": METHOD, "suppressed": stop, "tenant": self._tenant}
        if recipients:
            facts["recipients"] = list(recipients)
        leads: list[str | None] = [*there.leads]
        for lead_id in leads or [None]:
            names = there.leads.get(lead_id or "", ())
            more: dict[str, LeafValue] = {"categories": sorted(names)} if names else {}
            recorder.note(Event.SUBJECT_ERASED, person_id=intent.person_id, lead_id=lead_id, facts=facts | more)
        return [(about or intent.person_id, leaf) for about, leaf in recorder.leaves]


def _told(person_id: str, counted: Mapping[str, int], *, suppressed: int, recipients: tuple[str, ...]) -> Erased:
    return Erased(
        person_id=person_id,
        keys=counted["keys"],
        identifiers=counted["identifiers"],
        leads=counted["leads"],
        submissions=counted["submissions"],
        suppressed=suppressed,
        recipients=recipients,
    )


def _categories(there: Holding) -> tuple[str, ...]:
    return tuple(sorted({name for names in there.leads.values() for name in names}))
