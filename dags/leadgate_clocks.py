"""Watches the legal clocks, and goes on with what waits for recipients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task

from leadgate.airflow.clocks import judge_clocks
from leadgate.airflow.deadlines import late_after
from leadgate.airflow.tasks import DEFAULT_ARGS, counts_only, house

DOC = """
### What it does
Every ten minutes: looks again at requests of data subjects that wait for recipients, destroys identifiers of requests that were
closed long enough ago, then asks the ledger for every legal clock that runs (withdrawals, requests, incidents).

### What late means
* `at_risk` red: a clock is inside its warning time, or one carries a flag, or this machine's clock is behind the ledger.
  Nothing is missed yet. That is the moment to act: the law gives days, and some of them are weekends.
* `kept` red: a clock is overdue. Whoever answers for data protection must know today.

### What to press
1. `leadgate clocks` lists them by urgency, with the law, what each is about, and the time left. The alert names the ids.
2. About a request: `leadgate request show CASE` names the step that waits; `leadgate request step CASE --actor REF` says
   what it would do. About a withdrawal: `leadgate withdrawals list` says who was not reached yet.
3. If the law knows an extension and the person was told why: `leadgate clock extend CLOCK`. Once, and before it is over.
4. A flag or `behind`: look at the time of this machine first (`timedatectl`); due dates are stored and are not wrong.
5. Nothing needs to be cleared here: the next run is green once the clock is met.
"""


@dag(
    dag_id="leadgate_clocks",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    deadline=[late_after("leadgate_clocks", minutes=10)],
    default_args=dict(DEFAULT_ARGS),
    tags=["leadgate", "promise", "evidence"],
    doc_md=DOC,
)
def leadgate_clocks() -> None:
    """Is a legal clock about to be missed?"""

    @task(
        execution_timeout=timedelta(minutes=6),
        doc_md="Looks again at what waits for recipients, in every open request; destroys identifiers whose term is over.",
    )
    def go_on() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.requests.go_on())

    @task(
        trigger_rule="all_done",  # clocks run whether or not a recipient could be reached
        execution_timeout=timedelta(minutes=1),
        doc_md="Asks the ledger how every clock stands.",
    )
    def board() -> dict[str, Any]:
        with house() as opened:
            return counts_only(opened.clocks.board())

    @task(retries=0, doc_md="Red when a clock is inside its warning time, overdue, or flagged.")
    def at_risk(found: dict[str, Any]) -> None:
        judge_clocks(found, red_in=("at_risk", "overdue"))

    @task(retries=0, doc_md="Red when a clock is overdue.")
    def kept(found: dict[str, Any]) -> None:
        judge_clocks(found, red_in=("overdue",))

    found = board()
    chain(go_on(), found)
    at_risk(found)
    kept(found)


leadgate_clocks()
