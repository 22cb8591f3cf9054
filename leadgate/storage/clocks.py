"""Legal clocks as rows. A due date that was stored is never computed again, and two starts of one clock are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Transaction
from schemas.clocks import Clock, ClockKind, ClockSubject

_COLUMNS: Final = (
    "clock_id, kind, jurisdiction, term, law, subject, about, brand, person_id, started_at, recorded_at, due_at, warn_at,"
    " latest_at, extended_at, extended_for, extension_notice, met_at, outcome, flag"
)
_TYPES: Final = {
    "clock_id": "text",
    "kind": "text",
    "jurisdiction": "text",
    "term": "text",
    "law": "text",
    "subject": "text",
    "about": "text",
    "brand": "text",
    "person_id": "text",
    "started_at": "bigint",
    "recorded_at": "bigint",
    "due_at": "bigint",
    "warn_at": "bigint",
    "latest_at": "bigint",
    "flag": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A clock that runs, and whether this call started it."""

    clock: Clock
    fresh: bool


def start(tx: Transaction, clocks: Sequence[Clock]) -> list[Started]:
    """Start clocks, in order; one that runs about the same thing, or did from the same moment on, is answered instead."""
    rows = [
        (
            each.clock_id, each.kind.value, each.jurisdiction, each.term, each.law, each.subject.value, each.about, each.brand,
            each.person_id, to_micros(each.started_at), to_micros(each.recorded_at), to_micros(each.due_at),
            to_micros(each.warn_at), to_micros(each.latest_at) if each.latest_at else None, each.flag,
        )
        for each in clocks
    ]  # fmt: skip
    tx.insert_new("clock", _TYPES, rows)
    known: dict[tuple[str, str, str], list[Clock]] = {}
    for found in about(tx, list(dict.fromkeys(each.about for each in clocks))):
        known.setdefault((found.subject, found.about, found.kind), []).append(found)
    return [_standing(each, known[each.subject, each.about, each.kind]) for each in clocks]


def _standing(asked: Clock, known: Sequence[Clock]) -> Started:
    mine = next((each for each in known if each.clock_id == asked.clock_id), None)
    if mine is not None:
        return Started(clock=mine, fresh=True)
    running = next((each for each in known if each.met_at is None), None)
    return Started(clock=running or next(each for each in known if each.started_at == asked.started_at), fresh=False)


def about(tx: Transaction, ids: Sequence[str]) -> list[Clock]:
    """Every clock about these things, oldest first."""
    rows = tx.rows_in(f"select {_COLUMNS} from clock where about in :values", ids)
    return sorted((_clock(row) for row in rows), key=_age)


def of_persons(tx: Transaction, person_ids: Sequence[str]) -> list[Clock]:
    """Every clock that concerns these people, oldest first."""
    rows = tx.rows_in(f"select {_COLUMNS} from clock where person_id in :values", person_ids)
    return sorted((_clock(row) for row in rows), key=_age)


def by_ids(tx: Transaction, clock_ids: Sequence[str]) -> list[Clock]:
    """These clocks, as far as they exist."""
    rows = tx.rows_in(f"select {_COLUMNS} from clock where clock_id in :values", list(clock_ids))
    return sorted((_clock(row) for row in rows), key=_age)


def open_(tx: Transaction, *, limit: int = 10_000) -> list[Clock]:
    """Clocks nobody has met yet, the most urgent first."""
    return [
        _clock(row)
        for row in tx.rows(
            f"select {_COLUMNS} from clock where met_at is null order by due_at, clock_id limit :limit", limit=limit
        )
    ]


def met(tx: Transaction, *, since: int, limit: int) -> list[Clock]:
    """Clocks that were met at or after ``since``, the newest first."""
    return [
        _clock(row)
        for row in tx.rows(
            f"select {_COLUMNS} from clock where met_at >= :since order by met_at desc, clock_id limit :limit",
            since=since,
            limit=limit,
        )
    ]


def meet(tx: Transaction, clocks: Sequence[Clock], *, now: int, outcome: str) -> list[Clock]:
    """Stop running clocks; answer those that this call stopped. One met before it began says so by its flag."""
    moment = from_micros(now)
    stopped: list[Clock] = []
    for each in clocks:
        flag = "met_before_start" if moment < each.started_at else each.flag
        changed = tx.run(
            "update clock set met_at = :now, outcome = :outcome, flag = :flag where clock_id = :clock and met_at is null",
            now=now,
            outcome=outcome,
            flag=flag,
            clock=each.clock_id,
        )
        if changed:
            stopped.append(replace(each, met_at=moment, outcome=outcome, flag=flag))
    return stopped


def extend(tx: Transaction, clock: Clock, *, now: int, reason: str, notice: str, warn_at: int) -> Clock | None:
    """Move a running clock's end to its latest one, once; None if somebody met or extended it meanwhile."""
    if clock.latest_at is None:
        return None
    changed = tx.run(
        "update clock set due_at = latest_at, warn_at = :warn, extended_at = :now, extended_for = :reason,"
        " extension_notice = :notice where clock_id = :clock and met_at is null and extended_at is null",
        warn=warn_at,
        now=now,
        reason=reason,
        notice=notice,
        clock=clock.clock_id,
    )
    return by_ids(tx, [clock.clock_id])[0] if changed else None


def newest_record(tx: Transaction) -> int:
    """The latest moment at which this ledger is known to have been written: a clock of today is not behind it."""
    return int(
        tx.rows(
            "select max(moment) from (select max(recorded_at) as moment from clock"
            " union all select max(met_at) from clock union all select max(signed_at) from checkpoint) as moments"
        )[0][0]
        or 0
    )


def counts(tx: Transaction, now: int) -> dict[str, int]:
    """Running clocks by how they stand, and those that carry a flag; numbers only."""
    row = tx.rows(
        "select count(*), sum(case when due_at < :now then 1 else 0 end),"
        " sum(case when due_at >= :now and warn_at <= :now then 1 else 0 end),"
        " sum(case when flag is not null then 1 else 0 end) from clock where met_at is null",
        now=now,
    )[0]
    return {"open": int(row[0]), "overdue": int(row[1] or 0), "at_risk": int(row[2] or 0), "flagged": int(row[3] or 0)}


def _age(clock: Clock) -> tuple[Any, str]:
    return clock.started_at, clock.clock_id


def _clock(row: Any) -> Clock:
    def moment(value: int | None) -> Any:
        return None if value is None else from_micros(value)

    return Clock(
        clock_id=row[0],
        kind=ClockKind(row[1]),
        jurisdiction=row[2],
        term=row[3],
        law=row[4],
        subject=ClockSubject(row[5]),
        about=row[6],
        brand=row[7],
        person_id=row[8],
        started_at=from_micros(row[9]),
        recorded_at=from_micros(row[10]),
        due_at=from_micros(row[11]),
        warn_at=from_micros(row[12]),
        latest_at=moment(row[13]),
        extended_at=moment(row[14]),
        extended_for=row[15],
        extension_notice=row[16],
        met_at=moment(row[17]),
        outcome=row[18],
        flag=row[19],
    )
