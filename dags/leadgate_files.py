"""Picks up finished files from the inbox folders and commits their rows as submissions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.assets import INBOX
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house, refuse_failed_files, skip_unless

DOC = """
### What it does
Looks every minute into the inbox folder of each file source in `leadgate.yaml` (a local path or any object storage). A finished
file is read row by row; each row becomes a submission. The same file, under whatever name, is taken once. A file that is still
being written, hidden or named `.part` or `.tmp` is left alone until the next look.

### What late means
A file that lies there for more than five minutes. Nothing is lost: it is still there.

### What to press
* Red with `database_unavailable` or `database_full`: mend the database or the disk, then **Clear** the task.
* Red with `file_failed`: a file can be neither read nor moved (permissions?). `leadgate collect` names it.
* Red with another code: the message names the file or the setting. Mend it, then **Clear**. A file that cannot be read is put
  aside with its reason and does not hold up the others.
* To look at once instead of in a minute: **Trigger**. Two runs at the same time are harmless.
"""


@dag(
    dag_id="leadgate_files",
    # every minute, at a second of its own: sixth field
    schedule=CronTriggerTimetable("* * * * * 10", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "intake"],
    doc_md=DOC,
)
def leadgate_files() -> None:
    """Files to inbox."""

    @task(
        outlets=[INBOX],
        execution_timeout=timedelta(minutes=20),
        doc_md="Reads finished files into the inbox, each content once; skipped if there was nothing new. Safe to clear.",
    )
    def collect() -> dict[str, Any]:
        with house() as opened:
            told = counts_only(opened.collect_files())
        refuse_failed_files(told)
        skip_unless(told, "new")
        return told

    collect()


leadgate_files()
