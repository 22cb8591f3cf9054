"""Legal holds: what must not be destroyed, for which reason, until when. Refuses to hold what is gone already."""

from __future__ import annotations

from datetime import datetime

from leadgate.pipeline.recorder import Recorder
from leadgate.storage import destruction, holds, log, people
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.holds import Hold
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.errors import ConfigurationError
from schemas.vocabulary import Event


def place(tx: Transaction, person_id: str, *, reason: str, until: datetime | None, actor: str, now: datetime) -> Hold:
    """Set a hold. Raises ConfigurationError for somebody whose data are destroyed, or whose destruction has begun."""
    people.lock(tx)
    if not destruction.living(tx, [person_id]) or destruction.intended_of(tx, [person_id]):
        raise ConfigurationError("nothing_to_hold", "nobody with this id has data that could be held", field="--person")
    if until is not None and until <= now:
        raise ConfigurationError("hold_is_over", "a hold ends in the future, or is lifted", field="--until")
    moment = to_micros(now)
    hold = Hold(
        hold_id=new_ids(1, moment)[0],
        person_id=person_id,
        reason=reason,
        set_at=moment,
        set_by=actor,
        until=to_micros(until) if until else None,
    )
    holds.add(tx, hold)
    _log(tx, Event.HOLD_SET, hold, now=now, actor=actor)
    return hold


def lift(tx: Transaction, hold_id: str, *, actor: str, now: datetime) -> Hold:
    """Lift a hold that stands. Raises ConfigurationError if there is none of this id."""
    people.lock(tx)
    lifted = holds.lift(tx, [hold_id], now=to_micros(now), actor=actor)
    if not lifted:
        raise ConfigurationError("no_such_hold", "no hold of this id stands; 'leadgate hold list' shows them", field="HOLD")
    _log(tx, Event.HOLD_LIFTED, lifted[0], now=now, actor=actor)
    return lifted[0]


def _log(tx: Transaction, event: Event, hold: Hold, *, now: datetime, actor: str) -> None:
    facts: dict[str, LeafValue] = {"reason": hold.reason, "about": hold.hold_id}
    if hold.until is not None:
        facts["until"] = from_micros(hold.until).isoformat(timespec="seconds").replace("+00:00", "Z")
    recorder = Recorder(at=now, actor=actor)
    leads: list[str | None] = [*people.leads_of(tx, hold.person_id)]
    for lead_id in leads or [None]:
        recorder.note(event, person_id=hold.person_id, lead_id=lead_id, facts=facts)
    log.append(tx, [(about or hold.person_id, leaf) for about, leaf in recorder.leaves])
