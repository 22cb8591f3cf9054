"""Orders what was written to the log, signs a checkpoint over it, and shows it to others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.assets import CHECKPOINT, RECEIPTS
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house
from leadgate.airflow.vouching import vouched_or_marked

DOC = """
### What it does
Every minute, if nobody else has (`leadgate up` runs `leadgate log follow`, which seals within seconds): takes the leaves that
were committed with decisions and deliveries, puts them into the Merkle log in order, signs a checkpoint, writes the tiles that
others read, and asks the witnesses to cosign. Until then leaves are in the database all the same, only not yet ordered.

### What late means
Pending leaves older than ten minutes. No lead is late by it; an auditor would see a gap in time, not in content.

### What to press
* `seal` red with `log_rolled_back`: a backup was restored. `leadgate log recover` says what is missing, `--yes` takes it back
  from the published folder; then **Clear**.
* Red with another `AuditError`: **stop and call whoever answers for the log.** Do not clear, do not repair.
* Red with `no_log_key` or `wrong_log_key`: the key file of the log is missing or another one. Bring it back, **Clear**.
* Red with `database_unavailable`: the next run goes on by itself.
* `vouched` skipped: too few witnesses have cosigned. Work goes on, evidence waits; `leadgate log status` says who is missing.
* `vouched` red with `witness_accuses`: a witness saw another log. **Stop and call**, as above.
* `vouched` red with `log_not_published`: the folder `log.publish_to` cannot be written. Mend it; the next run goes on.
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
        doc_md="Integrates, signs, publishes, asks the witnesses. Safe to clear; two at a time wait for each other.",
    )
    def seal() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.seal())

    @task(retries=0, doc_md="Green: witnessed. Skipped: the quorum is missing, work goes on. Red: see the DAG's text.")
    def vouched(told: dict[str, Any]) -> None:
        vouched_or_marked(told)

    vouched(seal())


leadgate_seal()
