"""Requests of data subjects: opened, carried out step by step, answered, closed. Who is not known is answered the same way.

1. Opening commits the case, its steps and its clocks together. The identifiers to go on with it are sealed under a key of the
   case's own, so that a half-finished erasure can still be finished; they are destroyed a term after the case is closed.
2. The policy version is the one of that moment: whoever looks later sees what was decided under which rules.
3. A step and the record that it is done commit together wherever the step is the database's. What reaches beyond it (a file, a
   recipient, a destroyed key) can be repeated, is done first, and is recorded after; whoever dies in between does it again.
4. Two cases about one person do not meet: each step reads what is there now, under the people's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from consent.audit.facts import code_word
from consent.blind_index import BlindIndex
from consent.clocks import CLOCK_SKEW
from consent.requests import BY_HAND, CLOCKS, MEETS, STEPS, may_close, may_refuse, next_step
from consent.vault import Vault
from leadgate.pipeline import case_file, clocks, in_step
from leadgate.pipeline.case_file import Asked, Kept
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import cases, log, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.cases import CaseState, CaseStep, CaseStepName, StepState, SubjectCase
from schemas.clocks import Clock, ClockSubject
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.submission import Withdrawal
from schemas.vocabulary import Event

#: Cases whose identifiers are destroyed in one transaction.
_PAGE: Final = 500
#: The second try to seal has read the keys again.
_TRIES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """What a step came to. ``state`` waiting: it is tried again later; ``result`` holds counts, ids, words and digests."""

    state: StepState = StepState.DONE
    result: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    facts: Mapping[str, LeafValue] = field(default_factory=dict)


#: The database's part of a step: runs in the transaction that records the step.
InTransaction = Callable[[Transaction, SubjectCase, Recorder], Did]


class Cases:
    """Every request of this ledger. Safe beside another process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        index: BlindIndex,
        policies: Mapping[str, BrandPolicy],
        keep: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """``keep`` is how long identifiers outlive a closed case."""
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._policies = policies
        self._keep = keep
        self._clock = clock

    # -- opening -----------------------------------------------------------------------------------------------------------

    def open(self, asked: Asked, *, owner: str) -> tuple[SubjectCase, list[Clock]]:
        """Record a request, with its steps and clocks. The caller says the same whether anybody is known or not."""
        policy = self.policy(asked.who.brand)
        now = self._clock()
        if asked.received_at > now + CLOCK_SKEW:
            raise ConfigurationError("in_future", "a request cannot be received in the future", field="--received-at")
        for attempt in range(1, _TRIES + 1):
            case = self._sealed(asked, policy, now=now, owner=owner)
            try:
                return self._ledger.retrying(partial(self._open, case=case, who=asked.who, policy=policy, now=now))
            except in_step.LeftBehindError:  # a key version was dropped while we sealed under it
                if attempt == _TRIES:
                    raise
                self._index.refresh()
        raise AssertionError("unreachable")

    def _sealed(self, asked: Asked, policy: BrandPolicy, *, now: datetime, owner: str) -> SubjectCase:
        case_id = new_ids(1, to_micros(now))[0]
        sealed = self._vault.seal_submission(case_id, Personal(case_file.written(asked)))
        steps = [CaseStep(place=at, name=name, state=StepState.OPEN) for at, name in enumerate(STEPS[asked.kind])]
        return SubjectCase(
            case_id=case_id,
            kind=asked.kind,
            brand=asked.who.brand,
            owner=owner,
            state=CaseState.OPEN,
            policy_version=policy.version,
            jurisdiction=policy.clocks.jurisdiction,
            received_at=asked.received_at,
            opened_at=now,
            person_ids=(),
            fields=asked.names,
            purposes=asked.who.purposes,
            leads=asked.leads,
            sealed=sealed.envelope,
            wrapped_key=sealed.wrapped_key,
            key_version=sealed.key_version,
            steps=tuple(steps),
        )

    def _open(
        self, tx: Transaction, *, case: SubjectCase, who: Withdrawal, policy: BrandPolicy, now: datetime
    ) -> tuple[SubjectCase, list[Clock]]:
        people.lock(tx)
        in_step.require(tx, self._index)
        in_step.require_open(tx, case.key_version or 0)
        case = replace(case, person_ids=self._known(tx, who))
        cases.add(tx, case)
        recorder = Recorder(at=now, actor=case.owner)
        started = clocks.start(
            tx,
            recorder,
            terms=policy.clocks,
            kinds=CLOCKS[case.kind],
            subject=ClockSubject.CASE,
            about=case.case_id,
            brand=case.brand,
            person_id=case.person_ids[0] if case.person_ids else None,
            started_at=case.received_at,
            now=now,
        )
        facts: dict[str, LeafValue] = {"brand": case.brand, "policy_version": case.policy_version}
        if case.fields:
            facts["fields"] = list(case.fields)
        self._note(recorder, Event.CASE_OPENED, case, facts)
        log.append(tx, recorder.leaves)
        return case, started

    # -- steps -------------------------------------------------------------------------------------------------------------

    def due_step(self, case: SubjectCase) -> CaseStep:
        """The step whose turn it is. Raises ConfigurationError if the case is closed or has none left."""
        if case.state is not CaseState.OPEN:
            raise ConfigurationError("case_closed", "this request is closed", field="CASE")
        step = next_step(case.steps)
        if step is None:
            raise ConfigurationError("nothing_left", "every step is done; close the request", field="CASE")
        return step

    def settle(self, case_id: str, name: CaseStepName, work: InTransaction, *, actor: str) -> Did:
        """Run the database's part of a step and record what it came to, in one transaction. Done before: nothing happens."""
        return self._ledger.retrying(lambda tx: self._settle(tx, case_id, name, work, actor=actor))

    def _settle(self, tx: Transaction, case_id: str, name: CaseStepName, work: InTransaction, *, actor: str) -> Did:
        people.lock(tx)
        in_step.require(tx, self._index)
        case = self._read(tx, case_id, lock=True)
        step = self.due_step(case)
        if step.name is not name:
            return Did(state=StepState.DONE, reason="done_before")
        now = self._clock()
        recorder = Recorder(at=now, actor=actor)
        did = work(tx, case, recorder)
        unchanged = did.state is StepState.WAITING and step.state is did.state and step.reason == did.reason
        if unchanged:  # a look every few minutes at what waits is no news for the log
            return did
        cases.settle_step(
            tx, case_id, step, state=did.state, result=did.result, now=to_micros(now), actor=actor, reason=did.reason
        )
        facts: dict[str, LeafValue] = {"step": name.value, "state": did.state.value, **did.facts}
        if did.reason:
            facts["reason"] = did.reason
        self._note(recorder, Event.CASE_STEP, case, facts)
        if did.state is StepState.DONE and name in MEETS:
            clocks.meet(tx, recorder, about=[case_id], now=now, kinds=MEETS[name])
        log.append(tx, recorder.leaves)
        return did

    def answer(self, case_id: str, *, reference: str, actor: str) -> Did:
        """Record that the person was told. ``reference`` names the message that went out: a register number, not its text."""
        _word(reference, "--reference")
        return self.settle(
            case_id, CaseStepName.ANSWER, lambda *_: Did(facts={"notice_ref": reference}, result={"reference": reference}),
            actor=actor,
        )  # fmt: skip

    # -- ends --------------------------------------------------------------------------------------------------------------

    def close(self, case_id: str, *, actor: str, result: str = "done") -> SubjectCase:
        """Close a case whose steps are all done; meets the clocks that still run."""

        def work(tx: Transaction) -> SubjectCase:
            case = self._read(tx, case_id, lock=True)
            if case.state is not CaseState.OPEN:
                return case
            if not may_close(case.steps):
                raise ConfigurationError("steps_left", "a step is not done yet; `leadgate request show` names it", field="CASE")
            return self._end(tx, case, CaseState.DONE, result=result, actor=actor)

        return self._ledger.retrying(work)

    def refuse(self, case_id: str, *, reason: str, reference: str, actor: str) -> SubjectCase:
        """End a case without doing what it asks. ``reference`` names the message that told the person why (GDPR 12(4))."""
        _word(reason, "--reason")
        _word(reference, "--reference")

        def work(tx: Transaction) -> SubjectCase:
            case = self._read(tx, case_id, lock=True)
            if case.state is not CaseState.OPEN:
                raise ConfigurationError("case_closed", "this request is closed", field="CASE")
            if not may_refuse(case.steps):
                raise ConfigurationError("irrevocable", "what was done cannot be refused any more; finish it", field="CASE")
            now = to_micros(self._clock())
            for step in case.steps:
                if step.state in {StepState.OPEN, StepState.WAITING}:
                    cases.settle_step(
                        tx, case_id, step, state=StepState.DROPPED, result=step.result, now=now, actor=actor, reason=reason
                    )
            return self._end(tx, case, CaseState.REFUSED, result=reason, actor=actor, notice_ref=reference)

        return self._ledger.retrying(work)

    def _end(
        self, tx: Transaction, case: SubjectCase, state: CaseState, *, result: str, actor: str, **more: LeafValue
    ) -> SubjectCase:
        now = self._clock()
        until = to_micros(now + self._keep)
        cases.close(tx, case.case_id, state=state, result=result, now=to_micros(now), forget_at=until)
        recorder = Recorder(at=now, actor=actor)
        clocks.meet(tx, recorder, about=[case.case_id], now=now, outcome=state.value)
        self._note(recorder, Event.CASE_CLOSED, case, {"state": state.value, "result": result, **more})
        log.append(tx, recorder.leaves)
        return self._read(tx, case.case_id)

    def forget(self) -> int:
        """Destroy the identifiers of cases that were closed long enough ago; answer how many."""

        def work(tx: Transaction) -> int:
            now = self._clock()
            gone = cases.forget(tx, now=to_micros(now), limit=_PAGE)
            recorder = Recorder(at=now)
            for case_id in gone:
                recorder.note(Event.CASE_FORGOTTEN, facts={"case_id": case_id, "method": "key_destroyed"}, about=case_id)
            log.append(tx, recorder.leaves)
            return len(gone)

        total = 0
        while gone := self._ledger.retrying(work):
            total += gone
        return total

    # -- looking -----------------------------------------------------------------------------------------------------------

    def show(self, case_id: str) -> SubjectCase:
        """One case. Raises ConfigurationError for an id nobody gave out."""
        with self._ledger.snapshot() as tx:
            return self._read(tx, case_id)

    def listed(self, *, closed: bool = False, limit: int = 200) -> list[SubjectCase]:
        """Open cases, oldest first; with ``closed`` every case, newest first."""
        with self._ledger.snapshot() as tx:
            return cases.listed(tx, closed=closed, limit=limit)

    def kept(self, case: SubjectCase) -> Kept:
        """What the case kept. Raises VaultError ``key_destroyed`` once it was forgotten."""
        raw = self._vault.open_submission(case.case_id, case.wrapped_key, case.key_version or 0, case.sealed or b"")
        return case_file.read(raw, brand=case.brand, purposes=case.purposes)

    def concerned(self, tx: Transaction, case: SubjectCase, kept: Kept) -> tuple[str, ...]:
        """Those it was opened for, and whoever its identifiers name by now: a lead may have come in since."""
        return tuple(dict.fromkeys((*case.person_ids, *self._known(tx, kept.who))))

    def policy(self, brand: str) -> BrandPolicy:
        """The policy of a brand. Raises ConfigurationError if there is none."""
        policy = self._policies.get(brand)
        if policy is None:
            raise ConfigurationError("unknown_brand", "leadgate.yaml has no such brand", field="--brand")
        return policy

    def _known(self, tx: Transaction, who: Withdrawal) -> tuple[str, ...]:
        named = case_file.identifiers(who)
        digests = [value.digest for kind, text in named for value in self._index.candidates(kind, who.brand, text)]
        return tuple(sorted({person.person_id for person in people.find(tx, digests).values()}))

    def _read(self, tx: Transaction, case_id: str, *, lock: bool = False) -> SubjectCase:
        case = cases.read(tx, case_id, lock=lock)
        if case is None:
            raise ConfigurationError("unknown_case", "there is no request of this id; `leadgate request list`", field="CASE")
        return case

    @staticmethod
    def _note(recorder: Recorder, event: Event, case: SubjectCase, facts: Mapping[str, LeafValue]) -> None:
        recorder.note(
            event,
            person_id=case.person_ids[0] if case.person_ids else None,
            facts={"case_id": case.case_id, "request": case.kind.value, **facts},
            about=case.case_id,
        )


def _word(text: str, place: str) -> None:
    if code_word(text) != text:
        raise ConfigurationError(
            "not_a_word", "must be one word of letters, digits and . : / = - (no name, no sentence)", field=place
        )


def by_hand(step: CaseStep) -> bool:
    """Whether a person does this step and tells of it."""
    return step.name in BY_HAND
