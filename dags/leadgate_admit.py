"""Decides what waits in the inbox: admit, quarantine or refuse; and sends what is admitted at once, where it can."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from leadgate.airflow.assets import INBOX, OUTBOX, RECEIPTS
from leadgate.airflow.deadlines import late_after
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house, skip_unless

DOC = """
### What it does
Starts within a second or two of a submission, and every minute anyway. Takes what nobody decided yet, oldest first, checks it
against the schemas and the consent, and admits it (the identity is sealed, one delivery is queued for each destination), puts
it into quarantine (a person may mend it) or refuses it. It ends when the inbox is empty or its time is up.

What is admitted is sent at once (*express*), to every destination that is well. `leadgate_dispatch` has all the others: with an
outage since the last success, with a rate limit, without credentials, slower than two seconds for a batch. Their trouble never
makes this DAG red. `accepted` counts what has arrived that way; `delivery.express: false` in `leadgate.yaml` switches it off.

### What late means
A run that has not ended ten minutes after it was queued: an alert `run_is_late` is written to `.airflow/alerts.jsonl`.

### What to press
* Red with `database_unavailable`: mend the database; the next run goes on by itself.
* Red with `no_keyring` or another code: the message names the setting. Until it is mended leads wait, none is lost.
* Nothing moves and nothing is red: look at *Browse > Jobs*, or trigger it by hand. Two runs at the same time are harmless.
* `quarantined` is high: `leadgate quarantine` lists the reasons (field names, never values).
"""


@dag(
    dag_id="leadgate_admit",
    # every minute, at a second of its own: sixth field
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("* * * * * 25", timezone="UTC"), assets=[INBOX]),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # one run drains the inbox; while it is busy with many, or waits for a destination, another one helps
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=20),
    deadline=[late_after("leadgate_admit", minutes=10)],
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "gate"],
    doc_md=DOC,
)
def leadgate_admit() -> None:
    """Inbox to outbox."""

    @task(
        outlets=[OUTBOX, RECEIPTS],
        execution_timeout=timedelta(minutes=8),
        doc_md="Decides the inbox in batches, each in one transaction, and sends. Skipped if it was empty. Safe to kill.",
    )
    def admit() -> dict[str, Any]:
        with house() as opened:
            told = counts_only(opened.admit(seconds=240, send=True))
        skip_unless(told, "taken")
        return told

    admit()


leadgate_admit()
