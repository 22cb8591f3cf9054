"""A whole Airflow as four child processes on loopback: for `make up`, the demo, the benches and the end-to-end tests.

It refuses to share: every instance has its own home, port and secrets, and every child ends with us (leadgate.child_process).
Airflow itself is never imported here; it is started and spoken to over its REST API.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from leadgate.child_process import ChildProcess
from schemas.errors import ConfigurationError

#: This checkout: the DAGs and airflow.cfg stand beside the package.
CHECKOUT = Path(__file__).resolve().parents[2]

#: Component -> arguments. Task logs are read from the shared disk, so no component serves them on a fixed port.
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
#: As the health endpoint calls them.
_HEALTH = ("metadatabase", "scheduler", "triggerer", "dag_processor")

_HEALTHY_SECONDS = 180.0  # it takes some 20 on two idle cores
_CALL_SECONDS = 30.0
_POLL_SECONDS = 0.25
_STOP_SECONDS = 20


class AirflowComponents:
    """One Airflow over ``home``. ``with AirflowComponents(...) as airflow: airflow.start()``; stops at the end.

    ``metadata_url`` is Airflow's own database (``EmbeddedPostgres.airflow_url``); ``environment`` reaches every process, and is
    where ``LEADGATE_...`` settings and connections (``AIRFLOW_CONN_...``) go.
    """

    def __init__(
        self,
        *,
        home: Path,
        metadata_url: str,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        dags: Path = CHECKOUT / "dags",
    ) -> None:
        self.home = home.absolute()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.logs = self.home / ".airflow" / "components"
        self.environment = _environment(
            home=self.home, url=self.url, port=self.port, dags=dags, metadata_url=metadata_url, extra=environment or {}
        )
        self._children: dict[str, ChildProcess] = {}
        self._tokens: dict[str, str] = {}

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, *, healthy_within: float = _HEALTHY_SECONDS) -> Self:
        """Migrate the database, start every component, and answer when Airflow says that it is healthy."""
        for folder in (self.home, self.logs.parent, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run("db", "migrate")
        began = time.monotonic()
        for name in COMPONENTS:
            if name != "scheduler":
                self.start_component(name)
        # A task speaks to the API server: one that is started before it listens fails, and leaves a red try behind.
        self._wait_for_api(healthy_within)
        self.start_component("scheduler")
        self.wait_until_healthy(healthy_within - (time.monotonic() - began))
        return self

    def start_component(self, name: str) -> None:
        """Start one component; it must not be running."""
        self._children[name] = ChildProcess(
            [str(_airflow()), *COMPONENTS[name]],
            log=self.logs / f"{name}.log",
            cwd=self.home,
            env=self.environment,
            stop_signal=signal.SIGTERM,
            grace_seconds=_STOP_SECONDS,
        )

    def component(self, name: str) -> ChildProcess:
        """The running component, to look at or to kill."""
        return self._children[name]

    def ended(self) -> list[str]:
        """Names of components that were started and run no more."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def revive(self) -> list[str]:
        """Start again what ended by itself, and answer what that was. Nothing else does: to be called every few seconds."""
        ended = self.ended()
        for name in ended:
            self._children.pop(name).stop()
            self.start_component(name)
        return ended

    def run(self, *arguments: str) -> str:
        """Run one ``airflow`` command to its end and answer what it printed. Raises ConfigurationError if it fails."""
        done = subprocess.run(  # noqa: S603 - our own program, our own words
            [str(_airflow()), *arguments], cwd=self.home, env=self.environment, capture_output=True, text=True, check=False
        )
        with open(self.logs / "commands.log", "a", opener=_private) as log:
            log.write(f"$ airflow {arguments[0]} ...\n{done.stdout}{done.stderr}\n")
        if done.returncode != 0:
            raise ConfigurationError("airflow_command_failed", "its output says why", field=str(self.logs / "commands.log"))
        return done.stdout

    def stop(self) -> None:
        """End every component, the scheduler first so that it starts no task meanwhile."""
        order = sorted(self._children, key=lambda name: name != "scheduler")
        for name in order:
            self._children[name].release()
        for name in order:
            self._children.pop(name).stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # -- looking -----------------------------------------------------------------------------------------------------

    def health(self) -> dict[str, str]:
        """Status by component as Airflow tells it; empty while its API does not answer."""
        try:
            told = self._call("GET", "/api/v2/monitor/health", token=None)
        except (OSError, ConfigurationError):
            return {}
        return {name: str((told.get(name) or {}).get("status")) for name in _HEALTH}

    def wait_until_healthy(self, seconds: float = _HEALTHY_SECONDS) -> None:
        """Return when all components are healthy. Raises ConfigurationError naming the log of the one that is not."""
        self._wait(lambda health: set(health.values()) == {"healthy"}, seconds)

    def _wait_for_api(self, seconds: float) -> None:
        self._wait(lambda health: health["metadatabase"] == "healthy", seconds)

    def _wait(self, good: Callable[[Mapping[str, str]], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise ConfigurationError("airflow_ended", "a component ended", field=str(self.logs / f"{name}.log"))
            health = self.health()
            if health and good(health):
                return
            time.sleep(_POLL_SECONDS)
        raise ConfigurationError("airflow_not_healthy", "a component is not healthy; the logs say why", field=str(self.logs))

    # -- speaking ----------------------------------------------------------------------------------------------------

    def password(self, user: str = "engineer") -> str:
        """The password Airflow made for one of the users of airflow.cfg."""
        return str(json.loads((self.home / ".airflow" / "passwords.json").read_text())[user])

    def token(self, user: str = "engineer") -> str:
        """A token for the REST API, asked for once."""
        if user not in self._tokens:
            answer = self._call("POST", "/auth/token", {"username": user, "password": self.password(user)}, token=None)
            self._tokens[user] = str(answer["access_token"])  # good for a day
        return self._tokens[user]

    def get(self, path: str, *, user: str = "engineer") -> Any:
        """GET below ``/api/v2``, or below ``/ui`` if the path says so."""
        whole = path if path.startswith("/ui/") else f"/api/v2/{path.lstrip('/')}"
        return self._call("GET", whole, token=self.token(user))

    def post(self, path: str, body: Mapping[str, Any], *, user: str = "engineer") -> Any:
        """POST below ``/api/v2``."""
        return self._call("POST", f"/api/v2/{path.lstrip('/')}", body, token=self.token(user))

    def patch(self, path: str, body: Mapping[str, Any], *, user: str = "engineer") -> Any:
        """PATCH below ``/api/v2``."""
        return self._call("PATCH", f"/api/v2/{path.lstrip('/')}", body, token=self.token(user))

    def trigger(self, dag_id: str, *, run_id: str | None = None) -> str:
        """Start a run by hand and answer its id."""
        body: dict[str, Any] = {"logical_date": None}
        if run_id:
            body["dag_run_id"] = run_id
        return str(self.post(f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(  # noqa: S310 - always our own http://127.0.0.1
            self.url + path, data=None if body is None else json.dumps(body).encode(), headers=headers, method=method
        )
        try:
            with _OPENER.open(request, timeout=_CALL_SECONDS) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise ConfigurationError("airflow_refused", f"Airflow answered {error.code}", field=path) from None
        return json.loads(content) if content else {}


#: A proxy named by the environment is not for loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _airflow() -> Path:
    """Beside the interpreter, so that a virtual environment need not be activated."""
    return Path(sys.executable).with_name("airflow")


def _environment(*, home: Path, url: str, port: int, dags: Path, metadata_url: str, extra: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "/usr/bin:/bin")]),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(CHECKOUT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        **extra,
    }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
