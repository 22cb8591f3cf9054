"""Admit: parse, check, ask the gate, seal, and queue deliveries, a batch in one transaction.

A submission leaves ``received`` exactly once, to admitted, quarantined or refused; a crash before the commit leaves it
received. One bad submission never stops the others: whatever its bytes contain becomes a finding. A key provider that does not
answer (ConfigurationError) stops everything loudly, and nothing is decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import msgspec

from consent.audit.digest import consent_digest, lead_digest
from consent.audit.facts import code_word, code_words, route_words
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
from schemas.errors import ConfigurationError, VaultError
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.policy import BrandPolicy
from schemas.submission import LeadDocument, Parsed, Submission, Unparsable, Withdrawal
from schemas.verdict import Finding, Verdict
from schemas.vocabulary import Decision, Event, Outcome, Reason, SubmissionKind, SubmissionState

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
        people.lock(tx)
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
            parsed = source.parse(Submission(source=one.source, event_id=one.event_id, media_type=one.media_type, body=body))
            self._sort(step, one, parsed, candidates, withdrawals)
        except ConfigurationError:
            raise
        except VaultError as error:
            self._put_aside(step, one, [Finding(reason=Reason.UNPARSABLE, hint=f"the seal does not open ({error.code})")])
        except Exception as error:  # noqa: BLE001 - a source that breaks its promise (a stranger's, say) costs one submission
            hint = f"reading it failed with {type(error).__name__}; the source {one.source} has a mistake"
            self._put_aside(step, one, [Finding(reason=Reason.UNPARSABLE, hint=hint)])

    def _sort(
        self,
        step: _Step,
        one: Waiting,
        parsed: Parsed,
        candidates: list[Candidate],
        withdrawals: list[tuple[Waiting, Withdrawal]],
    ) -> None:
        if isinstance(parsed, LeadDocument):
            self._check(step, one, parsed, candidates)
        elif isinstance(parsed, Unparsable):
            self._put_aside(step, one, [Finding(reason=parsed.reason, field=parsed.field, hint=parsed.hint)])
        elif finding := self._about_withdrawal(parsed):
            self._put_aside(step, one, [finding])
        else:
            withdrawals.append((one, parsed))

    def _about_withdrawal(self, withdrawal: Withdrawal) -> Finding | None:
        """Why a person must look at a withdrawal; whoever wants to be left alone is never dropped for a wrong word."""
        policy = self._policies.get(withdrawal.brand)
        if policy is None:
            return Finding(reason=Reason.UNKNOWN_BRAND, field="brand")
        if not policy.purposes.keys() >= set(withdrawal.purposes):
            return Finding(reason=Reason.UNKNOWN_PURPOSE, field="purposes", hint="names a purpose this brand does not have")
        for kind, value in withdraw.identifiers_of(withdrawal):
            if not self._index.accepts(kind, value):
                return Finding(reason=Reason.INVALID_FIELD, field=kind.value, hint="cannot be looked up")
        return None

    def _check(self, step: _Step, one: Waiting, document: LeadDocument, candidates: list[Candidate]) -> None:
        result = self._reader.read(document.data.reveal())
        if not isinstance(result, Lead):
            self._put_aside(step, one, result)
            return
        candidate = Candidate(waiting=one, lead=result, fields=result.fields.reveal())
        for kind in IndexKind:
            if value := candidate.fields.get(kind.value):
                try:
                    values = self._index.candidates(kind, result.brand, value)
                except VaultError:  # the schema and the index disagree about what is normal
                    self._put_aside(step, one, [Finding(reason=Reason.INVALID_FIELD, field=kind.value, hint="is not usable")])
                    return
                candidate.identifiers.append((kind.value, values))
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
        step.admitted.append((one.submission_id, SubmissionKind.WITHDRAWAL.value, withdrawal.brand, done.person_ids[0], None))

    def _decide(self, tx: Transaction, step: _Step, candidates: Sequence[Candidate], now: datetime) -> None:
        if not candidates:
            return
        known = people.find(tx, [digest for candidate in candidates for digest in candidate.digests()])
        people_here = Recognition(known, vault=self._vault, ids=iter(new_ids(len(candidates), step.now)))
        for candidate in candidates:
            people_here.recognise(candidate)
            candidate.fingerprints = self._fingerprints(candidate)
        withdrawn = people.withdrawals(tx, {person for candidate in candidates for person in candidate.matches})
        seen = leads.recent_fingerprints(tx, [each for candidate in candidates for each in candidate.fingerprints])
        ids = iter(new_ids(2 * len(candidates), step.now))
        for candidate in candidates:
            window = self._policies[candidate.lead.brand].duplicate_window
            standing = _standing(candidate, withdrawn, _earlier(candidate, seen, since=to_micros(now - window)))
            verdict = self._gates[candidate.lead.brand].decide(candidate.lead, standing, now)
            person = candidate.matches[0] if people_here.is_known(candidate.matches[0]) else None
            if verdict.decision is not Decision.ADMIT:
                self._put_aside(step, candidate.waiting, verdict.findings, verdict=verdict, candidate=candidate, person=person)
                continue
            try:
                key = people_here.key_of(candidate)
            except VaultError as error:  # this person's key alone; the others go on
                hint = f"the person's key does not open ({error.code})"
                aside = [Finding(reason=Reason.UNPARSABLE, hint=hint)]
                self._put_aside(step, candidate.waiting, aside, candidate=candidate, person=person)
                continue
            lead_id = next(ids)
            seen.update(dict.fromkeys(candidate.fingerprints, (lead_id, step.now)))
            self._admit(step, candidate, verdict, lead_id=lead_id, consent_id=next(ids), key=key)
        step.persons, step.identifiers = people_here.new_rows(known, step.now)

    def _fingerprints(self, candidate: Candidate) -> tuple[bytes, ...]:
        lead, fields = candidate.lead, candidate.fields
        topic = self._policies[lead.brand].topics.get(lead.topic)
        details = [f"{name}={fields.get(name, '')}" for name in sorted(topic.fields)] if topic else []
        parts = (lead.brand, candidate.matches[0], lead.topic, " ".join(sorted(lead.consent.purposes)), *details)
        return tuple(value.digest for value in self._index.fingerprint_candidates(*parts))

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
            candidate.fingerprints[0],
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
        step.admitted.append((one.submission_id, SubmissionKind.LEAD.value, lead.brand, key.person_id, lead_id))
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
                "routes": route_words(verdict.routes),
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
        step.otherwise.append((one.submission_id, state.value, kind, brand, person, msgspec.json.encode(listed).decode()))
        # a field may be a key of the sender's own making: what may not stand in a leaf is withheld, and stops nothing
        facts: dict[str, LeafValue] = {"findings": code_words(_word(each) for each in findings)}
        if verdict is not None:
            facts["policy_version"] = verdict.policy_version
        step.recorder.note(event, submission_id=one.submission_id, person_id=person, facts=facts)

    def _write(self, tx: Transaction, step: _Step) -> None:
        people.add(tx, step.persons)
        people.add_identifiers(tx, step.identifiers)
        leads.add(tx, step.leads, step.consents)
        outbox.add(tx, step.deliveries)
        inbox.decide_admitted(tx, step.admitted, at=step.now)
        inbox.decide_otherwise(tx, step.otherwise, at=step.now)
        log.append(tx, step.recorder.leaves)


def _word(finding: Finding) -> str:
    """``reason`` or ``reason:field``, as the log keeps it; a place in a list is written ``purposes.0``."""
    if not finding.field:
        return finding.reason.value
    word = f"{finding.reason.value}:{finding.field.replace('[', '.').replace(']', '')}"
    # What a sender made up as a field's name may be anything; it must not stop its own recording.
    return word if code_word(word) == word else finding.reason.value


def _earlier(candidate: Candidate, seen: Mapping[bytes, tuple[str, int]], *, since: int) -> str | None:
    """The lead by which the same request is under way since then."""
    for fingerprint in candidate.fingerprints:
        earlier = seen.get(fingerprint)
        if earlier is not None and earlier[1] >= since:
            return earlier[0]
    return None


def _standing(candidate: Candidate, withdrawn: Mapping[str, Mapping[str, int]], duplicate_of: str | None) -> Standing:
    """What the ledger knows of the people whom this lead's identifiers name; the strictest of them counts."""
    taken: dict[str, datetime] = {}
    for person in candidate.matches:
        for purpose, micros in withdrawn.get(person, {}).items():
            moment = from_micros(micros)
            taken[purpose] = max(moment, taken.get(purpose, moment))
    return Standing(withdrawn=taken, duplicate_of=duplicate_of)
