"""Erase: destroy a person's key and everything that could find them again; what happened stays provable, who it was does not.

What is queued for the person is suppressed in the same transaction. A recipient that holds the lead is named in the result and
in the log: the key is ours to destroy, their copy is not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, outbox, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from schemas.audit import LeafValue
from schemas.vocabulary import IN_DOUBT, Event, Outcome

_WAITING = frozenset({Outcome.QUEUED, Outcome.DEFERRED, Outcome.DEAD})
_HOLDS = frozenset({Outcome.ACCEPTED, Outcome.CLAIMED, Outcome.UNCERTAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """``keys`` is 0 if there was nothing left to destroy; ``recipients`` hold a copy that only they can destroy."""

    person_id: str
    keys: int
    identifiers: int
    leads: int
    submissions: int
    suppressed: int
    recipients: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """For the console."""
        return asdict(self)

    def counts(self) -> dict[str, int]:
        """Numbers only."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}


def plan(tx: Transaction, person_id: str) -> tuple[list[str], tuple[str, ...]]:
    """Deliveries that would be stopped, and recipients that hold a copy, or may: a doubt is no reason to be silent."""
    deliveries = outbox.of_person(tx, person_id)
    stop = [each.delivery_id for each in deliveries if each.state in _WAITING]
    holding = {each.destination for each in deliveries if each.state in _HOLDS or each.reason == IN_DOUBT}
    return stop, tuple(sorted(holding))


def apply(tx: Transaction, person_id: str, *, now: datetime, actor: str, reason: str) -> Erased:
    """Destroy, stop and log. Doing it twice destroys nothing twice and logs nothing twice."""
    people.lock(tx)  # an admission that found the key a moment ago commits first, and what it stored is destroyed too
    stop, recipients = plan(tx, person_id)
    counts = people.destroy(tx, person_id, to_micros(now))
    recorder = Recorder(at=now, actor=actor)
    if counts["keys"]:
        outbox.suppress(tx, stop, reason="erased", now=to_micros(now))
        facts: dict[str, LeafValue] = {"reason": reason, "method": "key_destroyed", "suppressed": len(stop)}
        if recipients:
            facts["recipients"] = list(recipients)
        leads: list[str | None] = [*people.leads_of(tx, person_id)]
        for lead_id in leads or [None]:
            recorder.note(Event.SUBJECT_ERASED, person_id=person_id, lead_id=lead_id, facts=facts)
        log.append(tx, recorder.leaves)
    return Erased(person_id=person_id, suppressed=len(stop) if counts["keys"] else 0, recipients=recipients, **counts)
