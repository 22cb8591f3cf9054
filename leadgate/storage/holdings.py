"""What is still held, for retention: submissions with bytes, people with keys, and the removal of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from consent.retention import HeldDelivery, HeldLead, HeldPerson, HeldSubmission, PurposeTerm
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from schemas.vocabulary import Outcome, SubmissionState


def submissions(tx: Transaction, *, after: str, limit: int) -> list[HeldSubmission]:
    """Submissions whose sealed bytes are stored, by id, a page at a time."""
    rows = tx.rows(
        "select submission_id, state, received_at, decided_at from submission where sealed is not null"
        " and state <> 'received' and submission_id > :after order by submission_id limit :limit",
        after=after,
        limit=limit,
    )
    return [
        HeldSubmission(
            submission_id=row[0],
            state=SubmissionState(row[1]),
            received_at=from_micros(row[2]),
            decided_at=from_micros(row[3]) if row[3] is not None else None,
        )
        for row in rows
    ]


def persons(
    tx: Transaction, *, after: str, limit: int, valid_for: Mapping[tuple[str, str], timedelta]
) -> tuple[list[HeldPerson], str | None]:
    """People whose key is stored, with all their leads, and the id to go on after (None at the end).

    ``valid_for`` maps (brand, purpose) to how long one consent carries; a purpose that no policy knows carries nothing.
    """
    ids = [
        row[0]
        for row in tx.rows(
            "select person_id from person where wrapped_key is not null and person_id > :after order by person_id limit :limit",
            after=after,
            limit=limit,
        )
    ]
    terms, deliveries = _terms(tx, ids, valid_for), _deliveries(tx, ids)
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
    return [HeldPerson(person_id=each, leads=tuple(leads[each])) for each in ids if each in leads], ids[-1] if ids else None


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


def destroy_submissions(tx: Transaction, submission_ids: Sequence[str]) -> None:
    """Destroy the bytes of submissions, and the keys that open them."""
    tx.update(
        "submission",
        "submission_id",
        {"wrapped_key": "bytea", "sealed": "bytea"},
        [(each, None, None) for each in submission_ids],
    )


def destroy_leads(tx: Transaction, lead_ids: Sequence[str]) -> None:
    """Delete the envelopes of single leads; the person's key still serves another one."""
    tx.update("lead", "lead_id", {"sealed": "bytea"}, [(each, None) for each in lead_ids])
