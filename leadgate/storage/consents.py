"""What became of consents: events are added and never changed. Refused: an event whose facts a leaf may not say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from consent.audit.facts import is_actor, offending
from leadgate.storage.clock import LATEST, from_micros, to_micros
from leadgate.storage.engine import Transaction
from schemas.consent_event import ConsentEvent, ConsentEventType, ConsentOrigin, ConsentState
from schemas.errors import AuditError

EVENT_COLUMNS: Final = (
    "event_id",
    "consent_id",
    "person_id",
    "purpose",
    "state",
    "event_type",
    "event_time",
    "recorded_at",
    "origin",
    "actor",
    "facts",
    "policy_version",
)
_SELECT: Final = f"select {', '.join(EVENT_COLUMNS)} from consent_event"


def add_events(tx: Transaction, events: Sequence[ConsentEvent]) -> None:
    """Add events; the caller writes the leaf of each in the same transaction (``Event.CONSENT_WITHDRAWN`` and so on).

    ``event_id`` comes from ``leadgate.storage.ids.new_ids``. Raises AuditError if a fact or the actor may not stand in a leaf.
    """
    tx.insert("consent_event", EVENT_COLUMNS, [_row(event) for event in events])


def events_of(tx: Transaction, person_id: str) -> list[ConsentEvent]:
    """Every event of a person, oldest first, withdrawals from before there were events included."""
    return events_of_people(tx, [person_id]).get(person_id, [])


def events_of_people(tx: Transaction, person_ids: Iterable[str]) -> dict[str, list[ConsentEvent]]:
    """As ``events_of``, for many; people without an event do not appear."""
    ids = list(person_ids)
    found: dict[str, list[ConsentEvent]] = {}
    for row in tx.rows_in(f"{_SELECT} where person_id in :values", ids):
        event = _event(tuple(row))
        found.setdefault(event.person_id, []).append(event)
    taken = tx.rows_in("select person_id, purpose, withdrawn_at, submission_id from withdrawal where person_id in :values", ids)
    for row in taken:
        events = found.setdefault(row[0], [])
        event = _of_withdrawal(*row)
        if not any(_says_the_same(one, event) for one in events):
            events.append(event)
    for events in found.values():
        events.sort(key=lambda event: (event.event_time, event.recorded_at, event.event_id))
    return found


def _row(event: ConsentEvent) -> tuple[Any, ...]:
    fact = offending(event.facts)
    if fact is not None or not is_actor(event.actor):
        raise AuditError("event_refused", "an event holds only what a leaf may say", field=fact or "actor")
    return (
        event.event_id,
        event.consent_id,
        event.person_id,
        event.purpose,
        event.state.value,
        event.event_type.value,
        to_micros(event.event_time),
        to_micros(event.recorded_at),
        event.origin.value,
        event.actor,
        json.dumps(dict(event.facts), sort_keys=True, separators=(",", ":")),
        event.policy_version,
    )


def _event(row: tuple[Any, ...]) -> ConsentEvent:
    """Raises ValueError if somebody wrote to the row."""
    event_id, consent_id, person_id, purpose, state, kind, happened, recorded, origin, actor, facts, policy_version = row
    return ConsentEvent(
        event_id=event_id,
        consent_id=consent_id,
        person_id=person_id,
        purpose=purpose,
        state=ConsentState(state),
        event_type=ConsentEventType(kind),
        event_time=from_micros(happened),
        recorded_at=from_micros(recorded),
        origin=ConsentOrigin(origin),
        actor=actor,
        facts=json.loads(facts),
        policy_version=policy_version,
    )


def _of_withdrawal(person_id: str, purpose: str, withdrawn_at: Any, submission_id: str | None) -> ConsentEvent:
    """The event of a row of ``withdrawal``: of a ledger before 0002, or of a transaction that wrote no event beside it."""
    readable = isinstance(withdrawn_at, int) and 0 <= withdrawn_at <= LATEST
    moment = from_micros(withdrawn_at if readable else LATEST)  # somebody wrote to it: it counts, as it does for the gate
    return ConsentEvent(
        event_id=f"withdrawal/{purpose}",
        person_id=person_id,
        purpose=purpose,
        state=ConsentState.WITHDRAWN,
        event_time=moment,
        recorded_at=moment,
        origin=ConsentOrigin.WEBHOOK if submission_id else ConsentOrigin.OFFICER,
    )


def _says_the_same(one: ConsentEvent, other: ConsentEvent) -> bool:
    return (
        one.state is other.state
        and one.event_time == other.event_time
        and one.consent_id is None
        and one.purpose in (None, other.purpose)
    )
