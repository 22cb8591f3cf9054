"""A year of the airline, side by side: durable Leadgate on Postgres and on SQLite, drt and dlt, in turns on one machine.

Everybody reads the same leads, checks sixteen fields and posts batches of 200 to the same sink on the loopback. The peers mask
four fields with a bare hash and remember nothing. Leadgate asks for consent twice, seals each person under a key of their own,
indexes them blindly, writes a leaf for each admission and each acceptance, and commits every step to the disk (fsync).

Leadgate works as its Airflow does under a backlog: two runs of admission that send express, and dispatch for whatever did not
go that way. The clock runs from the word "go" to the last acceptance; starting, importing and filling Leadgate's inbox are
outside it (the inbox is timed on a line of its own). One Postgres server lives through all rounds, as a server does, with a new
ledger in each. Everything happens in a temporary folder and ends with it.

    python bench/throughput.py --peers .venv-bench/bin/python [--leads 85000] [--rounds 5] [--only postgres,drt]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

import psycopg
from psycopg import sql
from throughput_input import write_leads, write_settings

from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import load
from leadgate.wiring.credentials import environment_credentials
from leadgate.wiring.house import House
from leadgate.wiring.keys import create_keys
from leadgate.wiring.parts import utc_now

HERE = Path(__file__).parent
ROOT = HERE.parent
#: Our processes: the DAGs let two runs of admission help each other.
ROLES = {"admit": "admit", "admit too": "admit", "dispatch": "dispatch"}
CONTESTANTS = ("postgres", "drt", "sqlite", "drt_tuned", "dlt")
#: Arguments of a peer, after its input and the sink: drt's batch size.
_PEERS = {"drt": ("drt_job.py", "200"), "drt_tuned": ("drt_job.py", "10000"), "dlt": ("dlt_job.py",)}
#: Seconds after which a contestant is given up.
PATIENCE = 1800
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contestant in one round. ``parts`` are the reports of its processes."""

    name: str
    leads: int
    seconds: float
    server_cpu: float = 0.0
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: str = ""

    @property
    def rate(self) -> float:
        return self.leads / self.seconds

    @property
    def cpu(self) -> float:
        return sum(part["cpu"] for part in self.parts.values())

    @property
    def rss(self) -> float:
        return max(part["rss_mb"] for part in self.parts.values())


class Process:
    """A worker that speaks lines of JSON (peers/worker.py)."""

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True, cwd=HERE / "peers"
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError("unreachable: both are pipes")
        self._process, self._in, self._out = process, process.stdin, process.stdout
        self.said = self.hear()

    def hear(self) -> dict[str, Any]:
        """The next line."""
        line = self._out.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self._process.wait()} before it was done")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def go(self) -> None:
        """Let it begin."""
        self._in.write("go\n")
        self._in.flush()

    def end(self) -> None:
        """Close its standard input and wait."""
        with contextlib.suppress(OSError):
            self._in.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def processes(*started: Process) -> Iterator[None]:
    """End what was started, whatever happens."""
    try:
        yield
    finally:
        for process in started:
            process.end()


