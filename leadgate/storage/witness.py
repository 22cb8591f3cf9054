"""Who else signed our checkpoints, and how far the folder that others read has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leadgate.storage.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """One witness's line under one checkpoint."""

    tree_size: int
    witness: str
    line: str  # ends in a newline, as it stands in the note
    cosigned_at: int
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessRow:
    """What is known of a witness."""

    name: str
    tree_size: int
    asked_at: int
    answered_at: int | None
    failures: int
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """How far one folder has come."""

    tree_size: int
    minimum_index: int
    published_at: int


def keep_cosignatures(tx: Transaction, rows: Sequence[Cosigned]) -> None:
    """Remember them; a newer one of the same witness under the same checkpoint takes the older one's place."""
    for row in rows:  # one for each witness: a handful
        tx.run(
            "insert into cosignature (tree_size, witness, line, cosigned_at, received_at)"
            " values (:size, :witness, :line, :cosigned_at, :received_at) on conflict (tree_size, witness)"
            " do update set line = excluded.line, cosigned_at = excluded.cosigned_at, received_at = excluded.received_at",
            size=row.tree_size,
            witness=row.witness,
            line=row.line,
            cosigned_at=row.cosigned_at,
            received_at=row.received_at,
        )


def cosignatures(tx: Transaction, *, least: int = 0, limit: int = 1_000) -> list[Cosigned]:
    """Cosignatures of checkpoints of at least this size, of the largest first."""
    rows = tx.rows(
        "select tree_size, witness, line, cosigned_at, received_at from cosignature where tree_size >= :least"
        " order by tree_size desc, witness limit :limit",
        least=least,
        limit=limit,
    )
    return [Cosigned(tree_size=row[0], witness=row[1], line=row[2], cosigned_at=row[3], received_at=row[4]) for row in rows]


def witnesses(tx: Transaction) -> dict[str, WitnessRow]:
    """Every witness that was ever asked, by name."""
    rows = tx.rows("select name, tree_size, asked_at, answered_at, failures, code from witness")
    return {
        row[0]: WitnessRow(name=row[0], tree_size=row[1], asked_at=row[2], answered_at=row[3], failures=row[4], code=row[5])
        for row in rows
    }


def keep_witnesses(tx: Transaction, rows: Sequence[WitnessRow]) -> None:
    """Remember how each answered."""
    for row in rows:  # a handful
        tx.run(
            "insert into witness (name, tree_size, asked_at, answered_at, failures, code)"
            " values (:name, :size, :asked_at, :answered_at, :failures, :code) on conflict (name) do update set"
            " tree_size = excluded.tree_size, asked_at = excluded.asked_at, answered_at = excluded.answered_at,"
            " failures = excluded.failures, code = excluded.code",
            name=row.name,
            size=row.tree_size,
            asked_at=row.asked_at,
            answered_at=row.answered_at,
            failures=row.failures,
            code=row.code,
        )


def publication(tx: Transaction, folder: str) -> Publication | None:
    """How far a folder has come; None if nothing was published there."""
    rows = tx.rows("select tree_size, minimum_index, published_at from published_log where folder = :folder", folder=folder)
    return Publication(tree_size=rows[0][0], minimum_index=rows[0][1], published_at=rows[0][2]) if rows else None


def keep_publication(tx: Transaction, folder: str, published: Publication) -> None:
    """Remember how far a folder has come. Never back: of two that publish at once, the further one stays."""
    tx.run(
        "insert into published_log (folder, tree_size, minimum_index, published_at) values (:folder, :size, :minimum, :at)"
        " on conflict (folder) do update set tree_size = excluded.tree_size, minimum_index = excluded.minimum_index,"
        " published_at = excluded.published_at where excluded.tree_size >= published_log.tree_size"
        " and excluded.minimum_index >= published_log.minimum_index",
        folder=folder,
        size=published.tree_size,
        minimum=published.minimum_index,
        at=published.published_at,
    )
