"""Tells recipients of withdrawals and erasures, one task for each, so that a dead one delays no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, get_current_context, task

from leadgate.airflow.assets import RECEIPTS, RECIPIENTS
from leadgate.airflow.deadlines import late_after
from leadgate.airflow.tasks import DEFAULT_ARGS, by_hand, counts_only, house

DOC = """
### What it does
Starts within a second or two of a withdrawal or an erasure, and every minute anyway. `due` looks at deliveries that were on
their way when a person took consent back, and names the destinations that must be told. `tell` runs once for each: it asks the
destination to stop using the records, then to destroy them, as far as its connector can, and writes down what it answered to
each. Only our keys go out; it works after the person was erased, too. What is not answered is asked again, for as long as it
takes: pauses grow to half an hour.

### What late means
A run that has not ended ten minutes after it was queued (`run_is_late` in `.airflow/alerts.jsonl`). Whether a *law* is late,
is told by the clocks: `leadgate withdrawals list` shows what is due or overdue.

### What to press
* One instance of `tell` is red: its name is the destination; in its log, the line below *Task failed with exception* says what
  to mend (credentials, permission, address). Then **Clear** it: it is tried at once. People who took consent back may still be
  called until then: if it cannot be mended within hours, tell the compliance officer.
* `deferred` grows: the destination is slow or down. Nothing to press.
* `failed` or `by_hand` is not zero: the destination refuses, or cannot be told by a program. Nothing for you; the officer finds
  it with `leadgate withdrawals list --open`, tells the recipient, and records it.
* To tell now: **Trigger**, or `leadgate withdrawals tell`.
"""


@dag(
    dag_id="leadgate_recipients",
    # every minute, at a second of its own: sixth field
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("* * * * * 10", timezone="UTC"), assets=[RECIPIENTS]),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # while one run waits for a slow destination, another serves the rest
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=30),
    deadline=[late_after("leadgate_recipients", minutes=10)],
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "privacy"],
    doc_md=DOC,
)
def leadgate_recipients() -> None:
    """Withdrawals to recipients."""

    @task(
        execution_timeout=timedelta(minutes=1),
        doc_md="Names the destinations that must be told now. An empty list is well: `tell` is skipped.",
    )
    def due() -> list[str]:
        with house() as opened:
            return list(opened.recipients_due())

    @task(
        outlets=[RECEIPTS],
        map_index_template="{{ destination }}",
        execution_timeout=timedelta(minutes=8),
        # leaves slots for leads, whatever hangs
        max_active_tis_per_dag=2,
        doc_md="Tells one destination to stop, and to destroy. Safe to clear or kill: what was not answered is asked again.",
    )
    def tell(destination: str) -> dict[str, Any]:
        get_current_context()["destination"] = destination  # type: ignore[typeddict-unknown-key]
        with house() as opened:
            return counts_only(opened.tell_recipients(destination, seconds=240, insist=by_hand()))

    tell.expand(destination=due())


leadgate_recipients()
