"""Withdrawals as they were asked for: who, when, which purposes, and what each meant for the deliveries of that moment. Rows
are added and never changed; ``people.withdraw`` keeps the one moment the gate asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction

_REQUEST: Final = (
    "withdrawal_id",
    "person_id",
    "brand",
    "purposes",
    "withdrawn_at",
    "recorded_at",
    "actor",
    "submission_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalRequest:
    """One request, of everybody its identifiers named. ``submission_id`` None: somebody of ours passed it on."""

    withdrawal_id: str
    person_ids: tuple[str, ...]
    brand: str
    purposes: tuple[str, ...]
    withdrawn_at: datetime
    recorded_at: datetime
    actor: str
    submission_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedDelivery:
    """A delivery that still waited and was stopped by the request."""

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str


def add(tx: Transaction, requests: Sequence[tuple[Any, ...]], effects: Sequence[tuple[str, str, str]]) -> None:
    """Requests in the order of the columns above, a row for each person; effects are (withdrawal_id, delivery_id, effect)."""
    tx.insert("withdrawal_request", _REQUEST, requests)
    tx.insert("withdrawal_effect", ("withdrawal_id", "delivery_id", "effect"), effects)


def by_ids(tx: Transaction, withdrawal_ids: Sequence[str]) -> list[WithdrawalRequest]:
    """The requests of these ids, oldest first."""
    rows = tx.rows_in(f"select {', '.join(_REQUEST)} from withdrawal_request where withdrawal_id in :values", withdrawal_ids)
    return _grouped(rows)


def newest(tx: Transaction, *, limit: int) -> list[WithdrawalRequest]:
    """The newest requests, the newest first."""
    rows = tx.rows(
        "select distinct withdrawal_id, recorded_at from withdrawal_request order by recorded_at desc, withdrawal_id desc"
        " limit :limit",
        limit=limit,
    )
    return by_ids(tx, [row[0] for row in rows])[::-1]


def of_persons(tx: Transaction, person_ids: Sequence[str]) -> list[WithdrawalRequest]:
    """Every request that named one of these people, oldest first."""
    rows = tx.rows_in("select distinct withdrawal_id from withdrawal_request where person_id in :values", list(person_ids))
    return by_ids(tx, [row[0] for row in rows])


def concerning(tx: Transaction, delivery_ids: Sequence[str]) -> list[str]:
    """Ids of the requests that meant something for one of these deliveries."""
    rows = tx.rows_in("select distinct withdrawal_id from withdrawal_effect where delivery_id in :values", list(delivery_ids))
    return [row[0] for row in rows]


def stopped_by(tx: Transaction, withdrawal_id: str) -> list[StoppedDelivery]:
    """The deliveries that one request stopped in the queue."""
    rows = tx.rows(
        "select d.delivery_id, d.lead_id, d.destination, d.purpose from withdrawal_effect e"
        " join delivery d on d.delivery_id = e.delivery_id"
        " where e.withdrawal_id = :withdrawal and e.effect = 'suppress_now' order by d.delivery_id",
        withdrawal=withdrawal_id,
    )
    return [StoppedDelivery(delivery_id=row[0], lead_id=row[1], destination=row[2], purpose=row[3]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUnderConsent:
    """A lead of which we still hold bytes, and the agreement it stands on."""

    person_id: str
    purposes: tuple[str, ...]
    given_at: int


def held_by_us(tx: Transaction, person_ids: Sequence[str]) -> list[HeldUnderConsent]:
    """Leads of these people whose envelope, or whose sender's copy, is not destroyed."""
    rows = tx.rows_in(
        "select l.person_id, c.purposes, c.given_at from lead l join consent_record c on c.consent_id = l.consent_id"
        " left join submission s on s.submission_id = l.submission_id"
        " where (l.sealed is not null or s.sealed is not null) and l.person_id in :values",
        list(person_ids),
    )
    return [HeldUnderConsent(person_id=row[0], purposes=tuple(row[1].split()), given_at=row[2]) for row in rows]


def mark_withdrawn(tx: Transaction, person_ids: Sequence[str]) -> None:
    """People of whom no purpose stands any more; an erased one stays erased."""
    for person_id in person_ids:
        tx.run("update person set state = 'withdrawn' where person_id = :person and state = 'known'", person=person_id)


def mark_returned(tx: Transaction) -> int:
    """People who gave a new consent after everything was taken back are known again; the old consent stays withdrawn."""
    return tx.run(
        "update person set state = 'known' where state = 'withdrawn' and exists (select 1 from lead l"
        " join consent_record c on c.consent_id = l.consent_id where l.person_id = person.person_id and c.given_at > (select"
        " max(w.withdrawn_at) from withdrawal w where w.person_id = person.person_id))"
    )


def _grouped(rows: Sequence[Any]) -> list[WithdrawalRequest]:
    people: dict[str, list[str]] = {}
    for row in rows:
        people.setdefault(row[0], []).append(row[1])
    once = {row[0]: row for row in rows}
    found = [
        WithdrawalRequest(
            withdrawal_id=row[0],
            person_ids=tuple(sorted(people[row[0]])),
            brand=row[2],
            purposes=tuple(row[3].split()),
            withdrawn_at=from_micros(row[4]),
            recorded_at=from_micros(row[5]),
            actor=row[6],
            submission_id=row[7],
        )
        for row in once.values()
    ]
    return sorted(found, key=lambda request: (request.recorded_at, request.withdrawal_id))