class Server:
    """One embedded Postgres, started when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres = EmbeddedPostgres()
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._postgres.stop()

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return self._postgres.pid

    @contextlib.contextmanager
    def new_ledger(self, name: str) -> Iterator[str]:
        """The address of an empty database that is dropped afterwards. What was left to write of others is written first."""
        if not self._started:
            self._postgres.start(self._folder / "pg")
            self._started = True
        self._postgres.create_database(name)
        self._say(sql.SQL("checkpoint"))
        yield self._postgres.url(name)
        self._say(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def _say(self, statement: sql.Composable) -> None:
        with psycopg.connect(self._postgres.libpq_url(), autocommit=True) as connection:
            connection.execute(statement)


# -- the contestants ----------------------------------------------------------------------------------------------------------


class Bench:
    """Everything the runs share."""

    def __init__(self, folder: Path, *, peers: str, leads: int, server: Server) -> None:
        self.folder, self.peers, self.leads, self.server = folder, peers, leads, server
        self.config = write_settings(folder)
        self.documents, self.records = write_leads(folder, self.config, leads)
        self.sink = Process(sys.executable, "sink.py")
        self.url = f"http://127.0.0.1:{self.sink.said['port']}"
        self._turn = 0

    def run(self, name: str) -> Run:
        """One contestant, once; checks that the sink has every record."""
        self._turn += 1
        self.drain()
        run = self._leadgate(name) if name in ("postgres", "sqlite") else self._peer(name)
        if (arrived := self.drain()) != self.leads:
            raise SystemExit(f"{name}: {arrived} of {self.leads} records arrived")
        return run

    def drain(self) -> int:
        """How many records arrived since the last question."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:  # noqa: S310 - our own loopback address
            counted: int = json.load(answer)["records"]
            return counted

    def _peer(self, name: str) -> Run:
        env = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "DRT_TELEMETRY": "0"}
        script, *more = _PEERS[name]
        worker = Process(self.peers, script, str(self.records), f"{self.url}/v1/leads/upsert", *more, env=env)
        with processes(worker):
            worker.go()
            report = worker.hear()
        return Run(name=name, leads=report["leads"], seconds=report["seconds"], parts={"process": report})

    def _leadgate(self, name: str) -> Run:
        state = self.folder / f"state-{self._turn}"
        state.mkdir()
        env = os.environ | self._environment(state)
        try:
            if name == "sqlite":
                return self._walk(name, env, None)
            with self.server.new_ledger(f"leadgate_{self._turn}") as url:
                return self._walk(name, env | {"LEADGATE_DATABASE_URL": url}, self.server.pid)
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def _environment(self, state: Path) -> dict[str, str]:
        connection = {"conn_type": "leadgate-json-crm", "host": self.url, "password": "sandbox-secret"}
        return {"LEADGATE_STATE": str(state), "AIRFLOW_CONN_BENCH_CRM": json.dumps(connection)}

    def _walk(self, name: str, env: dict[str, str], server: int | None) -> Run:
        settings = load(self.config, env=env)
        create_keys(settings, clock=utc_now)
        with House(settings, credentials=environment_credentials(env)) as house:
            house.upgrade()
        received = self._receive(env)
        roles = {name: self._worker(role, env) for name, role in ROLES.items()}
        with processes(*roles.values()):
            before, began = server_cpu(server), time.perf_counter()
            for worker in roles.values():
                worker.go()
            parts = {role: worker.hear() for role, worker in roles.items()}
            seconds, spent = time.perf_counter() - began, server_cpu(server) - before
        sealing = self._worker("seal", env)
        with processes(sealing):
            sealing.go()
            sealed = sealing.hear()
        notes = f"inbox {self.leads / received['seconds']:,.0f}/s, seal {sealed['leaves'] / sealed['seconds']:,.0f} leaves/s"
        return Run(name=name, leads=parts["dispatch"]["leads"], seconds=seconds, server_cpu=spent, parts=parts, notes=notes)

    def _receive(self, env: dict[str, str]) -> dict[str, Any]:
        inbox = self.folder / "inbox"
        shutil.rmtree(inbox, ignore_errors=True)
        inbox.mkdir()
        shutil.copy(self.documents, inbox / "leads.jsonl")
        (inbox / "leads.jsonl.done").touch()
        worker = self._worker("receive", env)
        with processes(worker):
            worker.go()
            report = worker.hear()
        if report["leads"] != self.leads:
            raise SystemExit(f"the inbox took {report['leads']} of {self.leads} leads")
        return report

    def _worker(self, role: str, env: dict[str, str]) -> Process:
        return Process(sys.executable, "leadgate_job.py", role, str(self.config), str(self.leads), env=env)


def server_cpu(postmaster: int | None) -> float:
    """Seconds of processor time of a Postgres server and every backend it has or had."""
    if postmaster is None:
        return 0.0
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == postmaster:
            total += sum(map(int, words[11:15]))  # its own and its ended children's (proc_pid_stat(5), 14 to 17)
        elif int(words[1]) == postmaster:
            total += sum(map(int, words[11:13]))
    return total / _TICKS


# -- the report ---------------------------------------------------------------------------------------------------------------


def show(run: Run) -> None:
    """One line while it goes on."""
    parts = ", ".join(f"{name} {part['cpu']:.1f}" for name, part in run.parts.items())
    server = f", server {run.server_cpu:.1f}" if run.server_cpu else ""
    print(
        f"  {run.name:9} {run.rate:8,.0f} leads/s  {run.seconds:6.1f} s"
        f"  CPU s: {parts}{server}  peak {run.rss:.0f} MB  {run.notes}",
        flush=True,
    )


def summary(runs: Sequence[Run]) -> None:
    """Medians, and everybody against drt."""
    names = list(dict.fromkeys(run.name for run in runs))
    of = {name: [run for run in runs if run.name == name] for name in names}
    drt = median(run.rate for run in of["drt"]) if "drt" in of else None
    print("\nmedians     leads/s   x drt   CPU us/lead   server CPU us/lead   peak RSS MB (largest process)")
    for name in names:
        rate = median(run.rate for run in of[name])
        ratio = f"{rate / drt:5.2f}" if drt else "    -"
        cpu = median(run.cpu / run.leads for run in of[name]) * 1e6
        server = median(run.server_cpu / run.leads for run in of[name]) * 1e6
        print(f"{name:9} {rate:9,.0f}   {ratio}   {cpu:11.0f}   {server:18.0f}   {max(run.rss for run in of[name]):11.0f}")


def machine() -> str:
    """What it ran on."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?"
    )
    load_now = os.getloadavg()[0]
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, load {load_now:.1f} before the first run"


def main() -> None:
    """Parse, run in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=str(ROOT / ".venv-bench/bin/python"), help="interpreter that has drt and dlt")
    parser.add_argument("--leads", type=int, default=85_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, separated by commas")
    chosen = parser.parse_args()
    names = chosen.only.split(",")
    print(f"{machine()}\n{chosen.leads:,} leads, {chosen.rounds} rounds of {', '.join(names)}", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="leadgate-bench-") as folder, Server(Path(folder)) as server:
        bench = Bench(Path(folder), peers=chosen.peers, leads=chosen.leads, server=server)
        with processes(bench.sink):
            for turn in range(chosen.rounds):
                print(f"round {turn + 1}", flush=True)
                for name in names:
                    runs.append(bench.run(name))
                    show(runs[-1])
    summary(runs)


if __name__ == "__main__":
    main()
