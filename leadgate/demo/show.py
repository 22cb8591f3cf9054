"""The show: set the stage, feed the script, wait until the books close, and print what people want to see.

It refuses to say that all is well unless it is: every line of the verdict is checked.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from consent.audit import trace as tracing
from leadgate.airflow.components import CHECKOUT
from leadgate.demo import script
from leadgate.demo.script import Fed
from leadgate.demo.stage import Stage
from leadgate.pipeline.balance import Balance
from leadgate.rendering import balance_table
from leadgate.wiring.parts import utc_now
from schemas.vocabulary import Language, Outcome

#: Seconds to wait for the books to close, and for one DAG run to end.
_PATIENCE, _RUN_PATIENCE = 240.0, 180.0
#: Columns of a log file, where nobody wraps lines.
_PAPER_WIDTH = 160
#: Characters of a checkpoint's line that are shown.
_LONGEST_LINE = 100
_DONE = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the verdict."""

    what: str
    good: bool
    figure: str


def run(*, oneshot: bool, port: int | None = None, console: Console | None = None) -> int:
    """Run the demo; answer the exit code: 0 only if every check is good."""
    out = console or Console(highlight=False, soft_wrap=True)
    if not out.is_terminal:
        out = Console(highlight=False, width=_PAPER_WIDTH)
    stays = not oneshot and sys.stdin.isatty() and sys.stdout.isatty()
    began = time.monotonic()
    with Stage(CHECKOUT / ".leadgate" / "demo", tell=lambda what: out.print(f"  {what}", highlight=False)) as stage:
        out.print("[bold]Leadgate demo[/]: invented people, real Airflow, simulated call centers and CRMs")
        stage.start(airflow_port=port)
        for line in script.misbehave(stage):
            out.print(f"  trouble on purpose: {line}")
        fed = script.feed(stage, utc_now())
        out.print(f"  fed {fed.submissions} submissions: {fed.files} files, webhooks, VK; {fed.repeated} of them posted twice")
        balance = _wait(stage, fed, out)
        checks = [*_books(stage, fed, balance), *_evidence(stage, out), _airflow(stage)]
        out.print(balance_table(replace(stage.house.balance(), held=_held(stage)), "en"))
        _one_walk(stage, out)
        out.print(_verdict(checks))
        good = all(check.good for check in checks)
        word = "[bold green]all is well[/]" if good else "[bold red]NOT well[/]"
        out.print(f"{word} after {time.monotonic() - began:.0f} s")
        if stays:
            _stay(stage, out)
    return 0 if good else 1


def _wait(stage: Stage, fed: Fed, out: Console) -> Balance:
    """Wait until everything fed is decided and delivered, with a progress display."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    deadline = time.monotonic() + _PATIENCE
    with Progress(*columns, console=out, transient=True) as progress:
        received = progress.add_task("received ", total=fed.submissions)
        decided = progress.add_task("decided  ", total=fed.submissions)
        delivered = progress.add_task("delivered", total=None)
        while True:
            balance = stage.house.balance(keep=False)
            states = Counter[str]()
            for counts in balance.deliveries.values():
                states.update(counts)
            final = states[Outcome.ACCEPTED] + states[Outcome.REJECTED] + states[Outcome.DEAD] + states[Outcome.SUPPRESSED]
            progress.update(received, completed=balance.received)
            progress.update(decided, completed=balance.received - balance.waiting)
            progress.update(delivered, completed=final, total=sum(states.values()) or None)
            if (balance.received >= fed.submissions and balance.closes) or time.monotonic() > deadline:
                return balance
            time.sleep(0.5)


def _held(stage: Stage) -> dict[str, int]:
    return {name: server.simulator.world.stats()["records"] for name, server in stage.sandbox.servers.items()}


def _books(stage: Stage, fed: Fed, balance: Balance) -> list[Check]:
    held = _held(stage)
    accepted = {name: balance.deliveries.get(name, {}).get(Outcome.ACCEPTED, 0) for name in held}
    doubles = sum(len(server.simulator.world.stats()["doubles"]) for server in stage.sandbox.servers.values())
    total = sum(sum(states.values()) for states in balance.deliveries.values())
    equation = f"{balance.received} = {balance.admitted} + {balance.quarantined} + {balance.refused}"
    return [
        Check(
            what="everything fed was received, once",
            good=balance.received == fed.submissions,
            figure=f"{balance.received} of {fed.submissions}",
        ),
        Check(what="received = admitted + quarantined + refused", good=balance.decided, figure=equation),
        Check(what="every delivery has exactly one outcome", good=balance.settled, figure=f"{total} deliveries"),
        Check(
            what="what we call accepted is what the destinations hold",
            good=accepted == held,
            figure=f"{sum(held.values())} records",
        ),
        Check(what="the lost answer made no double", good=doubles == 0, figure=f"{doubles} doubles"),
        Check(
            what="answered within the promised time",
            good=balance.late == 0,
            figure=f"slowest {balance.longest_seconds or 0:.1f} s",
        ),
    ]


def _evidence(stage: Stage, out: Console) -> list[Check]:
    """Seal and verify through Airflow, then verify once more ourselves."""
    for dag in ("leadgate_seal", "leadgate_verify"):
        state = _trigger(stage, dag)
        if state != "success":
            return [Check(what=f"{dag} ran", good=False, figure=state)]
    report = stage.house.verify()
    if report.checkpoint is not None:
        out.print(Panel(_shortened(report.checkpoint.note), title="signed checkpoint", expand=False))
    figure = f"{report.sealed} of {report.leaves} leaves, {len(report.findings)} findings"
    return [
        Check(what="the log verifies against its public key", good=report.ok and report.sealed == report.leaves, figure=figure)
    ]


def _shortened(note: str) -> str:
    """A checkpoint for a person's eyes: a signature that resists quantum computers alone is forty lines long."""
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..." for line in note.rstrip().splitlines()]
    return "\n".join(lines)


