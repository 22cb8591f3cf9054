"""Where leaves wait, stand in order, and are signed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leadgate.storage.engine import Transaction

#: Advisory lock: one integrator at a time gives out leaf indexes.
INTEGRATOR_LOCK = 0x6C65_6164_6C6F_67
#: Spans asked for in one statement.
_SPANS = 100
#: Table, index and hash: of leaves, of complete subtrees above them.
_HASHES = ("audit_leaf", "leaf_index", "leaf_hash")
_NODES = ("audit_node", "node_index", "node_hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """The newest signed statement over the log."""

    tree_size: int
    root: bytes
    frontier: bytes
    note: str
    signed_at: int


def append(tx: Transaction, leaves: Sequence[tuple[str | None, bytes]]) -> None:
    """Commit leaves with the state they speak of; each is (what it is about or None, encoded leaf)."""
    tx.insert("audit_pending", ("about", "body"), leaves)


def take_pending(tx: Transaction, limit: int) -> list[tuple[str | None, bytes]]:
    """Remove the oldest pending leaves; the caller orders them in the same transaction."""
    rows = tx.rows(
        "delete from audit_pending where pending_id in (select pending_id from audit_pending order by pending_id limit :limit)"
        " returning pending_id, about, body",
        limit=limit,
    )
    return [(row[1], bytes(row[2])) for row in sorted(rows, key=lambda row: row[0])]


def something_pending(tx: Transaction) -> bool:
    """Whether a leaf waits for its place."""
    return bool(tx.rows("select 1 from audit_pending limit 1"))


def add_leaves(tx: Transaction, rows: Sequence[tuple[int, str | None, bytes, bytes]]) -> None:
    """Rows are (leaf_index, about, leaf hash, body)."""
    tx.insert("audit_leaf", ("leaf_index", "about", "leaf_hash", "body"), rows)


def last_checkpoint(tx: Transaction) -> StoredCheckpoint | None:
    """The newest checkpoint, or None for an empty log."""
    rows = tx.rows("select tree_size, root, frontier, note, signed_at from checkpoint order by tree_size desc limit 1")
    if not rows:
        return None
    row = rows[0]
    return StoredCheckpoint(tree_size=row[0], root=bytes(row[1]), frontier=bytes(row[2]), note=row[3], signed_at=row[4])


def add_checkpoint(tx: Transaction, checkpoint: StoredCheckpoint) -> None:
    """Remember a signed checkpoint."""
    tx.run(
        "insert into checkpoint (tree_size, root, frontier, note, signed_at) values (:size, :root, :frontier, :note, :at)",
        size=checkpoint.tree_size,
        root=checkpoint.root,
        frontier=checkpoint.frontier,
        note=checkpoint.note,
        at=checkpoint.signed_at,
    )


def add_nodes(tx: Transaction, rows: Sequence[tuple[int, int, bytes]]) -> None:
    """Rows are (level, index, hash) of complete subtrees of 256**level leaves."""
    tx.insert("audit_node", ("level", "node_index", "node_hash"), rows)


def node_counts(tx: Transaction) -> dict[int, int]:
    """How many subtree hashes are kept of each level; they are kept without a gap."""
    return {row[0]: row[1] + 1 for row in tx.rows("select level, max(node_index) from audit_node group by level")}


def hashes(tx: Transaction, level: int, spans: Sequence[tuple[int, int]]) -> dict[int, bytes]:
    """The hashes that spans (begin, end) of one level hold, by index: of leaves at level 0, of subtrees above."""
    table, index, value = _HASHES if level == 0 else _NODES
    where = "" if level == 0 else "level = :level and "
    given = {} if level == 0 else {"level": level}
    found: dict[int, bytes] = {}
    for start in range(0, len(spans), _SPANS):
        part = spans[start : start + _SPANS]
        ranges = " or ".join(f"{index} >= :begin{at} and {index} < :end{at}" for at in range(len(part)))
        bounds = {
            f"{word}{at}": bound for at, span in enumerate(part) for word, bound in zip(("begin", "end"), span, strict=True)
        }
        rows = tx.wide_rows(f"select {index}, {value} from {table} where {where}({ranges})", **given, **bounds)
        found.update((row[0], bytes(row[1])) for row in rows)
    return found


def bodies(tx: Transaction, begin: int, end: int) -> list[bytes]:
    """The leaves ``begin`` up to ``end``, in order."""
    rows = tx.wide_rows(
        "select body from audit_leaf where leaf_index >= :begin and leaf_index < :end order by leaf_index", begin=begin, end=end
    )
    return [bytes(row[0]) for row in rows]


def drop_pending(tx: Transaction, leaves: Sequence[bytes]) -> None:
    """Of the leaves that wait, forget those among ``leaves``: they have their place."""
    wanted = set(leaves)
    doomed = [row[0] for row in tx.rows("select pending_id, body from audit_pending") if bytes(row[1]) in wanted]
    for pending_id in doomed:  # the handful that waited when a backup was made
        tx.run("delete from audit_pending where pending_id = :id", id=pending_id)


def checkpoint_before(tx: Transaction, signed_at: int) -> int:
    """Size of the newest checkpoint that was signed before a moment; 0 if there is none."""
    rows = tx.rows("select max(tree_size) from checkpoint where signed_at < :at", at=signed_at)
    return int(rows[0][0] or 0)


def notes(tx: Transaction, sizes: Sequence[int]) -> dict[int, str]:
    """The signed notes of these sizes."""
    if not sizes:
        return {}
    listed = ", ".join(str(int(size)) for size in sizes)
    return {row[0]: row[1] for row in tx.rows(f"select tree_size, note from checkpoint where tree_size in ({listed})")}


def indexed_leaves(tx: Transaction, abouts: Sequence[str]) -> list[tuple[int, bytes]]:
    """(leaf index, body) of the ordered leaves about these leads, submissions, people or cases, in order."""
    rows = tx.rows_in("select leaf_index, body from audit_leaf where about in :values", list(abouts))
    return [(row[0], bytes(row[1])) for row in sorted(rows, key=_first)]


def leaves_of(tx: Transaction, lead_id: str) -> list[tuple[int | None, bytes]]:
    """(leaf index, or None while pending; body) of every leaf about a lead and its submission, oldest first."""
    subjects = [lead_id, *(row[0] for row in tx.rows("select submission_id from lead where lead_id = :lead", lead=lead_id))]
    ordered = tx.rows_in("select leaf_index, body from audit_leaf where about in :values", subjects)
    pending = tx.rows_in("select pending_id, body from audit_pending where about in :values", subjects)
    return [(row[0], bytes(row[1])) for row in sorted(ordered, key=_first)] + [
        (None, bytes(row[1])) for row in sorted(pending, key=_first)
    ]


def _first(row: Any) -> int:
    return int(row[0])


def all_leaves(tx: Transaction) -> Iterator[tuple[int, bytes, bytes]]:
    """(leaf index, leaf hash, body) of the whole log, in pages, in order."""
    page = 5_000
    after = -1
    while True:
        rows = tx.rows(
            "select leaf_index, leaf_hash, body from audit_leaf where leaf_index > :after order by leaf_index limit :page",
            after=after,
            page=page,
        )
        if not rows:
            return
        for row in rows:
            yield row[0], bytes(row[1]), bytes(row[2])
        after = rows[-1][0]


def pending_leaves(tx: Transaction) -> Iterator[bytes]:
    """Leaves that wait for their place, in pages, oldest first."""
    after = -1
    while rows := tx.rows(
        "select pending_id, body from audit_pending where pending_id > :after order by pending_id limit 5000", after=after
    ):
        for row in rows:
            yield bytes(row[1])
        after = rows[-1][0]


def all_checkpoints(tx: Transaction) -> list[str]:
    """Every signed note with the lines of the witnesses that cosigned it, oldest first."""
    notes: dict[int, str] = {}
    for size, note, line in tx.rows(
        "select checkpoint.tree_size, note, line from checkpoint left join cosignature"
        " on cosignature.tree_size = checkpoint.tree_size order by checkpoint.tree_size, witness"
    ):
        notes[size] = notes.get(size, note) + (line or "")
    return list(notes.values())


def eventful_lead(tx: Transaction) -> str | None:
    """The lead with the most leaves: the one whose walk shows most."""
    rows = tx.rows(
        "select about, count(*) from audit_leaf join lead on lead.lead_id = audit_leaf.about group by about"
        " order by count(*) desc, about limit 1"
    )
    return rows[0][0] if rows else None
