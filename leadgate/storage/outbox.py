"""The outbox: deliveries from queued to a final outcome.

A row is claimed with a lease before anything is sent, so a worker that dies leaves a mark: an expired lease means nobody knows
whether the record arrived.

What is claimed at birth is not due before its outcome, and is left out of the index of what is due: one row of ``hand_over``
speaks for the batch, and Postgres writes the outcomes in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from schemas.delivery import Delivery
from schemas.vocabulary import Outcome

_DELIVERY_COLUMNS = (
    "delivery_id",
    "lead_id",
    "person_id",
    "destination",
    "purpose",
    "key",
    "state",
    "attempt",
    "created_at",
    "not_before",
    "lease_until",
    "worker",
)


class Claim(NamedTuple):
    """Who may send, and until when (micros); after that nobody knows whether it was sent."""

    worker: str
    until: int


class Claimed(NamedTuple):
    """A delivery in our hands, with everything the second look of the gate and the vault need. Times are micros."""

    delivery_id: str
    lead_id: str
    person_id: str
    purpose: str
    key: str
    attempt: int
    brand: str
    channel: str
    language: str
    topic: str
    country: str
    received_at: int
    sealed: bytes | None
    wrapped_key: bytes | None
    key_version: int | None
    consent_id: str
    purposes: str
    notice_id: str
    notice_version: str
    notice_language: str
    text_sha256: str
    indication: str
    evidence: str
    given_at: int
    recorded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """A delivery of which nobody knows whether it arrived."""

    delivery_id: str
    lead_id: str
    key: str
    attempt: int


_OF_LEAD = (
    " l.brand, l.channel, l.language, l.topic, l.country, l.received_at, l.sealed, p.wrapped_key, p.key_version, c.consent_id,"
    " c.purposes, c.notice_id, c.notice_version, c.notice_language, c.text_sha256, c.indication, c.evidence, c.given_at,"
    " c.recorded_at from "
)
_JOINED = " join person p on p.person_id = l.person_id join consent_record c on c.consent_id = l.consent_id"
_LEAD = f"select l.lead_id,{_OF_LEAD} lead l{_JOINED}"
_CLAIMED = (
    f"select d.delivery_id, d.lead_id, d.person_id, d.purpose, d.key, d.attempt,{_OF_LEAD}"
    f" delivery d join lead l on l.lead_id = d.lead_id{_JOINED}"
)


#: The deliveries ``d`` that a hand-over ``h`` still speaks for.
IN_HAND = (
    "d.delivery_id between h.first_id and h.last_id and d.destination = h.destination and d.worker = h.worker"
    " and d.state = 'claimed'"
)


#: Deliveries without a final outcome: what is due some day, and what is in hand.
NOT_FINAL = (
    "select d.* from delivery d where d.not_before is not null"
    f" union all select d.* from hand_over h join delivery d on {IN_HAND}"
)


def add(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Queue deliveries, values in the order of the columns above. One that is claimed already has no ``not_before``, and a
    hand-over in the same transaction.
    """
    tx.insert("delivery", _DELIVERY_COLUMNS, rows)