def _trigger(stage: Stage, dag: str) -> str:
    run_id = stage.airflow.trigger(dag)
    deadline = time.monotonic() + _RUN_PATIENCE
    while time.monotonic() < deadline:
        state = str(stage.airflow.get(f"/dags/{dag}/dagRuns/{run_id}")["state"])
        if state in _DONE:
            return state
        time.sleep(0.5)
    return "timeout"


def _airflow(stage: Stage) -> Check:
    """Airflow's own record of what ran."""
    runs: Counter[str] = Counter()
    deadline = time.monotonic() + _RUN_PATIENCE
    while time.monotonic() < deadline:
        runs = Counter(_run_states(stage))
        if not runs.keys() - _DONE:
            break
        time.sleep(0.5)
    figure = ", ".join(f"{count} {state}" for state, count in sorted(runs.items()))
    return Check(what="Airflow's own record: every DAG run succeeded", good=set(runs) == {"success"}, figure=figure)


def _run_states(stage: Stage) -> list[str]:
    states: list[str] = []
    while True:  # Airflow's API answers a hundred runs at most, whatever is asked for
        page: Mapping[str, Any] = stage.airflow.get(f"/dags/~/dagRuns?order_by=run_id&limit=100&offset={len(states)}")
        states += [each["state"] for each in page["dag_runs"]]
        if not page["dag_runs"] or len(states) >= page["total_entries"]:
            return states


def _one_walk(stage: Stage, out: Console) -> None:
    """Trace the lead whose answer was lost."""
    lead = stage.house.example_lead()
    if lead is None:
        return
    leaves = stage.house.leaves_of(lead)
    out.print(f"[bold]One lead's walk[/] (leadgate trace {lead})")
    out.print(tracing.render(leaves, language=Language.EN), markup=False)
    out.print("[bold]The same in Russian[/] (--lang ru)")
    out.print(tracing.render(leaves, language=Language.RU), markup=False)


def _verdict(checks: list[Check]) -> Table:
    table = Table("check", "", "figure", title="Verdict")
    for check in checks:
        table.add_row(check.what, "[green]ok[/]" if check.good else "[red]NO[/]", check.figure)
    return table


def _stay(stage: Stage, out: Console) -> None:
    out.print(f"[bold]Airflow[/]   {stage.airflow.url}   user [bold]engineer[/] password [bold]{stage.airflow.password()}[/]")
    out.print(f"[bold]Intake[/]    {stage.intake_url}/hooks/lada_webhook, {stage.intake_url}/metrics")
    for name, server in stage.sandbox.servers.items():
        out.print(f"[bold]{name}[/]   {server.control_url}/records")
    inbox = stage.house.settings.sources["lada_export"].inbox
    out.print("To try the commands on these leads, paste into another shell (then, say, .venv/bin/leadgate balance --lang ru):")
    for name in ("LEADGATE_CONFIG", "LEADGATE_STATE", "LEADGATE_DATABASE_URL"):
        out.print(f"export {name}={shlex.quote(stage.environment[name])}", markup=False)
    out.print(f"Drop a file into {inbox} and watch. Ctrl-C ends it and cleans up.", markup=False)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        out.print("ending ...")
