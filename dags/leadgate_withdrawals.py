"""Looks every hour for what no event announces about withdrawals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house

DOC = """
### What it does
Every hour: finds recipients that hold what was taken back and that nobody was asked to tell (of a ledger from before there were
tellings, or after a repair by hand), stops legal clocks that were met by a destruction, marks people who came back with a new
consent, and lets go of what is remembered of people no older consent could be of any more. It tells nobody itself:
`leadgate_recipients` does, within seconds.

### What late means
No green run for a day: a clock may look open that was met.

### What to press
* Red: the message names the cause. Mend it and **Clear**; every look is safe to repeat.
* `asked` is not zero though nothing was upgraded or repaired: tell whoever looks after the program; nobody is called by it.
"""


@dag(
    dag_id="leadgate_withdrawals",
    schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "privacy"],
    doc_md=DOC,
)
def leadgate_withdrawals() -> None:
    """What no event announces."""

    @task(
        execution_timeout=timedelta(minutes=20),
        doc_md="Looks once through everything that was taken back. Safe to clear or kill.",
    )
    def catch_up() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.recipients.catch_up())

    catch_up()


leadgate_withdrawals()
