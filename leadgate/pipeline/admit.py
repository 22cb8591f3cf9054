"""Admit: parse, check, ask the gate, seal, and queue deliveries, a batch in one transaction.

A submission leaves ``received`` exactly once, to admitted, quarantined or refused; a crash before the commit leaves it
received. One bad submission never stops the others: whatever its bytes contain becomes a finding. A key provider that does not
answer (ConfigurationError) stops everything loudly, and nothing is decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from consent.blind_index import BlindIndex
from consent.gate import NEW, Gate, Standing
from consent.pseudonyms import Pseudonyms
from consent.vault import Vault
from integrations.contract.source import Source
from leadgate.pipeline import fingerprint, in_step, memory, withdraw
from leadgate.pipeline.admission import Admission
from leadgate.pipeline.express import Express
from leadgate.pipeline.heap import quiet_heap
from leadgate.pipeline.opening import HandOver
from leadgate.pipeline.recognition import Candidate, Recognition
from leadgate.storage import inbox, leads, people
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from leadgate.storage.inbox import Waiting
from schemas.errors import ConfigurationError, VaultError
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.submission import LeadDocument, Parsed, Submission, Unparsable, Withdrawal
from schemas.verdict import Finding
from schemas.vocabulary import Decision, Reason, SubmissionState

#: Submissions decided in one transaction: four calls of a vendor that takes 200.
BATCH = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitCount:
    """``taken`` = admitted + quarantined + refused; ``withdrawals`` are among the admitted.

    ``deliveries`` were queued; ``accepted`` of them went express and have arrived.
    """

    taken: int = 0
    admitted: int = 0
    quarantined: int = 0
    refused: int = 0
    withdrawals: int = 0
    deliveries: int = 0
    accepted: int = 0

    def __add__(self, other: AdmitCount) -> AdmitCount:
        mine, theirs = asdict(self), asdict(other)
        return AdmitCount(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)


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

    @quiet_heap()
    def run(
        self,
        *,
        seconds: float,
        batch: int = BATCH,
        progress: Callable[[AdmitCount], None] | None = None,
        express: Express | None = None,
    ) -> AdmitCount:
        """Decide until the inbox is empty or ``seconds`` have passed; what is admitted is sent by ``express``, where it can be.

        Two processes share a full inbox well: one understands the next batch while the database writes what the other decided.
        """
        total, deadline = AdmitCount(), time.monotonic() + seconds
        while True:
            count, handed = self._ledger.retrying(lambda tx: self._batch(tx, batch, express))
            if express is not None:
                count = replace(count, accepted=express.send(handed))
            total += count
            if progress is not None:
                progress(total)
            if count.taken < batch or time.monotonic() >= deadline:
                return total

    def _batch(self, tx: Transaction, limit: int, express: Express | None) -> tuple[AdmitCount, Mapping[str, HandOver]]:
        waiting = inbox.take(tx, limit)
        if not waiting:
            return AdmitCount(), {}
        now = self._clock()
        vault = self._vault.for_one_batch()
        step = Admission(at=now, vault=vault, pseudonyms=self._pseudonym, express=express.open(tx) if express else {})
        candidates: list[Candidate] = []
        withdrawals: list[tuple[Waiting, Withdrawal]] = []
        self._understand_all(waiting, step, candidates, withdrawals, vault=vault)
        (people.lock if withdrawals else people.share)(tx)
        in_step.require(tx, self._index)
        for one, withdrawal in withdrawals:
            self._withdraw(tx, step, one, withdrawal, now)
        self._decide(tx, step, candidates, now, vault=vault)
        step.write(tx)
        count = AdmitCount(
            taken=len(waiting),
            admitted=len(step.admitted),
            quarantined=step.count(SubmissionState.QUARANTINED),
            refused=step.count(SubmissionState.REFUSED),
            withdrawals=step.withdrawals,
            deliveries=len(step.deliveries),
        )
        return count, step.express

    # -- understanding ---------------------------------------------------------------------------------------------------

    def _understand_all(
        self,
        waiting: Sequence[Waiting],
        step: Admission,
        candidates: list[Candidate],
        withdrawals: list[tuple[Waiting, Withdrawal]],
        *,
        vault: Vault,
    ) -> None:
        sources = self._sources
        bodies = iter(
            vault.open_submissions(
                [(one.submission_id, one.wrapped_key, one.key_version, one.sealed) for one in waiting if one.source in sources]
            )
        )
        for one in waiting:
            source = sources.get(one.source)
            if source is None:
                step.put_aside(one, [Finding(reason=Reason.UNPARSABLE, field="source", hint="this source is not configured")])
                continue
            body = next(bodies)
            if isinstance(body, VaultError):
                step.put_aside(one, [Finding(reason=Reason.UNPARSABLE, hint=f"the seal does not open ({body.code})")])
                continue
            self._understand(one, source, body, step, candidates=candidates, withdrawals=withdrawals)

    def _understand(
        self,
        one: Waiting,
        source: Source,
        body: Personal[bytes],
        step: Admission,
        *,
        candidates: list[Candidate],
        withdrawals: list[tuple[Waiting, Withdrawal]],
    ) -> None:
        try:
            parsed = source.parse(Submission(source=one.source, event_id=one.event_id, media_type=one.media_type, body=body))
            self._sort(step, one, parsed, candidates, withdrawals)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - a source that breaks its promise (a stranger's, say) costs one submission
            hint = f"reading it failed with {type(error).__name__}; the source {one.source} has a mistake"
            step.put_aside(one, [Finding(reason=Reason.UNPARSABLE, hint=hint)])

    def _sort(
        self,
        step: Admission,
        one: Waiting,
        parsed: Parsed,
        candidates: list[Candidate],
        withdrawals: list[tuple[Waiting, Withdrawal]],
    ) -> None:
        if isinstance(parsed, LeadDocument):
            self._check(step, one, parsed, candidates)
        elif isinstance(parsed, Unparsable):
            step.put_aside(one, [Finding(reason=parsed.reason, field=parsed.field, hint=parsed.hint)])
        elif finding := self._about_withdrawal(parsed):
            step.put_aside(one, [finding])
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

    def _check(self, step: Admission, one: Waiting, document: LeadDocument, candidates: list[Candidate]) -> None:
        result = self._reader.read(document.data.reveal())
        if not isinstance(result, Lead):
            step.put_aside(one, result)
            return
        fields = result.fields.reveal()
        try:
            identifiers = self._index.identify(result.brand, fields)
        except VaultError as error:  # the schema and the index disagree about what is normal
            step.put_aside(one, [Finding(reason=Reason.INVALID_FIELD, field=error.field, hint="is not usable")])
            return
        digests = [each.digest for _, values in identifiers for each in values]
        candidates.append(Candidate(waiting=one, lead=result, fields=fields, identifiers=identifiers, digests=digests))

    # -- deciding ----------------------------------------------------------------------------------------------------------

    def _withdraw(self, tx: Transaction, step: Admission, one: Waiting, withdrawal: Withdrawal, now: datetime) -> None:
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
        step.withdrawal(one, withdrawal, done.person_ids[0])

    def _decide(
        self, tx: Transaction, step: Admission, candidates: Sequence[Candidate], now: datetime, *, vault: Vault
    ) -> None:
        if not candidates:
            return
        known = people.find(tx, [digest for candidate in candidates for digest in candidate.digests], hold=True)
        people_here = Recognition(known, vault=vault, ids=iter(new_ids(len(candidates), step.now)))
        since = {brand: to_micros(now - policy.duplicate_window) for brand, policy in self._policies.items()}
        for candidate in candidates:
            people_here.recognise(candidate)
            candidate.fingerprints = self._fingerprints(candidate)
        # a fingerprint says whose it is: of people the ledger does not hold there is none, and nothing was taken back
        stored = [(candidate, held) for candidate in candidates if (held := people_here.stored(candidate))] if known else []
        withdrawn = people.withdrawals(tx, {person for _, held in stored for person in held})
        memory.recall(tx, self._index, candidates, withdrawn)
        seen = leads.recent_fingerprints(tx, [each for candidate, _ in stored for each in candidate.fingerprints])
        for candidate in candidates:
            brand = candidate.lead.brand
            standing = _standing(candidate, withdrawn, _earlier(candidate, seen, since=since[brand]))
            verdict = self._gates[brand].decide(candidate.lead, standing, now)
            if verdict.decision is not Decision.ADMIT:
                person = people_here.known(candidate)
                step.put_aside(candidate.waiting, verdict.findings, verdict=verdict, candidate=candidate, person=person)
                continue
            try:
                key = people_here.key_of(candidate)
            except VaultError as error:  # this person's key alone; the others go on
                hint = f"the person's key does not open ({error.code})"
                aside = [Finding(reason=Reason.UNPARSABLE, hint=hint)]
                step.put_aside(candidate.waiting, aside, candidate=candidate, person=people_here.known(candidate))
                continue
            lead_id = step.admit(candidate, verdict, key)
            for each in candidate.fingerprints:
                seen[each] = (lead_id, step.now)
        step.people(*people_here.new_rows(known, step.now))

    def _fingerprints(self, candidate: Candidate) -> tuple[bytes, ...]:
        lead = candidate.lead
        parts = fingerprint.parts(
            self._policies[lead.brand],
            person_id=candidate.matches[0],
            topic=lead.topic,
            purposes=lead.consent.purposes,
            fields=candidate.fields,
        )
        return self._index.fingerprints(parts)


def _earlier(candidate: Candidate, seen: Mapping[bytes, tuple[str, int]], *, since: int) -> str | None:
    """The lead by which the same request is under way since then."""
    for each in candidate.fingerprints:
        earlier = seen.get(each)
        if earlier is not None and earlier[1] >= since:
            return earlier[0]
    return None


def _standing(candidate: Candidate, withdrawn: Mapping[str, Mapping[str, int]], duplicate_of: str | None) -> Standing:
    """What the ledger knows of the people whom this lead's identifiers name; the strictest of them counts."""
    if not withdrawn and duplicate_of is None:
        return NEW
    taken: dict[str, datetime] = {}
    for person in candidate.matches:
        for purpose, micros in withdrawn.get(person, {}).items():
            moment = from_micros(micros)
            taken[purpose] = max(moment, taken.get(purpose, moment))
    return Standing(withdrawn=taken, duplicate_of=duplicate_of)
