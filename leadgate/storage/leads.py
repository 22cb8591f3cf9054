"""Admitted leads and the consent they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leadgate.storage.engine import Transaction

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
    "fingerprint",
    "commitment",
    "sealed",
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
