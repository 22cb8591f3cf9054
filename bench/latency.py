"""How soon is somebody called? 50 single leads from the POST of a signed webhook to the moment the vendor holds the record.

Everything is real but the vendors: intake service, ledger on Postgres with fsync, four Airflow processes, HTTP and SOAP on
loopback. One lead at a time, with a random pause, so that none rides on another's run and none keeps step with the minute.
It refuses to leave a lead out: one that did not arrive ends the bench with exit status 1.

``make bench-latency ARGS="--leads 20"``
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from standardwebhooks import Webhook

from integrations.testing.invented_leads import Invented, InventedLeads
from leadgate.airflow.components import CHECKOUT
from leadgate.demo.stage import WEBHOOKS, Stage
from leadgate.wiring.parts import utc_now

SOURCE, BRAND = "lada_webhook", "lada"
CALL_CENTER, CRM = "lada_call_center", "lada_crm"
#: Purposes of the leads in turn, and the destinations they go to.
KINDS: Sequence[Mapping[str, str]] = (
    {"callback": CALL_CENTER, "crm_followup": CRM},
    {"callback": CALL_CENTER},
    {"crm_followup": CRM},
)
#: The first tasks after a start import what later ones find; these leads are told apart from the rest.
WARM_UP = 3
#: Seconds between two looks at the vendors' worlds, and until a lead is given up.
LOOK_EVERY, PATIENCE = 0.005, 90.0
#: Seconds between two leads: longer than a run lives on, and not in step with anything.
PAUSE = (2.0, 6.0)
#: What Airflow answers at most in one page.
_PAGE = 100


@dataclass(slots=True, kw_only=True)
class Walk:
    """Moments of one lead, as seconds of the wall clock. Ledger, Airflow and bench share one machine and so one clock."""

    event_id: str
    posted: float
    answered: float = 0.0
    admitted: float = 0.0
    held: dict[str, float] = field(default_factory=dict)
    load: float = 0.0


def main() -> int:
    """Run the bench; exit status 0 if every lead arrived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", action="store_true", help="also tell where the time went, from Airflow's own record")
    arguments = parser.parse_args()
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    with Stage(CHECKOUT / ".leadgate" / "bench-latency", tell=lambda what: out.print(f"  {what} ...")) as stage:
        stage.start()
        walks = run(stage, arguments.leads, seed=arguments.seed, out=out)
        complete(stage, walks)
        out.print(table(walks[WARM_UP:]))
        first = walks[0]
        out.print(
            f"first lead after the start: {max(first.held.values(), default=0.0) - first.posted:.2f} s (not in the table)"
        )
        if arguments.steps:
            out.print(steps(stage, walks[WARM_UP:]))
    out.print(machine(walks))
    lost = sum(not walk.held or not walk.admitted for walk in walks)
    if lost:
        out.print(f"[bold red]{lost} leads did not arrive within {PATIENCE:.0f} s[/]")
    return 1 if lost else 0


def run(stage: Stage, leads: int, *, seed: int, out: Console) -> list[Walk]:
    """Hand leads in, one after another."""
    chance = random.Random(seed)
    invented = InventedLeads(stage.house.policies, now=utc_now(), seed=seed)
    walks: list[Walk] = []
    with httpx.Client(base_url=stage.intake_url, timeout=30, trust_env=False) as client:
        for number in range(WARM_UP + leads):
            kind = KINDS[number % len(KINDS)]
            lead = invented.lead(number, brand=BRAND, purposes=list(kind))
            walks.append(_walk(stage, client, lead, tuple(kind.values())))
            last = max(walks[-1].held.values(), default=float("nan")) - walks[-1].posted
            out.print(f"  {number - WARM_UP + 1:3}/{leads}  {last:6.2f} s", style="dim" if number < WARM_UP else "")
            time.sleep(chance.uniform(*PAUSE))
    return walks


def _walk(stage: Stage, client: httpx.Client, lead: Invented, destinations: Iterable[str]) -> Walk:
    """Post one lead and wait until every destination holds it."""
    worlds = {name: stage.sandbox.servers[name].simulator.world for name in destinations}
    before = {name: len(world.writes) for name, world in worlds.items()}
    body = lead.body.decode()
    moment = datetime.now().astimezone()
    headers = {
        "content-type": "application/json",
        "webhook-id": lead.event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(WEBHOOKS[SOURCE][1]).sign(lead.event_id, moment, body),
    }
    walk = Walk(event_id=lead.event_id, posted=time.time())
    client.post(f"/hooks/{SOURCE}", content=body.encode(), headers=headers).raise_for_status()
    walk.answered = time.time()
    while len(walk.held) < len(worlds) and time.time() < walk.posted + PATIENCE:
        time.sleep(LOOK_EVERY)
        for name, world in worlds.items():
            if name not in walk.held and len(world.writes) > before[name]:
                walk.held[name] = time.time()
    walk.load = os.getloadavg()[0]
    return walk


