"""What is still held, for retention: submissions with bytes, people with keys, acts with their content, and their removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from consent.retention import HeldDelivery, HeldEvidence, HeldLead, HeldPerson, HeldSubmission, PurposeTerm
from leadgate.storage import holds
from leadgate.storage.clock import LATEST, from_micros
from leadgate.storage.engine import Transaction
from schemas.vocabulary import Outcome, SubmissionState


def submissions(tx: Transaction, *, after: str, limit: int, now: int) -> list[HeldSubmission]:
    """Submissions whose sealed bytes are stored, by id, a page at a time."""
    rows = tx.rows(
        "select submission_id, state, received_at, decided_at, person_id from submission where sealed is not null"
        " and state <> 'received' and submission_id > :after order by submission_id limit :limit",
        after=after,
        limit=limit,
    )
    held = holds.of_people(tx, [row[4] for row in rows if row[4] is not None], now=now)
    return [
        HeldSubmission(
            submission_id=row[0],
            state=SubmissionState(row[1]),
            received_at=from_micros(row[2]),
            decided_at=from_micros(row[3]) if row[3] is not None else None,
            on_hold=row[4] in held,
        )
        for row in rows
    ]


def persons(
    tx: Transaction, *, after: str, limit: int, now: int, valid_for: Mapping[tuple[str, str], timedelta]
) -> tuple[list[HeldPerson], str | None]:
    """People whose key is stored, with all their leads, and the id to go on after (None at the end).

    ``valid_for`` maps (brand, purpose) to how long one consent carries; a purpose that no policy knows carries nothing.
    """
    rows = tx.rows(
        "select person_id from person where wrapped_key is not null and person_id > :after order by person_id limit :limit",
        after=after,
        limit=limit,
    )
    ids = [row[0] for row in rows]
    return these(tx, ids, now=now, valid_for=valid_for), ids[-1] if ids else None


def these(tx: Transaction, ids: Sequence[str], *, now: int, valid_for: Mapping[tuple[str, str], timedelta]) -> list[HeldPerson]:
    """As ``persons``, for people known by id; whose key is gone does not appear."""
    known = tx.rows_in("select person_id, created_at from person where wrapped_key is not null and person_id in :values", ids)
    since = {row[0]: int(row[1]) for row in known}
    held_back = holds.of_people(tx, ids, now=now)
    terms, deliveries = _terms(tx, ids, valid_for), _deliveries(tx, ids)
    for person_id, moment in tx.rows_in("select person_id, withdrawn_at from withdrawal where person_id in :values", ids):
        since[person_id] = max(since.get(person_id, 0), min(int(moment), LATEST))
    leads: dict[str, list[HeldLead]] = {}
    for person_id, lead_id, admitted_at, consent_id in tx.rows_in(
        "select person_id, lead_id, admitted_at, consent_id from lead where sealed is not null and person_id in :values", ids
    ):
        held = HeldLead(
            lead_id=lead_id,
            admitted_at=from_micros(admitted_at),
            terms=terms.get(consent_id, ()),
            deliveries=tuple(deliveries.get(lead_id, ())),
        )
        leads.setdefault(person_id, []).append(held)
    return [
        HeldPerson(
            person_id=each, leads=tuple(leads.get(each, ())), on_hold=each in held_back, known_since=from_micros(since[each])
        )
        for each in sorted(row[0] for row in known)
    ]


def _terms(
    tx: Transaction, ids: Sequence[str], valid_for: Mapping[tuple[str, str], timedelta]
) -> dict[str, tuple[PurposeTerm, ...]]:
    taken = {
        (row[0], row[1]): from_micros(row[2])
        for row in tx.rows_in("select person_id, purpose, withdrawn_at from withdrawal where person_id in :values", ids)
    }
    terms: dict[str, tuple[PurposeTerm, ...]] = {}
    for consent_id, person_id, brand, purposes, given in tx.rows_in(
        "select c.consent_id, c.person_id, c.brand, c.purposes, c.given_at from lead l"
        " join consent_record c on c.consent_id = l.consent_id where l.person_id in :values",
        ids,
    ):
        given_at = from_micros(given)
        made = []
        for purpose in purposes.split():
            withdrawn = taken.get((person_id, purpose))
            made.append(
                PurposeTerm(
                    purpose=purpose,
                    ends_at=given_at + valid_for.get((brand, purpose), timedelta(0)),
                    withdrawn_at=withdrawn if withdrawn is not None and withdrawn >= given_at else None,
                )
            )
        terms[consent_id] = tuple(made)
    return terms


def _deliveries(tx: Transaction, ids: Sequence[str]) -> dict[str, list[HeldDelivery]]:
    found: dict[str, list[HeldDelivery]] = {}
    for lead_id, state, decided in tx.rows_in(
        "select lead_id, state, decided_at from delivery where person_id in :values", ids
    ):
        held = HeldDelivery(state=Outcome(state), decided_at=from_micros(decided) if decided is not None else None)
        found.setdefault(lead_id, []).append(held)
    return found


def evidence(tx: Transaction, *, after: str, limit: int) -> list[HeldEvidence]:
    """Acts of destruction whose content is stored, by id, a page at a time."""
    rows = tx.rows(
        "select act_id, keep_until from destruction_act where sealed is not null and act_id > :after"
        " order by act_id limit :limit",
        after=after,
        limit=limit,
    )
    return [HeldEvidence(act_id=row[0], keep_until=from_micros(row[1])) for row in rows]


def destroy_evidence(tx: Transaction, act_ids: Sequence[str]) -> None:
    """Destroy the content of acts, and the keys that open it; their keyed digests stay and say nothing any more."""
    tx.update(
        "destruction_act",
        "act_id",
        {"wrapped_key": "bytea", "key_version": "integer", "sealed": "bytea"},
        [(each, None, None, None) for each in act_ids],
    )


def destroy_submissions(tx: Transaction, submission_ids: Sequence[str]) -> int:
    """Destroy the bytes of submissions, and the keys that open them; answer how many still had some."""
    return len(
        tx.rows_in(
            "update submission set wrapped_key = null, key_version = null, sealed = null"
            " where sealed is not null and submission_id in :values returning submission_id",
            submission_ids,
        )
    )


def destroy_leads(tx: Transaction, lead_ids: Sequence[str]) -> None:
    """Delete the envelopes of single leads and what could find them; the person's key still serves another one."""
    tx.update("lead", "lead_id", {"sealed": "bytea", "fingerprint": "bytea"}, [(each, None, b"") for each in lead_ids])
