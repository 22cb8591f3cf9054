"""Receipts: what a person takes home about a consent or its withdrawal. It says what the ledger holds now, and proves it.

Refused: a receipt of a consent that is not in the log under a signature, and one that rounds up: a recipient that has not
answered is said not to have answered. Everything stated is held against the leaf that commits to it by the same script that
checks evidence packages; the leaves travel inside, each with its C2SP tlog-proof.

Made of the ledger and of what was in force. Who the person is does not stand in it, unless ``opened`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from consent import record27560
from consent.audit.leaf import decode
from consent.audit.policy import Policy
from consent.standing import Answer, Rules, standing_of
from leadgate.pipeline import evidence_records as records
from leadgate.pipeline import proofs, withdrawal_facts
from leadgate.pipeline.evidence_records import Record, Walk
from leadgate.pipeline.proofs import LeafProof
from leadgate.pipeline.withdrawal_facts import WithdrawalFacts
from leadgate.storage import consents, evidence, leads, log, notices
from leadgate.storage.engine import Transaction
from schemas.consent_record import ConsentRecord
from schemas.controller import StoragePlace
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy, Notice, RetentionRules
from schemas.vocabulary import Language

FORMAT: Final = "leadgate-receipt"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every receipt of an installation stands on."""

    policies: Mapping[str, BrandPolicy]
    storage: StoragePlace | None
    retention: RetentionRules
    log_policy: Policy
    vkeys: Sequence[str]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One purpose of a consent, as it stands now."""

    code: str
    title: Mapping[Language, str]
    fields: tuple[str, ...]
    recipients: tuple[str, ...]
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One recipient of a withdrawal."""

    name: str
    fact: withdrawal_facts.RecipientFact


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """What a receipt says. ``withdrawal`` is None for a consent receipt; ``record`` is None for a withdrawal's."""

    kind: str  # consent | withdrawal
    receipt_id: str
    made_at: datetime
    policy: BrandPolicy
    person_ids: tuple[str, ...]
    origin: str
    vkeys: Sequence[str]
    proven: tuple[LeafProof, ...]
    records: tuple[Record, ...]
    quorum: bool
    witnesses: tuple[tuple[str, datetime | None], ...]  # who cosigned, and when they saw it; nobody is no lie
    tree_size: int
    record: ConsentRecord | None = None
    channel: str = ""
    notice: Notice | None = None
    purposes: tuple[Purpose, ...] = ()
    iso27560: Mapping[str, Any] | None = None
    iso27560_lacks: tuple[str, ...] = ()
    withdrawal: WithdrawalFacts | None = None
    told: tuple[Told, ...] = ()

    @property
    def leaf_index(self) -> int:
        """The leaf a receipt is about: the first one."""
        return self.proven[0].index


def of_consent(
    tx: Transaction, word: str, house: House, *, receipt_id: str, now: datetime, alone: bool = False
) -> ReceiptFacts:
    """The facts of one consent; ``word`` is its id, or that of a lead, delivery or submission under it."""
    row = _consent_row(tx, word)
    record = leads.consent_of_row(row)
    policy = _policy(house, record.brand)
    walk = Walk()
    lead_ids = [each[0] for each in tx.rows("select lead_id from lead where consent_id = :consent", consent=record.consent_id)]
    found = [(index, leaf) for index, leaf in log.indexed_leaves(tx, lead_ids) if _admits(walk, index, leaf, record)]
    proven = _proven(tx, found, house, alone=alone)
    admitted = decode(proven[0].leaf).facts
    records_of, _ = leads.consents_of(tx, record.person_id)
    events = consents.events_of(tx, record.person_id)
    published = {(each.brand, *each.notice.key): each.notice for each in notices.published(tx, record.brand)}
    rules = Rules.of(published.values(), {code: each.valid_for for code, each in policy.purposes.items()}, {})
    answers = {
        code: standing_of(purpose=code, at=now, records=records_of, events=events, rules=rules) for code in record.purposes
    }
    lead = evidence.leads(tx, lead_ids)[0]
    key = (record.notice_id, record.notice_version, record.notice_language)
    notice = published.get((record.brand, *key)) or policy.notices.get(key)
    stored = record27560.Stored(
        record=record,
        lead_id=lead[0],
        channel=lead[5],
        topic=lead[7],
        country=lead[8],
        field_names=tuple(lead[9].split()),
        routes=tuple(_strings(admitted.get("routes"))),
        policy_version="".join(_strings(admitted.get("policy_version"))) or None,
        sealed_sha256=None,
        events=events,
    )
    around = record27560.Surroundings(
        policy=policy, notice=notice, storage=house.storage, retention=house.retention, answers=answers
    )
    lacking = record27560.missing(policy, house.storage)
    return ReceiptFacts(
        kind="consent",
        receipt_id=receipt_id,
        made_at=now,
        policy=policy,
        person_ids=(record.person_id,),
        origin=house.origin,
        vkeys=house.vkeys,
        proven=proven,
        records=tuple(records.consent_records(tx, [record.consent_id], walk)),
        quorum=all(each.quorum for each in proven),
        witnesses=_witnesses(proven, house.log_policy),
        tree_size=_size(proven),
        record=record,
        channel=stored.channel,
        notice=notice if notice and notice.text_sha256 == record.text_sha256 else None,
        purposes=tuple(_purpose(policy, stored, code, answers[code]) for code in record.purposes),
        iso27560=None if lacking else record27560.build(stored, around),
        iso27560_lacks=tuple(lacking),
    )


