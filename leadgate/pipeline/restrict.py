"""Restriction: nothing about a person is sent until it is lifted. Nothing is destroyed, and what waited goes back in the queue.

What the gate reads is a withdrawal of everything (``consent.gate.ALL_PURPOSES``) at that moment, so a restriction costs the
dispatcher no query. It differs from a withdrawal in three ways: it is a legal hold, so that nothing is destroyed meanwhile;
lifting removes it; and a consent given afterwards stands (GDPR 18(2): with the person's consent data may be processed).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from leadgate.pipeline import hold
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import cases, destruction, holds, outbox, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from schemas.vocabulary import Event, Outcome

#: Why a delivery does not go, as its row and its leaf say it.
RESTRICTED: Final = "restricted"
_WAITING: Final = frozenset({Outcome.QUEUED, Outcome.DEFERRED})


def restrict(tx: Transaction, recorder: Recorder, person_ids: Sequence[str], *, case_id: str, now: datetime, actor: str) -> int:
    """Hold everything about these people; answer how many deliveries stopped. A claimed one is stopped by the gate."""
    people.lock(tx)
    stopped = 0
    living = destruction.living(tx, person_ids)
    for person_id in cases.restrict(tx, [each for each in person_ids if each in living], case_id=case_id, now=to_micros(now)):
        waiting = [each for each in outbox.of_person(tx, person_id) if each.state in _WAITING]
        outbox.suppress(tx, [each.delivery_id for each in waiting], reason=RESTRICTED, now=to_micros(now))
        for each in waiting:
            recorder.note(
                Event.DELIVERY_SUPPRESSED,
                delivery_id=each.delivery_id,
                lead_id=each.lead_id,
                facts={"destination": each.destination, "reason": RESTRICTED},
            )
        for lead_id in _leads(tx, person_id):
            recorder.note(
                Event.SUBJECT_RESTRICTED,
                person_id=person_id,
                lead_id=lead_id,
                facts={"case_id": case_id, "suppressed": sum(each.lead_id == lead_id for each in waiting)},
                about=case_id,
            )
        if not destruction.intended_of(tx, [person_id]):
            hold.place(tx, person_id, reason=RESTRICTED, until=None, actor=actor, now=now)
        stopped += len(waiting)
    return stopped


def lift(tx: Transaction, recorder: Recorder, person_ids: Sequence[str], *, case_id: str, now: datetime, actor: str) -> int:
    """End the restriction; answer how many deliveries are before the gate again. It decides anew whether they may go."""
    people.lock(tx)
    queued = 0
    standing = holds.of_people(tx, person_ids, now=to_micros(now))
    for person_id, since in cases.lift(tx, person_ids, now=to_micros(now)).items():
        again = cases.stopped_by_restriction(tx, person_id, since=since)
        cases.queue_again(tx, [each[0] for each in again], now=to_micros(now))
        for delivery_id, lead, destination in again:
            facts = {"destination": destination, "reason": "restriction_lifted"}
            recorder.note(Event.DELIVERY_REPLAYED, delivery_id=delivery_id, lead_id=lead, facts=facts)
        for lead_id in _leads(tx, person_id):
            recorder.note(
                Event.SUBJECT_RELEASED, person_id=person_id, lead_id=lead_id, facts={"case_id": case_id}, about=case_id
            )
        for each in standing.get(person_id, ()):
            if each.reason == RESTRICTED:
                hold.lift(tx, each.hold_id, actor=actor, now=now)
        queued += len(again)
    return queued


def _leads(tx: Transaction, person_id: str) -> list[str | None]:
    """A leaf for each, so that every lead's trace tells of it; of somebody without leads, one about the person."""
    return [*people.leads_of(tx, person_id)] or [None]
