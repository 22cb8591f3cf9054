"""The inbox: submissions from the moment they were accepted to the moment they were decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from leadgate.storage.engine import Transaction

_COLUMNS = {
    "submission_id": "text",
    "source": "text",
    "event_id": "text",
    "media_type": "text",
    "received_at": "bigint",
    "state": "text",
    "wrapped_key": "bytea",
    "key_version": "integer",
    "sealed": "bytea",
}


class Waiting(NamedTuple):
    """A submission that nobody decided yet, still sealed."""

    submission_id: str
    source: str
    event_id: str
    media_type: str
    received_at: int
    wrapped_key: bytes
    key_version: int
    sealed: bytes


def add(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """Insert submissions (values in the order of the columns above); answer the ids of those that were new."""
    if not rows:
        return set()
    tx.insert_new("submission", _COLUMNS, rows)
    found = tx.rows_in("select submission_id from submission where submission_id in :values", [row[0] for row in rows])
    return {row[0] for row in found}


def take(tx: Transaction, limit: int) -> list[Waiting]:
    """The oldest undecided submissions that no other worker holds; they stay ours until the transaction ends."""
    rows = tx.wide_rows(
        "select submission_id, source, event_id, media_type, received_at, wrapped_key, key_version, sealed from submission"
        " where state = 'received' order by submission_id limit :limit" + (" for update skip locked" if tx.postgres else ""),
        limit=limit,
    )
    return list(map(Waiting._make, rows))


def decide_admitted(tx: Transaction, rows: Sequence[tuple[Any, ...]], *, at: int) -> None:
    """Mark as admitted and destroy the sealed bytes with their key: the lead is in the vault now.

    Rows are (submission_id, kind, brand, person_id, lead_id).
    """
    emptied = dict.fromkeys(("findings", "wrapped_key", "sealed"), "null")
    columns = {**dict.fromkeys(("kind", "brand", "person_id", "lead_id"), "text"), "decided_at": "bigint"}
    tx.update("submission", "submission_id", columns, [(*row, at) for row in rows], always={"state": "'admitted'", **emptied})


def decide_otherwise(tx: Transaction, rows: Sequence[tuple[Any, ...]], *, at: int) -> None:
    """Mark as quarantined or refused; the sealed bytes stay until retention.

    Rows are (submission_id, state, kind, brand, person_id, findings).
    """
    columns = {**dict.fromkeys(("state", "kind", "brand", "person_id", "findings"), "text"), "decided_at": "bigint"}
    tx.update("submission", "submission_id", columns, [(*row, at) for row in rows], always={"lead_id": "null"})


def waits(tx: Transaction) -> bool:
    """Whether anything is undecided."""
    return bool(tx.rows("select 1 from submission where state = 'received' limit 1"))


def oldest_waiting(tx: Transaction) -> int | None:
    """When the oldest undecided submission came in, or None."""
    return tx.rows("select min(received_at) from submission where state = 'received'")[0][0]  # type: ignore[no-any-return]


def quarantined(tx: Transaction) -> list[tuple[str, frozenset[str]]]:
    """(submission id, reasons) of everything in quarantine whose bytes are still there, oldest first."""
    rows = tx.rows(
        "select submission_id, findings from submission where state = 'quarantined' and sealed is not null"
        " order by submission_id"
    )
    return [(row[0], frozenset(each["reason"] for each in json.loads(row[1]))) for row in rows]


def put_back(tx: Transaction, submission_ids: Sequence[str]) -> list[str]:
    """Return quarantined submissions to the inbox; answer those that were still in quarantine."""
    rows = tx.rows_in(
        "select submission_id from submission where state = 'quarantined' and sealed is not null and submission_id in :values"
        + (" for update" if tx.postgres else ""),
        submission_ids,
    )
    moved = sorted(row[0] for row in rows)
    columns = {"state": "text", "decided_at": "bigint", "findings": "text"}
    tx.update("submission", "submission_id", columns, [(each, "received", None, None) for each in moved])
    return moved
