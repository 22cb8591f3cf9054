"""Destroys what has to be destroyed, in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house

DOC = """
### What it does
Every night at 03:40 UTC: applies the retention rules of `leadgate.yaml`. Keys of persons whose time is over are destroyed, and
with them the persons, everywhere Leadgate stores them; sealed bytes of refused and quarantined submissions are emptied. Every
destruction is a leaf of the log.

Whoever is under a legal hold (`leadgate hold list`) is left alone. Then the database gives up what it keeps of dead rows: the
table of people is rewritten, which locks it for a second or two.

### What late means
No green run for two days: a legal clock may run out. Tell the compliance officer.

### What to press
* Red: the message names the cause. Mend it and **Clear**; what was destroyed already is not done twice.
* To see what would be destroyed without doing it: `leadgate retention` (a dry run unless you add `--yes`).
"""


@dag(
    dag_id="leadgate_retention",
    schedule=CronTriggerTimetable("40 3 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "privacy"],
    doc_md=DOC,
)
def leadgate_retention() -> None:
    """Time is up."""

    @task(
        execution_timeout=timedelta(hours=2),
        doc_md="Applies the retention rules in batches, each with its leaf. Safe to clear or kill.",
    )
    def apply() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.apply_retention())

    @task(
        execution_timeout=timedelta(hours=2),
        doc_md="Makes the database give up the bytes of rows that are gone. Safe to clear or kill.",
    )
    def sweep() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.destruction.sweep())

    apply() >> sweep()


leadgate_retention()
