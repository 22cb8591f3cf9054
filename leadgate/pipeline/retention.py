"""Retention: say what is due for destruction and why; destroy it only when asked to, a page in one transaction.

The plan of a dry run and the plan that is carried out come from the same rules (consent.retention) over the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from consent import retention
from consent.retention import Action, RetentionFinding
from leadgate.pipeline import erase
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import holdings, log, people
from leadgate.storage.engine import Ledger, Transaction
from schemas.policy import RetentionRules
from schemas.vocabulary import Event

_PAGE = 1_000
_Look = Callable[[Transaction, str], tuple[retention.RetentionPlan, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionCount:
    """``counts`` maps ``action.why`` to how many; ``destroyed`` is 0 in a dry run."""

    counts: Mapping[str, int]
    destroyed: int
    next_due_at: datetime | None

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
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._valid_for = valid_for
        self._clock = clock

    def run(self, *, dry_run: bool, actor: str = "system") -> RetentionCount:
        """Go through everything once."""
        counts: Counter[str] = Counter()
        destroyed, due = 0, list[datetime]()
        for step in (self._submissions, self._persons):
            after: str | None = ""
            while after is not None:
                plan, after, gone = self._ledger.retrying(partial(self._page, step, after, dry_run=dry_run, actor=actor))
                counts.update(plan.counts())
                destroyed += gone
                if plan.next_due_at:
                    due.append(plan.next_due_at)
        return RetentionCount(counts=dict(counts), destroyed=destroyed, next_due_at=min(due, default=None))

    def _page(
        self, step: _Look, after: str, tx: Transaction, *, dry_run: bool, actor: str
    ) -> tuple[retention.RetentionPlan, str | None, int]:
        if not dry_run:
            people.lock(tx)  # nobody is given a new lead between our look and the destruction
        plan, further = step(tx, after)
        return plan, further, 0 if dry_run else self._carry_out(tx, plan.destroy, actor)

    def _submissions(self, tx: Transaction, after: str) -> tuple[retention.RetentionPlan, str | None]:
        held = holdings.submissions(tx, after=after, limit=_PAGE)
        plan = retention.plan(submissions=held, persons=(), rules=self._rules, now=self._clock())
        return plan, held[-1].submission_id if held else None

    def _persons(self, tx: Transaction, after: str) -> tuple[retention.RetentionPlan, str | None]:
        held, further = holdings.persons(tx, after=after, limit=_PAGE, valid_for=self._valid_for)
        return retention.plan(submissions=(), persons=held, rules=self._rules, now=self._clock()), further

    def _carry_out(self, tx: Transaction, due: tuple[RetentionFinding, ...], actor: str) -> int:
        now = self._clock()
        recorder = Recorder(at=now, actor=actor)
        gone = [each for each in due if each.action is Action.DESTROY_SUBMISSION and each.submission_id]
        holdings.destroy_submissions(tx, [each.submission_id for each in gone if each.submission_id])
        for each in gone:
            facts = {"reason": each.why.value, "method": "key_destroyed"}
            recorder.note(Event.RETENTION_APPLIED, submission_id=each.submission_id, facts=facts)
        for each in due:
            if each.action is Action.DESTROY_LEAD:
                holdings.destroy_leads(tx, each.lead_ids)
                for lead_id in each.lead_ids:
                    facts = {"reason": each.why.value, "method": "envelope_deleted"}
                    recorder.note(Event.RETENTION_APPLIED, lead_id=lead_id, person_id=each.person_id, facts=facts)
            elif each.action is Action.DESTROY_PERSON and each.person_id:
                erase.apply(tx, each.person_id, now=now, actor=actor, reason=each.why.value)
        log.append(tx, recorder.leaves)
        return len(due)
