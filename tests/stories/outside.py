"""The world outside the house, as a hostile or unlucky day shows it: files as people save them, posts as tools sign them, and
commands as operators type them. Whatever the house answers is kept, so that a test can search it for people.
"""

from __future__ import annotations

import base64
import csv
import hmac
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
from rich.console import Console

from consent.audit import trace as tracing
from integrations.testing import invented_leads
from integrations.testing.invented import traces
from integrations.testing.invented_leads import RUSSIAN, Invented
from integrations.testing.sandbox import Sandbox
from leadgate.airflow.components import free_port
from leadgate.child_process import ChildProcess
from leadgate.pipeline.balance import Balance
from leadgate.pipeline.collect import CollectCount
from leadgate.rendering import balance_table, quarantine_table
from schemas.vocabulary import Language, SubmissionState
from tests.houses import house as houses
from tests.houses.house import Clock, TestHouse, settings_for

LEADGATE = str(Path(sys.executable).with_name("leadgate"))
#: The house of the tests lives in June; processes live now. Its notices are moved to days that are past whenever this runs.
_DAYS = {"2026-01-01T00:00:00+03:00": 25, "2026-05-01T00:00:00+03:00": 20, "2026-05-15T00:00:00+03:00": 5}
_SCREEN = 400  # columns: nothing is broken over lines


def moved_config(folder: Path, now: datetime) -> Path:
    """The configuration of the test house in ``folder``, its notices in force since some weeks ago."""
    text = houses.CONFIG.read_text(encoding="utf-8")
    for written, days in _DAYS.items():
        text = text.replace(written, (now - timedelta(days=days)).isoformat())
    path = folder / "leadgate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str


