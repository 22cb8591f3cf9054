"""Admitted leads and the consent they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from schemas.consent_record import ConsentRecord
from schemas.vocabulary import Indication, Language

_PAGE = 5_000
LEAD_COLUMNS = (
    "lead_id",
    "person_id",
    "submission_id",
    "consent_id",
    "brand",
    "channel",
    "language",
    "topic",
    "country",
    "field_names",
    "received_at",
    "admitted_at",
    "commitment",
    "sealed",
    "fingerprint",
)
CONSENT_COLUMNS = (
    "consent_id",
    "person_id",
    "brand",
    "purposes",
    "notice_id",
    "notice_version",
    "notice_language",
    "text_sha256",
    "indication",
    "evidence",
    "given_at",
    "recorded_at",
    "schema_version",
)


def add(tx: Transaction, leads: Sequence[tuple[Any, ...]], consents: Sequence[tuple[Any, ...]]) -> None:
    """Insert leads and their consent records, values in the order of the columns above."""
    tx.insert("lead", LEAD_COLUMNS, leads)
    tx.insert("consent_record", CONSENT_COLUMNS, consents)


def consents_of(tx: Transaction, person_id: str) -> tuple[list[ConsentRecord], dict[str, str]]:
    """Every consent record of a person, with what was taken back since, and which lead stands on which."""
    taken = tx.rows("select purpose, withdrawn_at from withdrawal where person_id = :person", person=person_id)
    rows = tx.rows(
        f"select c.{', c.'.join(CONSENT_COLUMNS)} from lead l join consent_record c on c.consent_id = l.consent_id"
        " where l.person_id = :person",
        person=person_id,
    )
    consent_of = dict(tuple(row) for row in tx.rows("select lead_id, consent_id from lead where person_id = :p", p=person_id))
    return [consent_of_row(tuple(row), taken) for row in rows], consent_of


def consent_of_row(row: tuple[Any, ...], taken: Sequence[Any] = ()) -> ConsentRecord:
    """The record of a row in the order of ``CONSENT_COLUMNS``. Raises ValueError if somebody wrote to it."""
    consent_id, person_id, brand, purposes, notice_id, version, language, text, indication, evidence, given, recorded, shape = (
        row
    )
    given_at = from_micros(given)
    return ConsentRecord(
        consent_id=consent_id,
        person_id=person_id,
        brand=brand,
        purposes=tuple(purposes.split()),
        notice_id=notice_id,
        notice_version=version,
        notice_language=Language(language),
        text_sha256=text,
        indication=Indication(indication),
        evidence=tuple(evidence.split()),
        given_at=given_at,
        recorded_at=from_micros(recorded),
        withdrawn=tuple((purpose, from_micros(moment)) for purpose, moment in taken if from_micros(moment) >= given_at),
        schema_version=shape,
    )


def recent_fingerprints(tx: Transaction, fingerprints: Sequence[bytes]) -> dict[bytes, tuple[str, int]]:
    """By fingerprint: (lead id, admitted_at) of the newest lead that has it."""
    rows = tx.rows_in("select fingerprint, lead_id, admitted_at from lead where fingerprint in :values", fingerprints)
    newest: dict[bytes, tuple[str, int]] = {}
    for fingerprint, lead_id, moment in rows:
        key = bytes(fingerprint)
        if key not in newest or newest[key][1] < moment:
            newest[key] = (lead_id, moment)
    return newest


def person_of(tx: Transaction, lead_id: str) -> str | None:
    """The person behind a lead, by random id."""
    rows = tx.rows("select person_id from lead where lead_id = :lead", lead=lead_id)
    return rows[0][0] if rows else None


def named_by(tx: Transaction, word: str) -> str | None:
    """The lead that a delivery, a submission or the external id in a recipient's record (our pseudonym) belongs to."""
    rows = tx.rows(
        "select lead_id from delivery where delivery_id = :word or key = :word"
        " union select lead_id from submission where submission_id = :word and lead_id is not null",
        word=word,
    )
    return rows[0][0] if rows else None


def all_leads(tx: Transaction) -> Iterator[tuple[Any, ...]]:
    """Every lead in the order of ``LEAD_COLUMNS``, in pages, by id."""
    after = ""
    while rows := tx.rows(
        f"select {', '.join(LEAD_COLUMNS)} from lead where lead_id > :after order by lead_id limit {_PAGE}", after=after
    ):
        for row in rows:
            values = tuple(row)
            yield (*values[:13], None if values[13] is None else bytes(values[13]), *values[14:])
        after = rows[-1][0]


def all_consents(tx: Transaction) -> Iterator[tuple[Any, ...]]:
    """Every consent record in the order of ``CONSENT_COLUMNS``, in pages, by id; ``consent_of_row`` reads one."""
    after = ""
    while rows := tx.rows(
        f"select {', '.join(CONSENT_COLUMNS)} from consent_record where consent_id > :after order by consent_id limit {_PAGE}",
        after=after,
    ):
        yield from (tuple(row) for row in rows)
        after = rows[-1][0]
