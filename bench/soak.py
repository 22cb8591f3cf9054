"""An hour's worth of Airflow in minutes: does the metadata database hold? (docs/adr/0002-airflow-metadata-database.md)

    python bench/soak.py [--runs 300] [--burst 60] [--database postgres|sqlite]

Starts the whole Airflow over an empty ledger, lets the real DAGs run on their schedules, and meanwhile, through the REST API,
posts runs in bursts, writes variables and connections, and reads what the UI reads. It ends with exit code 0 only if no POST is
refused, no run failed and no component ended.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from leadgate.airflow.components import CHECKOUT, AirflowComponents
from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import load
from leadgate.wiring import House, environment_credentials
from leadgate.wiring.house import utc_now
from leadgate.wiring.keys import create_keys
from schemas.errors import ConfigurationError

#: Posted in turn. The first is this script's own, with three tasks in a row; the others are the house's.
DAGS = ("soak", "leadgate_seal", "soak", "leadgate_promise", "soak", "leadgate_files", "soak", "leadgate_verify")
THREADS = 20
SECONDS_TO_DRAIN = 900
_OPEN = frozenset({"queued", "running"})

_SOAK_DAG = """
from datetime import UTC, datetime
from airflow.sdk import dag, task

@dag(dag_id="soak", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), max_active_runs=16)
def soak():
    @task
    def one() -> int:
        return 1

    @task
    def add(number: int) -> int:
        return number + 1

    add(add(one()))

soak()
"""


class Posts:
    """Calls of the API, their outcomes and their times."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []

    def attempt(self, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            answer = call()
        except (ConfigurationError, OSError) as error:
            self.outcomes[str(error)[:80]] += 1
            return None
        self.outcomes["ok"] += 1
        self.seconds.append(time.perf_counter() - began)
        return answer

    @property
    def failed(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome != "ok")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="runs to post beside the scheduled ones")
    parser.add_argument("--burst", type=int, default=60, help="posts at once")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leadgate-soak-") as folder, ExitStack() as stack:
        home = Path(folder)
        airflow = _start(home, stack, sqlite=options.database == "sqlite")
        print(f"airflow over {options.database} is healthy; {options.runs} runs in bursts of {options.burst}", flush=True)
        began = time.monotonic()
        posts = _soak(airflow, runs=options.runs, burst=options.burst)
        runs = _drain(airflow)
        return _report(airflow, posts=posts, runs=runs, minutes=(time.monotonic() - began) / 60)


def _start(home: Path, stack: ExitStack, *, sqlite: bool) -> AirflowComponents:
    dags = home / "dags"
    dags.mkdir()
    for source in (CHECKOUT / "dags").glob("*.py"):
        (dags / source.name).symlink_to(source)
    (dags / "soak.py").write_text(_SOAK_DAG)
    postgres = stack.enter_context(EmbeddedPostgres()).start(home / "postgres")
    for name in ("airflow", "ledger"):
        postgres.create_database(name)
    environment = {
        "LEADGATE_CONFIG": str(CHECKOUT / "leadgate.yaml"),
        "LEADGATE_STATE": str(home / "state"),
        "LEADGATE_DATABASE_URL": postgres.url("ledger"),
    }
    settings = load(env={**os.environ, **environment})
    with House(settings, credentials=environment_credentials(environment)) as house:
        house.upgrade()
        create_keys(settings, clock=utc_now)
    url = f"sqlite:///{home / 'airflow.db'}" if sqlite else postgres.airflow_url()
    airflow = stack.enter_context(AirflowComponents(home=home, metadata_url=url, environment=environment, dags=dags))
    airflow.start()
    while "soak" not in {each["dag_id"] for each in airflow.get("dags")["dags"]}:
        time.sleep(1)
    return airflow


def _soak(airflow: AirflowComponents, *, runs: int, burst: int) -> Posts:
    posts = Posts()
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, runs, burst):
            numbers = range(start, min(start + burst, runs))
            list(pool.map(lambda number: posts.attempt(lambda: airflow.trigger(DAGS[number % len(DAGS)])), numbers))
            list(pool.map(lambda number: posts.attempt(lambda: _as_a_person_would(airflow, number)), range(start, start + 20)))
            print(f"  {numbers.stop} posted, {posts.failed} refused; {_health(airflow)}", flush=True)
            time.sleep(5)
    return posts


def _as_a_person_would(airflow: AirflowComponents, number: int) -> None:
    """Writes with an audit entry each, and the pages somebody has open."""
    match number % 4:
        case 0:
            airflow.post("variables", {"key": f"soak_{number}", "value": "1"})
        case 1:
            airflow.post("connections", {"connection_id": f"soak_{number}", "conn_type": "leadgate-json-crm"})
        case 2:
            airflow.get("dags?limit=50")
        case _:
            airflow.get("dags/soak/dagRuns?limit=50&order_by=-id")


def _health(airflow: AirflowComponents) -> str:
    return f"ended: {', '.join(airflow.ended())}" if airflow.ended() else "all components run"


def _drain(airflow: AirflowComponents) -> list[dict[str, Any]]:
    """Every run, once none of the posted ones is open any more."""
    deadline = time.monotonic() + SECONDS_TO_DRAIN
    while True:
        found = _all_runs(airflow)
        waiting = [each for each in found if each["run_type"] == "manual" and each["state"] in _OPEN]
        if not waiting or airflow.ended() or time.monotonic() > deadline:
            return found
        time.sleep(3)


def _all_runs(airflow: AirflowComponents) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        try:
            page = airflow.get(f"dags/~/dagRuns?limit=100&offset={len(found)}&order_by=id")["dag_runs"]
        except (ConfigurationError, OSError):
            return found
        found += page
        if not page:
            return found


def _report(airflow: AirflowComponents, *, posts: Posts, runs: list[dict[str, Any]], minutes: float) -> int:
    states = Counter(each["state"] for each in runs)
    took = [
        (datetime.fromisoformat(each["end_date"]) - datetime.fromisoformat(each["queued_at"])).total_seconds()
        for each in runs
        if each["dag_id"] == "soak" and each["end_date"]
    ]
    ended = airflow.ended()
    print(f"{minutes:.1f} minutes, {len(runs)} runs: {dict(states)}")
    print(f"{sum(posts.outcomes.values())} calls: {dict(posts.outcomes)}")
    if posts.seconds:
        print(f"call: median {statistics.median(posts.seconds):.2f} s, longest {max(posts.seconds):.2f} s")
    if took:
        print(f"soak run of three tasks, queued to end: median {statistics.median(took):.1f} s, longest {max(took):.1f} s")
    print(f"components that ended: {ended or 'none'}; health: {airflow.health()}")
    open_runs = sum(each["run_type"] == "manual" and each["state"] in _OPEN for each in runs)
    bad = states["failed"] + open_runs + posts.failed + len(ended)
    print("HOLDS" if not bad else "DOES NOT HOLD")
    return 0 if not bad else 1


if __name__ == "__main__":
    sys.exit(main())
