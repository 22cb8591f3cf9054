"""A valid lead in memory, and the form of it that may be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from schemas.personal import Personal
from schemas.vocabulary import Channel, Indication, Language

#: Personal fields every brand knows; a brand's topics add their own (car_model, dealer, booking_reference, flight ...).
#: Order matters: it is the order of the sealed document.
PERSONAL_FIELDS: tuple[str, ...] = (
    "given_name",
    "family_name",
    "phone",  # E.164, RFC 3966 global number without the scheme
    "email",  # lower case, NFC
    "city",
    "region",
    "text",  # the person's free words; may hold other people's data
    "user",  # "<channel>:<platform user id>"
    "account",  # the brand's own account on the channel
    "thread_id",
    "message_ids",  # space-separated
    "permalink",
    "moderator",  # staff reference
    "script_version",  # of the text the moderator answered by
)

#: Safe facts a destination may be told beside personal fields; they need no opening of the vault.
PLAIN_FIELDS: tuple[str, ...] = (
    "lead_ref",  # pseudonym of the lead for this one destination
    "brand",
    "channel",
    "language",
    "topic",
    "country",
    "purpose",
    "consent_id",
    "consent_given_at",  # RFC 3339, UTC
    "notice_id",
    "notice_version",
    "received_at",  # RFC 3339, UTC
    "calling_window",  # hours by the person's own clock (consent.calling); absent if no rule or no zone is known
)


class ConsentClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What the moderator says was agreed. Times are aware and in UTC; digests are lower-case hex SHA-256."""

    purposes: tuple[str, ...]
    notice_id: str
    notice_version: str
    notice_language: Language
    text_sha256: str
    given_at: datetime
    indication: Indication
    evidence: tuple[str, ...] = ()


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """A lead that passed ``LeadSchema``: every field valid and normalised, still a person, memory only.

    ``fields`` holds every personal value by name (``PERSONAL_FIELDS`` plus the topic's own); absent means not given.
    ``country`` is ISO 3166-1 alpha-2, from the phone if there is one, else as declared, else "ZZ".
    """

    brand: str
    channel: Channel
    language: Language
    topic: str
    country: str
    fields: Personal[Mapping[str, str]]
    consent: ConsentClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymousLead:
    """What the database keeps of a lead. No field of it says who the person is without a key."""

    lead_id: str  # uuid7, hex with dashes
    person_id: str  # uuid7, random: not derived from anything personal
    submission_id: str
    brand: str
    channel: Channel
    language: Language
    topic: str
    country: str
    field_names: tuple[str, ...]
    received_at: datetime
    admitted_at: datetime
    sealed: bytes  # envelope under the person's own key
    commitment: str  # hex SHA-256 over salt and canonical fields; the salt is inside the envelope
    consent_id: str
