"""The consent record (ISO/IEC TS 27560): what stands in the ledger about one agreement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.vocabulary import Indication, Language

#: Version of the stored shape; a reader refuses what it does not know.
CONSENT_SCHEMA_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One agreement of one person. ``withdrawn`` holds the purposes taken back, with the moment of each."""

    consent_id: str
    person_id: str
    brand: str
    purposes: tuple[str, ...]
    notice_id: str
    notice_version: str
    notice_language: Language
    text_sha256: str
    indication: Indication
    evidence: tuple[str, ...]
    given_at: datetime
    recorded_at: datetime
    withdrawn: tuple[tuple[str, datetime], ...] = ()
    schema_version: str = CONSENT_SCHEMA_VERSION