def complete(stage: Stage, walks: Sequence[Walk]) -> None:
    """When each lead was admitted, from the ledger."""
    with stage.house.ledger.snapshot() as tx:
        rows = tx.rows("select event_id, decided_at from submission where state = 'admitted'")
    decided = {row[0]: row[1] / 1e6 for row in rows}
    for walk in walks:
        walk.admitted = decided.get(walk.event_id, 0.0)


# -- telling ------------------------------------------------------------------------------------------------------------------

STAGES: Mapping[str, Callable[[Walk], float | None]] = {
    "intake answered (committed)": lambda walk: walk.answered - walk.posted,
    "admitted": lambda walk: walk.admitted - walk.posted if walk.admitted else None,
    "accepted by call center (SOAP)": lambda walk: walk.held[CALL_CENTER] - walk.posted if CALL_CENTER in walk.held else None,
    "accepted by CRM (REST)": lambda walk: walk.held[CRM] - walk.posted if CRM in walk.held else None,
    "accepted everywhere": lambda walk: max(walk.held.values()) - walk.posted if walk.held else None,
}


def table(walks: Sequence[Walk]) -> Table:
    """One line a stage, seconds since the POST."""
    return _table(
        f"webhook to acceptance through Airflow, {len(walks)} single leads, seconds since the POST",
        {name: [seconds for walk in walks if (seconds := measure(walk)) is not None] for name, measure in STAGES.items()},
    )


def _table(title: str, rows: Mapping[str, Sequence[float]]) -> Table:
    made = Table(title=title, title_justify="left")
    made.add_column("stage")
    for name in ("leads", "median", "p90", "p99", "max"):
        made.add_column(name, justify="right")
    for name, seconds in rows.items():
        figures = (statistics.median(seconds), *_share(seconds, 90, 99, 100)) if seconds else ()
        made.add_row(name, str(len(seconds)), *(f"{figure:.3f}" for figure in figures))
    return made


def _share(seconds: Sequence[float], *percent: int) -> list[float]:
    """Values that so many percent do not exceed; of 50 the 99th is the largest."""
    ordered = sorted(seconds)
    return [ordered[max(0, -(-len(ordered) * each // 100) - 1)] for each in percent]


def machine(walks: Sequence[Walk]) -> str:
    """What the figures stand on: they are worth nothing without it."""
    loads = [walk.load for walk in walks]
    return (
        f"machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()};"
        f" load average while it ran: median {statistics.median(loads):.1f}, highest {max(loads):.1f}"
    )


# -- where the time went ------------------------------------------------------------------------------------------------------


def steps(stage: Stage, walks: Sequence[Walk]) -> Table:
    """Every wait between two moments that somebody wrote down, of the first destination that held the lead."""
    admits = _instances(stage, "leadgate_admit")
    dispatches = _instances(stage, "leadgate_dispatch")
    rows: dict[str, list[float]] = {}
    for walk in walks:
        if not walk.held or not walk.admitted:
            continue
        arrived = min(walk.held.values())
        admit = _around(admits, "admit", walk.admitted)
        send = _around(dispatches, "send", arrived)
        due = next((each for each in dispatches if each["task"] == "due" and send and each["run"] == send["run"]), None)
        moments: list[tuple[str, float | None]] = [("posted", walk.posted), ("intake answered", walk.answered)]
        moments += [(f"admit {name}", admit.get(name)) for name in ("scheduled", "queued", "start")] if admit else []
        moments += [("admit committed", walk.admitted)]
        if send:  # it did not go express
            moments += [("admit end", admit.get("end"))]
            moments += [(f"due {name}", due.get(name)) for name in ("scheduled", "queued", "start", "end")] if due else []
            moments += [(f"send {name}", send.get(name)) for name in ("scheduled", "queued", "start")]
        known = [(name, moment) for name, moment in [*moments, ("vendor holds it", arrived)] if moment is not None]
        for (before, begin), (after, end) in pairwise(known):
            rows.setdefault(f"{before} -> {after}", []).append(end - begin)
    return _table("where the time went, to the first destination", rows)


def _around(instances: Iterable[Mapping[str, Any]], task: str, moment: float) -> dict[str, Any]:
    """The instance of ``task`` that was running at ``moment``, the one that started last if there are several."""
    found = [each for each in instances if each["task"] == task and each["start"] <= moment <= each["end"]]
    return dict(max(found, key=lambda each: float(each["start"]), default={}))


def _instances(stage: Stage, dag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        path = f"dags/{dag}/dagRuns/~/taskInstances?limit={_PAGE}&offset={len(found)}"
        page: list[dict[str, Any]] = stage.airflow.get(path)["task_instances"]
        found += [
            {
                "task": each["task_id"],
                "run": each["dag_run_id"],
                "scheduled": _moment(each["scheduled_when"]),
                "queued": _moment(each["queued_when"]),
                "start": _moment(each["start_date"]) or float("inf"),
                "end": _moment(each["end_date"]) or float("inf"),
            }
            for each in page
        ]
        if len(page) < _PAGE:
            return found


def _moment(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


if __name__ == "__main__":
    raise SystemExit(main())
