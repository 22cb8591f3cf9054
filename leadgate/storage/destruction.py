"""What was destroyed, what is held back from destruction, and how far the shred list was carried out here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consent.shredding import key_digest
from leadgate.storage.engine import Transaction
from schemas.vocabulary import Outcome

#: ``ledger_property``: how many lines of the shred list this ledger has carried out. Every person of these lines is destroyed.
_CARRIED_OUT: Final = "shredded"
_COLUMNS: Final = (
    "destruction_id, person_id, state, reason, actor, intended_at, done_at, method, counts, categories, recipients, key_sha256,"
    " shred_number, leaf_sha256"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """What remains of a destroyed person: a random id, when, why and how much. Times are micros; ``done_at`` None: intended."""

    destruction_id: str
    person_id: str
    reason: str
    actor: str
    intended_at: int
    done_at: int | None = None
    method: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    key_sha256: str | None = None
    shred_number: int | None = None
    leaf_sha256: str | None = None


class Copy(NamedTuple):
    """A delivery of a person who is to be destroyed."""

    delivery_id: str
    destination: str
    state: Outcome
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Everything of one person that a destruction speaks of."""

    leads: Mapping[str, tuple[str, ...]]  # lead id -> names of its fields
    copies: tuple[Copy, ...]
    key_sha256: str


def carried_out(tx: Transaction) -> int | None:
    """How many lines of the shred list this ledger has carried out; None if it never heard of one."""
    rows = tx.rows("select value from ledger_property where name = :name", name=_CARRIED_OUT)
    return int(rows[0][0]) if rows else None


def carry_out(tx: Transaction, lines: int) -> None:
    """Remember that the first ``lines`` lines are carried out; the caller has destroyed everybody they name."""
    tx.run(
        "insert into ledger_property (name, value) values (:name, :value)"
        " on conflict (name) do update set value = excluded.value",
        name=_CARRIED_OUT,
        value=str(lines),
    )


def intend(tx: Transaction, rows: Sequence[tuple[str, str, str, str, int]]) -> None:
    """Rows are (destruction_id, person_id, reason, actor, intended_at). Whoever is to be destroyed already stays so."""
    columns = {"destruction_id": "text", "person_id": "text", "state": "text", "reason": "text", "actor": "text"}
    tx.insert_new(
        "destruction",
        {**columns, "intended_at": "bigint"},
        [(destruction_id, person_id, "intended", reason, actor, at) for destruction_id, person_id, reason, actor, at in rows],
    )


def intended(tx: Transaction, *, before: int, limit: int) -> list[Destruction]:
    """Destructions that were decided before then and are not done: their process died."""
    return _read(
        tx.rows(
            f"select {_COLUMNS} from destruction where state = 'intended' and intended_at < :before"
            " order by destruction_id limit :limit",
            before=before,
            limit=limit,
        )
    )


def intended_of(tx: Transaction, person_ids: Sequence[str]) -> dict[str, Destruction]:
    """By person: the destruction that was decided and is not done."""
    rows = tx.rows_in(f"select {_COLUMNS} from destruction where state = 'intended' and person_id in :values", person_ids)
    return {each.person_id: each for each in _read(rows)}


def of_person(tx: Transaction, person_id: str) -> list[Destruction]:
    """Every destruction of one person, oldest first: a restored backup makes a second one."""
    return _read(
        tx.rows(
            f"select {_COLUMNS} from destruction where person_id = :person and state = 'done' order by destruction_id",
            person=person_id,
        )
    )


def give_up(tx: Transaction, destruction_ids: Sequence[str]) -> None:
    """Forget destructions that were decided and found nobody."""
    for destruction_id in destruction_ids:
        tx.run("delete from destruction where destruction_id = :id and state = 'intended'", id=destruction_id)


def done(tx: Transaction, rows: Sequence[Destruction]) -> None:
    """Complete destructions that were intended."""
    columns = {
        "state": "text", "done_at": "bigint", "method": "text", "counts": "text", "categories": "text", "recipients": "text",
        "key_sha256": "text", "shred_number": "bigint", "leaf_sha256": "text",
    }  # fmt: skip
    values = [
        (
            each.destruction_id, "done", each.done_at, each.method, json.dumps(dict(each.counts), sort_keys=True),
            " ".join(each.categories), " ".join(each.recipients), each.key_sha256, each.shred_number, each.leaf_sha256,
        )
        for each in rows
    ]  # fmt: skip
    tx.update("destruction", "destruction_id", columns, values)


def living(tx: Transaction, person_ids: Sequence[str]) -> set[str]:
    """Those whose key still exists."""
    rows = tx.rows_in("select person_id from person where wrapped_key is not null and person_id in :values", person_ids)
    return {row[0] for row in rows}


def holdings_of(tx: Transaction, person_ids: Sequence[str]) -> dict[str, Holding]:
    """What is there of each of these people; their deliveries are ours until the transaction ends."""
    leads: dict[str, dict[str, tuple[str, ...]]] = {each: {} for each in person_ids}
    digests: dict[str, str] = {}
    for person_id, lead_id, names, start in tx.rows_in(
        "select person_id, lead_id, field_names, substr(sealed, 1, 17) from lead where person_id in :values"
        " order by person_id, lead_id",
        person_ids,
    ):
        leads[person_id][lead_id] = tuple(names.split())
        if start is not None:
            digests[person_id] = key_digest(bytes(start))
    copies: dict[str, list[Copy]] = {}
    for person_id, delivery_id, destination, state, reason in tx.rows_in(
        "select l.person_id, d.delivery_id, d.destination, d.state, d.reason from lead l"
        " join delivery d on d.lead_id = l.lead_id where l.person_id in :values order by d.delivery_id"
        + (" for update of d" if tx.postgres else ""),
        person_ids,
    ):
        copies.setdefault(person_id, []).append(Copy(delivery_id, destination, Outcome(state), reason))
    return {
        each: Holding(leads=leads[each], copies=tuple(copies.get(each, ())), key_sha256=digests.get(each) or key_digest(None))
        for each in person_ids
    }


def _read(rows: Sequence[Sequence[object]]) -> list[Destruction]:
    return [
        Destruction(
            destruction_id=str(row[0]),
            person_id=str(row[1]),
            reason=str(row[3]),
            actor=str(row[4]),
            intended_at=int(str(row[5])),
            done_at=_number(row[6]),
            method=_text(row[7]),
            counts=json.loads(str(row[8] or "{}")),
            categories=tuple(str(row[9] or "").split()),
            recipients=tuple(str(row[10] or "").split()),
            key_sha256=_text(row[11]),
            shred_number=_number(row[12]),
            leaf_sha256=_text(row[13]),
        )
        for row in rows
    ]


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
