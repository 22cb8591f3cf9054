"""The stage: everything the demo runs on, in one folder, on loopback and free ports, and gone when the demo ends.

Embedded Postgres (Airflow's metadata and the ledger), the simulated vendors, the intake service and Airflow itself. Nothing
of the checkout is written but ``.leadgate/demo``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from integrations.testing.sandbox import Sandbox, Stand
from leadgate.airflow.components import CHECKOUT, AirflowComponents, free_port
from leadgate.child_process import ChildProcess
from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import load
from leadgate.wiring import House, environment_credentials
from leadgate.wiring.keys import create_keys
from leadgate.wiring.parts import utc_now

#: One simulator for each destination of leadgate.yaml, under the connection it names.
STANDS = (
    Stand(simulator="soap_call_center", name="lada_call_center", connection="leadgate_lada_call_center"),
    Stand(simulator="json_crm", name="lada_crm", connection="leadgate_lada_crm"),
    Stand(simulator="soap_call_center", name="s7_call_center", connection="leadgate_s7_call_center"),
    Stand(simulator="salesforce", name="s7_crm", connection="leadgate_s7_crm"),
)
#: Invented secrets of the demo's webhooks: source -> connection, password.
WEBHOOKS = {
    "lada_webhook": ("leadgate_lada_webhook", "whsec_bGVhZGdhdGUtZGVtby1zZWNyZXQtb2YtbGFkYQ=="),
    "s7_webhook": ("leadgate_s7_webhook", "whsec_bGVhZGdhdGUtZGVtby1zZWNyZXQtb2YtczctLQ=="),
    "lada_vk": ("leadgate_lada_vk", "demo-vk-secret"),
}
#: The demo's configuration is the repository's, a little less patient, so that doubts end within the show.
_HASTE = (("settle: 10s", "settle: 3s"), ("backoff_base: 5s", "backoff_base: 1s"), ("breaker_pause: 30s", "breaker_pause: 4s"))


class Stage:
    """Set up with ``start``; everything is taken down by ``stop``, also after a failure in the middle."""

    def __init__(self, folder: Path, *, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.tell = tell
        self.sandbox = Sandbox(STANDS)
        self.intake_url = ""
        self.environment: dict[str, str] = {}
        self._cleanup = contextlib.ExitStack()
        self._airflow: AirflowComponents | None = None
        self._house: House | None = None

    @property
    def airflow(self) -> AirflowComponents:
        """The running Airflow."""
        if self._airflow is None:
            raise RuntimeError("the stage is not set")
        return self._airflow

    @property
    def house(self) -> House:
        """Our own view of the ledger, to count with."""
        if self._house is None:
            raise RuntimeError("the stage is not set")
        return self._house

    def start(self, *, airflow_port: int | None = None) -> Self:
        """Set everything up and answer when Airflow is healthy."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self.tell("Postgres")
        postgres = self._cleanup.enter_context(EmbeddedPostgres())
        postgres.start(self.folder / "postgres")
        for database in ("leadgate", "airflow"):
            postgres.create_database(database)
        self.tell("sandbox: two call centers, two CRMs")
        self._cleanup.enter_context(self.sandbox)
        self.environment = self._settings(postgres.url("leadgate"))
        self.tell("keys and ledger")
        settings = load(Path(self.environment["LEADGATE_CONFIG"]), env=self.environment)
        create_keys(settings, clock=utc_now)
        self._house = self._cleanup.enter_context(House(settings, credentials=environment_credentials(self.environment)))
        self._house.upgrade()
        self.tell("intake service")
        self._start_intake()
        self.tell("Airflow (the longest part, some twenty seconds)")
        self._airflow = self._cleanup.enter_context(
            AirflowComponents(
                home=self.folder / "airflow",
                metadata_url=postgres.airflow_url("airflow"),
                environment=self.environment,
                port=airflow_port,
            )
        )
        self._airflow.start()
        return self

    def stop(self) -> None:
        """Take everything down, the last first. Safe to call twice."""
        self._cleanup.close()

    def clear(self) -> None:
        """Take everything down and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.clear()
        else:
            self.stop()
            self.tell(f"the logs are kept in {self.folder}; not")

    def _settings(self, ledger_url: str) -> dict[str, str]:
        text = (CHECKOUT / "leadgate.yaml").read_text(encoding="utf-8")
        for patient, hasty in _HASTE:
            text = text.replace(patient, hasty)
        config = self.folder / "leadgate.yaml"
        config.write_text(text, encoding="utf-8")
        shutil.copytree(CHECKOUT / "notices", self.folder / "notices")
        secrets = {
            f"AIRFLOW_CONN_{connection.upper()}": json.dumps({"conn_type": "http", "password": password})
            for connection, password in WEBHOOKS.values()
        }
        return {
            **self.sandbox.environment(),
            **secrets,
            "LEADGATE_CONFIG": str(config),
            "LEADGATE_STATE": str(self.folder / "state"),
            "LEADGATE_DATABASE_URL": ledger_url,
        }

    def _start_intake(self) -> None:
        port = free_port()
        command = [str(Path(sys.executable).with_name("leadgate")), "intake", "--port", str(port)]
        child = ChildProcess(command, log=self.folder / "intake.log", cwd=self.folder, env={**os.environ, **self.environment})
        self._cleanup.callback(child.stop)
        self.intake_url = f"http://127.0.0.1:{port}"
