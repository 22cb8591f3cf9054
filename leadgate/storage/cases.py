"""Requests of data subjects: the case, its steps, what it restricts, and the corrections it sends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.outbox import Claimed
from schemas.cases import CaseKind, CaseState, CaseStep, CaseStepName, StepState, SubjectCase

_CASE: Final = (
    "case_id",
    "kind",
    "brand",
    "owner",
    "state",
    "policy_version",
    "jurisdiction",
    "received_at",
    "opened_at",
    "person_ids",
    "details",
    "sealed",
    "wrapped_key",
    "key_version",
)
_SELECTED: Final = f"{', '.join(_CASE)}, closed_at, result, forget_at"
#: What a restriction is for the gate: everything taken back (consent.gate.ALL_PURPOSES).
_EVERYTHING: Final = "*"

# -- cases -------------------------------------------------------------------------------------------------------------------


def add(tx: Transaction, case: SubjectCase) -> None:
    """A new case with its steps."""
    details = {"fields": list(case.fields), "purposes": list(case.purposes), "leads": list(case.leads)}
    row = (
        case.case_id, case.kind.value, case.brand, case.owner, case.state.value, case.policy_version, case.jurisdiction,
        to_micros(case.received_at), to_micros(case.opened_at), " ".join(case.person_ids), json.dumps(details), case.sealed,
        case.wrapped_key, case.key_version,
    )  # fmt: skip
    tx.insert("subject_case", _CASE, [row])
    steps = [(case.case_id, each.place, each.name.value, each.state.value, each.attempt, "{}") for each in case.steps]
    tx.insert("case_step", ("case_id", "place", "step", "state", "attempt", "result"), steps)


def read(tx: Transaction, case_id: str, *, lock: bool = False) -> SubjectCase | None:
    """One case with its steps; ``lock`` holds it until the transaction ends."""
    hold = " for update" if lock and tx.postgres else ""
    rows = tx.rows(f"select {_SELECTED} from subject_case where case_id = :case{hold}", case=case_id)
    return _cases(tx, rows)[0] if rows else None


def listed(tx: Transaction, *, closed: bool, limit: int) -> list[SubjectCase]:
    """Open cases, oldest first; with ``closed`` every case, newest first."""
    order = "order by opened_at desc" if closed else "where closed_at is null order by opened_at"
    return _cases(tx, tx.rows(f"select {_SELECTED} from subject_case {order}, case_id limit :limit", limit=limit))


def of_persons(tx: Transaction, person_ids: Sequence[str]) -> list[SubjectCase]:
    """Every case that was opened for one of these people."""
    found: dict[str, Any] = {}
    for person_id in person_ids:
        for row in tx.rows(f"select {_SELECTED} from subject_case where person_ids like :like", like=f"%{person_id}%"):
            found[row[0]] = row
    return _cases(tx, [found[each] for each in sorted(found)])


def settle_step(
    tx: Transaction,
    case_id: str,
    step: CaseStep,
    *,
    state: StepState,
    result: Mapping[str, Any],
    now: int,
    actor: str,
    reason: str | None = None,
) -> bool:
    """Write how a step came out; False if somebody else finished it meanwhile."""
    final = state in {StepState.DONE, StepState.DROPPED}
    return bool(
        tx.run(
            "update case_step set state = :state, result = :result, reason = :reason, attempt = attempt + 1, actor = :actor,"
            " done_at = :done where case_id = :case and place = :place and state in ('open', 'waiting')",
            state=state.value,
            result=json.dumps(dict(result), sort_keys=True),
            reason=reason,
            actor=actor,
            done=now if final else None,
            case=case_id,
            place=step.place,
        )
    )


def close(tx: Transaction, case_id: str, *, state: CaseState, result: str, now: int, forget_at: int) -> bool:
    """Close an open case; False if it was closed before."""
    return bool(
        tx.run(
            "update subject_case set state = :state, result = :result, closed_at = :now, forget_at = :forget"
            " where case_id = :case and closed_at is null",
            state=state.value,
            result=result,
            now=now,
            forget=forget_at,
            case=case_id,
        )
    )


def forget(tx: Transaction, *, now: int, limit: int) -> list[str]:
    """Destroy the identifiers of cases whose term is over; answer the cases."""
    due = [
        row[0]
        for row in tx.rows(
            "select case_id from subject_case where sealed is not null and forget_at is not null and forget_at <= :now"
            " order by forget_at limit :limit",
            now=now,
            limit=limit,
        )
    ]
    columns = {"sealed": "bytea", "wrapped_key": "bytea", "key_version": "integer"}
    tx.update("subject_case", "case_id", columns, [(each, None, None, None) for each in due])
    return due


def _cases(tx: Transaction, rows: Sequence[Any]) -> list[SubjectCase]:
    steps: dict[str, list[CaseStep]] = {}
    for row in tx.rows_in(
        "select case_id, place, step, state, attempt, reason, result, done_at, actor from case_step where case_id in :values",
        [row[0] for row in rows],
    ):
        steps.setdefault(row[0], []).append(
            CaseStep(
                place=row[1],
                name=CaseStepName(row[2]),
                state=StepState(row[3]),
                attempt=row[4],
                reason=row[5],
                result=json.loads(row[6]),
                done_at=from_micros(row[7]) if row[7] is not None else None,
                actor=row[8],
            )
        )
    return [_case(row, sorted(steps.get(row[0], ()), key=lambda step: step.place)) for row in rows]


def _case(row: Any, steps: Iterable[CaseStep]) -> SubjectCase:
    details = json.loads(row[10])
    return SubjectCase(
        case_id=row[0],
        kind=CaseKind(row[1]),
        brand=row[2],
        owner=row[3],
        state=CaseState(row[4]),
        policy_version=row[5],
        jurisdiction=row[6],
        received_at=from_micros(row[7]),
        opened_at=from_micros(row[8]),
        person_ids=tuple(row[9].split()),
        fields=tuple(details["fields"]),
        purposes=tuple(details["purposes"]),
        leads=tuple(details["leads"]),
        sealed=None if row[11] is None else bytes(row[11]),
        wrapped_key=None if row[12] is None else bytes(row[12]),
        key_version=row[13],
        closed_at=from_micros(row[14]) if row[14] is not None else None,
        result=row[15],
        forget_at=from_micros(row[16]) if row[16] is not None else None,
        steps=tuple(steps),
    )


# -- restriction -------------------------------------------------------------------------------------------------------------


def restrict(tx: Transaction, person_ids: Sequence[str], *, case_id: str, now: int) -> list[str]:
    """Hold everything about these people; answer those that were not held before. The dispatcher needs no further query."""
    held = restricted(tx, person_ids)
    fresh = [each for each in person_ids if each not in held]
    for each in fresh:  # a request names one person, seldom two
        tx.run(
            "insert into restriction (person_id, case_id, restricted_at, lifted_at) values (:person, :case, :now, null)"
            " on conflict (person_id) do update set case_id = excluded.case_id, restricted_at = excluded.restricted_at,"
            " lifted_at = null",
            person=each,
            case=case_id,
            now=now,
        )
        tx.run(
            "insert into withdrawal (person_id, purpose, withdrawn_at, submission_id) values (:person, :everything, :now, null)"
            " on conflict (person_id, purpose) do update set withdrawn_at = excluded.withdrawn_at",
            person=each,
            everything=_EVERYTHING,
            now=now,
        )
    return fresh


def lift(tx: Transaction, person_ids: Sequence[str], *, now: int) -> dict[str, int]:
    """End restrictions; by person: since when it had held."""
    held = restricted(tx, person_ids)
    for each in held:
        tx.run("update restriction set lifted_at = :now where person_id = :person", now=now, person=each)
        tx.run(
            "delete from withdrawal where person_id = :person and purpose = :everything", person=each, everything=_EVERYTHING
        )
    return held


def restricted(tx: Transaction, person_ids: Sequence[str]) -> dict[str, int]:
    """By person: since when everything about them is held."""
    rows = tx.rows_in(
        "select person_id, restricted_at from restriction where lifted_at is null and person_id in :values", person_ids
    )
    return {row[0]: row[1] for row in rows}


def stopped_by_restriction(tx: Transaction, person_id: str, *, since: int) -> list[tuple[str, str, str]]:
    """(delivery id, lead id, destination) of deliveries that this restriction stopped, or the gate because of it."""
    return [
        tuple(row)
        for row in tx.rows(
            "select d.delivery_id, d.lead_id, d.destination from delivery d join lead l on l.lead_id = d.lead_id"
            " where l.person_id = :person and d.state = 'suppressed' and (d.reason = 'restricted'"
            " or (d.reason = 'withdrawn' and d.decided_at >= :since)) order by d.delivery_id"
            + (" for update of d" if tx.postgres else ""),
            person=person_id,
            since=since,
        )
    ]


def queue_again(tx: Transaction, delivery_ids: Sequence[str], *, now: int) -> None:
    """Put stopped deliveries back before the gate; the caller holds their rows."""
    columns = {"state": "text", "attempt": "integer", "not_before": "bigint", "reason": "text", "decided_at": "bigint"}
    tx.update("delivery", "delivery_id", columns, [(each, "queued", 0, now, None, None) for each in delivery_ids])


# -- corrections -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A recipient that holds, or may hold, a value that was put right."""

    case_id: str
    delivery_id: str
    lead_id: str
    destination: str
    state: str  # queued, by_hand, done, refused
    attempt: int
    reason: str | None


