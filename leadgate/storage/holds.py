"""Legal holds: whose data must not be destroyed, why, and until when. A hold is never deleted, only lifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from leadgate.storage.engine import Transaction

_COLUMNS: Final = "hold_id, person_id, reason, set_at, set_by, until, lifted_at, lifted_by"
_STANDS: Final = "lifted_at is null and (until is null or until > :now)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold. Times are micros; ``until`` None: until it is lifted."""

    hold_id: str
    person_id: str
    reason: str
    set_at: int
    set_by: str
    until: int | None = None
    lifted_at: int | None = None
    lifted_by: str | None = None


def add(tx: Transaction, hold: Hold) -> None:
    """Set a hold."""
    row = (hold.hold_id, hold.person_id, hold.reason, hold.set_at, hold.set_by, hold.until, None, None)
    tx.insert("legal_hold", _COLUMNS.split(", "), [row])


def lift(tx: Transaction, hold_ids: Sequence[str], *, now: int, actor: str) -> list[Hold]:
    """Lift holds that stand; answer those that this call lifted."""
    lifted: list[Hold] = []
    for hold_id in hold_ids:
        rows = tx.rows(
            "update legal_hold set lifted_at = :now, lifted_by = :actor where hold_id = :hold and lifted_at is null"
            f" returning {_COLUMNS}",
            now=now,
            actor=actor,
            hold=hold_id,
        )
        lifted += [_hold(row) for row in rows]
    return lifted


def of_people(tx: Transaction, person_ids: Sequence[str], *, now: int) -> dict[str, list[Hold]]:
    """By person: the holds that stand at ``now``; people without one do not appear."""
    found: dict[str, list[Hold]] = {}
    for row in tx.rows_in(f"select {_COLUMNS} from legal_hold where {_STANDS} and person_id in :values", person_ids, now=now):
        found.setdefault(row[1], []).append(_hold(row))
    return found


def standing(tx: Transaction, *, now: int, limit: int = 1_000) -> list[Hold]:
    """Every hold that stands, oldest first."""
    statement = f"select {_COLUMNS} from legal_hold where {_STANDS} order by hold_id limit :limit"
    return [_hold(row) for row in tx.rows(statement, now=now, limit=limit)]


def _hold(row: Any) -> Hold:
    return Hold(
        hold_id=row[0],
        person_id=row[1],
        reason=row[2],
        set_at=row[3],
        set_by=row[4],
        until=row[5],
        lifted_at=row[6],
        lifted_by=row[7],
    )
