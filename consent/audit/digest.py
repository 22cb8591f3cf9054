"""Digests that tie a stored row to its leaf. Nothing that can change lawfully stands in them, and no person does.

A lead's digest covers the columns that say what was admitted, the sealed envelope included; a consent record's covers what was
agreed, not what was withdrawn later: withdrawal is another leaf.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec

from schemas.consent_record import ConsentRecord
from schemas.lead import PseudonymousLead

_write: Final = msgspec.json.Encoder(order="deterministic").encode


def sealed_digest(sealed: bytes) -> str:
    """The ``sealed_sha256`` of ``lead.admitted``: plain SHA-256, the envelope is ciphertext under a random nonce."""
    return sha256(sealed).hexdigest()


def lead_digest(lead: PseudonymousLead) -> str:
    """The ``record_sha256`` of ``lead.admitted``: every column of the stored lead."""
    return sha256(
        b"leadgate/lead/v1\n"
        + _write(
            {
                "lead_id": lead.lead_id,
                "person_id": lead.person_id,
                "submission_id": lead.submission_id,
                "brand": lead.brand,
                "channel": lead.channel,
                "language": lead.language,
                "topic": lead.topic,
                "country": lead.country,
                "field_names": sorted(lead.field_names),
                "received_at": _moment(lead.received_at),
                "admitted_at": _moment(lead.admitted_at),
                "sealed_sha256": sealed_digest(lead.sealed),
                "commitment": lead.commitment,
                "consent_id": lead.consent_id,
            }
        )
    ).hexdigest()


def consent_digest(record: ConsentRecord) -> str:
    """The ``consent_sha256`` of ``lead.admitted``: what was agreed, when, under which text, with which evidence."""
    return sha256(
        b"leadgate/consent/v1\n"
        + _write(
            {
                "consent_id": record.consent_id,
                "person_id": record.person_id,
                "brand": record.brand,
                "purposes": sorted(record.purposes),
                "notice_id": record.notice_id,
                "notice_version": record.notice_version,
                "notice_language": record.notice_language,
                "text_sha256": record.text_sha256,
                "indication": record.indication,
                "evidence": sorted(record.evidence),
                "given_at": _moment(record.given_at),
                "recorded_at": _moment(record.recorded_at),
                "schema_version": record.schema_version,
            }
        )
    ).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
