"""Derives the log again, from its leaves and from what is published, and compares it with what was signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from leadgate.airflow.assets import CHECKPOINT
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house, sealed_or_stop, skip_unless

DOC = """
### What it does
Every hour: takes the balance (received = admitted + quarantined + refused), then hashes every leaf again, rebuilds the tree,
and compares root and signature with the newest checkpoint. Then it audits the published folder the way a stranger would.

### What late means
No green run for a day.

### What to press
* Red with `AuditError`: **stop and call whoever answers for the log.** Keep the database as it is; an export
  (`leadgate export`) and the public key are what an outside verifier needs.
* `published` red: a file of the published folder is not what was signed. Keep a copy, find out who changed it, then
  `leadgate log publish --whole` writes it anew from the ledger.
* Red with anything else: the message names the setting; mend it and **Clear**.
"""


@dag(
    dag_id="leadgate_verify",
    schedule=CronTriggerTimetable("23 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "log"],
    doc_md=DOC,
)
def leadgate_verify() -> None:
    """Checkpoint against leaves."""

    @task(
        execution_timeout=timedelta(minutes=5),
        doc_md="Takes the balance and keeps it in the ledger. Safe to clear.",
    )
    def balance() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.balance())

    @task(
        inlets=[CHECKPOINT],
        execution_timeout=timedelta(hours=1),
        doc_md="Seals what is pending, then derives everything again; skipped while nothing was ever received. Safe to clear.",
    )
    def verify(counts: dict[str, Any]) -> dict[str, int]:
        # a log without a leaf is well only if there is nothing it should speak of
        skip_unless(counts, "received")
        with house() as opened:
            opened.seal()
            return sealed_or_stop(opened.verify())

    @task(
        execution_timeout=timedelta(hours=1),
        doc_md="Reads every published tile and entry again, as an auditor with the public key would. Safe to clear.",
    )
    def published(counts: dict[str, int]) -> dict[str, int]:
        skip_unless(counts, "leaves")
        with house() as opened:
            return sealed_or_stop(opened.logbook.audit(witnessed=False))

    published(verify(balance()))


leadgate_verify()