_CORRECTION: Final = "case_id, delivery_id, lead_id, destination, state, attempt, reason"


def add_corrections(tx: Transaction, rows: Sequence[tuple[str, str, str, str, str, str | None]]) -> None:
    """Rows are (case_id, delivery_id, lead_id, destination, state, reason); a row that is there stays as it is."""
    columns = dict.fromkeys(("case_id", "delivery_id", "lead_id", "destination", "state"), "text")
    columns |= {"attempt": "integer", "reason": "text"}
    tx.insert_new("correction", columns, [(*row[:5], 0, row[5]) for row in rows])


def corrections(tx: Transaction, case_id: str) -> list[Correction]:
    """Every recipient of a case."""
    rows = tx.rows(f"select {_CORRECTION} from correction where case_id = :case order by delivery_id", case=case_id)
    return [
        Correction(
            case_id=row[0],
            delivery_id=row[1],
            lead_id=row[2],
            destination=row[3],
            state=row[4],
            attempt=row[5],
            reason=row[6],
        )
        for row in rows
    ]


def settle_correction(
    tx: Transaction, one: Correction, *, state: str, reason: str | None, now: int, sent_sha256: str | None = None
) -> bool:
    """Write what became of a correction; False if somebody finished it meanwhile."""
    return bool(
        tx.run(
            "update correction set state = :state, reason = :reason, attempt = attempt + 1, decided_at = :now,"
            " sent_sha256 = :sent where case_id = :case and delivery_id = :delivery and state in ('queued', 'by_hand')",
            state=state,
            reason=reason,
            now=now,
            sent=sent_sha256,
            case=one.case_id,
            delivery=one.delivery_id,
        )
    )


