"""An office with an installation of its own: the command line as a real process, files in inbox folders, simulated vendors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.testing.invented_leads import Flaw, Invented, InventedLeads
from integrations.testing.sandbox import Sandbox, Stand
from leadgate.wiring import open_house

CHECKOUT = Path(__file__).resolve().parents[2]
_STANDS = (
    Stand(simulator="soap_call_center", name="lada_call_center", connection="leadgate_lada_call_center"),
    Stand(simulator="json_crm", name="lada_crm", connection="leadgate_lada_crm"),
    Stand(simulator="soap_call_center", name="s7_call_center", connection="leadgate_s7_call_center"),
    Stand(simulator="salesforce", name="s7_crm", connection="leadgate_s7_crm"),
)
#: Older than any settle time: the file is finished.
_LONG_AGO = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Its standard output as the one JSON document it must be."""
        assert self.out.count("\n") == 1, "one document on one line"
        return json.loads(self.out)


class Office:
    """One folder with leadgate.yaml, keys, ledger and inboxes."""

    def __init__(self, folder: Path, connections: dict[str, str]) -> None:
        self.folder = folder
        self.said: list[str] = []
        shutil.copy(CHECKOUT / "leadgate.yaml", folder)
        shutil.copytree(CHECKOUT / "notices", folder / "notices")
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("LEADGATE_", "AIRFLOW_CONN_"))}
        self.environment = {**bare, **connections, "LEADGATE_CONFIG": str(folder / "leadgate.yaml"), "TERM": "dumb"}

    def run(self, *words: str, typed: str = "", **environment: str) -> Told:
        """Run ``leadgate WORDS``; ``typed`` is its standard input."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("leadgate")), *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return Told(code=done.returncode, out=done.stdout, err=done.stderr)

    def invented(self) -> InventedLeads:
        with open_house(config=self.folder / "leadgate.yaml") as house:
            return InventedLeads(house.policies, now=datetime.now(UTC), seed=11)

    def recorded(self, lead_id: str) -> str:
        """The external id under which the CRM keeps a lead."""
        with open_house(config=self.folder / "leadgate.yaml") as house, house.ledger.snapshot() as tx:
            ((key,),) = tx.rows("select key from delivery where lead_id = :lead and destination = 'lada_crm'", lead=lead_id)
            return str(key)

    def drop(self, name: str, leads: Sequence[Invented] | bytes) -> None:
        """Put a finished file into the inbox of ``lada_export``."""
        inbox = self.folder / ".leadgate" / "inbox" / "lada"
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(leads if isinstance(leads, bytes) else b"".join(each.body + b"\n" for each in leads))
        os.utime(inbox / name, (_LONG_AGO, _LONG_AGO))


@pytest.fixture(scope="session")
def connections() -> Iterator[dict[str, str]]:
    with Sandbox(_STANDS) as sandbox:
        yield sandbox.environment()


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Freshly unpacked: no keys, no ledger, no connections."""
    return Office(tmp_path_factory.mktemp("bare"), {})


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day's work done: leads in, decided, delivered, sealed."""

    office: Office
    good: tuple[Invented, ...]
    bad: tuple[Invented, ...]


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory, connections: dict[str, str]) -> Day:
    office = Office(tmp_path_factory.mktemp("office"), connections)
    assert office.run("keys", "init").code == 0
    assert office.run("ledger", "upgrade").code == 0
    invented = office.invented()
    good = tuple(invented.lead(number, brand="lada", purposes=["callback", "crm_followup"]) for number in range(3))
    flaws = (Flaw.IMPOSSIBLE_PHONE, Flaw.UNKNOWN_NOTICE, Flaw.FOREIGN_COUNTRY)
    bad = tuple(invented.lead(10 + place, brand="lada", flaw=flaw) for place, flaw in enumerate(flaws))
    office.drop("day.jsonl", [*good, *bad])
    office.drop("broken.csv", b"one;two\n1;2\n")
    for verb in ("collect", "admit", "dispatch", "seal"):
        told = office.run(verb)
        assert told.code == 0, told.err
    return Day(office=office, good=good, bad=bad)
