"""Watches the four-hour promise: how old is the oldest lead that has not arrived?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.deadlines import judge, late_after
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house

DOC = """
### What it does
Every five minutes: asks the ledger for the oldest submission that nobody decided and the oldest delivery that has no final
outcome. Green means that everything on its way is younger than the warning time of `leadgate.yaml` (three hours).

### What late means
* `at_risk` red: something is older than the warning time. There is an hour left.
* `kept` red: something is older than the promise. A person waits for a call that did not come.

### What to press
1. The log of the red task names the id: `leadgate trace ID` tells where it stands.
2. Held up at a destination: see `leadgate_dispatch`, the instance of that name. Held up in the inbox: see `leadgate_admit`.
3. Nothing needs to be cleared here: the next run is green once the lead is through.
"""


@dag(
    dag_id="leadgate_promise",
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=5),
    deadline=[late_after("leadgate_promise", minutes=5)],
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "promise"],
    doc_md=DOC,
)
def leadgate_promise() -> None:
    """Is anybody waiting too long?"""

    @task(
        execution_timeout=timedelta(minutes=1),
        doc_md="Asks the ledger how old the oldest lead on its way is.",
    )
    def oldest() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.promise())

    @task(retries=0, doc_md="Red when something is older than the warning time.")
    def at_risk(found: dict[str, Any]) -> None:
        judge(found, red_in=("at_risk", "broken"))

    @task(retries=0, doc_md="Red when something is older than the promise.")
    def kept(found: dict[str, Any]) -> None:
        judge(found, red_in=("broken",))

    found = oldest()
    at_risk(found)
    kept(found)


leadgate_promise()