class Office(TestHouse):
    """A house of today, with an inbox folder, commands, and everything it ever said."""

    def __init__(self, folder: Path, sandbox: Sandbox, *, ledger_url: str) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir(exist_ok=True)
        self.said: list[str] = []
        settings = settings_for(state=folder / "state", ledger_url=ledger_url, config=moved_config(folder, now))
        super().__init__(settings, sandbox, clock=Clock(now))

    def environment(self, **changes: str) -> dict[str, str]:
        """What a process of this house is started with."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COLUMNS": str(_SCREEN),
            **self.sandbox.environment(),
            "AIRFLOW_CONN_PROOF_WEBHOOK": json.dumps({"conn_type": "http", "password": houses.WEBHOOK_SECRET}),
            "AIRFLOW_CONN_PROOF_VK": json.dumps({"conn_type": "http", "password": houses.VK_SECRET}),
            "LEADGATE_CONFIG": str(self.settings.path),
            "LEADGATE_STATE": str(self.settings.state),
            "LEADGATE_DATABASE_URL": self.settings.ledger_url,
        } | changes

    def command(self, *words: str, **changes: str) -> Told:
        """Run ``leadgate`` as an operator would."""
        done = subprocess.run(
            [LEADGATE, "-v", *words],
            env={name: value for name, value in self.environment(**changes).items() if value},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return Told(code=done.returncode, out=done.stdout, err=done.stderr)

    # -- in ---------------------------------------------------------------------------------------------------------------

    def drop(self, name: str, content: bytes) -> Path:
        """A finished file: nobody has written to it for a minute."""
        path = self.inbox / name
        path.write_bytes(content)
        written = self.clock.now.timestamp() - 60
        os.utime(path, (written, written))
        return path

    def collect(self) -> CollectCount:
        count = self.house.collect_files()
        self.said.append(repr(count))
        return count

    def take(self, name: str, content: bytes) -> CollectCount:
        """Drop a file, pick it up, decide its rows."""
        self.drop(name, content)
        count = self.collect()
        self.house.admit()
        return count

    def reason_beside(self, name: str) -> str:
        """The text beside the only refused file whose name begins so."""
        (found,) = (self.inbox / "rejected").glob(f"{Path(name).stem}.*.reason.txt")
        text = found.read_text(encoding="utf-8")
        self.said.append(text)
        assert (self.inbox / "rejected" / found.name.removesuffix(".reason.txt")).is_file(), "the file lies beside its reason"
        return text

    def russian(self, start: int) -> Invented:
        """The first lead from ``start`` on whose name is in Cyrillic, for a call and a card."""
        purposes = ["callback", "crm_followup"]
        found = (self.invented.lead(number, brand="lada", purposes=purposes) for number in range(start, start + 50))
        return next(lead for lead in found if lead.document["language"] == "ru")

    # -- look -------------------------------------------------------------------------------------------------------------

    def findings(self, state: SubmissionState = SubmissionState.QUARANTINED) -> list[list[tuple[str, str | None, str]]]:
        """(reason, field, hint) of each submission in ``state``, oldest first."""
        ordered = "select findings from submission where state = :state order by received_at, length(event_id), event_id"
        rows = self.rows(ordered, state=state.value)
        return [[(each["reason"], each["field"], each["hint"]) for each in json.loads(row[0])] for row in rows]

    def listing(self, state: SubmissionState = SubmissionState.QUARANTINED, language: str = "en") -> str:
        """What ``leadgate quarantine`` prints."""
        return self._print(quarantine_table(self.house.quarantined(100, state), language))

    def balance_shown(self, language: str) -> str:
        """What ``leadgate balance`` prints."""
        return self._print(balance_table(self.house.balance(), language))

    def settled(self, *, good: int) -> Balance:
        """Send everything; ``good`` leads must have arrived at both their destinations, and the books must close."""
        for _ in range(6):
            for name in self.house.destinations():
                self.dispatcher(name, worker=f"w{time.monotonic_ns()}").run(seconds=20)
            self.clock.advance(minutes=10)
        balance = self.house.balance()
        for language in ("en", "ru"):
            self.balance_shown(language)
        assert balance.closes
        assert balance.admitted == good
        accepted = sum(states.get("accepted", 0) for states in balance.deliveries.values())
        assert accepted == sum(sum(states.values()) for states in balance.deliveries.values()) == 2 * good
        stats = [self.world(name).stats() for name in self.settings.destinations]
        assert sum(each["records"] for each in stats) == 2 * good, "what we call accepted is what they hold"
        assert not any(each["doubles"] for each in stats)
        for (lead_id,) in self.rows("select lead_id from lead"):
            self.said.append(tracing.render(self.house.leaves_of(lead_id), language=Language.RU))
        report = self.verified()
        assert report.ok, report.findings
        return balance

    def names_nobody(self, *leads: Invented, also: Iterable[str] = (), log: Sequence[logging.LogRecord] = ()) -> None:
        """Refuse any trace of the people in anything that was said, listed, logged or kept in clear."""
        kept = [str(tuple(row)) for row in self.rows("select findings from submission where findings is not null")]
        kept += [str(tuple(row)) for row in self.rows("select reason, vendor_ref from delivery")]
        kept += [
            bytes(row[0]).decode(errors="replace")
            for row in self.rows("select body from audit_leaf union all select body from audit_pending")
        ]
        logged = [f"{record.getMessage()} {record.__dict__}" for record in log if record.name.split(".")[0] in _OURS]
        refuse_traces("\n".join([*self.said, *kept, *logged]), *leads, also=also)

    def _print(self, table: Any) -> str:
        console = Console(file=io.StringIO(), width=_SCREEN)
        console.print(table)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        self.said.append(text)
        return str(text)


_OURS = {"leadgate", "consent", "integrations", "schemas"}


def refuse_traces(text: str, *leads: Invented, also: Iterable[str] = ()) -> None:
    """Refuse ``text`` in which somebody can be found: as written, in digits, hex, base64, escapes."""
    assert text
    values = {value for lead in leads for value in (*lead.telling(), invented_leads.phone(lead.number % RUSSIAN))} | set(also)
    folded = text.casefold()
    for value in values:
        for trace in traces(value):
            assert trace not in text, f"a value is told, spelt so that it has {len(trace)} characters"
            assert value.casefold() not in folded


# -- files as people save them ---------------------------------------------------------------------------------------------


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A document as the columns of a table."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ";".join(value) if isinstance(value, list) else str(value)


def columns_of(leads: Sequence[Invented]) -> list[str]:
    return sorted({name for lead in leads for name, _ in flat(lead.document)})


def csv_text(leads: Sequence[Invented], *, delimiter: str = ",", header: Mapping[str, str] | None = None) -> str:
    """A table as a spreadsheet program saves it; ``header`` renames columns, "" leaves one out."""
    names = {name: (header or {}).get(name, name) for name in columns_of(leads)}
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow([written for written in names.values() if written])
    for lead in leads:
        row = dict(flat(lead.document))
        writer.writerow([row.get(name, "") for name, written in names.items() if written])
    return out.getvalue()


def json_lines(*leads: Invented | bytes) -> bytes:
    return b"".join((lead if isinstance(lead, bytes) else lead.body) + b"\n" for lead in leads)


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(rows: Sequence[Sequence[str]]) -> bytes:
    """An XLSX file of one sheet. A cell that begins with ``<`` is the inside of the cell itself: formulas, errors."""
    lines = "".join(
        f'<row r="{number}">{"".join(_cell(value) for value in cells)}</row>' for number, cells in enumerate(rows, start=1)
    )
    content = f"{_PACKAGE}/content-types"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{content}"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="Leads" sheetId="1" r:id="r"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def _cell(value: str) -> str:
    return value if value.startswith("<c") else f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


# -- posts as tools sign them ----------------------------------------------------------------------------------------------


def signed(
    event_id: str, body: bytes, *, at: datetime | None = None, secret: str = houses.WEBHOOK_SECRET, **headers: str | None
) -> dict[str, str]:
    """Headers of a signed post; a header given as None is left out, an underscore in its name is a dash.

    The signature is made by hand (Standard Webhooks, "signature scheme"), so that any bytes can be signed.
    """
    moment = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, b".".join((event_id.encode(), moment.encode(), body)), "sha256")
    made: dict[str, str | None] = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    made |= {name.replace("_", "-"): value for name, value in headers.items()}
    return {name: value for name, value in made.items() if value is not None}


@dataclass(slots=True, kw_only=True)
class Door:
    """A running intake service, and what it answered."""

    client: httpx.Client
    process: ChildProcess
    log: Path
    answers: list[str] = field(default_factory=list)

    def post(self, lead: Invented, **how: Any) -> httpx.Response:
        """A signed post of one lead; ``how`` spoils it (see ``signed``)."""
        return self.send(lead.body, signed(lead.event_id, lead.body, **how))

    def send(self, body: bytes | Iterator[bytes], headers: Mapping[str, str], *, source: str = "webhook") -> httpx.Response:
        response = self.client.post(f"/hooks/{source}", content=body, headers=dict(headers))
        self.answers.append(f"{response.headers} {response.text}")
        return response

    def said(self) -> list[str]:
        return [*self.answers, self.log.read_text(encoding="utf-8", errors="replace")]


@contextmanager
def intake(office: Office, **changes: str) -> Iterator[Door]:
    """``leadgate intake`` as a process of its own."""
    port = free_port()
    log = office.folder / f"intake-{port}.log"
    environment = {name: value for name, value in office.environment(**changes).items() if value}
    process = ChildProcess([LEADGATE, "-v", "intake", "--port", str(port)], log=log, cwd=office.folder, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield Door(client=client, process=process, log=log)
    finally:
        process.stop()


def office_at(folder: Path, *, keys: Path, ledger: Path, sandbox: Sandbox) -> Office:
    """An office over an empty SQLite ledger."""
    shutil.copytree(keys, folder / "state")
    shutil.copyfile(ledger, folder / "state" / "ledger.db")
    return Office(folder, sandbox, ledger_url=f"sqlite:///{folder / 'state' / 'ledger.db'}")
