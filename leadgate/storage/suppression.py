"""What is remembered of people who took consent back when everything else of them is gone: a keyed digest, a purpose, a moment.

The digest (``BlindIndex.suppression``) hangs on a key that finds nothing else, and survives rotations. A row goes when no older
consent could carry any more: it has no other use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leadgate.storage.engine import Transaction


class HeldLead(NamedTuple):
    """A lead whose person can still be read."""

    lead_id: str
    person_id: str
    brand: str
    sealed: bytes
    wrapped_key: bytes
    key_version: int


def leads_of(tx: Transaction, person_ids: Sequence[str]) -> list[HeldLead]:
    """Every lead of these people that still opens."""
    rows = tx.rows_in(
        "select l.lead_id, l.person_id, l.brand, l.sealed, p.wrapped_key, p.key_version from lead l"
        " join person p on p.person_id = l.person_id"
        " where l.sealed is not null and p.wrapped_key is not null and l.person_id in :values",
        list(person_ids),
    )
    return [HeldLead(row[0], row[1], row[2], bytes(row[3]), bytes(row[4]), row[5]) for row in rows]


def remember(tx: Transaction, rows: Sequence[tuple[bytes, str, int, int]]) -> None:
    """Rows are (digest, purpose, withdrawn_at, until); a later moment moves an earlier one on."""
    for digest, purpose, withdrawn_at, until in rows:
        tx.run(
            "insert into suppression (digest, purpose, withdrawn_at, until) values (:digest, :purpose, :at, :until)"
            " on conflict (digest, purpose) do update set withdrawn_at = excluded.withdrawn_at, until = excluded.until"
            " where excluded.withdrawn_at > suppression.withdrawn_at",
            digest=digest,
            purpose=purpose,
            at=withdrawn_at,
            until=until,
        )


def holds_any(tx: Transaction) -> bool:
    """Whether anybody is remembered; on most days the answer saves the digests."""
    return bool(tx.wide_rows("select 1 from suppression limit 1"))


def recall(tx: Transaction, digests: Sequence[bytes]) -> dict[bytes, dict[str, int]]:
    """By digest and purpose: when it was taken back; digests nobody is remembered by do not appear."""
    found: dict[bytes, dict[str, int]] = {}
    for digest, purpose, moment in tx.rows_in(
        "select digest, purpose, withdrawn_at from suppression where digest in :values", digests
    ):
        found.setdefault(bytes(digest), {})[purpose] = moment
    return found


def forget(tx: Transaction, now: int) -> int:
    """Remove what no older consent could meet any more; answer how many rows."""
    return tx.run("delete from suppression where until < :now", now=now)
