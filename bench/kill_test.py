"""Kills the worker with SIGKILL at random moments, lets fresh ones finish, and counts at the destinations what was lost or
doubled.

One run: some leads are handed in, and a real process receives, admits, dispatches and seals them; more than half of these
processes send express, in admission. It is killed at a random moment, mostly of admission or dispatch; the next one may be
killed too. Then fresh processes go on until nothing waits. The two destinations live in a process of their own and stay alive:
an upserting CRM (REST) and a call center that makes a double of every repetition (SOAP). A request that was on its way when the
worker died is carried out after its death, as a real vendor would.

After each run the destinations are asked: every lead must stand there exactly once, and the log must verify.

    python bench/kill_test.py --runs 50            # half on SQLite, half on Postgres
    python bench/kill_test.py --runs 6 --database sqlite --seed 42
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import secrets
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from integrations.sources.document import DOCUMENT
from integrations.testing.invented_leads import InventedLeads
from integrations.testing.sandbox import Sandbox, Stand
from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import Settings, load
from leadgate.wiring import House, environment_credentials
from leadgate.wiring.keys import create_keys
from leadgate.wiring.parts import utc_now
from schemas.errors import DeliveryError
from schemas.personal import Personal
from schemas.submission import Submission

ROOT = Path(__file__).resolve().parents[1]
DESTINATIONS = ("lada_call_center", "lada_crm")
#: What the worker is at; its place in the list is what it writes into the shared number.
PHASES = ("start", "receive", "admit", "dispatch", "seal", "idle")
#: Short, so that a run takes seconds; the proportions are those of production (lease > timeouts + margin, then settle).
_CONNECT, _READ, _MARGIN, _LEASE, _SETTLE = 0.4, 0.8, 0.3, 2.0, 0.5
#: Every write at a destination takes this long, in seconds: a worker that dies leaves a request under way.
_SLOW = 0.04
_GIVE_UP = 120.0  # seconds for one run to drain
#: Where the next worker dies; within a phase every moment is as likely as another.
_DEATHS = ("receive", "admit", "admit", "admit", "admit", "dispatch", "dispatch", "dispatch", "dispatch", "seal")
_KILLED_AGAIN = 0.3
#: How many of the workers send what they admit at once.
_EXPRESS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a worker needs to open the house."""

    state: str
    ledger_url: str
    connections: Mapping[str, str]
    seed: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What all runs came to."""

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    leads: int = 0
    lost: int = 0
    doubled: int = 0
    verified: int = 0
    read_back: int = 0  # deliveries whose answer died with the worker and that were found at the destination
    sent_again: int = 0  # deliveries that were read back, found absent, and sent again
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.lost == 0 and self.doubled == 0 and self.verified == self.runs

    def as_dict(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


# -- the worker ------------------------------------------------------------------------------------------------------------


def settings_of(plan: Plan) -> Settings:
    """leadgate.yaml as it is, with timeouts and leases of seconds."""
    settings = load(ROOT / "leadgate.yaml", {"LEADGATE_STATE": plan.state, "LEADGATE_DATABASE_URL": plan.ledger_url})
    rules = replace(
        settings.delivery,
        lease=timedelta(seconds=_LEASE),
        call_margin=timedelta(seconds=_MARGIN),
        settle=timedelta(seconds=_SETTLE),
        backoff_base=timedelta(seconds=0.2),
        breaker_pause=timedelta(seconds=0.5),
        backoff_cap=timedelta(seconds=1),
    )
    limits = {"connect_timeout": _CONNECT, "read_timeout": _READ}
    destinations = {name: replace(each, overrides={**each.overrides, **limits}) for name, each in settings.destinations.items()}
    return replace(settings, delivery=rules, destinations=destinations)


def open_house(plan: Plan) -> House:
    return House(settings_of(plan), credentials=environment_credentials(dict(plan.connections)))


def submissions(house: House, plan: Plan, start: int, count: int) -> list[Submission]:
    """The run's leads; a sender that heard nothing hands in the very same again."""
    invented = InventedLeads(house.policies, now=utc_now(), seed=plan.seed)
    return [
        Submission(source="lada_webhook", event_id=each.event_id, media_type=DOCUMENT, body=Personal(each.body))
        for each in invented.many(count, start=start, brand="lada")
    ]