def add_hand_overs(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows are (destination, first delivery id, last delivery id, worker, lease_until)."""
    tx.insert("hand_over", ("destination", "first_id", "last_id", "worker", "lease_until"), rows)


def end_hand_over(tx: Transaction, *, destination: str, first_id: str) -> None:
    """Each of its deliveries has an outcome, or is due again, in this transaction."""
    tx.run("delete from hand_over where destination = :name and first_id = :first", name=destination, first=first_id)


_LAPSED = "h.destination = :destination and h.lease_until <= :now"


def _skip(tx: Transaction) -> str:
    return " for update skip locked" if tx.postgres else ""


def claim(tx: Transaction, *, destination: str, worker: str, limit: int, now: int, lease_until: int) -> list[Claimed]:
    """Take the oldest due deliveries for this worker until ``lease_until``."""
    due = (
        " from delivery where destination = :destination and state in ('queued', 'deferred') and not_before <= :now"
        " order by not_before limit :limit"
    )
    # Postgres finds the rows it has just locked by their place; by their id it would look each up again.
    mine = (
        f"ctid = any(array(select ctid{due} for update skip locked))"
        if tx.postgres
        else f"delivery_id in (select delivery_id{due})"
    )
    taken = tx.wide_rows(
        "update delivery set state = 'claimed', attempt = attempt + 1, lease_until = :lease, worker = :worker"
        f" where {mine} returning delivery_id, lead_id, person_id, purpose, key, attempt",
        lease=lease_until,
        worker=worker,
        destination=destination,
        now=now,
        limit=limit,
    )
    found = tx.rows_in(_LEAD + " where l.lead_id in :values", [row[1] for row in taken])
    leads = {row[0]: row[1:] for row in found}
    return [Claimed._make((*row, *leads[row[1]])) for row in taken if row[1] in leads]


def peek(tx: Transaction, *, destination: str, now: int, after: str, limit: int) -> list[Claimed]:
    """Due deliveries as a claim would see them, without claiming; by id, a page at a time."""
    rows = tx.rows(
        _CLAIMED + " where d.destination = :destination and d.state in ('queued', 'deferred') and d.not_before <= :now"
        " and d.delivery_id > :after order by d.delivery_id limit :limit",
        destination=destination,
        now=now,
        after=after,
        limit=limit,
    )
    return list(map(Claimed._make, rows))


def settle(tx: Transaction, worker: str, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """Write outcomes of claimed deliveries; answer the ids that were still this worker's.

    Rows are (delivery_id, state, reason, vendor_ref, sent_sha256, not_before, decided_at, attempt). A row whose lease ran out
    and was taken over meanwhile is left alone: the one who took it over reads it back.
    """
    return tx.update_where(
        "delivery",
        "delivery_id",
        {
            "state": "text",
            "reason": "text",
            "vendor_ref": "text",
            "sent_sha256": "text",
            "not_before": "bigint",
            "decided_at": "bigint",
            "attempt": "integer",
        },
        rows,
        guard="worker = :worker and delivery.state in ('claimed', 'uncertain')",
        always={"lease_until": "null"},
        worker=worker,
    )


def expire_leases(tx: Transaction, *, destination: str, now: int, look_at: int) -> list[Doubtful]:
    """Turn claims whose lease ran out into doubts, to be read back not before ``look_at``."""
    rows = tx.rows(
        "update delivery set state = 'uncertain', reason = 'lease_expired', not_before = :look_at, lease_until = null"
        " where delivery_id in (select delivery_id from delivery where destination = :destination and state = 'claimed'"
        " and not_before is not null and lease_until <= :now" + _skip(tx) + ") returning delivery_id, lead_id, key, attempt",
        destination=destination,
        now=now,
        look_at=look_at,
    )
    if tx.rows(f"select 1 from hand_over h where {_LAPSED} limit 1", destination=destination, now=now):
        rows += _expire_hand_overs(tx, destination=destination, now=now, look_at=look_at)
    return [Doubtful(delivery_id=row[0], lead_id=row[1], key=row[2], attempt=row[3]) for row in rows]


def _expire_hand_overs(tx: Transaction, *, destination: str, now: int, look_at: int) -> list[Any]:
    rows = tx.rows(
        "update delivery set state = 'uncertain', reason = 'lease_expired', not_before = :look_at, lease_until = null"
        f" where delivery_id in (select d.delivery_id from hand_over h join delivery d on {IN_HAND} where {_LAPSED}"
        " and d.lease_until <= :now" + (" for update of d skip locked" if tx.postgres else "") + ")"
        " returning delivery_id, lead_id, key, attempt",
        destination=destination,
        now=now,
        look_at=look_at,
    )
    tx.run(
        f"delete from hand_over as h where {_LAPSED} and not exists (select 1 from delivery d where {IN_HAND})",
        destination=destination,
        now=now,
    )
    return rows


def claim_doubtful(tx: Transaction, *, destination: str, worker: str, limit: int, now: int, look_again: int) -> list[Doubtful]:
    """Take due doubts for a read-back; if this worker dies they are due again at ``look_again``."""
    rows = tx.rows(
        "update delivery set worker = :worker, not_before = :look_again where delivery_id in (select delivery_id from delivery"
        " where destination = :destination and state = 'uncertain' and not_before <= :now order by not_before limit :limit"
        + _skip(tx)
        + ") returning delivery_id, lead_id, key, attempt",
        worker=worker,
        destination=destination,
        now=now,
        limit=limit,
        look_again=look_again,
    )
    return [Doubtful(delivery_id=row[0], lead_id=row[1], key=row[2], attempt=row[3]) for row in rows]


def of_person(tx: Transaction, person_id: str) -> list[Delivery]:
    """Every delivery of a person."""
    rows = tx.rows(
        "select d.delivery_id, d.lead_id, d.destination, d.purpose, d.state, d.attempt, d.not_before, d.vendor_ref, d.reason"
        " from lead l join delivery d on d.lead_id = l.lead_id where l.person_id = :person order by d.delivery_id"
        + (" for update of d" if tx.postgres else ""),
        person=person_id,
    )
    return [
        Delivery(
            delivery_id=row[0],
            lead_id=row[1],
            destination=row[2],
            purpose=row[3],
            state=Outcome(row[4]),
            attempt=row[5],
            not_before=from_micros(row[6]) if row[6] is not None else None,
            vendor_ref=row[7],
            reason=row[8],
        )
        for row in rows
    ]


def suppress(tx: Transaction, delivery_ids: Sequence[str], *, reason: str, now: int) -> None:
    """Stop deliveries that wait; the caller holds their rows."""
    columns = {"state": "text", "reason": "text", "decided_at": "bigint", "not_before": "bigint"}
    rows = [(each, Outcome.SUPPRESSED.value, reason, now, None) for each in delivery_ids]
    tx.update("delivery", "delivery_id", columns, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that stopped and waits for a person."""

    delivery_id: str
    lead_id: str
    destination: str
    reason: str | None
    attempt: int
    decided_at: int


def dead_letters(tx: Transaction, destination: str | None) -> list[DeadLetter]:
    """Dead letters, oldest first."""
    rows = tx.rows(
        "select delivery_id, lead_id, destination, reason, attempt, decided_at from delivery where state = 'dead'"
        " and (:every or destination = :destination) order by decided_at",
        every=destination is None,
        destination=destination or "",
    )
    return [
        DeadLetter(delivery_id=row[0], lead_id=row[1], destination=row[2], reason=row[3], attempt=row[4], decided_at=row[5])
        for row in rows
    ]


def requeue(tx: Transaction, delivery_ids: Sequence[str], *, now: int) -> set[str]:
    """Queue dead letters again, with fresh attempts; answer those that were still dead."""
    rows = tx.rows_in(
        "select delivery_id from delivery where state = 'dead' and delivery_id in :values"
        + (" for update" if tx.postgres else ""),
        list(delivery_ids),
    )
    columns = {"state": "text", "attempt": "integer", "not_before": "bigint", "reason": "text", "decided_at": "bigint"}
    tx.update("delivery", "delivery_id", columns, [(row[0], Outcome.QUEUED.value, 0, now, None, None) for row in rows])
    return {row[0] for row in rows}


def due_counts(tx: Transaction, now: int) -> list[tuple[str, str, str, str, int, int]]:
    """(destination, brand, purpose, state, how many, how many of them due) of everything that is not final."""
    rows = tx.rows(
        "select d.destination, l.brand, d.purpose, d.state, count(*),"
        " sum(case when coalesce(d.not_before, d.created_at) <= :now then 1 else 0 end)"
        f" from ({NOT_FINAL}) as d join lead l on l.lead_id = d.lead_id group by 1, 2, 3, 4 order by 1, 2, 3, 4",
        now=now,
    )
    return [(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows]


def destinations_with_work(tx: Transaction, now: int) -> list[str]:
    """Destinations that have something due now (to send, to read back, a lease that ran out) and whose breaker is not open."""
    return [
        row[0]
        for row in tx.rows(
            "select distinct destination from (select destination from delivery where not_before is not null"
            " and ((state in ('queued', 'deferred', 'uncertain')"
            " and not_before <= :now) or (state = 'claimed' and lease_until <= :now))"
            " union all select destination from hand_over where lease_until <= :now) as d where not exists (select 1"
            " from destination_state s where s.destination = d.destination and s.open_until > :now) order by destination",
            now=now,
        )
    ]
