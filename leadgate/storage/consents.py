"""What became of consents: events are added and never changed. Refused: an event whose facts a leaf may not say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.audit.facts import is_actor, offending
from leadgate.storage.clock import LATEST, from_micros, to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.leads import CONSENT_COLUMNS, consent_of_row
from schemas.consent_event import ConsentEvent, ConsentEventType, ConsentOrigin, ConsentState
from schemas.consent_record import ConsentRecord
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A consent record beside the lead it came with. ``sealed`` is None once the person was erased."""

    record: ConsentRecord
    lead_id: str
    channel: str
    topic: str
    country: str
    field_names: tuple[str, ...]
    sealed: bytes | None


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
    # A row of every purpose is a restriction (leadgate.pipeline.restrict): it holds what was agreed, and takes nothing back.
    taken = tx.rows_in(
        "select person_id, purpose, withdrawn_at, submission_id from withdrawal where purpose <> '*' and person_id in :values",
        ids,
    )
    for row in taken:
        events = found.setdefault(row[0], [])
        event = _of_withdrawal(*row)
        if not any(_says_the_same(one, event) for one in events):
            events.append(event)
    for events in found.values():
        events.sort(key=lambda event: (event.event_time, event.recorded_at, event.event_id))
    return found


#: What a consent record is read with: the agreement, and the lead it came with.
_AGREEMENT: Final = (
    f"select c.{', c.'.join(CONSENT_COLUMNS)}, l.lead_id, l.channel, l.topic, l.country, l.field_names, l.sealed"
    " from consent_record c join lead l on l.consent_id = c.consent_id"
)


def agreements(tx: Transaction, word: str) -> list[Agreement]:
    """Every agreement of the person whom the id of a person or lead names; that one alone if it is a consent record's."""
    rows = tx.rows(
        f"{_AGREEMENT} where c.person_id = :word or c.consent_id = :word"
        " or c.person_id in (select person_id from lead where lead_id = :word) order by c.given_at, c.consent_id",
        word=word,
    )
    return [_agreement(tuple(row)) for row in rows]


def brand_of(tx: Transaction, person_id: str) -> str | None:
    """The brand a person is known at; None for an id nobody ever had."""
    rows = tx.rows("select brand from person where person_id = :person", person=person_id)
    return rows[0][0] if rows else None


def all_agreements(tx: Transaction, *, brand: str | None = None, page: int = 500) -> Iterator[list[Agreement]]:
    """Every agreement, of one brand if one is named, in pages, by id."""
    after = ""
    while rows := tx.rows(
        f"{_AGREEMENT} where c.consent_id > :after and :brand in ('', c.brand) order by c.consent_id limit :page",
        after=after,
        brand=brand or "",
        page=page,
    ):
        yield [_agreement(tuple(row)) for row in rows]
        after = rows[-1][0]


def _agreement(row: tuple[Any, ...]) -> Agreement:
    """Raises ValueError if somebody wrote to the row."""
    lead_id, channel, topic, country, names, sealed = row[len(CONSENT_COLUMNS) :]
    return Agreement(
        record=consent_of_row(row[: len(CONSENT_COLUMNS)]),
        lead_id=lead_id,
        channel=channel,
        topic=topic,
        country=country,
        field_names=tuple(names.split()),
        sealed=None if sealed is None else bytes(sealed),
    )


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
