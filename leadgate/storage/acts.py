"""Acts of destruction: what was drawn up, and its content until its term is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from leadgate.storage.engine import Transaction

_COLUMNS: Final = "act_id, person_id, made_at, actor, language, document_sha256, keep_until, wrapped_key, key_version, sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAct:
    """One act. ``sealed`` None: its term is over. Times are micros."""

    act_id: str
    person_id: str
    made_at: int
    actor: str
    language: str
    document_sha256: str
    keep_until: int
    wrapped_key: bytes | None = field(repr=False)
    key_version: int | None
    sealed: bytes | None = field(repr=False)


def add(tx: Transaction, act: StoredAct) -> None:
    """Remember an act."""
    row = (
        act.act_id, act.person_id, act.made_at, act.actor, act.language, act.document_sha256, act.keep_until, act.wrapped_key,
        act.key_version, act.sealed,
    )  # fmt: skip
    tx.insert("destruction_act", _COLUMNS.split(", "), [row])


def by_id(tx: Transaction, act_id: str) -> StoredAct | None:
    """One act."""
    rows = tx.rows(f"select {_COLUMNS} from destruction_act where act_id = :act", act=act_id)
    return _act(rows[0]) if rows else None


def of_person(tx: Transaction, person_id: str) -> list[StoredAct]:
    """Every act about one person, oldest first."""
    statement = f"select {_COLUMNS} from destruction_act where person_id = :person order by act_id"
    return [_act(row) for row in tx.rows(statement, person=person_id)]


def _act(row: Any) -> StoredAct:
    return StoredAct(
        act_id=row[0],
        person_id=row[1],
        made_at=row[2],
        actor=row[3],
        language=row[4],
        document_sha256=row[5],
        keep_until=row[6],
        wrapped_key=None if row[7] is None else bytes(row[7]),
        key_version=row[8],
        sealed=None if row[9] is None else bytes(row[9]),
    )