def of_withdrawal(
    tx: Transaction, word: str, house: House, *, receipt_id: str, now: datetime, alone: bool = False
) -> ReceiptFacts:
    """The facts of one withdrawal; ``word`` is its id, or a person's for their latest."""
    found = withdrawal_facts.facts(tx, word) or _latest(tx, word)
    policy = _policy(house, found.brand)
    walk = Walk()
    leaves = [each for each in _leaves_of(tx, found) if _take(walk, *each)]
    wanted = _statements(tx, found, walk)
    stated = {each["leaf"] for each in wanted if each["leaf"] is not None}
    proven = _proven(tx, [each for each in leaves if each[0] in stated], house, alone=alone)
    return ReceiptFacts(
        kind="withdrawal",
        receipt_id=receipt_id,
        made_at=now,
        policy=policy,
        person_ids=found.person_ids,
        origin=house.origin,
        vkeys=house.vkeys,
        proven=proven,
        records=tuple(wanted),
        quorum=all(each.quorum for each in proven),
        witnesses=_witnesses(proven, house.log_policy),
        tree_size=_size(proven),
        withdrawal=found,
        told=tuple(Told(name=_name(policy, each.destination), fact=each) for each in found.recipients),
    )


def kantara(facts: ReceiptFacts) -> dict[str, Any]:
    """The consent as a Kantara Consent Receipt 1.1. What we cannot know for sure is left out, not guessed."""
    record, controller = facts.record, facts.policy.controller
    if record is None:
        return {}
    said = {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": (controller.jurisdiction if controller else None) or facts.policy.home_country,
        "consentTimestamp": int(record.given_at.timestamp()),
        "collectionMethod": f"{record.indication.value}, {facts.channel}",
        "consentReceiptID": facts.receipt_id,
        "publicKey": facts.vkeys[0],
        "language": record.notice_language.value,
        "piiPrincipalId": record.person_id,
        "policyUrl": controller.policy_url if controller else None,
        "services": [
            {
                "service": facts.policy.title,
                "purposes": [
                    {
                        "purpose": each.title.get(record.notice_language, each.code),
                        "consentType": "EXPLICIT",
                        "piiCategory": list(each.fields),
                        "primaryPurpose": True,
                        "termination": _moment(each.answer.until) if each.answer.until else None,
                        "thirdPartyDisclosure": bool(each.recipients),
                        "thirdPartyName": ", ".join(each.recipients) or None,
                    }
                    for each in facts.purposes
                ],
            }
        ],
        "sensitive": False,
        "spiCat": [],
    }
    if controller is not None:
        said["piiControllers"] = [
            {"piiController": controller.name, "contact": controller.contact, "address": controller.address}
        ]
    return {name: value for name, value in said.items() if value is not None}


# -- consent ------------------------------------------------------------------------------------------------------------------


