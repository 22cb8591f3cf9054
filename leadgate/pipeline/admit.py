"""Admit: parse, check, ask the gate, seal, and queue deliveries, a batch in one transaction.

A submission leaves ``received`` exactly once, to admitted, quarantined or refused; a crash before the commit leaves it
received. One bad submission never stops the others: whatever its bytes contain becomes a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import msgspec

from consent.audit.digest import consent_digest, lead_digest
from consent.blind_index import BlindIndex, IndexKind
from consent.gate import Gate, Standing
from consent.pseudonyms import Pseudonyms
from consent.vault import PersonKey, Vault
from integrations.contract.source import Source
from leadgate.pipeline import withdraw
from leadgate.pipeline.commitment import lead_of
from leadgate.pipeline.recognition import Candidate, Recognition
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import inbox, leads, log, outbox, people
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from leadgate.storage.inbox import Waiting
from schemas.audit import LeafValue
from schemas.consent_record import CONSENT_SCHEMA_VERSION
from schemas.errors import VaultError
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.policy import BrandPolicy
from schemas.submission import LeadDocument, Submission, Unparsable, Withdrawal
from schemas.verdict import Finding, Verdict
from schemas.vocabulary import Decision, Event, Outcome, Reason, SubmissionKind, SubmissionState

#: Advisory lock: one admission at a time decides who is a new person and what is a duplicate.
_ADMIT_LOCK = 0x6C65_6164_6164
#: Vault errors that mean the keys are gone for everybody, not that one row is bad.
_PROVIDER_CODES = frozenset({"key_version_unknown", "provider_unavailable"})
#: Submissions decided in one transaction.
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitCount:
    """``taken`` = admitted + quarantined + refused; ``withdrawals`` are among the admitted; ``deliveries`` were queued."""

    taken: int = 0
    admitted: int = 0
    quarantined: int = 0
    refused: int = 0
    withdrawals: int = 0
    deliveries: int = 0

    def __add__(self, other: AdmitCount) -> AdmitCount:
        mine, theirs = asdict(self), asdict(other)
        return AdmitCount(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)


@dataclass(slots=True)
class _Step:
    """Everything one transaction writes, collected row by row."""

    recorder: Recorder
    now: int
    persons: list[tuple[object, ...]] = field(default_factory=list)
    identifiers: list[tuple[object, ...]] = field(default_factory=list)
    leads: list[tuple[object, ...]] = field(default_factory=list)
    consents: list[tuple[object, ...]] = field(default_factory=list)
    deliveries: list[tuple[object, ...]] = field(default_factory=list)
    admitted: list[tuple[object, ...]] = field(default_factory=list)
    otherwise: list[tuple[object, ...]] = field(default_factory=list)
    withdrawals: int = 0


class Admitter:
    """Decides submissions. One instance a process; batches are independent."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        index: BlindIndex,
        pseudonyms: Pseudonyms,
        sources: Mapping[str, Source],
        policies: Mapping[str, BrandPolicy],
        key_lengths: Mapping[str, int],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._sources = sources
        self._policies = policies
        self._gates = {brand: Gate(policy) for brand, policy in policies.items()}
        self._reader = LeadReader(policies)
        self._clock = clock
        self._pseudonym = {name: pseudonyms.for_destination(name, key_length=length) for name, length in key_lengths.items()}

    def run(self, *, seconds: float, batch: int = BATCH, progress: Callable[[AdmitCount], None] | None = None) -> AdmitCount:
        """Decide until the inbox is empty or ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        total = AdmitCount()
        while True:
            count = self._ledger.retrying(lambda tx: self._batch(tx, batch))
            total += count
            if progress:
                progress(total)
            if count.taken < batch or time.monotonic() >= deadline:
                return total

    def _batch(self, tx: Transaction, limit: int) -> AdmitCount:
        waiting = inbox.take(tx, limit)
        if not waiting:
            return AdmitCount()
        now = self._clock()
        step = _Step(recorder=Recorder(at=now), now=to_micros(now))
        candidates: list[Candidate] = []
        withdrawals: list[tuple[Waiting, Withdrawal]] = []
        for one in waiting:
            self._understand(one, step, candidates, withdrawals)
        tx.lock(_ADMIT_LOCK)
        for one, withdrawal in withdrawals:
            self._withdraw(tx, step, one, withdrawal, now)
        self._decide(tx, step, candidates, now)
        self._write(tx, step)
        return AdmitCount(
            taken=len(waiting),
            admitted=len(step.admitted),
            quarantined=sum(row[1] == SubmissionState.QUARANTINED.value for row in step.otherwise),
            refused=sum(row[1] == SubmissionState.REFUSED.value for row in step.otherwise),
            withdrawals=step.withdrawals,
            deliveries=len(step.deliveries),
        )

    # -- understanding ---------------------------------------------------------------------------------------------------

    def _understand(
        self, one: Waiting, step: _Step, candidates: list[Candidate], withdrawals: list[tuple[Waiting, Withdrawal]]
    ) -> None:
        source = self._sources.get(one.source)
        if source is None:
            self._put_aside(
                step, one, [Finding(reason=Reason.UNPARSABLE, field="source", hint="this source is not configured")]
            )
            return
        try:
            body = self._vault.open_submission(one.submission_id, one.wrapped_key, one.key_version, one.sealed)
        except VaultError as error:
            if error.code in _PROVIDER_CODES:
                raise  # a lost key provider stops the pipeline loudly; nothing is decided
            self._put_aside(step, one, [Finding(reason=Reason.UNPARSABLE, hint=f"the seal does not open ({error.code})")])
            return
        parsed = source.parse(Submission(source=one.source, event_id=one.event_id, media_type=one.media_type, body=body))
        if isinstance(parsed, LeadDocument):
            self._check(step, one, parsed, candidates)
        elif isinstance(parsed, Withdrawal) and parsed.brand in self._policies:
            withdrawals.append((one, parsed))
        elif isinstance(parsed, Unparsable):
            self._put_aside(step, one, [Finding(reason=parsed.reason, field=parsed.field, hint=parsed.hint)])
        else:
            self._put_aside(step, one, [Finding(reason=Reason.UNKNOWN_BRAND, field="brand")])

    def _check(self, step: _Step, one: Waiting, document: LeadDocument, candidates: list[Candidate]) -> None:
        result = self._reader.read(document.data.reveal())
        if not isinstance(result, Lead):
            self._put_aside(step, one, result)
            return
        candidate = Candidate(waiting=one, lead=result, fields=result.fields.reveal())
        for kind in IndexKind:
            if value := candidate.fields.get(kind.value):
                candidate.identifiers.append((kind.value, self._index.candidates(kind, result.brand, value)))
        candidates.append(candidate)

    # -- deciding ----------------------------------------------------------------------------------------------------------

    def _withdraw(self, tx: Transaction, step: _Step, one: Waiting, withdrawal: Withdrawal, now: datetime) -> None:
        done = withdraw.apply(
            tx,
            withdrawal=withdrawal,
            policy=self._policies[withdrawal.brand],
            index=self._index,
            vault=self._vault,
            at=from_micros(one.received_at),
            now=now,
            submission_id=one.submission_id,
        )
        step.withdrawals += 1
        step.admitted.append(
            (one.submission_id, SubmissionKind.WITHDRAWAL.value, withdrawal.brand, done.person_ids[0], None, step.now)
        )

    def _decide(self, tx: Transaction, step: _Step, candidates: Sequence[Candidate], now: datetime) -> None:
        if not candidates:
            return
        known = people.find(tx, [digest for candidate in candidates for digest in candidate.digests()])
        people_here = Recognition(known, vault=self._vault, ids=iter(new_ids(len(candidates), step.now)))
        for candidate in candidates:
            people_here.recognise(candidate)
            candidate.fingerprint = self._fingerprint(candidate)
        withdrawn = people.withdrawals(tx, {person for candidate in candidates for person in candidate.matches})
        seen = leads.recent_fingerprints(tx, [each.fingerprint for each in candidates])
        ids = iter(new_ids(2 * len(candidates), step.now))
        for candidate in candidates:
            policy = self._policies[candidate.lead.brand]
            earlier = seen.get(candidate.fingerprint)
            recent = earlier is not None and from_micros(earlier[1]) + policy.duplicate_window >= now
            standing = _standing(candidate, withdrawn, earlier[0] if earlier and recent else None)
            verdict = self._gates[candidate.lead.brand].decide(candidate.lead, standing, now)
            if verdict.decision is Decision.ADMIT:
                lead_id = next(ids)
                seen[candidate.fingerprint] = (lead_id, step.now)
                self._admit(step, candidate, verdict, lead_id=lead_id, consent_id=next(ids), key=people_here.key_of(candidate))
            else:
                person = candidate.matches[0] if people_here.is_known(candidate.matches[0]) else None
                self._put_aside(step, candidate.waiting, verdict.findings, verdict=verdict, candidate=candidate, person=person)
        step.persons, step.identifiers = people_here.new_rows(known, step.now)

    def _fingerprint(self, candidate: Candidate) -> bytes:
        lead, fields = candidate.lead, candidate.fields
        topic = self._policies[lead.brand].topics.get(lead.topic)
        details = [f"{name}={fields.get(name, '')}" for name in sorted(topic.fields)] if topic else []
        return self._index.fingerprint(
            lead.brand, candidate.matches[0], lead.topic, " ".join(sorted(lead.consent.purposes)), *details
        )

    # -- writing -----------------------------------------------------------------------------------------------------------

    def _admit(
        self, step: _Step, candidate: Candidate, verdict: Verdict, *, lead_id: str, consent_id: str, key: PersonKey
    ) -> None:
        lead, one, consent = candidate.lead, candidate.waiting, candidate.lead.consent
        sealed = self._vault.seal_lead(key, lead_id, lead.fields)
        names = sorted(candidate.fields)
        stored = (
            lead_id, key.person_id, one.submission_id, consent_id, lead.brand, lead.channel.value, lead.language.value,
            lead.topic, lead.country, " ".join(names), one.received_at, step.now, sealed.commitment, sealed.envelope,
            candidate.fingerprint,
        )  # fmt: skip
        agreed = (
            consent_id, key.person_id, lead.brand, " ".join(consent.purposes), consent.notice_id, consent.notice_version,
            consent.notice_language.value, consent.text_sha256, consent.indication.value, " ".join(consent.evidence),
            to_micros(consent.given_at), step.now, CONSENT_SCHEMA_VERSION,
        )  # fmt: skip
        step.leads.append(stored)
        step.consents.append(agreed)
        for route, delivery_id in zip(verdict.routes, new_ids(len(verdict.routes), step.now), strict=True):
            step.deliveries.append(
                (
                    delivery_id, lead_id, key.person_id, route.destination, route.purpose,
                    self._pseudonym[route.destination](lead_id), Outcome.QUEUED.value, 0, step.now, step.now,
                )
            )  # fmt: skip
        step.admitted.append((one.submission_id, SubmissionKind.LEAD.value, lead.brand, key.person_id, lead_id, step.now))
        step.recorder.note(
            Event.LEAD_ADMITTED,
            submission_id=one.submission_id,
            lead_id=lead_id,
            person_id=key.person_id,
            facts={
                "brand": lead.brand,
                "consent_id": consent_id,
                "notice_id": consent.notice_id,
                "notice_version": consent.notice_version,
                "text_sha256": consent.text_sha256,
                "purposes": list(consent.purposes),
                "fields": names,
                "commitment": sealed.commitment,
                "sealed_sha256": sealed.envelope_sha256,
                "record_sha256": lead_digest(lead_of(stored)),
                "consent_sha256": consent_digest(leads.consent_of_row(agreed)),
                "routes": [f"{route.destination}:{route.purpose}" for route in verdict.routes],
                "policy_version": verdict.policy_version,
            },
        )

    def _put_aside(
        self,
        step: _Step,
        one: Waiting,
        findings: Sequence[Finding],
        *,
        verdict: Verdict | None = None,
        candidate: Candidate | None = None,
        person: str | None = None,
    ) -> None:
        """Quarantine (the default: a person can mend it) or refuse."""
        refused = verdict is not None and verdict.decision is Decision.REFUSE
        state = SubmissionState.REFUSED if refused else SubmissionState.QUARANTINED
        event = Event.SUBMISSION_REFUSED if refused else Event.SUBMISSION_QUARANTINED
        listed = [{"reason": each.reason.value, "field": each.field, "hint": each.hint} for each in findings]
        brand = candidate.lead.brand if candidate else None
        kind = SubmissionKind.LEAD.value if candidate else None
        step.otherwise.append(
            (one.submission_id, state.value, kind, brand, person, None, step.now, msgspec.json.encode(listed).decode())
        )
        facts: dict[str, LeafValue] = {"findings": [_word(each) for each in findings]}
        if verdict is not None:
            facts["policy_version"] = verdict.policy_version
        step.recorder.note(event, submission_id=one.submission_id, person_id=person, facts=facts)

    def _write(self, tx: Transaction, step: _Step) -> None:
        people.add(tx, step.persons)
        people.add_identifiers(tx, step.identifiers)
        leads.add(tx, step.leads, step.consents)
        outbox.add(tx, step.deliveries)
        inbox.decide_admitted(tx, step.admitted)
        inbox.decide_otherwise(tx, step.otherwise)
        log.append(tx, step.recorder.leaves)


def _word(finding: Finding) -> str:
    """``reason`` or ``reason:field``, as the log keeps it."""
    return f"{finding.reason.value}:{finding.field}" if finding.field else finding.reason.value


def _standing(candidate: Candidate, withdrawn: Mapping[str, Mapping[str, int]], duplicate_of: str | None) -> Standing:
    """What the ledger knows of the people whom this lead's identifiers name; the strictest of them counts."""
    taken: dict[str, datetime] = {}
    for person in candidate.matches:
        for purpose, micros in withdrawn.get(person, {}).items():
            moment = from_micros(micros)
            taken[purpose] = max(moment, taken.get(purpose, moment))
    return Standing(withdrawn=taken, duplicate_of=duplicate_of)
