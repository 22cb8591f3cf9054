"""One bad day through a real Airflow, and nobody to be found afterwards: good and bad leads by file, webhook and VK; a vendor
that throttles, one that loses its answer, one that quotes people in its refusals, one whose password changed.

The whole installation runs once, as processes; the tests below ask what it left behind.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from standardwebhooks import Webhook

from integrations.testing.invented_leads import Flaw, Invented, InventedLeads
from integrations.testing.knobs import FaultKind
from leadgate.airflow.components import CHECKOUT
from leadgate.demo.stage import WEBHOOKS, Stage
from leadgate.pipeline.balance import Balance
from leadgate.wiring.parts import utc_now
from schemas.vocabulary import Language, Outcome
from tests.stories.canary import Find, Scanner
from tests.stories.outside import csv_text

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.timeout(900)]

LADA_CALLS, LADA_CRM, S7_CALLS, S7_CRM = "lada_call_center", "lada_crm", "s7_call_center", "s7_crm"
#: What everybody here has in common, so that a few words find them all: names, towns and addresses, texts, accounts, phones.
_COMMON = ("Канарелл", "Kanarell", "щебетун", "chirpett", "990077130")
SCANNER = Scanner([*_COMMON, *(f"+790000077{number:02d}" for number in range(13))])
#: A vendor's code is theirs to choose. This one holds what it complains of.
QUOTING = "+79000007707 Канарелла"


@dataclass(kw_only=True)
class Day:
    """The installation on the evening of that day."""

    stage: Stage
    answers: list[str] = field(default_factory=list)  # what the doors said, also to those they refused
    balance: Balance | None = None
    refused_run: Mapping[str, Any] = field(default_factory=dict)

    # -- people -----------------------------------------------------------------------------------------------------------

    def lead(self, number: int, brand: str, *, flaw: Flaw | None = None) -> Invented:
        """Somebody nobody else is called like."""
        invented = InventedLeads(self.stage.house.policies, now=utc_now(), seed=77)
        made = invented.lead(7700 + number, brand=brand, flaw=flaw)
        russian = made.document["language"] == Language.RU
        account = f"990077130{number:02d}"
        who = {
            "given_name": "Канарелла" if russian else "Kanarella",
            "family_name": "Канареллина" if russian else "Kanarellson",
            "phone": f"8 (900) 000-77-{number:02d}",
            "email": f"kanarella.{number}@example.org",
            "city": "Канареллинск" if russian else "Kanarellville",
            "user": account,
            "thread_id": f"20{account}",
            "permalink": f"https://social.example.org/wall-{account}",
            "text": "Жду звонка, щебетунья" if russian else "Call me, Chirpetta",
        }
        document = {**made.document, **who}
        return Invented(number=number, brand=brand, event_id=f"canary-{number}", document=document, flaw=flaw)

    # -- doors ------------------------------------------------------------------------------------------------------------

    def post(self, lead: Invented, *, secret: str | None = None) -> int:
        """Post a signed webhook; answer the status."""
        source = f"{lead.brand}_webhook"
        body, moment = lead.body.decode(), datetime.now().astimezone()
        headers = {
            "content-type": "application/json",
            "webhook-id": lead.event_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret or WEBHOOKS[source][1]).sign(lead.event_id, moment, body),
        }
        return self._post(source, body, headers)

    def form(self, number: int) -> int:
        """Post a lead form as VK does."""
        names = {"first_name": "Канарелла", "last_name": "Канареллина", "phone_number": f"+790000077{number:02d}"}
        answers = names | {"email": "kanarella@example.org", "model": "Niva", "comment": "щебетунья", "consent": "Согласна"}
        entry = {
            "lead_id": number,
            "group_id": 900000001,
            "user_id": 99007713000 + number,
            "form_id": 501,
            "answers": [{"key": key, "question": key, "answer": answer} for key, answer in answers.items()],
        }
        event = {"type": "lead_forms_new", "object": entry, "group_id": 900000001, "v": "5.199", "event_id": "canary-form"}
        body = json.dumps({**event, "secret": WEBHOOKS["lada_vk"][1]})
        return self._post("lada_vk", body, {"content-type": "application/json"})

    def drop(self, source: str, name: str, content: bytes) -> None:
        """A finished file of some minutes ago."""
        folder = Path(self.stage.house.settings.sources[source].inbox or "")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        os.utime(folder / name, (time.time() - 60,) * 2)

    def _post(self, source: str, body: str, headers: Mapping[str, str]) -> int:
        url = f"{self.stage.intake_url}/hooks/{source}"
        answer = httpx.post(url, content=body.encode(), headers=headers, trust_env=False, timeout=30)
        self.answers.append(f"{answer.headers} {answer.text}")
        return answer.status_code

    # -- looking ----------------------------------------------------------------------------------------------------------

    def outcome(self, event: str, destination: str) -> str | None:
        """What became of an event's delivery to ``destination``."""
        with self.stage.house.ledger.snapshot() as tx:
            rows = tx.rows(
                "select d.state from submission s join delivery d on d.lead_id = s.lead_id"
                " where s.event_id = :event and d.destination = :destination",
                event=event,
                destination=destination,
            )
        return str(rows[0][0]) if rows else None

    def held(self, destination: str) -> list[str]:
        """The last two digits of every phone a vendor holds."""
        rows = self.stage.sandbox.servers[destination].simulator.world.rows()
        return sorted(value[-2:] for row in rows for value in row.fields.values() if str(value).startswith("+7900000"))

    def runs(self) -> Iterator[dict[str, Any]]:
        """Every run Airflow knows of."""
        seen = 0
        while page := self.stage.airflow.get(f"dags/~/dagRuns?limit=100&offset={seen}&order_by=id")["dag_runs"]:
            yield from page
            seen += len(page)

    def instances(self) -> list[dict[str, Any]]:
        """The tasks of the run that was red."""
        path = f"dags/leadgate_dispatch/dagRuns/{self.refused_run['dag_run_id']}/taskInstances"
        return list(self.stage.airflow.get(path)["task_instances"])

    def run(self, dag: str) -> str:
        """Trigger a DAG and wait for the end of the run."""
        run_id = self.stage.airflow.trigger(dag)

        def ended() -> Any:
            found = self.stage.airflow.get(f"dags/{dag}/dagRuns/{run_id}")
            return found["end_date"] and found["state"]

        return str(until(ended))

    def command(self, *words: str) -> str:
        """What ``leadgate`` prints."""
        done = subprocess.run(
            [Path(sys.executable).with_name("leadgate"), "-v", *words],
            env={**os.environ, **self.stage.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


def until(condition: Callable[[], Any], *, seconds: float = 180) -> Any:
    """What ``condition`` answers once it answers something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.3)
    pytest.fail("it did not happen in time")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """The day, once for all tests."""
    with Stage(tmp_path_factory.mktemp("canary") / "stage", tell=lambda _: None) as stage:
        stage.start()
        played = Day(stage=stage)
        _trouble(played)
        _files(played)
        _webhooks(played)
        _wrong_password(played)
        _end(played)
        yield played


def _trouble(day: Day) -> None:
    """What the vendors do that day."""
    servers = day.stage.sandbox.servers
    servers[LADA_CALLS].simulator.knobs.take_then(FaultKind.TAKE_THEN_REFUSE, times=1)
    servers[LADA_CRM].simulator.knobs.refuse(401)
    servers[S7_CRM].simulator.knobs.throttle("1", times=2)


def _files(day: Day) -> None:
    """One file as JSON Lines, good and bad; one as a table in CP1251, named after somebody."""
    rows = [
        day.lead(0, "lada"),
        day.lead(1, "lada", flaw=Flaw.OTHER_TEXT),
        day.lead(2, "lada", flaw=Flaw.CONSENT_EXPIRED),
        day.lead(3, "lada", flaw=Flaw.BROKEN_JSON),
    ]
    day.drop("lada_export", "night.jsonl", b"\n".join(row.body for row in rows))
    table = csv_text([day.lead(4, "s7")], delimiter=";")
    day.drop("s7_export", "Канареллина +79000007704.csv", table.encode("cp1251", "ignore"))
    day.drop("s7_export", "headless 89000007704.csv", _headless(day.lead(4, "s7")))
    assert day.run("leadgate_files") == "success"


def _headless(lead: Invented) -> bytes:
    """A table whose first row is somebody instead of a header."""
    out = io.StringIO()
    csv.writer(out).writerow(str(value) for value in lead.document.values())
    return out.getvalue().encode()


def _webhooks(day: Day) -> None:
    """Good, refused by a vendor, unsigned, with somebody for a key, withdrawn; and VK's own form."""
    until(lambda: day.held(S7_CALLS) == ["04"])
    day.stage.sandbox.servers[S7_CALLS].simulator.knobs.reject(every=1, times=1, code=QUOTING)
    assert day.post(day.lead(7, "s7")) == httpx.codes.ACCEPTED
    until(lambda: day.outcome("canary-7", S7_CALLS) == Outcome.REJECTED)
    strange = day.lead(8, "lada")
    strange = Invented(
        number=8, brand="lada", event_id="canary-8", document={**strange.document, "Канарелла +79000007708": "щебетунья"}
    )
    assert [day.post(each) for each in (day.lead(5, "lada"), day.lead(6, "s7"), strange)] == [httpx.codes.ACCEPTED] * 3
    assert day.post(day.lead(9, "lada"), secret="whsec_bm90LXRoaXMtb25lLW5vdC10aGlzLW9uZQ==") == httpx.codes.UNAUTHORIZED
    assert day.form(10) == httpx.codes.OK
    invented = InventedLeads(day.stage.house.policies, now=utc_now(), seed=77)
    regret = day.lead(11, "lada")
    assert day.post(invented.withdrawal(regret)) == httpx.codes.ACCEPTED
    assert day.post(regret) == httpx.codes.ACCEPTED


def _wrong_password(day: Day) -> None:
    """The CRM refuses our token until a person looks, mends it and presses Clear; everybody else is served meanwhile."""

    def red() -> Any:
        return next((run for run in day.runs() if run["state"] == "failed"), None)

    day.refused_run = until(red)
    day.stage.sandbox.servers[LADA_CRM].simulator.knobs.clear()
    run = day.refused_run["dag_run_id"]
    body = {"dry_run": False, "dag_run_id": run, "only_failed": True, "run_on_latest_version": False}
    day.stage.airflow.post("dags/leadgate_dispatch/clearTaskInstances", body)
    until(lambda: day.stage.airflow.get(f"dags/leadgate_dispatch/dagRuns/{run}")["state"] == "success")


def _end(day: Day) -> None:
    """The books close; what was done is sealed and verified."""

    def closed() -> Balance | None:
        balance = day.stage.house.balance()
        return balance if balance.closes and balance.received == EXPECTED["received"] else None

    day.balance = until(closed)
    assert [day.run(dag) for dag in ("leadgate_seal", "leadgate_verify", "leadgate_retention")] == ["success"] * 3


#: Four rows of the first file, one of the second; webhooks 5 to 8, the form, the withdrawal (admitted) and the lead it stopped.
EXPECTED = {"received": 12, "admitted": 7, "quarantined": 3, "refused": 2}


def test_everybody_came_to_what_is_right(day: Day) -> None:
    assert day.balance is not None
    assert {name: getattr(day.balance, name) for name in EXPECTED} == EXPECTED
    assert day.balance.deliveries[S7_CALLS] == {Outcome.ACCEPTED: 2, Outcome.REJECTED: 1}


def test_every_vendor_holds_each_lead_once(day: Day) -> None:
    held = {name: day.held(name) for name in (LADA_CALLS, LADA_CRM, S7_CALLS, S7_CRM)}
    assert held == {
        LADA_CALLS: ["00", "05", "10"],
        LADA_CRM: ["00", "05"],
        S7_CALLS: ["04", "06"],
        S7_CRM: ["04", "06", "07"],
    }
    assert not any(server.simulator.world.doubles() for server in day.stage.sandbox.servers.values())


def test_airflow_knows_of_one_trouble_and_by_whose_name(day: Day) -> None:
    states = Counter((run["dag_id"], run["state"]) for run in day.runs() if run["end_date"])
    assert {dag for dag, state in states if state == "failed"} <= {"leadgate_dispatch"}
    every = {path.stem for path in (CHECKOUT / "dags").glob("leadgate_*.py")}
    assert {dag for dag, state in states if state == "success"} >= every - {"leadgate_clocks", "leadgate_withdrawals"}, "hourly"
    assert {dag for dag, _ in states} <= every
    mended = {each["rendered_map_index"]: each for each in day.instances()}[LADA_CRM]
    assert (mended["state"], mended["try_number"]) == ("success", 2), "red once, and green when somebody pressed Clear"
    alerts = (day.stage.airflow.home / ".airflow" / "alerts.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in alerts]
    assert {(each["alert"], each["error"], each["code"]) for each in told} == {("task_failed", "TerminalError", "unauthorized")}


def test_the_red_task_says_what_to_mend(day: Day) -> None:
    index = {each["rendered_map_index"]: each["map_index"] for each in day.instances()}[LADA_CRM]
    run = day.refused_run["dag_run_id"]
    path = f"dags/leadgate_dispatch/dagRuns/{run}/taskInstances/send/logs/1?map_index={index}"
    log = json.dumps(day.stage.airflow.get(path))
    assert "TerminalError" in log
    assert "unauthorized" in log


def test_the_log_is_whole(day: Day) -> None:
    report = day.stage.house.verify()
    assert report.ok, report.findings
    assert report.leaves


def test_nobody_is_found_anywhere(day: Day, tmp_path: Path) -> None:
    """Every file of the installation but the senders' own, every row of both databases, every answer of every door."""
    day.stage.house.export(tmp_path / "export")
    finds = SCANNER.tree(tmp_path)[1]
    for number, answer in enumerate(day.answers):
        finds += SCANNER.text(f"answer {number} of the intake service", answer)
    for words in _commands(day):
        finds += SCANNER.text(f"leadgate {' '.join(words)}", day.command(*words))
    for path, answer in _airflow(day):
        finds += SCANNER.text(f"Airflow: {path}", answer)
    tables = [_tables(url) for url in _databases(day)]
    assert min(rows for rows, _ in tables) > 100
    finds += [find for _, found in tables for find in found]
    size, found = _disk(day)
    assert size > 40_000_000
    assert finds + found == []


def test_somebody_planted_would_be_found(day: Day) -> None:
    """Proves the eyes: the same scan, after one person was written into each kind of place."""
    (ledger, metadata), logs = _databases(day), day.stage.airflow.home / ".airflow" / "logs"
    with psycopg.connect(ledger) as connection:
        connection.execute("insert into ledger_property (name, value) values ('planted', '+7 900 000-77-01')")
    with psycopg.connect(metadata) as connection:
        connection.execute("insert into log (dttm, event, extra) values (now(), 'planted', 'KANARELLA at example.org')")
    (logs / "planted.log").write_text(json.dumps({"event": "щебетунья"}))
    with (day.stage.folder / "intake.log").open("a") as log:
        log.write("body=0JrQsNC90LDRgNC10LvQu9C40L3QsA==\n")
    in_tables = {(find.where, find.value) for url in (ledger, metadata) for find in _tables(url)[1]}
    assert in_tables == {("table public.ledger_property", "+79000007701"), ("table public.log", "Kanarell")}
    on_disk = {(Path(find.where).relative_to(day.stage.folder).parts, find.value) for find in _disk(day)[1]}
    assert {value for parts, value in on_disk if parts[0] == "postgres"} == {"+79000007701", "Kanarell"}
    assert {(parts[-1], value) for parts, value in on_disk if parts[0] != "postgres"} == {
        ("planted.log", "щебетун"),
        ("intake.log", "Канарелл"),
    }


def _databases(day: Day) -> list[str]:
    ledger = day.stage.environment["LEADGATE_DATABASE_URL"]
    metadata = day.stage.airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    return [ledger.replace("+psycopg", ""), metadata.replace("+psycopg2", "")]


def _tables(url: str) -> tuple[int, list[Find]]:
    """(rows looked at, finds) of every table, as text, past the compression of long values: the way pg_dump sees it."""
    finds: list[Find] = []
    count = 0
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (name,) in names:
            with connection.cursor().copy(f"copy (select t::text from {name} t) to stdout") as copied:  # noqa: S608 - quoted by format('%I')
                rows = [bytes(row) for row in copied]
            count += len(rows)
            finds += SCANNER.bytes(f"table {name}", b"".join(rows))
    return count, finds


def _disk(day: Day) -> tuple[int, list[Find]]:
    """(bytes looked at, finds) of every file, the databases' own included; the senders' folders are the senders'."""
    for url in _databases(day):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("checkpoint")
    size, finds = SCANNER.tree(day.stage.folder)
    inboxes = tuple(str(each.inbox) for each in day.stage.house.settings.sources.values() if each.inbox)
    return size, [find for find in finds if not find.where.removeprefix("name of ").startswith(inboxes)]


def _commands(day: Day) -> Iterable[tuple[str, ...]]:
    with day.stage.house.ledger.snapshot() as tx:
        leads = [row[0] for row in tx.rows("select lead_id from lead")]
    yield from (("trace", lead) for lead in leads[:2])
    yield from (("balance",), ("quarantine",), ("verify",), ("plan", LADA_CRM), ("collect",))


def _airflow(day: Day) -> Iterator[tuple[str, str]]:
    """What the UI shows of every finished task: its XCom and its rendered fields."""
    airflow = day.stage.airflow
    for dag in ("leadgate_admit", "leadgate_dispatch", "leadgate_files"):
        path = f"dags/{dag}/dagRuns/~/taskInstances"
        yield path, json.dumps(airflow.get(f"{path}?limit=100"), ensure_ascii=False)
        path = f"dags/{dag}/dagRuns/~/taskInstances/~/xcomEntries"
        yield path, json.dumps(airflow.get(f"{path}?limit=100"), ensure_ascii=False)
    yield "eventLogs", json.dumps(airflow.get("eventLogs?limit=100"), ensure_ascii=False)
    yield "assets/events", json.dumps(airflow.get("assets/events?limit=100"), ensure_ascii=False)
