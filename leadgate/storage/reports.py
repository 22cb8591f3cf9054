"""Counts and listings for people: balance, promise, what is stuck. Ids, words and times only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from leadgate.storage import outbox
from leadgate.storage.engine import Transaction
from schemas.vocabulary import SubmissionState


def submissions_by_state(tx: Transaction) -> dict[str, int]:
    """How many submissions stand in each state."""
    return {row[0]: row[1] for row in tx.rows("select state, count(*) from submission group by state")}


def deliveries_by_state(tx: Transaction) -> dict[str, dict[str, int]]:
    """By destination: how many deliveries stand in each state."""
    counts: dict[str, dict[str, int]] = {}
    for destination, state, count in tx.rows("select destination, state, count(*) from delivery group by destination, state"):
        counts.setdefault(destination, {})[state] = count
    return counts


def reasons(tx: Transaction) -> dict[str, int]:
    """How often each reason led to quarantine or refusal; a submission with two reasons counts for both."""
    counts: dict[str, int] = {}
    for findings, count in tx.rows("select findings, count(*) from submission where findings is not null group by findings"):
        for reason in {item["reason"] for item in json.loads(findings)}:
            counts[reason] = counts.get(reason, 0) + count
    return counts


def delivery_reasons(tx: Transaction) -> list[tuple[str, str, str, int]]:
    """(destination, state, reason, count) of deliveries that did not simply arrive."""
    return [
        tuple(row)
        for row in tx.rows(
            "select destination, state, reason, count(*) from delivery where state <> 'accepted' and reason is not null"
            " group by destination, state, reason order by destination, state, reason"
        )
    ]


def put_aside(tx: Transaction, state: SubmissionState, limit: int) -> list[tuple[str, str, str, int, str]]:
    """(submission id, source, event id, received_at, findings as JSON) of what was not admitted, oldest first.

    Rows of a file in their order: what came in together bears ids of one millisecond, which are random, and event ids
    that end in a number.
    """
    return [
        tuple(row)
        for row in tx.rows(
            "select submission_id, source, event_id, received_at, findings from submission where state = :state"
            " order by received_at, length(event_id), event_id limit :limit",
            state=state.value,
            limit=limit,
        )
    ]


def waiting_times(tx: Transaction) -> list[int]:
    """Microseconds from receipt to acceptance, of the newest 100,000 accepted deliveries."""
    return [
        row[0]
        for row in tx.rows(
            "select d.decided_at - l.received_at from delivery d join lead l on l.lead_id = d.lead_id"
            " where d.state = 'accepted' order by d.delivery_id desc limit 100000"
        )
    ]


def oldest_unanswered(tx: Transaction) -> tuple[str, str, int] | None:
    """(kind, id, received_at) of the oldest submission or delivery that still waits, or None."""
    rows = tx.rows(
        "select kind, id, received_at from ("
        " select 'submission' as kind, submission_id as id, received_at from submission where state = 'received'"
        f" union all select 'delivery', d.delivery_id, l.received_at from ({outbox.NOT_FINAL}) as d"
        " join lead l on l.lead_id = d.lead_id) as waiting order by received_at limit 1"
    )
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


def log_size(tx: Transaction) -> tuple[int, int, int]:
    """(ordered leaves, pending leaves, size of the newest checkpoint)."""
    row = tx.rows(
        "select (select coalesce(max(leaf_index) + 1, 0) from audit_leaf), (select count(*) from audit_pending),"
        " (select coalesce(max(tree_size), 0) from checkpoint)"
    )[0]
    return row[0], row[1], row[2]


def delivery_records(tx: Transaction) -> Iterator[tuple[str, str, str, str, str]]:
    """(delivery id, lead id, destination, purpose, state) of every delivery, in pages."""
    after = ""
    while rows := tx.rows(
        "select delivery_id, lead_id, destination, purpose, state from delivery where delivery_id > :after"
        " order by delivery_id limit 5000",
        after=after,
    ):
        yield from (tuple(row) for row in rows)
        after = rows[-1][0]


def keep_balance(tx: Transaction, *, taken_at: int, tree_size: int, counts: Mapping[str, Any]) -> None:
    """Store a balance as it was printed."""
    tx.run(
        "insert into balance (taken_at, tree_size, counts) values (:at, :size, :counts) on conflict (taken_at) do nothing",
        at=taken_at,
        size=tree_size,
        counts=json.dumps(counts, sort_keys=True),
    )
