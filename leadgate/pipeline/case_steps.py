"""The steps of a request, carried out. Each can be said again after a crash, and says beforehand what it would do.

=============  =======================================================================================================
report         a file for the person is written first (mode 0600, never over another), then its digest is recorded
correct        one transaction: new envelopes, new index rows, who must be told, the step
propagate      recipients are told outside of any transaction, each is recorded; done when nobody is left
withdraw       one transaction with the withdrawal, as of the moment the request was received
restrict       one transaction
erase          keys are destroyed by their own rules (holds, shred list); then the step is recorded
recipients     done when every recipient says that it stopped (or holds nothing), or a person has told it
answer         a person tells the data subject, and says under which reference
=============  =======================================================================================================
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from consent.blind_index import BlindIndex
from consent.vault import Vault
from leadgate.logging import get_logger
from leadgate.pipeline import access, restrict, withdraw
from leadgate.pipeline.access_paper import write_report
from leadgate.pipeline.cases import Cases, Did, InTransaction
from leadgate.pipeline.corrections import Corrections, open_corrections
from leadgate.pipeline.erase import Erased
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.rectify import Rectifier
from leadgate.storage import cases as stored
from leadgate.storage import log, people, recipients
from leadgate.storage.engine import Ledger, Transaction
from schemas.cases import CaseKind, CaseStepName, StepState, SubjectCase
from schemas.consent_event import ConsentOrigin
from schemas.errors import ConfigurationError, LeadgateError, StorageUnavailableError
from schemas.vocabulary import Language

_log = get_logger(__name__)

#: Steps a machine goes on with by itself: they wait for others.
BY_ITSELF: Final = frozenset({CaseStepName.PROPAGATE, CaseStepName.RECIPIENTS})
#: Bytes of the salt in an access report.
_SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a step would do: counts and words, nothing was done."""

    step: CaseStepName
    would: Mapping[str, int | str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCount:
    """What a machine did by itself: cases looked at, steps done, cases that need a person, identifiers destroyed."""

    looked: int
    moved: int
    failed: int
    forgotten: int

    def as_dict(self) -> dict[str, int]:
        """Counts only; for XCom and logs."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What a person says beside "do it": where a report goes, in which language, under which reference they answered."""

    actor: str
    target: Path | None = None
    reference: str | None = None
    language: Language = Language.RU


class CaseSteps:
    """Carries out the step whose turn it is."""

    def __init__(
        self,
        *,
        cases: Cases,
        ledger: Ledger,
        vault: Vault,
        index: BlindIndex,
        rectifier: Rectifier,
        corrections: Corrections,
        erase: Callable[[str, str], Erased],
        would_erase: Callable[[str], Erased],
        strays: Callable[[Sequence[str]], Mapping[str, Sequence[str]]],
        clock: Callable[[], datetime],
    ) -> None:
        """``erase`` destroys a person (person id, actor); ``strays`` finds what nobody recognised as theirs."""
        self._cases = cases
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._rectifier = rectifier
        self._corrections = corrections
        self._erase = erase
        self._would_erase = would_erase
        self._strays = strays
        self._clock = clock

    def run(self, case_id: str, how: How) -> tuple[CaseStepName, Did]:
        """Do the step whose turn it is."""
        case = self._cases.show(case_id)
        step = self._cases.due_step(case).name
        if step is CaseStepName.ANSWER:
            if how.reference is None:
                raise ConfigurationError("no_reference", "say under which reference the person was told", field="--reference")
            return step, self._cases.answer(case_id, reference=how.reference, actor=how.actor)
        return step, self._cases.settle(case_id, step, self._work(step, case, how), actor=how.actor)

    def carry_on(self, *, actor: str = "system") -> CaseCount:
        """Look again at what waited for others, in every open case; forget what is due. One that fails stops no other."""
        looked, moved, failed = 0, 0, 0
        for case in self._cases.listed(limit=10_000):
            step = next((each for each in case.steps if each.state in {StepState.OPEN, StepState.WAITING}), None)
            if step is None or step.name not in BY_ITSELF:
                continue
            looked += 1
            try:
                _, did = self.run(case.case_id, How(actor=actor))
                moved += did.state is StepState.DONE
            except StorageUnavailableError:
                raise
            except LeadgateError as error:
                _log.error("request waits for a person", ref=case.case_id, code=error.code)
                failed += 1
        return CaseCount(looked=looked, moved=moved, failed=failed, forgotten=self._cases.forget())

    def lift(self, case_id: str, *, actor: str) -> int:
        """End the restriction of a case; answer how many deliveries are before the gate again."""
        now = self._clock()

        def work(tx: Transaction) -> int:
            case = stored.read(tx, case_id)
            if case is None or case.kind is not CaseKind.RESTRICTION:
                raise ConfigurationError("not_restricted", "this is no request for restriction", field="CASE")
            recorder = Recorder(at=now, actor=actor)
            queued = restrict.lift(tx, recorder, case.person_ids, case_id=case_id, now=now, actor=actor)
            log.append(tx, recorder.leaves)
            return queued

        return self._ledger.retrying(work)

    def _work(self, step: CaseStepName, case: SubjectCase, how: How) -> InTransaction:
        """What of a step belongs into its transaction, after what does not was done."""
        work: Mapping[CaseStepName, Callable[[SubjectCase, How], InTransaction]] = {
            CaseStepName.REPORT: self._reported,
            CaseStepName.CORRECT: lambda *_: self._correct,
            CaseStepName.PROPAGATE: self._propagated,
            CaseStepName.WITHDRAW: self._withdrawn,
            CaseStepName.RESTRICT: self._restricted,
            CaseStepName.ERASE: self._erased,
            CaseStepName.RECIPIENTS: lambda *_: self._recipients,
        }
        return work[step](case, how)

    # -- report ------------------------------------------------------------------------------------------------------------

    def _reported(self, case: SubjectCase, how: How) -> InTransaction:
        if how.target is None:
            raise ConfigurationError("no_target", "say where the report is written", field="--to")
        made = self._collected(case)
        written = write_report(made, how.target, language=how.language, now=self._clock())
        digest = sha256(written).hexdigest()

        def work(_tx: Transaction, found: SubjectCase, recorder: Recorder) -> Did:
            access.note(recorder, found, made.opened)
            counts = {"persons": made.persons, "leads": len(made.opened), "recipients": len(made.recipients)}
            return Did(
                result=counts | {"keyed_sha256": digest},
                facts={"keyed_sha256": digest, "persons": made.persons, "recipients": list(made.recipients)},
            )

        return work

    def _collected(self, case: SubjectCase) -> access.Report:
        kept = self._cases.kept(case)
        with self._ledger.snapshot() as tx:
            person_ids = self._cases.concerned(tx, case, kept)
        strays = self._strays(person_ids)
        with self._ledger.snapshot() as tx:
            return access.collect(
                tx,
                case,
                person_ids,
                strays=strays,
                vault=self._vault,
                policy=self._cases.policy(case.brand),
                salt=secrets.token_hex(_SALT_BYTES),
                now=self._clock(),
            )

    # -- what the ledger does ------------------------------------------------------------------------------------------------

    def _correct(self, tx: Transaction, case: SubjectCase, recorder: Recorder) -> Did:
        kept = self._cases.kept(case)
        done = self._rectifier.correct(
            tx,
            recorder,
            self._cases.concerned(tx, case, kept),
            kept.values,
            case_id=case.case_id,
            policy=self._cases.policy(case.brand),
            only=case.leads,
        )
        reason = "identifier_elsewhere" if done.elsewhere else None
        return Did(result={"leads": done.leads, "recipients": done.recipients}, reason=reason, facts={"count": done.leads})

    def _withdrawn(self, _: SubjectCase, how: How) -> InTransaction:
        def work(tx: Transaction, case: SubjectCase, _recorder: Recorder) -> Did:
            done = withdraw.apply(
                tx,
                withdrawal=self._cases.kept(case).who,
                policy=self._cases.policy(case.brand),
                index=self._index,
                vault=self._vault,
                at=case.received_at,
                now=self._clock(),
                submission_id=None,
                actor=how.actor,
                origin=ConsentOrigin.OFFICER,
            )
            counts: dict[str, Any] = {"suppressed": done.suppressed, "recipients": list(done.recipients)}
            return Did(result=counts | {"persons": list(done.person_ids)}, facts={"suppressed": done.suppressed})

        return work

    def _restricted(self, _: SubjectCase, how: How) -> InTransaction:
        def work(tx: Transaction, case: SubjectCase, recorder: Recorder) -> Did:
            found = self._cases.concerned(tx, case, self._cases.kept(case))
            stopped = restrict.restrict(tx, recorder, found, case_id=case.case_id, now=self._clock(), actor=how.actor)
            return Did(result={"persons": len(found), "suppressed": stopped}, facts={"suppressed": stopped})

        return work

    # -- what reaches beyond it ----------------------------------------------------------------------------------------------

    def _propagated(self, case: SubjectCase, _: How) -> InTransaction:
        self._corrections.propagate(case.case_id)
        return _told

    def _erased(self, case: SubjectCase, how: How) -> InTransaction:
        with self._ledger.snapshot() as tx:
            person_ids = self._cases.concerned(tx, case, self._cases.kept(case))
        done = [self._erase(each, how.actor) for each in person_ids]  # a request names one person, seldom two
        held = sorted({reason for each in done for reason in each.held})
        if held:
            return lambda *_: Did(state=StepState.WAITING, reason=f"legal_hold.{held[0]}", result={"held": held})
        counts = {"persons": len(done), "keys": sum(each.keys for each in done), "leads": sum(each.leads for each in done)}
        return lambda *_: Did(result=counts, facts={"erased": counts["keys"]})

    def _recipients(self, tx: Transaction, case: SubjectCase, _: Recorder) -> Did:
        """Objection asks recipients to stop, erasure to destroy what they hold."""
        withdrawn = case.step(CaseStepName.WITHDRAW)
        persons = {*case.person_ids, *(withdrawn.result.get("persons", ()) if withdrawn else ())}
        told = recipients.of_persons(tx, persons)
        erasure = case.kind is CaseKind.ERASURE
        left = sorted({each.destination for each in told if not (each.ended if erasure else each.stopped)})
        if left:
            return Did(state=StepState.WAITING, reason="recipients", result={"waiting": left})
        return Did(result={"told": len(told)}, facts={"count": len(told)})

    # -- dry run -----------------------------------------------------------------------------------------------------------

    def preview(self, case_id: str) -> Preview:
        """What the next step would do; reads only."""
        case = self._cases.show(case_id)
        step = self._cases.due_step(case).name
        with self._ledger.transaction() as tx:
            kept = self._cases.kept(case)
            person_ids = self._cases.concerned(tx, case, kept)
            leads = sum(len(people.leads_of(tx, each)) for each in person_ids)
            told = [each for each in recipients.of_persons(tx, person_ids) if not each.ended]
            corrections = open_corrections(stored.corrections(tx, case_id))
            would: dict[str, int | str | Sequence[str]] = {"persons": len(person_ids), "leads": leads}
            match step:
                case CaseStepName.CORRECT:
                    would["fields"] = case.fields
                case CaseStepName.PROPAGATE:
                    would["recipients"] = sorted({f"{each.destination}:{each.state}" for each in corrections})
                case CaseStepName.RECIPIENTS:
                    would["recipients"] = sorted({f"{each.destination}:{each.state}" for each in told})
                case CaseStepName.WITHDRAW:
                    found = withdraw.preview(
                        tx, withdrawal=kept.who, policy=self._cases.policy(case.brand), index=self._index, at=case.received_at
                    )
                    would |= {"stops": len(found.stops), "recipients": sorted({name for name, _ in found.tells})}
        if step is CaseStepName.ERASE:
            planned = [self._would_erase(each) for each in person_ids]
            would["recipients"] = sorted({name for each in planned for name in each.recipients})
            would["held"] = sorted({reason for each in planned for reason in each.held})
        return Preview(step=step, would=would)


def _told(tx: Transaction, case: SubjectCase, _: Recorder) -> Did:
    found = stored.corrections(tx, case.case_id)
    left = open_corrections(found)
    if left:
        names = sorted({f"{each.destination}:{each.state}" for each in left})
        return Did(state=StepState.WAITING, reason="recipients", result={"waiting": names})
    return Did(result={"told": len(found)}, facts={"count": len(found)})