def work(plan: Plan, start: int, count: int, phase: Any, *, send: bool) -> None:
    """Receive, admit (and send express, if ``send``), dispatch and seal until nothing waits; then end with 0."""

    def at(name: str) -> None:
        phase.value = PHASES.index(name)

    with open_house(plan) as house:
        batch = submissions(house, plan, start, count)
        connectors = [house.dispatcher(name) for name in DESTINATIONS]
        at("receive")
        for part in range(0, count, 40):
            house.receiver.commit(batch[part : part + 40])
        while True:
            at("admit")
            house.admitter.run(seconds=30, batch=60, express=house.express() if send else None)
            at("dispatch")
            for dispatcher in connectors:
                with suppress(DeliveryError):
                    dispatcher.run(seconds=30)
            at("seal")
            house.seal()
            at("idle")
            balance = house.balance()
            if balance.decided and balance.settled:
                return
            time.sleep(0.1)


# -- the destinations ------------------------------------------------------------------------------------------------------


def serve(channel: Connection) -> None:
    """The two destinations, until the channel closes."""
    stands = [
        Stand(simulator="soap_call_center", name="lada_call_center", connection="leadgate_lada_call_center"),
        Stand(simulator="json_crm", name="lada_crm", connection="leadgate_lada_crm"),
    ]
    with Sandbox(stands) as sandbox:
        for server in sandbox.servers.values():
            server.simulator.knobs.slow(_SLOW)
        channel.send((sandbox.environment(), {each["name"]: each["control"] for each in sandbox.describe()}))
        with suppress(EOFError):
            channel.recv()


@contextmanager
def destinations(context: ForkServerContext) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """(connections, control addresses) of two destinations in a process of their own."""
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(10)


def records(control: str) -> dict[str, int]:
    """Key -> how often it stands at the destination."""
    with urllib.request.urlopen(f"{control}/records", timeout=30) as answer:  # noqa: S310 - our own loopback address
        return Counter(each["key"] for each in json.load(answer)["records"])


# -- one run ---------------------------------------------------------------------------------------------------------------


class Runs:
    """Runs over one ledger."""

    def __init__(
        self, context: ForkServerContext, plan: Plan, *, controls: Mapping[str, str], chance: random.Random, leads: int
    ) -> None:
        self._context = context
        self._plan = plan
        self._controls = controls
        self._chance = chance
        self._leads = leads
        self._number = 0
        self._phase = context.Value("i", 0)
        self._typical: dict[str, float] = {}  # seconds a phase takes when nobody kills the worker

    def warm_up(self) -> None:
        """One run in peace tells how long each phase takes."""
        worker = self._start()
        began = dict.fromkeys(PHASES, 0.0)
        for place, name in enumerate(PHASES):
            self._wait_for(place, worker)
            began[name] = time.monotonic()
        ends = [*list(began.values())[1:], time.monotonic()]
        self._typical = {name: end - start for (name, start), end in zip(began.items(), ends, strict=True)}
        worker.join(_GIVE_UP)
        self._number += 1

    def one(self, tally: Tally) -> str:
        """Kill once or more, drain, count; answer a line for people."""
        killed: list[str] = []
        while not killed or self._chance.random() < _KILLED_AGAIN:
            where = self._kill()
            if where is None:  # it was faster than we meant; nothing is left to be interrupted
                if killed:
                    break
                self._number += 1
            else:
                killed.append(where)
        self._finish()
        self._number += 1
        tally.runs += 1
        tally.kills.update(killed)
        tally.leads = self._number * self._leads
        lost, doubled, ok = self._count(tally)
        tally.lost += lost
        tally.doubled += doubled
        tally.verified += ok
        return f"killed in {', '.join(killed)}; lost {lost}, doubled {doubled}, log {'verified' if ok else 'BROKEN'}"

    def _kill(self) -> str | None:
        """Start a worker and kill it; where it was, or None if it had ended."""
        phase = self._chance.choice(_DEATHS)
        worker = self._start()
        self._wait_for(PHASES.index(phase), worker)
        worker.join(self._chance.uniform(0, self._typical[phase]))
        if not worker.is_alive():
            return None
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        return PHASES[self._phase.value]

    def _start(self) -> ForkServerProcess:
        self._phase.value = 0
        send = self._chance.random() < _EXPRESS
        arguments = (self._plan, self._number * self._leads, self._leads, self._phase)
        worker = self._context.Process(target=work, args=arguments, kwargs={"send": send}, daemon=True)
        worker.start()
        return worker

    def _wait_for(self, phase: int, worker: ForkServerProcess) -> None:
        while self._phase.value < phase and worker.is_alive():
            time.sleep(0.001)

    def _finish(self) -> None:
        """Fresh workers, left alone, until nothing waits."""
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            worker = self._start()
            worker.join(max(0.1, deadline - time.monotonic()))
            if worker.exitcode == 0:
                return
            if worker.is_alive():
                worker.kill()
        raise SystemExit(f"the run did not drain within {_GIVE_UP:.0f} s: state in {self._plan.state}")

    def _count(self, tally: Tally) -> tuple[int, int, bool]:
        """Ask the destinations, not ourselves."""
        lost = doubled = 0
        with open_house(self._plan) as house:
            with house.ledger.snapshot() as tx:
                admitted = tx.rows("select count(*), count(distinct submission_id) from lead")[0]
                expected = {
                    name: {row[0] for row in tx.rows("select key from delivery where destination = :name", name=name)}
                    for name in DESTINATIONS
                }
                tally.read_back = tx.rows("select count(*) from delivery where reason = 'read_back_found'")[0][0]
                tally.sent_again = tx.rows("select count(*) from delivery where attempt > 1")[0][0]
            lost += max(0, self._number * self._leads - admitted[1])
            doubled += admitted[0] - admitted[1]
            for name in DESTINATIONS:
                held = records(self._controls[name])
                lost += max(0, self._number * self._leads - len(held)) + len(expected[name] - held.keys())
                doubled += sum(count - 1 for count in held.values()) + len(held.keys() - expected[name])
            return lost, doubled, house.verify().ok


