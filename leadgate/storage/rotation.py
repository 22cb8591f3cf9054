"""How far a rotation of keys has come: which versions there are, what still hangs on each, and the pages that move it on.

A row is moved by its version (compare and set): whoever was faster, or destroyed the key meanwhile, is never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from leadgate.storage.engine import Transaction

#: What is wrapped, by table: (its key, what must hold for a row to be wrapped at all).
WRAPPED: Final[Mapping[str, str]] = {
    "person": "person_id",
    "submission": "submission_id",
    "destruction_act": "act_id",
    "subject_case": "case_id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStanding:
    """The newest version anybody may write an index under, the one that is wrapped under, and the oldest that still opens."""

    newest: int
    current: int
    oldest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVersion:
    """One version as the ledger saw it; moments in microseconds."""

    version: int
    announced_at: int
    promoted_at: int | None
    emptied_at: int | None
    dropped_at: int | None


class WrappedRow(NamedTuple):
    """A wrapped key and where it stands."""

    row_id: str
    wrapped: bytes
    version: int


class IndexRow(NamedTuple):
    """A digest of somebody's."""

    digest: bytes
    person_id: str
    kind: str
    version: int
    layered_from: int | None


class LeadRow(NamedTuple):
    """A sealed lead with what its fingerprint is made of, and its person's key."""

    person_id: str
    wrapped: bytes
    version: int
    lead_id: str
    brand: str
    topic: str
    purposes: str
    sealed: bytes


# -- versions --------------------------------------------------------------------------------------------------------------


def standing(tx: Transaction) -> KeyStanding | None:
    """Where the versions stand; None if this ledger never saw a rotation. One small row: asked in every writing transaction."""
    row = tx.wide_rows(
        "select max(version), max(case when promoted_at is not null then version end),"
        " min(case when dropped_at is null then version end) from key_version"
    )[0]
    return None if row[0] is None else KeyStanding(newest=row[0], current=row[1] or 1, oldest=row[2] or 1)


def versions(tx: Transaction) -> list[KnownVersion]:
    """Every version, the newest first."""
    rows = tx.rows("select version, announced_at, promoted_at, emptied_at, dropped_at from key_version order by version desc")
    return [
        KnownVersion(version=row[0], announced_at=row[1], promoted_at=row[2], emptied_at=row[3], dropped_at=row[4])
        for row in rows
    ]


def announce(tx: Transaction, version: int, *, at: int) -> None:
    """From the commit on nobody writes an index without this version."""
    tx.run(
        "insert into key_version (version, announced_at) values (:version, :at) on conflict (version) do nothing",
        version=version,
        at=at,
    )


def mark(tx: Transaction, version: int, moment: str, *, at: int | None) -> bool:
    """Set ``promoted_at``, ``emptied_at`` or ``dropped_at`` if it is not set; with None, unset it. Whether it changed."""
    if at is None:
        return tx.run(f"update key_version set {moment} = null where version = :version", version=version) > 0
    return (
        tx.run(f"update key_version set {moment} = :at where version = :version and {moment} is null", version=version, at=at)
        > 0
    )


def stop_receiving(tx: Transaction) -> None:
    """Wait for whoever stores wrapped keys without the people's lock, and let nobody begin until this transaction ends."""
    if tx.postgres:
        tx.run(f"lock table {', '.join(table for table in WRAPPED if table != 'person')} in share row exclusive mode")


def counts(tx: Transaction) -> dict[str, dict[int, int]]:
    """How many rows hang on each version: persons, submissions, identifiers; and the layered digests by where they began."""
    found = {
        table: _by_version(tx, f"select key_version, count(*) from {table} where wrapped_key is not null group by key_version")
        for table in WRAPPED
    }
    found["identifier"] = _by_version(tx, "select key_version, count(*) from identifier group by key_version")
    found["layered"] = _by_version(
        tx, "select layered_from, count(*) from identifier where layered_from is not null group by layered_from"
    )
    return found


def _by_version(tx: Transaction, statement: str) -> dict[int, int]:
    return {row[0]: row[1] for row in sorted(tx.rows(statement), key=lambda row: row[0])}


