"""Closed vocabularies. Every word that is stored, logged or sent stands here once."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    VK = "vk"
    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"


class Language(StrEnum):
    RU = "ru"
    EN = "en"


class Indication(StrEnum):
    """How the data subject indicated agreement (ISO/IEC TS 27560 event type, refined)."""

    DIRECT_MESSAGE = "direct_message"
    COMMENT = "comment"
    FORM_CHECKBOX = "form_checkbox"
    LEAD_FORM = "lead_form"
    SPOKEN = "spoken"


class SubmissionKind(StrEnum):
    LEAD = "lead"
    WITHDRAWAL = "withdrawal"


class SubmissionState(StrEnum):
    RECEIVED = "received"
    ADMITTED = "admitted"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class Decision(StrEnum):
    ADMIT = "admit"
    QUARANTINE = "quarantine"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why a submission was quarantined (a person can mend it) or refused (it must not be used)."""

    # Quarantine, because unreadable or invalid.
    UNPARSABLE = "unparsable"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_BRAND = "unknown_brand"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_NOTICE = "unknown_notice"
    UNKNOWN_PURPOSE = "unknown_purpose"
    NOTICE_TEXT_MISMATCH = "notice_text_mismatch"
    CONSENT_IN_FUTURE = "consent_in_future"
    CONSENT_BEFORE_NOTICE = "consent_before_notice"
    NO_WAY_TO_REACH = "no_way_to_reach"
    NO_EVIDENCE = "no_evidence"
    NO_TRANSFER_BASIS = "no_transfer_basis"
    # Refuse, because valid but not to be used.
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    NOTICE_RETIRED = "notice_retired"
    CONSENT_STALE = "consent_stale"
    CONSENT_NOT_SEPARATE = "consent_not_separate"
    WITHDRAWN = "withdrawn"
    COUNTRY_NOT_SERVED = "country_not_served"
    NO_DESTINATION = "no_destination"
    DUPLICATE = "duplicate"


class PersonState(StrEnum):
    KNOWN = "known"
    WITHDRAWN = "withdrawn"
    ERASED = "erased"


class Outcome(StrEnum):
    """State of a delivery. The last line of the comment says who moves it on.

    queued and deferred wait for the scheduler; claimed for its worker; uncertain for a read-back; accepted, rejected,
    dead and suppressed are final (dead may be replayed by a person).
    """

    QUEUED = "queued"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"
    DEAD = "dead"
    SUPPRESSED = "suppressed"


FINAL_OUTCOMES = frozenset({Outcome.ACCEPTED, Outcome.REJECTED, Outcome.DEAD, Outcome.SUPPRESSED})


#: Reason of a dead delivery of which nobody knows whether it arrived: the recipient may hold it.
IN_DOUBT = "in_doubt"


class RecipientKind(StrEnum):
    CALL_CENTER = "call_center"
    CRM = "crm"


class Ask(StrEnum):
    """What a recipient is asked about a record it holds. Erasing is asked after suppressing: first of all the calls stop."""

    SUPPRESS = "suppress"
    ERASE = "erase"


class TellingState(StrEnum):
    """How far telling a recipient has come.

    waiting waits for the outcome of a delivery, queued and a suppressed one that is to be erased too for a worker; failed and
    by_hand for a person; erased, not_held and told are final.
    """

    WAITING = "waiting"  # nobody knows yet whether the recipient gets the record at all
    QUEUED = "queued"
    SUPPRESSED = "suppressed"  # the recipient says it uses the record no more
    ERASED = "erased"  # the recipient says it destroyed the record
    NOT_HELD = "not_held"  # the record never arrived there, or the recipient holds none under our key
    FAILED = "failed"  # the recipient refuses
    BY_HAND = "by_hand"  # the recipient cannot be told by this program
    TOLD = "told"  # by a person, who says so


class WriteMode(StrEnum):
    """What repeating a write does at the vendor; decides how doubt is resolved."""

    UPSERT = "upsert"  # the same key twice is one record
    CREATE_ONLY = "create_only"  # our key is honoured once, the second time is refused
    SEARCH_THEN_WRITE = "search_then_write"  # no unique key, but our key can be searched
    APPEND_ONLY = "append_only"  # every write is another record and none can be found again


