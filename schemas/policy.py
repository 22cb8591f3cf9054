"""What a brand may do with whose data: notices, purposes, recipients, countries. Versioned data from leadgate.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from schemas.clocks import ClockTerms
from schemas.controller import Controller, Party
from schemas.vocabulary import Language, RecipientKind


class Marketing(StrEnum):
    """The way a purpose advertises to the person: it needs a consent of its own (152-FZ Art. 15, 38-FZ Art. 18)."""

    CALL = "call"
    SMS = "sms"
    MESSENGER = "messenger"
    EMAIL = "email"


class Adequacy(StrEnum):
    """Whether the regulator counts a country among those that protect data as well (152-FZ Art. 12, GDPR Art. 45)."""

    ADEQUATE = "adequate"
    NOT_ADEQUATE = "not_adequate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One version of one notice text in one language. Times are aware UTC; ``valid_until`` None means still in force."""

    notice_id: str
    version: str
    language: Language
    text: str
    text_sha256: str  # lower-case hex over the UTF-8 bytes of ``text``
    purposes: frozenset[str]
    valid_from: datetime
    valid_until: datetime | None = None
    renewal_from: datetime | None = None  # from then on consents under earlier versions are stale; None: they stand
    one_purpose: bool = False  # the text asks for one purpose and nothing else

    @property
    def key(self) -> tuple[str, str, Language]:
        """What a consent names it by."""
        return self.notice_id, self.version, self.language


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossBorder:
    """The recorded basis of a transfer to one country. ``allowed_from`` is worked out from what was recorded.

    152-FZ Art. 12: the regulator is told first; where protection is not adequate, its review must be over.
    """

    country: str  # ISO 3166-1 alpha-2
    adequacy: Adequacy
    notification_ref: str
    notified_on: date
    decision_ref: str | None
    allowed_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingWindow:
    """Hours, by the person's own clock, in which they may be called: from ``begin`` up to ``end``."""

    begin: time
    end: time
    zone: str | None = None  # IANA name, for numbers whose zone nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the data are used for; ``valid_for`` is how long one consent carries.

    ``marketing``: advertising by that way, so the consent stands alone and has evidence.
    """

    code: str
    title: Mapping[Language, str]
    fields: frozenset[str]
    recipients: frozenset[RecipientKind]
    valid_for: timedelta
    marketing: Marketing | None = None
    category: str | None = None  # a purpose of the W3C DPV, for exports


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A configured destination as the gate sees it. ``discloses`` comes from the connector's manifest."""

    name: str
    kind: RecipientKind
    country: str  # ISO 3166-1 alpha-2 of the place where the recipient stores
    purposes: tuple[str, ...]  # in order of preference
    discloses: Mapping[str, frozenset[str]]  # purpose -> fields, already narrowed by the configuration
    requires: frozenset[str]  # personal fields without which the destination cannot use a lead
    transfer_basis: str | None = None  # recorded basis for crossing a border, e.g. a notification number
    cross_border: CrossBorder | None = None  # the same, with its dates
    party: Party | None = None  # who it is, for consent records


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A subject people are called back about, with its own fields: name -> required."""

    code: str
    fields: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandPolicy:
    """Everything the gate needs to know about one brand. ``version`` is a digest over the policy's own text."""

    brand: str
    title: str
    home_country: str  # where personal data are stored first
    countries: frozenset[str]  # of the people it serves
    default_region: str | None  # for phones written without a country
    notices: Mapping[tuple[str, str, Language], Notice]
    purposes: Mapping[str, Purpose]
    topics: Mapping[str, Topic]
    recipients: Mapping[str, Recipient]
    duplicate_window: timedelta
    version: str
    clocks: ClockTerms = field(default_factory=ClockTerms)  # how long the law gives for what
    controller: Controller | None = None  # who answers for the data, for consent records
    one_purpose_from: Mapping[str, datetime] = field(
        default_factory=dict
    )  # by country: since when a notice asks for one purpose
    calling_windows: Mapping[str, CallingWindow] = field(default_factory=dict)  # by country of the person
    suppression: bool = True  # ``RetentionRules.suppression``


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRules:
    """How long things are kept. There are no defaults: each is a decision somebody can be asked about.

    ``lead_by_purpose`` counts from the end of the consent for that purpose and falls back to ``lead``; ``delivered`` counts
    from the last outcome of a lead whose deliveries are all final (None: being delivered ends nothing). The earlier one holds.
    ``without_lead`` is for people of whom only a withdrawal is known (None: they are left alone).
    """

    refused: timedelta  # a refused submission: it must not be used at all
    quarantined: timedelta  # a submission that a person may still mend
    admitted_submission: timedelta  # the sender's copy, once the lead stands in the vault
    lead: timedelta  # after the consent ended by itself
    withdrawn: timedelta  # after the consent was taken back
    lead_by_purpose: Mapping[str, timedelta] = field(default_factory=dict)
    delivered: timedelta | None = None
    without_lead: timedelta | None = None
    #: Whether a keyed digest of whoever took consent back is kept until no older consent could carry any more, so that a late
    #: lead is not called though nothing else is left: to stop on demand is a duty of its own (152-FZ Art. 15; GDPR Art. 21(3)).
    suppression: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """How hard we try, and how careful we are when in doubt."""

    lease: timedelta = timedelta(minutes=3)  # a claim not settled by then is in doubt; longer than any call
    call_margin: timedelta = timedelta(seconds=5)  # what a call may take beyond the destination's own timeouts
    settle: timedelta = timedelta(seconds=10)  # wait before a doubt is read back: the vendor may still be writing
    attempts: int = 12  # sends that may fail before a delivery is a dead letter
    backoff_base: timedelta = timedelta(seconds=5)
    backoff_cap: timedelta = timedelta(minutes=30)
    breaker_failures: int = 5  # outages in a row that open the circuit breaker
    breaker_pause: timedelta = timedelta(seconds=30)  # doubles with every failed probe, up to the back-off cap
    batches_per_claim: int = 5  # vendor batches claimed in one transaction
    express: bool = True  # admission sends what it admitted at once to destinations that are well
