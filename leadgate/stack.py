"""The whole installation on one machine: embedded Postgres, ledger and keys, intake, what follows the log, Airflow.

For `leadgate up`, the demo and the benches. It refuses to start over a data directory that is in use, and nothing it starts
outlives it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from leadgate.airflow.components import AirflowComponents, free_port
from leadgate.child_process import ChildProcess
from leadgate.postgres import EmbeddedPostgres
from leadgate.settings import load
from leadgate.wiring import House, environment_credentials
from leadgate.wiring.keys import create_keys
from leadgate.wiring.parts import utc_now
from schemas.errors import ConfigurationError

#: Seconds the intake service may take until it could commit.
_READY_SECONDS = 30.0


class Stack:
    """Set up with ``start``; everything is taken down by ``stop``, the last first, also after a failure in the middle."""

    def __init__(self, *, folder: Path, airflow_home: Path, tell: Callable[[str], None]) -> None:
        """``folder`` keeps database, keys and logs; ``airflow_home`` is where Airflow keeps its own."""
        self.folder = folder
        self.tell = tell
        self.intake_url = ""
        self.environment: dict[str, str] = {}
        self._airflow_home = airflow_home
        self._cleanup = contextlib.ExitStack()
        self._airflow: AirflowComponents | None = None
        self._house: House | None = None

    @property
    def airflow(self) -> AirflowComponents:
        """The running Airflow."""
        if self._airflow is None:
            raise RuntimeError("not started")
        return self._airflow

    @property
    def house(self) -> House:
        """Our own view of the ledger."""
        if self._house is None:
            raise RuntimeError("not started")
        return self._house

    def start(self, *, airflow_port: int | None = None, intake_port: int | None = None, intake_required: bool = True) -> Self:
        """Start everything and answer when Airflow is healthy. Keys and ledger are made on first use.

        Without ``intake_required`` an intake service that has no secret yet is told of and left out: files still come in.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tell("starting Postgres ...")
        postgres = self._cleanup.enter_context(EmbeddedPostgres())
        postgres.start(self.folder / "postgres")
        for database in ("leadgate", "airflow"):
            postgres.create_database(database)
        self.environment = dict(self._environment(postgres.url("leadgate")))
        self.tell("opening keys and ledger ...")
        environment = {**os.environ, **self.environment}
        config = environment.get("LEADGATE_CONFIG")
        settings = load(Path(config) if config else None, env=environment)
        create_keys(settings, clock=utc_now)
        self._house = self._cleanup.enter_context(House(settings, credentials=environment_credentials(environment)))
        self._house.upgrade()
        self.tell("starting the intake service ...")
        try:
            self._start_intake(intake_port or free_port(), environment)
        except ConfigurationError as error:
            if intake_required:
                raise
            self.intake_url = ""
            self.tell(f"NOT running: intake. {error.diagnostics()}")
        self._start_follower(environment)
        self.tell("starting Airflow, the longest part: some twenty seconds ...")
        self._airflow = self._cleanup.enter_context(
            AirflowComponents(
                home=self._airflow_home,
                metadata_url=postgres.airflow_url("airflow"),
                environment=self.environment,
                port=airflow_port,
            )
        )
        self._airflow.start()
        return self

    def stop(self) -> None:
        """Take everything down. Safe to call twice."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _environment(self, ledger_url: str) -> Mapping[str, str]:
        """What every process is given beside its own environment."""
        return {"LEADGATE_DATABASE_URL": ledger_url}

    def _start_follower(self, environment: Mapping[str, str]) -> None:
        """Start what seals within seconds. Were it to end, the DAG leadgate_seal still seals every minute, and says why."""
        command = [str(Path(sys.executable).with_name("leadgate")), "log", "follow"]
        child = ChildProcess(command, log=self.folder / "follow.log", cwd=Path.cwd(), env=environment)
        self._cleanup.callback(child.stop)

    def _start_intake(self, port: int, environment: Mapping[str, str]) -> None:
        """Start the service and wait until it could commit. Raises ConfigurationError if it ends first; its log says why."""
        log = self.folder / "intake.log"
        command = [str(Path(sys.executable).with_name("leadgate")), "intake", "--port", str(port)]
        child = ChildProcess(command, log=log, cwd=Path.cwd(), env=environment)
        self._cleanup.callback(child.stop)
        self.intake_url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if child.poll() is not None:
                raise ConfigurationError("intake_ended", "the intake service ended at once; its log says why", field=str(log))
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.intake_url}/readyz", trust_env=False).is_success:
                    return
            time.sleep(0.1)
        raise ConfigurationError("intake_not_ready", "the intake service cannot commit; its log says why", field=str(log))
