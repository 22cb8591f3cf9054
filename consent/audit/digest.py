"""Digests that tie a stored row to its leaf. Nothing that can change lawfully stands in them, and no person does.

A digest is taken over the columns as they are stored, in one order that never changes, so that admission, which has the row in
hand, and verification, which reads it back, cannot differ. A lead's covers what was admitted, the sealed envelope included; a
consent record's what was agreed, not what was withdrawn later: withdrawal is another leaf.

    SHA-256("leadgate/<kind>/v1" LF compact JSON array of the columns; times in microseconds since the epoch; lists with spaces)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from schemas.consent_record import ConsentRecord
from schemas.lead import PseudonymousLead

_write: Final = msgspec.json.Encoder().encode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: Columns of a stored row.
Columns = Sequence[str | int | None]


def sealed_digest(sealed: bytes) -> str:
    """The ``sealed_sha256`` of ``lead.admitted``: plain SHA-256, the envelope is ciphertext under a random nonce."""
    return sha256(sealed).hexdigest()


def lead_columns_digest(columns: Columns, sealed_sha256: str) -> str:
    """As ``lead_digest``, from the row: its columns up to the commitment."""
    return sha256(b"leadgate/lead/v1\n" + _write([*columns, sealed_sha256])).hexdigest()


def consent_columns_digest(columns: Columns) -> str:
    """As ``consent_digest``, from the row."""
    return sha256(b"leadgate/consent/v1\n" + _write(columns)).hexdigest()


def lead_digest(lead: PseudonymousLead) -> str:
    """The ``record_sha256`` of ``lead.admitted``: every column of the stored lead."""
    columns = (
        lead.lead_id, lead.person_id, lead.submission_id, lead.consent_id, lead.brand, lead.channel, lead.language, lead.topic,
        lead.country, " ".join(lead.field_names), _micros(lead.received_at), _micros(lead.admitted_at), lead.commitment,
    )  # fmt: skip
    return lead_columns_digest(columns, sealed_digest(lead.sealed))


def consent_digest(record: ConsentRecord) -> str:
    """The ``consent_sha256`` of ``lead.admitted``: what was agreed, when, under which text, with which evidence."""
    return consent_columns_digest(
        (
            record.consent_id, record.person_id, record.brand, " ".join(record.purposes), record.notice_id,
            record.notice_version, record.notice_language, record.text_sha256, record.indication, " ".join(record.evidence),
            _micros(record.given_at), _micros(record.recorded_at), record.schema_version,
        )
    )  # fmt: skip


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
