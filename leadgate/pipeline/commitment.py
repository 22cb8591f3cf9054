"""What a leaf commits to about a stored row, as it stands now. Admission took the digest of the very columns it stored, so
that a row changed in between has another. A row that cannot be read any more has none, and must not keep the others from being
verified.
"""

from __future__ import annotations

from typing import Any, Final

from consent.audit.digest import lead_digest, sealed_digest
from consent.audit.export import MALFORMED
from leadgate.storage.clock import from_micros
from schemas.lead import PseudonymousLead
from schemas.vocabulary import Channel, Language

#: What reading a row raises that somebody wrote to: a word outside its vocabulary, no moment, a column that is no text.
UNREADABLE: Final = (ValueError, TypeError, AttributeError, OverflowError)


def lead_of(row: tuple[Any, ...]) -> PseudonymousLead:
    """A stored lead from a row in the order of ``leads.LEAD_COLUMNS``; its envelope must still be there."""
    (lead_id, person_id, submission_id, consent_id, brand, channel, language, topic, country, names, received, admitted) = row[
        :12
    ]
    return PseudonymousLead(
        lead_id=lead_id,
        person_id=person_id,
        submission_id=submission_id,
        brand=brand,
        channel=Channel(channel),
        language=Language(language),
        topic=topic,
        country=country,
        field_names=tuple(names.split()),
        received_at=from_micros(received),
        admitted_at=from_micros(admitted),
        sealed=row[13],
        commitment=row[12],
        consent_id=consent_id,
    )


def stored_lead_row(row: tuple[Any, ...]) -> tuple[str | None, str | None]:
    """(digest of the envelope, digest of the record), both None once the envelope is destroyed."""
    if row[13] is None:
        return None, None
    try:
        record = lead_digest(lead_of(row))
    except UNREADABLE:
        record = MALFORMED
    return sealed_digest(row[13]), record
