"""Who must be told of a withdrawal or an erasure, and how far it has come. One row a delivery: nobody is told the same twice
because two people asked for it.

A claim moves ``not_before`` to the end of its lease: whoever dies with a claim leaves it due again, and the recipient is asked
once more. That is harmless, because to suppress and to erase can be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from leadgate.storage.engine import Transaction
from schemas.vocabulary import IN_DOUBT, Ask, Outcome, TellingState

_NEW: Final = {
    "delivery_id": "text",
    "lead_id": "text",
    "person_id": "text",
    "destination": "text",
    "purpose": "text",
    "key": "text",
    "cause": "text",
    "withdrawal_id": "text",
    "wants": "text",
    "state": "text",
    "attempt": "integer",
    "created_at": "bigint",
    "not_before": "bigint",
}
_COLUMNS: Final = (
    "delivery_id, lead_id, person_id, destination, purpose, key, cause, withdrawal_id, wants, state, attempt, created_at,"
    " not_before, code, suppressed_at, erased_at, told_at, decided_at"
)
#: Outcomes after which the recipient holds a record, or after which nobody can say that it does not.
_MAY_HOLD: Final = f"(d.state = '{Outcome.ACCEPTED}' or (d.state = '{Outcome.DEAD}' and d.reason = '{IN_DOUBT}'))"
#: States a person can end by telling the recipient.
OPEN_TO_HAND: Final = frozenset(TellingState) - {TellingState.ERASED, TellingState.NOT_HELD, TellingState.TOLD}


class Telling(NamedTuple):
    """One recipient that must be told about one record. Times are micros."""

    delivery_id: str
    lead_id: str
    person_id: str
    destination: str
    purpose: str
    key: str
    cause: str
    withdrawal_id: str | None
    wants: str
    state: str
    attempt: int
    created_at: int
    not_before: int | None
    code: str | None
    suppressed_at: int | None
    erased_at: int | None
    told_at: int | None
    decided_at: int | None

    @property
    def stopped(self) -> bool:
        """Whether the recipient uses the record no more, as far as it or a person of ours says."""
        return self.suppressed_at is not None or self.ended

    @property
    def ended(self) -> bool:
        """Whether the recipient holds the record no more, or a person of ours has told it."""
        return self.state in (TellingState.ERASED, TellingState.NOT_HELD, TellingState.TOLD)

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing more happens by itself and the recipient may still hold the record."""
        waits = self.state == TellingState.WAITING or self.not_before is not None
        return not waits and not self.ended and not (self.stopped and self.wants == Ask.SUPPRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A delivery whose recipient holds a record of ours, or may."""

    delivery_id: str
    lead_id: str
    person_id: str
    destination: str
    purpose: str
    key: str
    on_its_way: bool  # its outcome is not known yet


class Opening(NamedTuple):
    """What opening one lead takes; everything None once the person was erased."""

    lead_id: str
    person_id: str
    sealed: bytes | None
    wrapped_key: bytes | None
    key_version: int | None


def holders(tx: Transaction, delivery_ids: Collection[str]) -> list[Holder]:
    """Of these deliveries those whose recipient holds a record, or may."""
    rows = tx.rows_in(
        f"select d.delivery_id, d.lead_id, d.person_id, d.destination, d.purpose, d.key, {_MAY_HOLD} from delivery d"
        f" where ({_MAY_HOLD} or d.state in ('claimed', 'uncertain')) and d.delivery_id in :values order by d.delivery_id",
        list(delivery_ids),
    )
    return [_holder(row) for row in rows]


def holders_of(tx: Transaction, person_id: str) -> list[Holder]:
    """Everybody who holds a record of this person, or may."""
    rows = tx.rows(
        f"select d.delivery_id, d.lead_id, d.person_id, d.destination, d.purpose, d.key, {_MAY_HOLD} from lead l"
        f" join delivery d on d.lead_id = l.lead_id where ({_MAY_HOLD} or d.state in ('claimed', 'uncertain'))"
        " and l.person_id = :person order by d.delivery_id",
        person=person_id,
    )
    return [_holder(row) for row in rows]


def untold(tx: Transaction, *, limit: int) -> list[Holder]:
    """Holders of what was taken back whom nobody was asked to tell: of a ledger before 0002, or written past the program."""
    rows = tx.rows(
        f"select d.delivery_id, d.lead_id, d.person_id, d.destination, d.purpose, d.key, {_MAY_HOLD} from withdrawal w"
        " join lead l on l.person_id = w.person_id join consent_record c on c.consent_id = l.consent_id"
        " join delivery d on d.lead_id = l.lead_id and d.purpose = w.purpose"
        f" where c.given_at <= w.withdrawn_at and ({_MAY_HOLD} or d.state in ('claimed', 'uncertain'))"
        " and not exists (select 1 from telling t where t.delivery_id = d.delivery_id) order by d.delivery_id limit :limit",
        limit=limit,
    )
    return [_holder(row) for row in rows]


def ask(
    tx: Transaction, asked: Sequence[Holder], *, cause: str, wants: Ask, now: int, withdrawal_id: str | None = None
) -> list[Holder]:
    """Write down that these recipients must be told; answer those who were not asked as much before.

    A recipient that was asked to suppress only, and is to erase now, is asked again. The caller holds the people's lock.
    """
    known = dict(
        tuple(row)
        for row in tx.rows_in(
            "select delivery_id, wants from telling where delivery_id in :values", [one.delivery_id for one in asked]
        )
    )
    fresh = [one for one in asked if one.delivery_id not in known]
    why = (cause, withdrawal_id, wants.value)
    rows = [
        (one.delivery_id, one.lead_id, one.person_id, one.destination, one.purpose, one.key, *why, *_begin(one, now))
        for one in fresh
    ]
    tx.insert_new("telling", _NEW, rows)
    more = [one for one in asked if wants is Ask.ERASE and known.get(one.delivery_id) == Ask.SUPPRESS]
    for one in more:
        tx.run(
            "update telling set wants = 'erase', cause = :cause,"
            " not_before = case when state = 'suppressed' then :now else not_before end,"
            " decided_at = case when state = 'suppressed' then null else decided_at end where delivery_id = :delivery",
            cause=cause,
            now=now,
            delivery=one.delivery_id,
        )
    return [*fresh, *more]


def _begin(one: Holder, now: int) -> tuple[str, int, int, int | None]:
    """State, attempt, created_at and not_before of a fresh telling."""
    if one.on_its_way:
        return TellingState.WAITING.value, 0, now, None
    return TellingState.QUEUED.value, 0, now, now


def decided(tx: Transaction, *, limit: int) -> list[tuple[Telling, bool]]:
    """(telling that waited for a delivery's outcome, whether the recipient holds the record) of those now known; locked."""
    rows = tx.rows(
        f"select {', '.join(f't.{name.strip()}' for name in _COLUMNS.split(','))}, {_MAY_HOLD} from telling t"
        " join delivery d on d.delivery_id = t.delivery_id where t.state = 'waiting'"
        " and d.state in ('accepted', 'rejected', 'dead', 'suppressed') order by t.delivery_id limit :limit"
        + (" for update of t skip locked" if tx.postgres else ""),
        limit=limit,
    )
    return [(Telling._make(row[:-1]), bool(row[-1])) for row in rows]


def claim(tx: Transaction, *, destination: str, worker: str, limit: int, now: int, lease_until: int) -> list[Telling]:
    """Take due tellings of one destination for this worker until ``lease_until``, the oldest first."""
    rows = tx.rows(
        "update telling set attempt = attempt + 1, not_before = :lease, worker = :worker where delivery_id in"
        " (select delivery_id from telling where destination = :destination and not_before <= :now"
        " order by not_before limit :limit" + (" for update skip locked" if tx.postgres else "") + f") returning {_COLUMNS}",
        lease=lease_until,
        worker=worker,
        destination=destination,
        now=now,
        limit=limit,
    )
    return sorted(map(Telling._make, rows))


_OUTCOME: Final = {
    "state": "text",
    "attempt": "integer",
    "not_before": "bigint",
    "code": "text",
    "suppressed_at": "bigint",
    "erased_at": "bigint",
    "told_at": "bigint",
    "decided_at": "bigint",
}


def settle(tx: Transaction, rows: Sequence[Telling], *, worker: str) -> set[str]:
    """Write what became of claimed tellings; answer the ids that were still this worker's."""
    return tx.update_where(
        "telling",
        "delivery_id",
        _OUTCOME,
        [_outcome(row) for row in rows],
        guard="worker = :worker and telling.not_before is not null",
        always={"worker": "null"},
        worker=worker,
    )


def write(tx: Transaction, rows: Sequence[Telling]) -> None:
    """Write what became of tellings nobody has claimed; the caller holds their rows. A worker that has one loses it."""
    tx.update("telling", "delivery_id", _OUTCOME, [_outcome(row) for row in rows], always={"worker": "null"})


def _outcome(row: Telling) -> tuple[Any, ...]:
    return (
        row.delivery_id, row.state, row.attempt, row.not_before, row.code, row.suppressed_at, row.erased_at, row.told_at,
        row.decided_at,
    )  # fmt: skip


def due(tx: Transaction, now: int) -> list[str]:
    """Destinations with somebody to be told now and whose circuit breaker is not open."""
    return [
        row[0]
        for row in tx.rows(
            "select distinct t.destination from telling t where t.not_before <= :now and not exists (select 1"
            " from destination_state s where s.destination = t.destination and s.open_until > :now) order by t.destination",
            now=now,
        )
    ]


def of_deliveries(tx: Transaction, delivery_ids: Collection[str], *, lock: bool = False) -> list[Telling]:
    """The tellings about these deliveries, by id."""
    rows = tx.rows_in(
        f"select {_COLUMNS} from telling where delivery_id in :values" + (" for update" if lock and tx.postgres else ""),
        list(delivery_ids),
    )
    return sorted(map(Telling._make, rows))


def of_persons(tx: Transaction, person_ids: Collection[str]) -> list[Telling]:
    """Every telling about these people, by delivery; works on after they were erased."""
    return sorted(
        map(Telling._make, tx.rows_in(f"select {_COLUMNS} from telling where person_id in :values", list(person_ids)))
    )


def of_withdrawals(tx: Transaction, withdrawal_ids: Sequence[str]) -> dict[str, list[Telling]]:
    """By request: whom it meant must be told."""
    named = ", ".join(f"t.{name.strip()}" for name in _COLUMNS.split(","))
    found: dict[str, list[Telling]] = {each: [] for each in withdrawal_ids}
    for row in tx.rows_in(
        f"select {named}, e.withdrawal_id from withdrawal_effect e join telling t on t.delivery_id = e.delivery_id"
        " where e.withdrawal_id in :values",
        withdrawal_ids,
    ):
        found[row[-1]].append(Telling._make(row[:-1]))
    return {each: sorted(rows) for each, rows in found.items()}


def at_destinations(tx: Transaction, names: Collection[str]) -> list[Telling]:
    """What somebody is to be told at these destinations, as far as it is due by itself at some time."""
    rows = tx.rows_in(f"select {_COLUMNS} from telling where not_before is not null and destination in :values", sorted(names))
    return sorted(map(Telling._make, rows))


def destinations(tx: Transaction) -> list[str]:
    """Every destination that somebody is still to be told at."""
    return [row[0] for row in tx.rows("select distinct destination from telling where not_before is not null order by 1")]


def counts(tx: Transaction) -> dict[str, int]:
    """How many tellings stand in each state; numbers only."""
    return {row[0]: int(row[1]) for row in tx.rows("select state, count(*) from telling group by state order by state")}


def openings(tx: Transaction, lead_ids: Collection[str]) -> dict[str, Opening]:
    """What opening these leads takes, for a recipient that needs more than our key to stop."""
    rows = tx.rows_in(
        "select l.lead_id, l.person_id, l.sealed, p.wrapped_key, p.key_version from lead l"
        " join person p on p.person_id = l.person_id where l.lead_id in :values",
        list(lead_ids),
    )
    return {row[0]: Opening._make(row) for row in rows}


def _holder(row: Any) -> Holder:
    return Holder(
        delivery_id=row[0],
        lead_id=row[1],
        person_id=row[2],
        destination=row[3],
        purpose=row[4],
        key=row[5],
        on_its_way=not row[6],
    )