def _consent_row(tx: Transaction, word: str) -> tuple[Any, ...]:
    rows = evidence.consents(tx, [word])
    if not rows:
        lead = leads.named_by(tx, word) or word
        named = tx.rows("select consent_id from lead where lead_id = :lead", lead=lead)
        rows = evidence.consents(tx, [each[0] for each in named])
    if not rows:
        raise ConfigurationError("unknown_consent", "no consent of this id, nor a lead under one", field="CONSENT")
    return rows[0]


def _admits(walk: Walk, index: int, leaf: bytes, record: ConsentRecord) -> bool:
    """Whether this leaf commits to the record."""
    walk.take(index, leaf)
    return walk.consents.get(record.consent_id) == index


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [value] if isinstance(value, str) else []


def _purpose(policy: BrandPolicy, stored: record27560.Stored, code: str, answer: Answer) -> Purpose:
    known = policy.purposes.get(code)
    return Purpose(
        code=code,
        title=known.title if known else {},
        fields=tuple(name for name in stored.field_names if known and name in known.fields),
        recipients=tuple(_name(policy, each.name) for each in policy.recipients.values() if code in each.purposes),
        answer=answer,
    )


def _name(policy: BrandPolicy, destination: str) -> str:
    """What a person knows a recipient by: its company, else the name it has here."""
    known = policy.recipients.get(destination)
    return known.party.name if known and known.party else destination


# -- withdrawal ---------------------------------------------------------------------------------------------------------------


def _latest(tx: Transaction, person_id: str) -> WithdrawalFacts:
    found = withdrawal_facts.facts_of_persons(tx, [person_id])
    if not found:
        raise ConfigurationError(
            "unknown_withdrawal", "no withdrawal of this id, nor a person who made one", field="WITHDRAWAL"
        )
    return found[-1]


def _leaves_of(tx: Transaction, found: WithdrawalFacts) -> list[tuple[int, bytes]]:
    lead_ids = [row[0] for row in tx.rows_in("select lead_id from lead where person_id in :values", list(found.person_ids))]
    more = [found.submission_id] if found.submission_id else []
    return log.indexed_leaves(tx, sorted({*found.person_ids, *lead_ids, *more, found.withdrawal_id}))


def _take(walk: Walk, index: int, leaf: bytes) -> bool:
    return walk.take(index, leaf) is not None


def _statements(tx: Transaction, found: WithdrawalFacts, walk: Walk) -> list[Record]:
    """The request itself, what it stopped, and how far each recipient has come, each with its leaf."""
    people = list(found.person_ids)
    said = [each for each in records.withdrawal_records(tx, people, walk) if each["withdrawal_id"] == found.withdrawal_id]
    if not said:
        raise ConfigurationError(
            "not_sealed", "the log has not given the withdrawal its place yet: seal it and ask again", field="WITHDRAWAL"
        )
    stopped = {each.delivery_id for each in found.stopped}
    lead_ids = sorted({each.lead_id for each in found.stopped})
    said += [each for each in records.delivery_records(tx, lead_ids, walk) if each["delivery_id"] in stopped]
    told = {each.delivery_id for each in found.recipients}
    said += [each for each in records.recipient_records(tx, people, walk) if each["delivery_id"] in told]
    return said


# -- both ---------------------------------------------------------------------------------------------------------------------


def _proven(tx: Transaction, found: Sequence[tuple[int, bytes]], house: House, *, alone: bool) -> tuple[LeafProof, ...]:
    if not found:
        raise ConfigurationError(
            "not_sealed", "the log has not given it a place yet: 'leadgate seal', and ask again", field="log"
        )
    return tuple(proofs.of_leaves(tx, found, policy=house.log_policy, alone=alone))


def _witnesses(proven: Sequence[LeafProof], policy: Policy) -> tuple[tuple[str, datetime | None], ...]:
    seen = policy.judge(proven[0].proof.decode().partition("\n\n")[2]).seen
    return tuple((name, datetime.fromtimestamp(at, UTC) if at else None) for name, at in sorted(seen.items()))


def _size(proven: Sequence[LeafProof]) -> int:
    note = proven[0].proof.decode().partition("\n\n")[2]
    return int(note.split("\n")[1])


def _policy(house: House, brand: str) -> BrandPolicy:
    policy = house.policies.get(brand)
    if policy is None:
        raise ConfigurationError("unknown_brand", "leadgate.yaml has no longer the brand of this record", field="brands")
    return policy


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC).isoformat()[:19]}Z"