@contextmanager
def prepared(database: str, seed: int, connections: Mapping[str, str]) -> Iterator[Plan]:
    """An empty ledger with keys."""
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"leadgate-kill-{database}-"))
        url = f"sqlite:///{state}/ledger.db"
        if database == "postgres":
            server = stack.enter_context(EmbeddedPostgres()).start(Path(state) / "postgres")
            server.create_database("ledger")
            url = server.url("ledger")
        plan = Plan(state=state, ledger_url=url, connections=connections, seed=seed)
        with open_house(plan) as house:
            create_keys(house.settings, clock=house.clock)
            house.upgrade()
        yield plan


def run(databases: list[str], *, runs: int, leads: int, seed: int) -> dict[str, Tally]:
    """Do all runs, spread over the databases; print a line for each."""
    context = multiprocessing.get_context("forkserver")
    # Whoever is killed must cost its fork and not its imports: hundreds of processes are started.
    context.set_forkserver_preload(
        ["__main__", "bench.kill_test", "integrations.declarative.soap", "integrations.declarative.rest"]
    )
    tallies = {database: Tally() for database in databases}

    def lane(place: int, database: str) -> None:
        share = runs // len(databases) + (place < runs % len(databases))
        tally = tallies[database]
        began = time.monotonic()
        with destinations(context) as (connections, controls), prepared(database, seed, connections) as plan:
            chance = random.Random(f"{seed}:{database}")
            over = Runs(context, plan, controls=controls, chance=chance, leads=leads)
            over.warm_up()
            for number in range(1, share + 1):
                print(f"{database:8} run {number:>3}/{share}: {over.one(tally)}", flush=True)
        tally.seconds = time.monotonic() - began

    # Leases and pauses are most of a run, so the databases take theirs side by side.
    with ThreadPoolExecutor(len(databases)) as lanes:
        for done in [lanes.submit(lane, *each) for each in enumerate(databases)]:
            done.result()
    return tallies


def report(tallies: Mapping[str, Tally], seed: int) -> bool:
    """Print the counts; whether everything is as promised."""
    print(f"\nseed {seed}")
    for database, tally in tallies.items():
        where = ", ".join(f"{name} {tally.kills[name]}" for name in PHASES if tally.kills[name])
        print(
            f"{database}: {tally.runs} runs, {tally.kills.total()} kills ({where}), {tally.leads} leads at 2 destinations each;"
            f" {tally.read_back} found by read-back, {tally.sent_again} sent again;"
            f" lost {tally.lost}, doubled {tally.doubled}, log verified {tally.verified}/{tally.runs} ({tally.seconds:.0f} s)"
        )
    good = all(tally.good for tally in tallies.values())
    print("0 lost, 0 doubled: every lead stands at both destinations exactly once." if good else "A PROMISE IS BROKEN.")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--leads", type=int, default=150, help="leads a run; each goes to both destinations")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="for the moments of death and the leads")
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON line at the end")
    asked = parser.parse_args()
    databases = ["sqlite", "postgres"] if asked.database == "both" else [asked.database]
    print(f"seed {asked.seed}", flush=True)
    tallies = run(databases, runs=asked.runs, leads=asked.leads, seed=asked.seed)
    good = report(tallies, asked.seed)
    if asked.json:
        print(json.dumps({name: tally.as_dict() for name, tally in tallies.items()}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