class Event(StrEnum):
    """What a leaf of the audit log says happened."""

    SUBMISSION_RECEIVED = "submission.received"
    LEAD_ADMITTED = "lead.admitted"
    SUBMISSION_QUARANTINED = "submission.quarantined"
    SUBMISSION_REFUSED = "submission.refused"
    SUBMISSION_READMITTED = "submission.readmitted"  # back to the gate, after a person mended the cause
    DELIVERY_ACCEPTED = "delivery.accepted"
    DELIVERY_REJECTED = "delivery.rejected"
    DELIVERY_DEFERRED = "delivery.deferred"
    DELIVERY_UNCERTAIN = "delivery.uncertain"
    DELIVERY_RESOLVED = "delivery.resolved"
    DELIVERY_DEAD = "delivery.dead"
    DELIVERY_SUPPRESSED = "delivery.suppressed"
    DELIVERY_REPLAYED = "delivery.replayed"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_RECORDED = "consent.recorded"  # requested, deferred, refused, renewed: the fact ``state`` says which
    CONSENT_EXPIRED = "consent.expired"
    CONSENT_TERMINATED = "consent.terminated"
    CONSENT_INVALIDATED = "consent.invalidated"
    NOTICE_PUBLISHED = "notice.published"
    NOTICE_RETIRED = "notice.retired"
    RECIPIENT_ASKED = "recipient.asked"  # to stop using a record, and to destroy it
    RECIPIENT_DEFERRED = "recipient.deferred"  # asked, and it did not say that it did it
    RECIPIENT_SUPPRESSED = "recipient.suppressed"
    RECIPIENT_ERASED = "recipient.erased"
    RECIPIENT_NOT_HELD = "recipient.not_held"
    RECIPIENT_FAILED = "recipient.failed"
    RECIPIENT_BY_HAND = "recipient.by_hand"
    RECIPIENT_TOLD = "recipient.told"  # by a person
    SUBJECT_ERASED = "subject.erased"
    BACKUP_REPLAYED = "backup.replayed"  # a restored ledger carried the shred list out again
    HOLD_SET = "hold.set"  # this person's data must not be destroyed
    HOLD_LIFTED = "hold.lifted"
    ACT_DRAWN_UP = "act.drawn_up"  # an act of destruction, by its keyed digest
    KEYS_ROTATED = "keys.rotated"  # a newer version wraps from here on
    KEYS_REWRAPPED = "keys.rewrapped"
    KEYS_REINDEXED = "keys.reindexed"  # what people are found by, under the newer version
    KEYS_DROPPED = "keys.dropped"  # an old version, with what still hung on it: nothing
    ANALYTICS_EXPORTED = "analytics.exported"  # anonymized, with the method and what was measured
    RETENTION_APPLIED = "retention.applied"
    LOG_PRUNED = "log.pruned"  # tiles and entries before an index are not published any more; the ledger keeps them
    LOG_RECOVERED = "log.recovered"  # leaves that a restored ledger had lost were taken back from the published log
    IDENTITY_OPENED = "identity.opened"
    CLOCK_STARTED = "clock.started"
    CLOCK_EXTENDED = "clock.extended"
    CLOCK_MET = "clock.met"
    CASE_OPENED = "case.opened"  # a data subject asks for something
    CASE_STEP = "case.step"
    CASE_CLOSED = "case.closed"
    CASE_FORGOTTEN = "case.forgotten"  # the identifiers that were kept to go on with it are destroyed
    SUBJECT_RECTIFIED = "subject.rectified"  # a lead sealed anew; its digests are the committed ones from here on
    SUBJECT_RESTRICTED = "subject.restricted"
    RECEIPT_ISSUED = "receipt.issued"  # the person's copy of a consent or withdrawal
    EVIDENCE_ISSUED = "evidence.issued"  # a package for an auditor
    SUBJECT_RELEASED = "subject.released"  # a restriction is lifted