def left(tx: Transaction, version: int) -> dict[str, int]:
    """How many rows still hang on one version, by table; only those where any does."""
    found = {}
    for table in (*WRAPPED, "identifier"):
        wrapped = " and wrapped_key is not null" if table in WRAPPED else ""
        number = tx.rows(f"select count(*) from {table} where key_version = :version{wrapped}", version=version)[0][0]
        if number:
            found[table] = number
    return found


def layered(tx: Transaction) -> int:
    """How many digests are layered."""
    return int(tx.rows("select count(*) from identifier where layered_from is not null")[0][0])


# -- wrapped keys ----------------------------------------------------------------------------------------------------------


def wrapped_page(tx: Transaction, table: str, *, below: int, after: str, limit: int) -> list[WrappedRow]:
    """A page of keys that are wrapped under a version before ``below``, by id."""
    key = WRAPPED[table]
    rows = tx.wide_rows(
        f"select {key}, wrapped_key, key_version from {table} where wrapped_key is not null and key_version < :below"
        f" and {key} > :after order by {key} limit :limit",
        below=below,
        after=after,
        limit=limit,
    )
    return [WrappedRow(row[0], bytes(row[1]), row[2]) for row in rows]


def rewrap(tx: Transaction, table: str, rows: Sequence[tuple[str, bytes, int]]) -> int:
    """Write (id, wrapped key, version) where the row still hangs on an older version; answer how many did."""
    if not rows:
        return 0
    return len(
        tx.update_where(
            table,
            WRAPPED[table],
            {"wrapped_key": "bytea", "key_version": "integer"},
            rows,
            guard=f"{table}.wrapped_key is not null and {table}.key_version < :newer",
            newer=rows[0][2],
        )
    )


# -- indexes ---------------------------------------------------------------------------------------------------------------


def people_to_index(tx: Transaction, *, below: int, after: str, limit: int) -> list[str]:
    """A page of people with digests under a version before ``below``, by id."""
    rows = tx.rows(
        "select distinct person_id from identifier where key_version < :below and person_id > :after"
        " order by person_id limit :limit",
        below=below,
        after=after,
        limit=limit,
    )
    return [row[0] for row in rows]


def digests_of(tx: Transaction, person_ids: Sequence[str]) -> list[IndexRow]:
    """Every digest of these people."""
    rows = tx.rows_in(
        "select digest, person_id, kind, key_version, layered_from from identifier where person_id in :values", person_ids
    )
    return [IndexRow._make((bytes(row[0]), *row[1:])) for row in rows]


def leads_of(tx: Transaction, person_ids: Sequence[str]) -> list[LeadRow]:
    """Every lead of these people that can still be opened."""
    rows = tx.rows_in(
        "select p.person_id, p.wrapped_key, p.key_version, l.lead_id, l.brand, l.topic, c.purposes, l.sealed"
        " from lead l join person p on p.person_id = l.person_id join consent_record c on c.consent_id = l.consent_id"
        " where p.wrapped_key is not null and l.sealed is not null and l.person_id in :values",
        person_ids,
    )
    return [LeadRow._make((row[0], bytes(row[1]), *row[2:7], bytes(row[7]))) for row in rows]


def living(tx: Transaction, person_ids: Sequence[str]) -> set[str]:
    """Those whose key still exists; they keep it until the transaction ends, for the caller holds the people's lock."""
    rows = tx.rows_in("select person_id from person where wrapped_key is not null and person_id in :values", person_ids)
    return {row[0] for row in rows}


def take_out(tx: Transaction, digests: Sequence[bytes]) -> set[bytes]:
    """Remove these digests; answer those that were there."""
    found = {bytes(row[0]) for row in tx.rows_in("select digest from identifier where digest in :values", digests)}
    tx.rows_in("delete from identifier where digest in :values returning digest", sorted(found))
    return found


def put_in(tx: Transaction, rows: Sequence[IndexRow]) -> None:
    """Add digests, passing over those that stand already."""
    columns = {
        "digest": "bytea", "person_id": "text", "kind": "text", "key_version": "integer", "layered_from": "integer",
    }  # fmt: skip
    tx.insert_new("identifier", columns, rows)


def renew_fingerprints(tx: Transaction, rows: Sequence[tuple[str, bytes]]) -> None:
    """Write (lead id, fingerprint)."""
    tx.update("lead", "lead_id", {"fingerprint": "bytea"}, rows)