def as_claimed(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, Claimed]:
    """Deliveries with all that the gate and the vault ask of one, whatever their state; nobody claims them by it."""
    prefixes = dict.fromkeys(Claimed._fields[:6], "d") | dict.fromkeys(("wrapped_key", "key_version"), "p")
    lead = ("brand", "channel", "language", "topic", "country", "received_at", "sealed")
    prefixes |= dict.fromkeys(lead, "l")
    columns = ", ".join(f"{prefixes.get(name, 'c')}.{name}" for name in Claimed._fields)
    rows = tx.rows_in(
        f"select {columns} from delivery d join lead l on l.lead_id = d.lead_id join person p on p.person_id = l.person_id"
        " join consent_record c on c.consent_id = l.consent_id where d.delivery_id in :values",
        delivery_ids,
    )
    return {row[0]: Claimed._make(row) for row in rows}


def states(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """By delivery: its state and reason now."""
    rows = tx.rows_in("select delivery_id, state, reason from delivery where delivery_id in :values", delivery_ids)
    return {row[0]: (row[1], row[2]) for row in rows}


# -- what is held ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLead:
    """A lead with its envelope and the columns its record commits to."""

    row: tuple[Any, ...]  # in the order of leads.LEAD_COLUMNS
    wrapped_key: bytes | None
    key_version: int | None


def held_leads(tx: Transaction, person_ids: Sequence[str], columns: Sequence[str], *, lock: bool = False) -> list[HeldLead]:
    """Every lead of these people whose envelope exists, oldest first."""
    selected = ", ".join(f"l.{name}" for name in columns)
    hold = " for update of l" if lock and tx.postgres else ""
    rows = tx.rows_in(
        f"select {selected}, p.wrapped_key, p.key_version from lead l join person p on p.person_id = l.person_id"
        f" where l.sealed is not null and p.wrapped_key is not null and l.person_id in :values{hold}",
        person_ids,
    )
    held = [HeldLead(row=tuple(row[:-2]), wrapped_key=bytes(row[-2]), key_version=row[-1]) for row in rows]
    return sorted(held, key=lambda each: str(each.row[0]))


def reseal(tx: Transaction, rows: Sequence[tuple[str, bytes, str, str, str]]) -> None:
    """Rows are (lead_id, sealed, commitment, field_names, country)."""
    columns = {"sealed": "bytea", "commitment": "text", "field_names": "text", "country": "text"}
    tx.update("lead", "lead_id", columns, rows)


def forget_identifiers(tx: Transaction, digests: Sequence[bytes], person_id: str) -> int:
    """Remove digests that named this person by a value that was wrong."""
    return sum(
        tx.run("delete from identifier where digest = :digest and person_id = :person", digest=each, person=person_id)
        for each in digests
    )
