"""The four-hour promise, watched from two sides, because neither sees everything.

1. **Is the machine late?** Airflow's deadline alerts: a run of admit or dispatch that has not ended soon after it was queued.
   A DAG that hangs, a scheduler that was down and a pool that is full all show here, and in the UI by themselves.
2. **Is a lead late?** A deadline of Airflow belongs to a run, and is forgotten when the run ends well; a lead outlives many
   runs (a destination may be down all night while every run ends green). So ``leadgate_promise`` asks the ledger for the oldest
   lead that is on its way, and turns red at the warning time and at the
   promised time of leadgate.yaml. A custom deadline reference would not do: the scheduler
   evaluates it once, when a run is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from leadgate.airflow.alerts import alert
from schemas.errors import LeadgateError

_ENDED = frozenset({"success", "failed"})


class RunCreated(BaseDeadlineReference):
    """The moment a run is made; Airflow asks for it then. The plugin registers it.

    Airflow's own DAGRUN_QUEUED_AT is the same moment, but with it 3.3 answers 500 whenever somebody presses **Clear**
    (apache/airflow#70368), and Clear is what our pages tell people to press.
    """

    def _evaluate_with(self, **_: Any) -> datetime:
        return datetime.now(UTC)


async def run_is_late(dag: str, minutes: int, context: dict[str, Any] | None = None) -> None:
    """Runs in the triggerer when a run missed its deadline. Airflow keeps that of a run that failed in time: it is not late."""
    run = (context or {}).get("dag_run") or {}
    if run.get("state") in _ENDED:
        return
    run_id = str(run.get("dag_run_id") or run.get("run_id") or "")
    await asyncio.to_thread(alert, "run_is_late", dag=dag, run=run_id, minutes=minutes, state=str(run.get("state") or ""))


def late_after(dag: str, minutes: int) -> DeadlineAlert:
    """An alert when a run of ``dag`` has not ended ``minutes`` after it was made."""
    return DeadlineAlert(
        reference=RunCreated(),
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(run_is_late, kwargs={"dag": dag, "minutes": minutes}),
        name="after that: run_is_late in .airflow/alerts.jsonl",  # the UI shows it of every run, also of those in time
    )


def judge(found: Mapping[str, Any], *, red_in: tuple[str, ...]) -> None:
    """Raise if the promise stands badly: a task that turns red is what a person sees.

    ``found`` is ``Promise.as_dict()``. Raises LeadgateError ``promise_at_risk`` or ``promise_broken``.
    """
    state = str(found["state"])
    if state not in red_in:
        return
    facts = {key: found[key] for key in ("kind", "id", "age_seconds")}
    alert(f"promise_{state}", **facts)
    raise LeadgateError(f"promise_{state}", "somebody has waited too long; the alert names the id", field=str(found["kind"]))
