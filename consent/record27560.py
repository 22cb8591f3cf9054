"""A consent record as ISO/IEC TS 27560:2023 wants it: header, processing, parties, events. It refuses to leave a mandatory
field empty, and names the place in leadgate.yaml that would fill it.

Nothing is stored in this shape. It is made of what is: the row of the agreement, its events, the notice, the policy and the
settings of the brand. docs/consent-records.md says for each field where it comes from. Who the person is does not stand in it;
the evidence of a direct message (thread, message ids, permalink, moderator) is sealed with the lead, and the record names what
is sealed and its digest. Whoever may open the vault hands the opened values in as ``opened``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consent.dpv_terms import KINDS
from consent.standing import Answer
from schemas.consent_event import ConsentEvent, ConsentEventType, ConsentState
from schemas.consent_record import ConsentRecord
from schemas.controller import Party, StoragePlace
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy, Notice, Purpose, Recipient, RetentionRules
from schemas.vocabulary import Indication, Language

#: What a reader finds in ``schema_version``; the standard is under revision, so it is told from the first record on.
SCHEMA: Final = "ISO/IEC TS 27560:2023; leadgate 1"
#: Fields of a lead that are evidence of the conversation and not used for any purpose.
EVIDENCE_FIELDS: Final = ("account", "thread_id", "message_ids", "permalink", "moderator", "script_version")
#: A comment says less than an answer to a question.
_EXPRESSED: Final = frozenset({Indication.COMMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the ledger holds of one agreement."""

    record: ConsentRecord
    lead_id: str
    channel: str
    topic: str
    country: str
    field_names: tuple[str, ...]
    sealed_sha256: str | None  # of the envelope; None once it is destroyed
    events: Sequence[ConsentEvent]
    policy_version: str | None = None  # under which it was admitted
    routes: tuple[str, ...] = ()  # ``destination:purpose`` it was admitted for, at that moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was in force around it."""

    policy: BrandPolicy
    notice: Notice | None
    storage: StoragePlace | None
    retention: RetentionRules
    answers: Mapping[str, Answer] = field(default_factory=dict)  # by purpose


def missing(policy: BrandPolicy, storage: StoragePlace | None) -> list[str]:
    """Places of leadgate.yaml without which a record lacks a mandatory field."""
    places = [] if storage is not None else ["storage"]
    if policy.controller is None:
        places.append(f"brands.{policy.brand}.controller")
    return [*places, *(f"destinations.{name}.party" for name, each in policy.recipients.items() if each.party is None)]


