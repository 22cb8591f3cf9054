"""Orders what was written to the log and signs a checkpoint over it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.assets import CHECKPOINT, RECEIPTS
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house

DOC = """
### What it does
Every minute: takes the leaves that were committed with decisions and deliveries, puts them into the Merkle log in order, and
signs a checkpoint. Until then they are in the database all the same, only not yet ordered.

### What late means
Pending leaves older than ten minutes. No lead is late by it; an auditor would see a gap in time, not in content.

### What to press
* Red with `AuditError`: **stop and call whoever answers for the log.** Do not clear, do not repair.
* Red with `no_log_key` or `wrong_log_key`: the key file of the log is missing or another one. Bring it back, **Clear**.
* Red with `database_unavailable`: the next run goes on by itself.
"""


@dag(
    dag_id="leadgate_seal",
    # every minute, at a second of its own: sixth field
    schedule=CronTriggerTimetable("* * * * * 55", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "log"],
    doc_md=DOC,
)
def leadgate_seal() -> None:
    """Receipts to checkpoint."""

    @task(
        inlets=[RECEIPTS],
        outlets=[CHECKPOINT],
        execution_timeout=timedelta(minutes=10),
        doc_md="Integrates pending leaves and signs a checkpoint. Safe to clear; two at a time wait for each other.",
    )
    def seal() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.seal())

    seal()


leadgate_seal()
