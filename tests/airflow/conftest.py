"""A real Airflow over the real house: Postgres, ledger, keys, simulated vendors on loopback, and every component as a process.

Airflow reads its home when it is first imported, so one is set here for the tests that parse DAGs in this process.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from integrations.testing import salesforce as salesforce_simulator
from integrations.testing.json_crm import JsonCrm
from integrations.testing.server import SimulatorServer
from integrations.testing.soap_call_center import SoapCallCenter
from leadgate.airflow.components import CHECKOUT, AirflowComponents
from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import load
from leadgate.wiring import House, environment_credentials
from leadgate.wiring.house import utc_now
from leadgate.wiring.keys import create_keys
from schemas.personal import Personal
from schemas.submission import Submission
from schemas.vocabulary import Language

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="leadgate-airflow-unit-"))
os.environ.setdefault("AIRFLOW_CONFIG", str(CHECKOUT / "airflow.cfg"))

#: A DAG of the tests' own beside the real ones: it is late as soon as it is queued.
_LATE_DAG = """
from datetime import UTC, datetime
from time import sleep
from airflow.sdk import dag, task
from leadgate.airflow.deadlines import late_after

START = datetime(2026, 1, 1, tzinfo=UTC)

@dag(dag_id="late_test", schedule=None, start_date=START, deadline=[late_after("late_test", minutes=0)])
def late_test():
    @task
    def dawdle():
        sleep(3)
    dawdle()

late_test()
"""


@dataclass
class RunningHouse:
    """The house, its Airflow, and the vendors' worlds. ``phones`` are those of the people who were sent in."""

    house: House
    airflow: AirflowComponents
    crm: SimulatorServer
    call_center: SimulatorServer
    postgres: EmbeddedPostgres
    home: Path
    phones: list[str] = field(default_factory=list)

    def receive(self, number: int) -> str:
        """Commit the lead of invented person ``number`` as the intake service would; answer the event's id."""
        event = f"test-{number}-{time.monotonic_ns()}"
        self.phones.append(f"+7900000{number:04d}")
        body = Personal(json.dumps(self._document(number)).encode())
        self.house.receiver.commit(
            [Submission(source="lada_webhook", event_id=event, media_type="application/json", body=body)]
        )
        return event

    def outcomes(self, event: str) -> dict[str, str]:
        """State by destination of what became of an event's deliveries."""
        with psycopg.connect(self.postgres.libpq_url("ledger")) as connection:
            rows = connection.execute(
                "select d.destination, d.state from submission s join delivery d on d.lead_id = s.lead_id"
                " where s.event_id = %s",
                [event],
            ).fetchall()
        return {str(name): str(state) for name, state in rows}

    def change(self, statement: str, *values: Any) -> None:
        """Write to the ledger behind everybody's back."""
        with psycopg.connect(self.postgres.libpq_url("ledger")) as connection:
            connection.execute(statement.encode(), values)

    def age(self, event: str, *, hours: int) -> None:
        """Make the lead of an event look older than it is."""
        self.change(
            "update lead set received_at = lead.received_at - %s from submission s"
            " where s.lead_id = lead.lead_id and s.event_id = %s",
            hours * 3_600_000_000,
            event,
        )

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The newest runs of a DAG."""
        return list(self.airflow.get(f"dags/{dag_id}/dagRuns?limit=100&order_by=-id")["dag_runs"])

    def alerts(self) -> list[dict[str, Any]]:
        """What was written for the engineer."""
        path = self.home / ".airflow" / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _document(self, number: int) -> dict[str, Any]:
        notice = self.house.settings.brands["lada"].notices["lada-contact", "2", Language.RU]
        return {
            "kind": "lead",
            "brand": "lada",
            "channel": "vk",
            "thread_id": str(2_000_000_000 + number),
            "message_ids": ["1"],
            "language": "ru",
            "given_name": "Светозара",
            "family_name": "Канарейкина",
            "phone": f"+7900000{number:04d}",
            "user": str(900_000 + number),
            "topic": {"code": "test_drive", "fields": {"car_model": "Vesta SW", "dealer": "Тольятти-1"}},
            "text": "Хочу на тест-драйв",
            "consent": {
                "purposes": ["callback", "crm_followup"],
                "notice_id": notice.notice_id,
                "notice_version": notice.version,
                "notice_language": "ru",
                "text_sha256": notice.text_sha256,
                "given_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(),
                "indication": "direct_message",
                "evidence": [hashlib.sha256(b"evidence").hexdigest()],
            },
        }


def until(condition: Callable[[], Any], *, seconds: float = 120) -> Any:
    """What ``condition`` answers once it answers something; fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail("it did not happen in time")


@pytest.fixture(name="until", scope="session")
def until_fixture() -> Callable[..., Any]:
    return until


def _connection(server: SimulatorServer, kind: str) -> str:
    simulator = server.simulator
    return json.dumps(
        {
            "conn_type": kind,
            "host": server.url,
            "login": simulator.login,
            "password": simulator.secret,
            "extra": dict(simulator.options),
        }
    )


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """Started once for all tests that need a real Airflow."""
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    dags.mkdir()
    for source in (CHECKOUT / "dags").glob("*.py"):
        (dags / source.name).symlink_to(source)
    (dags / "late_test.py").write_text(_LATE_DAG)
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres()).start(home / "postgres")
        postgres.create_database("airflow")
        postgres.create_database("ledger")
        crm = stack.enter_context(SimulatorServer(JsonCrm()))
        call_center = stack.enter_context(SimulatorServer(SoapCallCenter()))
        salesforce = stack.enter_context(SimulatorServer(salesforce_simulator.SIMULATOR()))
        environment = {
            "LEADGATE_CONFIG": str(CHECKOUT / "leadgate.yaml"),
            "LEADGATE_STATE": str(home / "state"),
            "LEADGATE_DATABASE_URL": postgres.url("ledger"),
            "AIRFLOW_CONN_LEADGATE_LADA_CRM": _connection(crm, "leadgate-json-crm"),
            "AIRFLOW_CONN_LEADGATE_LADA_CALL_CENTER": _connection(call_center, "leadgate-soap-call-center"),
            "AIRFLOW_CONN_LEADGATE_S7_CALL_CENTER": _connection(call_center, "leadgate-soap-call-center"),
            "AIRFLOW_CONN_LEADGATE_S7_CRM": _connection(salesforce, "leadgate-salesforce"),
        }
        settings = load(env=environment)
        house = stack.enter_context(House(settings, credentials=environment_credentials(environment)))
        house.upgrade()
        create_keys(settings, clock=utc_now)
        airflow = stack.enter_context(
            AirflowComponents(home=home, metadata_url=postgres.airflow_url(), environment=environment, dags=dags)
        ).start()
        yield RunningHouse(house=house, airflow=airflow, crm=crm, call_center=call_center, postgres=postgres, home=home)