def build(stored: Stored, around: Surroundings, *, opened: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The record as plain JSON values. Raises ConfigurationError naming every place that is missing."""
    lacking = missing(around.policy, around.storage)
    if lacking:
        mend = f"a consent record needs: {', '.join(lacking)}"
        raise ConfigurationError("record_incomplete", mend, field=lacking[0])
    record = stored.record
    return {
        "schema_version": SCHEMA,
        "record_id": record.consent_id,
        "pii_principal_id": record.person_id,
        "pii_processing": [_processing(stored, around, code) for code in record.purposes],
        "party_identification": _parties(around.policy),
        "events": [each for code in record.purposes for each in _events(stored, around, code)],
        "collection": _collection(stored, opened or {}),
        "standing": [_standing(answer) for answer in around.answers.values()],
    }


def _processing(stored: Stored, around: Surroundings, code: str) -> dict[str, Any]:
    policy, record, storage = around.policy, stored.record, around.storage
    controller, purpose = policy.controller, policy.purposes.get(code)
    if controller is None or storage is None:
        raise AssertionError("unreachable: build has asked")
    recipients = _recipients(policy, code)
    return {
        "privacy_notice": _notice(record, around.notice, controller.policy_url),
        "language": record.notice_language.value,
        "purpose": code,
        "purpose_text": _title(purpose, record.notice_language) or code,
        "purpose_type": (purpose.category if purpose else None) or "Purpose",
        "marketing": purpose.marketing.value if purpose and purpose.marketing else None,
        "lawful_basis": "consent",
        "pii_information": _information(stored, policy, code),
        "pii_controllers": [_controller_id(policy)],
        "collection_method": _method(record, stored.channel),
        "processing_methods": list(controller.actions),
        "processing_description": controller.methods,
        "storage_locations": [{"country": storage.country, "location": storage.location}],
        "retention_period": _retention(purpose, around.retention),
        "processing_locations": sorted({storage.country, *(each.country for each in recipients)}),
        "geographic_restrictions": [_border(each) for each in recipients if each.country != policy.home_country],
        "service": stored.topic,
        "jurisdiction": controller.jurisdiction or policy.home_country,
        "recipient_third_parties": [each.name for each in recipients],
        "withdrawal_method": _in(controller.withdrawal_method, record.notice_language),
        "privacy_rights": controller.rights_url,
        "authority_party": _authority_id(policy) if controller.authority else None,
    }


def _notice(record: ConsentRecord, notice: Notice | None, url: str | None) -> dict[str, Any]:
    return {
        "notice_id": record.notice_id,
        "version": record.notice_version,
        "sha256": record.text_sha256,
        "valid_from": _moment(notice.valid_from) if notice else None,
        "valid_until": _moment(notice.valid_until) if notice and notice.valid_until else None,
        "one_purpose": bool(notice and len(notice.purposes) == 1),
        "text": notice.text if notice and notice.text_sha256 == record.text_sha256 else None,
        "url": url,
    }


def _information(stored: Stored, policy: BrandPolicy, code: str) -> list[dict[str, Any]]:
    """What is used for the purpose: the fields the purpose allows and the lead had."""
    purpose, topic = policy.purposes.get(code), policy.topics.get(stored.topic)
    allowed = purpose.fields if purpose else frozenset[str]()
    needed = {name for each in policy.recipients.values() if code in each.purposes for name in each.requires}
    needed |= {name for name, required in topic.fields.items() if required} if topic else set()
    return [
        {
            "pii_type": KINDS.get(name, "PersonalData"),
            "pii_attribute_id": name,
            "pii_optional": name not in needed,
            "sensitive_pii_category": False,
            "special_pii_category": False,
        }
        for name in stored.field_names
        if name in allowed
    ]


def _recipients(policy: BrandPolicy, code: str) -> list[Recipient]:
    """Enumerated when consent is given, not when data are sent (ANCR B3)."""
    return [each for _, each in sorted(policy.recipients.items()) if code in each.purposes]


def _border(recipient: Recipient) -> dict[str, Any]:
    basis = recipient.cross_border
    return {
        "country": recipient.country,
        "recipient": recipient.name,
        "adequacy": basis.adequacy.value if basis else None,
        "notification_ref": basis.notification_ref if basis else recipient.transfer_basis,
        "date": basis.notified_on.isoformat() if basis else None,
        "decision_ref": basis.decision_ref if basis else None,
    }


def _retention(purpose: Purpose | None, rules: RetentionRules) -> dict[str, Any]:
    keep = rules.lead_by_purpose.get(purpose.code, rules.lead) if purpose else rules.lead
    term = purpose.valid_for if purpose else timedelta()
    return {"duration": duration(term + keep), "after_the_end": duration(keep), "after_withdrawal": duration(rules.withdrawn)}


def _parties(policy: BrandPolicy) -> list[dict[str, Any]]:
    controller = policy.controller
    if controller is None:
        return []
    parties = [_party(_controller_id(policy), controller, role="controller", kind="DataController")]
    parties[0] |= {"party_url": controller.policy_url, "officer": controller.officer}
    for name, each in sorted(policy.recipients.items()):
        if each.party is not None:
            parties.append(_party(name, each.party, role=f"recipient: {each.kind.value}", kind="ThirdParty"))
            parties[-1]["country"] = each.country
    if controller.authority is not None:
        parties.append(_party(_authority_id(policy), controller.authority, role="authority", kind="DataProtectionAuthority"))
    return parties


def _party(party_id: str, party: Party, *, role: str, kind: str) -> dict[str, Any]:
    return {
        "party_id": party_id,
        "party_name": party.name,
        "party_address": party.address,
        "party_contact": party.contact,
        "party_role": role,
        "party_type": kind,
        "register_number": party.register_number,
    }


def _controller_id(policy: BrandPolicy) -> str:
    return f"controller/{policy.brand}"


def _authority_id(policy: BrandPolicy) -> str:
    return f"authority/{policy.brand}"


def _events(stored: Stored, around: Surroundings, code: str) -> list[dict[str, Any]]:
    record, purpose = stored.record, around.policy.purposes.get(code)
    given = {
        "event_id": record.consent_id,
        "purpose": code,
        "event_time": _moment(record.given_at),
        "recorded_at": _moment(record.recorded_at),
        "validity_duration": duration(purpose.valid_for if purpose else timedelta()),
        "entity_id": record.person_id,
        "event_type": event_type(record.indication).value,
        "event_state": ConsentState.GIVEN.value,
        "policy_version": stored.policy_version,
        "routes": [route for route in stored.routes if route.endswith(f":{code}")],
    }
    later = [
        {
            "event_id": each.event_id,
            "purpose": code,
            "event_time": _moment(each.event_time),
            "recorded_at": _moment(each.recorded_at),
            "validity_duration": given["validity_duration"] if each.state is ConsentState.RENEWED else duration(timedelta()),
            "entity_id": _controller_id(around.policy) if each.state in _OURS else record.person_id,
            "event_type": each.event_type.value,
            "event_state": each.state.value,
            "policy_version": each.policy_version,
            "routes": [],
        }
        for each in speaking(stored.events, record, code)
    ]
    return [given, *later]


#: What the controller does; everything else is the person's word.
_OURS: Final = frozenset({ConsentState.REQUESTED, ConsentState.EXPIRED, ConsentState.TERMINATED, ConsentState.INVALIDATED})


def speaking(events: Iterable[ConsentEvent], record: ConsentRecord, purpose: str) -> list[ConsentEvent]:
    """The events about one record and purpose; of those about everything, none from before it was given."""
    return [
        each
        for each in events
        if each.purpose in (None, purpose)
        and (each.consent_id == record.consent_id or (each.consent_id is None and each.event_time >= record.given_at))
    ]


def event_type(indication: Indication) -> ConsentEventType:
    """The standard's word for how the person indicated it."""
    return ConsentEventType.EXPRESSED if indication in _EXPRESSED else ConsentEventType.EXPLICITLY_EXPRESSED


def _collection(stored: Stored, opened: Mapping[str, str]) -> dict[str, Any]:
    """How it was collected: what is sealed is named, what was opened is told."""
    record = stored.record
    return {
        "platform": stored.channel,
        "indication": record.indication.value,
        "country": stored.country,
        "evidence": [{"sha256": digest} for digest in record.evidence],
        "sealed": [name for name in EVIDENCE_FIELDS if name in stored.field_names],
        "sealed_sha256": stored.sealed_sha256,
        "lead_id": stored.lead_id,
        "opened": {name: opened[name] for name in EVIDENCE_FIELDS if name in opened},
    }


def _standing(answer: Answer) -> dict[str, Any]:
    return {
        "purpose": answer.purpose,
        "at": _moment(answer.at),
        "standing": answer.standing.value,
        "why": answer.why.value,
        "since": _moment(answer.since) if answer.since else None,
        "until": _moment(answer.until) if answer.until else None,
        "event_id": answer.event_id,
    }


def _method(record: ConsentRecord, channel: str) -> str:
    return f"{record.indication.value}, {channel}"


def _title(purpose: Purpose | None, language: Language) -> str | None:
    return _in(purpose.title, language) if purpose else None


def _in(said: Mapping[Language, str], language: Language) -> str | None:
    return said.get(language) or next(iter(said.values()), None)


def _moment(at: datetime) -> str:
    """ISO 8601, UTC, to the second."""
    return f"{at.astimezone(UTC).isoformat()[:19]}Z"


def duration(term: timedelta) -> str:
    """ISO 8601: days, and seconds where there are any."""
    return f"P{term.days}D" + (f"T{term.seconds}S" if term.seconds else "")
