"""What an evidence package is made of, a batch of ids at a time. No statement here changes a row."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from leadgate.storage.engine import Transaction
from leadgate.storage.leads import CONSENT_COLUMNS, LEAD_COLUMNS

#: Microseconds.
_DAY: Final = 24 * 3600 * 1_000_000
#: The columns that ``lead.admitted`` commits to; the sealed envelope's digest comes after them.
COMMITTED: Final = LEAD_COLUMNS[:13]


class DeliveryRow(NamedTuple):
    """One delivery, without the recipient's own reference. Times are micros."""

    delivery_id: str
    lead_id: str
    person_id: str
    destination: str
    purpose: str
    state: str
    attempt: int
    created_at: int
    decided_at: int | None
    reason: str | None
    sent_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAt:
    """A signed checkpoint: its size, its note without cosignatures, when we signed it."""

    size: int
    note: str
    signed_at: int


def leads(tx: Transaction, lead_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """(committed columns ..., sealed envelope or None) of these leads, by id."""
    columns = ", ".join((*COMMITTED, "sealed"))
    rows = tx.rows_in(f"select {columns} from lead where lead_id in :values", list(lead_ids))
    return sorted((tuple(row) for row in rows), key=lambda row: row[0])


def consents(tx: Transaction, consent_ids: Collection[str]) -> list[tuple[Any, ...]]:
    """The records in the order of ``CONSENT_COLUMNS``, by id."""
    rows = tx.rows_in(f"select {', '.join(CONSENT_COLUMNS)} from consent_record where consent_id in :values", list(consent_ids))
    return sorted(tuple(row) for row in rows)


def deliveries(tx: Transaction, lead_ids: Sequence[str]) -> list[DeliveryRow]:
    """Every delivery of these leads, by id."""
    rows = tx.rows_in(f"select {', '.join(DeliveryRow._fields)} from delivery where lead_id in :values", list(lead_ids))
    return sorted(map(DeliveryRow._make, rows))


def submissions(tx: Transaction, lead_ids: Sequence[str]) -> list[str]:
    """Ids of the submissions these leads came in."""
    return [row[0] for row in tx.rows_in("select submission_id from lead where lead_id in :values", list(lead_ids))]


def submissions_of_person(tx: Transaction, person_id: str) -> list[str]:
    """Ids of every submission that concerned one person, withdrawals and refusals too."""
    return [row[0] for row in tx.rows("select submission_id from submission where person_id = :person", person=person_id)]


def cases_of_person(tx: Transaction, person_id: str) -> list[str]:
    """Ids of the cases that name one person. Cases are few: they are looked through."""
    rows = tx.rows("select case_id, person_ids from subject_case where person_ids like :part", part=f"%{person_id}%")
    return sorted(row[0] for row in rows if person_id in row[1].split())


def checkpoints(tx: Transaction, sizes: Collection[int]) -> list[SealedAt]:
    """The signed checkpoints of these sizes, smallest first."""
    found: list[SealedAt] = []
    for size in sorted(set(sizes)):  # a handful
        rows = tx.rows("select tree_size, note, signed_at from checkpoint where tree_size = :size", size=size)
        found += [SealedAt(size=row[0], note=row[1], signed_at=row[2]) for row in rows]
    return found


def size_after(tx: Transaction, signed_at: int) -> int | None:
    """Size of the first checkpoint that was signed at a moment or later; None if there is none yet."""
    rows = tx.rows("select min(tree_size) from checkpoint where signed_at >= :at", at=signed_at)
    return None if rows[0][0] is None else int(rows[0][0])


def last_of_each_day(tx: Transaction, *, begin: int, end: int) -> list[int]:
    """Sizes of the last checkpoint of each UTC day between two sizes: enough to say when something stood in the log."""
    rows = tx.rows(
        "select max(tree_size) from checkpoint where tree_size > :begin and tree_size <= :end group by signed_at / :day",
        begin=begin,
        end=end,
        day=_DAY,
    )
    return sorted(row[0] for row in rows)


def pending_about(tx: Transaction, abouts: Sequence[str]) -> list[bytes]:
    """The leaves about these that wait for their place."""
    return [bytes(row[0]) for row in tx.rows_in("select body from audit_pending where about in :values", list(abouts))]


def destructions(tx: Transaction, person_ids: Sequence[str]) -> list[tuple[str, str, str, str | None, dict[str, int], int]]:
    """(destruction id, person, reason, method, what was destroyed, when) of these people, in order."""
    rows = tx.rows_in(
        "select destruction_id, person_id, reason, method, counts, done_at from destruction"
        " where state = 'done' and person_id in :values",
        list(person_ids),
    )
    return sorted((row[0], row[1], row[2], row[3], json.loads(row[4] or "{}"), row[5]) for row in rows)
