"""Retention: say what is due for destruction, why and when; destroy it only when asked to, a page at a time.

The plan of a dry run and the plan that is carried out come from the same rules (consent.retention) over the same rows. People
go through the same door as those who ask for it (``erase``): shred list first, then the key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from consent import retention
from consent.retention import Action, RetentionFinding
from leadgate.pipeline.erase import Eraser
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import holdings, log, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.policy import RetentionRules
from schemas.vocabulary import Event

_PAGE = 1_000
_Look = Callable[[Transaction, str], tuple[retention.RetentionPlan, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionCount:
    """``counts`` maps ``action.why`` to how many; ``destroyed`` is 0 in a dry run; ``listed``: one by one."""

    counts: Mapping[str, int]
    destroyed: int
    next_due_at: datetime | None
    listed: tuple[RetentionFinding, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Counts for XCom and the console."""
        return {"counts": dict(self.counts), "destroyed": self.destroyed}


class Retention:
    """Applies the rules to everything that is held."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        rules: RetentionRules,
        valid_for: Mapping[tuple[str, str], timedelta],
        clock: Callable[[], datetime],
        eraser: Callable[[], Eraser],
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._valid_for = valid_for
        self._clock = clock
        self._eraser = eraser

    def run(self, *, dry_run: bool, actor: str = "system", most: int = 0) -> RetentionCount:
        """Go through everything once. ``most`` findings that are due are listed one by one."""
        counts: Counter[str] = Counter()
        destroyed, due, listed = 0, list[datetime](), list[RetentionFinding]()
        if not dry_run:
            self._eraser().complete()
        for step in (self._submissions, self._persons, self._evidence):
            after: str | None = ""
            while after is not None:
                plan, after, gone = self._page(step, after, dry_run=dry_run, actor=actor)
                counts.update(plan.counts())
                destroyed += gone
                listed += [each for each in plan.findings if each.action is not Action.KEEP][: most - len(listed)]
                if plan.next_due_at:
                    due.append(plan.next_due_at)
        return RetentionCount(
            counts=dict(counts), destroyed=destroyed, next_due_at=min(due, default=None), listed=tuple(listed)
        )

    def _page(self, step: _Look, after: str, *, dry_run: bool, actor: str) -> tuple[retention.RetentionPlan, str | None, int]:
        if dry_run:
            with self._ledger.snapshot() as tx:
                return (*step(tx, after), 0)
        plan, further = self._ledger.retrying(partial(self._carry_out, step, after, actor))
        return plan, further, len(plan.destroy) - self._spared(plan, actor)

    def _submissions(self, tx: Transaction, after: str) -> tuple[retention.RetentionPlan, str | None]:
        now = self._clock()
        held = holdings.submissions(tx, after=after, limit=_PAGE, now=to_micros(now))
        plan = retention.plan(submissions=held, rules=self._rules, now=now)
        return plan, held[-1].submission_id if held else None

    def _persons(self, tx: Transaction, after: str) -> tuple[retention.RetentionPlan, str | None]:
        now = self._clock()
        held, further = holdings.persons(tx, after=after, limit=_PAGE, now=to_micros(now), valid_for=self._valid_for)
        return retention.plan(persons=held, rules=self._rules, now=now), further

    def _evidence(self, tx: Transaction, after: str) -> tuple[retention.RetentionPlan, str | None]:
        held = holdings.evidence(tx, after=after, limit=_PAGE)
        plan = retention.plan(evidence=held, rules=self._rules, now=self._clock())
        return plan, held[-1].act_id if held else None

    def _carry_out(self, step: _Look, after: str, actor: str, tx: Transaction) -> tuple[retention.RetentionPlan, str | None]:
        """Everything of a page but its people."""
        people.lock(tx)  # nobody is given a new lead between our look and the destruction
        plan, further = step(tx, after)
        recorder = Recorder(at=self._clock(), actor=actor)
        gone = [each for each in plan.destroy if each.action is Action.DESTROY_SUBMISSION and each.submission_id]
        holdings.destroy_submissions(tx, [each.submission_id for each in gone if each.submission_id])
        for each in gone:
            facts = {"reason": each.why.value, "method": "key_destroyed"}
            recorder.note(Event.RETENTION_APPLIED, submission_id=each.submission_id, facts=facts)
        single = [(each, lead) for each in plan.destroy if each.action is Action.DESTROY_LEAD for lead in each.lead_ids]
        holdings.destroy_leads(tx, [lead for _, lead in single])
        for each, lead in single:
            facts = {"reason": each.why.value, "method": "envelope_deleted"}
            recorder.note(Event.RETENTION_APPLIED, lead_id=lead, person_id=each.person_id, facts=facts)
        holdings.destroy_evidence(tx, [each.act_id for each in plan.destroy if each.act_id])
        log.append(tx, recorder.leaves)
        return plan, further

    def _spared(self, plan: retention.RetentionPlan, actor: str) -> int:
        """Destroy the people of a page; answer how many were spared, by a hold or a lead that came in a moment ago."""
        reasons: dict[str, list[str]] = {}
        for each in plan.destroy:
            if each.action is Action.DESTROY_PERSON and each.person_id:
                reasons.setdefault(each.why.value, []).append(each.person_id)
        spared = 0
        for reason, ids in reasons.items():
            done = self._eraser().run(ids, actor=actor, reason=reason, still=self._still_due)
            spared += sum(not each.keys for each in done)
        return spared

    def _still_due(self, tx: Transaction, person_ids: Sequence[str]) -> set[str]:
        """Asked again when nobody can be given a new lead any more."""
        now = self._clock()
        held = holdings.these(tx, person_ids, now=to_micros(now), valid_for=self._valid_for)
        plan = retention.plan(persons=held, rules=self._rules, now=now)
        return {each.person_id for each in plan.destroy if each.action is Action.DESTROY_PERSON and each.person_id}
