"""Sends what is due, one task for each destination, so that a dead one delays no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, get_current_context, task

from leadgate.airflow.assets import OUTBOX, RECEIPTS
from leadgate.airflow.deadlines import late_after
from leadgate.airflow.tasks import DEFAULT_ARGS, by_hand, counts_only, house

DOC = """
### What it does
Starts when leads were admitted, when a deferred delivery comes due, and every minute anyway. On a good day `leadgate_admit` has
sent most of it already, and nothing is due. `due` names the destinations that have something to do; `send` runs once for each,
claims deliveries in batches, asks the gate again, opens exactly the fields the destination is told, sends, and writes down what
became of every record. What is in doubt is read back before it is sent again.

### What late means
A run that has not ended ten minutes after it was queued (`run_is_late` in `.airflow/alerts.jsonl`). How late *leads* are, is
told by `leadgate_promise`.

### What to press
* One instance of `send` is red: its name is the destination; in its log, the line below *Task failed with exception* says what
  to mend (credentials, WSDL, permission: *Admin > Connections*, or wherever your connections are kept). Then **Clear** the
  instance: it is tried at once. Left alone, it is tried after 30 s, a minute, two ... up to half an hour, and red each time.
  The others are not affected.
* Green again, and nothing was mended? Between two tries a run passes over the destination. `leadgate promise` tells who waits.
* `deferred` grows: the destination is slow or down. Nothing to press; it is tried again with growing pauses.
* `dead` is not zero: `leadgate replay --destination NAME --yes` puts dead letters back once the cause is gone.
* To send now: **Trigger**: every destination is tried, also one that rests after failures. Runs at the same time share the
  work, no delivery is taken twice.
"""


@dag(
    dag_id="leadgate_dispatch",
    # every minute, at a second of its own: sixth field
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("* * * * * 40", timezone="UTC"), assets=[OUTBOX]),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # while one run waits for a slow destination, another serves the rest
    max_active_runs=3,
    dagrun_timeout=timedelta(minutes=30),
    deadline=[late_after("leadgate_dispatch", minutes=10)],
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "delivery"],
    doc_md=DOC,
)
def leadgate_dispatch() -> None:
    """Outbox to destinations."""

    @task(
        execution_timeout=timedelta(minutes=1),
        doc_md="Names the destinations that have something due now (by hand: all). An empty list is well: `send` is skipped.",
    )
    def due() -> list[str]:
        with house() as opened:
            return list(opened.settings.destinations if by_hand() else opened.destinations())

    @task(
        outlets=[RECEIPTS],
        map_index_template="{{ destination }}",
        execution_timeout=timedelta(minutes=8),
        # leaves a slot for admit, whatever hangs
        max_active_tis_per_dag=3,
        doc_md="Sends what is due at one destination. Safe to clear or kill: what was on its way is read back first.",
    )
    def send(destination: str) -> dict[str, Any]:
        get_current_context()["destination"] = destination  # type: ignore[typeddict-unknown-key]
        with house() as opened:
            return counts_only(opened.dispatch(destination, seconds=240, insist=by_hand()))

    send.expand(destination=due())


leadgate_dispatch()
