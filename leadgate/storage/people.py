"""Data subjects as the ledger knows them: a random id, a wrapped key, keyed digests, and what they took back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from leadgate.storage.clock import LATEST
from leadgate.storage.engine import Transaction
from schemas.vocabulary import PersonState


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """A person whose key still exists."""

    person_id: str
    wrapped_key: bytes
    key_version: int


def find(tx: Transaction, digests: Sequence[bytes], *, hold: bool = False) -> dict[bytes, KnownPerson]:
    """The living person behind each known digest. ``hold``: nobody else holds these people until the transaction ends."""
    rows = tx.rows_in(
        "select i.digest, p.person_id, p.wrapped_key, p.key_version from identifier i"
        " join person p on p.person_id = i.person_id where p.wrapped_key is not null and i.digest in :values"
        + (" order by p.person_id for no key update of p" if hold and tx.postgres else ""),
        digests,
    )
    return {bytes(row[0]): KnownPerson(person_id=row[1], wrapped_key=bytes(row[2]), key_version=row[3]) for row in rows}


#: Advisory lock over who is known, what is taken back and who is erased.
_PEOPLE_LOCK = 0x6C65_6164_6164


def lock(tx: Transaction) -> None:
    """Hold all people until the transaction ends. Whoever takes something back or destroys takes it first."""
    tx.lock(_PEOPLE_LOCK)


def share(tx: Transaction) -> None:
    """Keep ``lock`` out until the transaction ends. Whoever only adds leads takes it first; several may at once:

    1. A person both know is held by one of them (``find`` with ``hold``), so that the other sees what it decided.
    2. A person neither knows is added by both, and the second to commit loses a race for the identifier: it is run again and
       finds the person.
    """
    tx.lock(_PEOPLE_LOCK, shared=True)


def add(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows are (person_id, brand, state, created_at, wrapped_key, key_version)."""
    tx.insert("person", ("person_id", "brand", "state", "created_at", "wrapped_key", "key_version"), rows)


def add_identifiers(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows are (digest, person_id, kind, key_version); written in the order of the index, whose pages then stay at hand."""
    tx.insert("identifier", ("digest", "person_id", "kind", "key_version"), sorted(rows))


def withdrawals(tx: Transaction, person_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """By person and purpose: when it was taken back; only people who took something back appear."""
    rows = tx.rows_in("select person_id, purpose, withdrawn_at from withdrawal where person_id in :values", list(person_ids))
    return _taken(rows)


def _taken(rows: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    taken: dict[str, dict[str, int]] = {}
    for person_id, purpose, moment in rows:
        readable = isinstance(moment, int) and 0 <= moment <= LATEST
        taken.setdefault(person_id, {})[purpose] = moment if readable else LATEST  # somebody wrote to it: call nobody
    return taken


def second_look(tx: Transaction, person_ids: Iterable[str]) -> tuple[dict[str, dict[str, int]], set[str]]:
    """(``withdrawals``, those whose key was destroyed), in one question: it is asked before every batch that is sent."""
    rows = tx.rows_in(
        "select person_id, purpose, withdrawn_at from withdrawal where person_id in :values union all"
        " select person_id, null, null from person where wrapped_key is null and person_id in :values",
        list(person_ids),
    )
    return _taken(row for row in rows if row[1] is not None), {row[0] for row in rows if row[1] is None}


def withdraw(tx: Transaction, rows: Sequence[tuple[str, str, int, str | None]]) -> None:
    """Record (person_id, purpose, withdrawn_at, submission_id); a later withdrawal of the same purpose moves the moment on."""
    for person_id, purpose, moment, submission_id in rows:
        tx.run(
            "insert into withdrawal (person_id, purpose, withdrawn_at, submission_id)"
            " values (:person, :purpose, :at, :submission) on conflict (person_id, purpose) do update set"
            " withdrawn_at = excluded.withdrawn_at,"
            " submission_id = excluded.submission_id where excluded.withdrawn_at > withdrawal.withdrawn_at",
            person=person_id,
            purpose=purpose,
            at=moment,
            submission=submission_id,
        )


#: What goes with a person, in this order; each answers the person of every row it touched. A fingerprint is an index over what
#: somebody asked for, and a bound digest says nothing without its key: neither is kept.
_DESTROYING = {
    "keys": "update person set wrapped_key = null, key_version = null, state = 'erased', erased_at = {now}"
    " where wrapped_key is not null and person_id in :values returning person_id",
    "identifiers": "delete from identifier where person_id in :values returning person_id",
    "leads": "update lead set sealed = null, fingerprint = {nothing} where sealed is not null and person_id in :values"
    " returning person_id",
    "submissions": "update submission set wrapped_key = null, key_version = null, sealed = null"
    " where sealed is not null and person_id in :values returning person_id",
    "digests": "update delivery set sent_sha256 = null where sent_sha256 is not null and lead_id in"
    " (select lead_id from lead where person_id in :values) returning person_id",
}


def destroy(tx: Transaction, person_ids: Sequence[str], now: int) -> dict[str, dict[str, int]]:
    """Destroy keys, digests and everything sealed of these people; answer for each how many of what. Unknown, erased: zeros."""
    nothing = "cast('' as bytea)" if tx.postgres else "x''"
    counts = {each: dict.fromkeys(_DESTROYING, 0) for each in person_ids}
    for what, statement in _DESTROYING.items():
        for (person_id,) in tx.rows_in(statement.format(now=int(now), nothing=nothing), person_ids):
            counts[person_id][what] += 1
    return counts


def state_of(tx: Transaction, person_id: str) -> PersonState | None:
    """What is known of a person; None for an id nobody ever had."""
    rows = tx.rows("select state from person where person_id = :person", person=person_id)
    return PersonState(rows[0][0]) if rows else None


def leads_of(tx: Transaction, person_id: str) -> list[str]:
    """The ids of every lead of a person."""
    return [row[0] for row in tx.rows("select lead_id from lead where person_id = :person order by lead_id", person=person_id)]
