"""All simulators as real HTTP servers, from a small configuration. Everything it holds is invented; it listens on this machine
only, and refuses a name no simulator has.

::

    with Sandbox([Stand(simulator="json_crm", connection="leadgate_lada_crm")]) as sandbox:
        sandbox.environment()   # {"AIRFLOW_CONN_LEADGATE_LADA_CRM": '{"conn_type": ..., "host": "http://...", ...}'}

or ``python -m integrations.testing.sandbox json_crm soap_call_center:8800``. Each stand has a service address and a control
address (``server`` lists what it answers); the world of one is seen at ``GET {service}/_control/records``.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integrations import registry
from integrations.testing.server import SimulatorServer
from integrations.testing.simulator import Simulator
from schemas.errors import ConfigurationError

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One simulator of a sandbox. ``name`` tells two of a kind apart; port 0 takes a free one.

    ``connection`` is the Airflow connection id under which the sandbox describes it; ``journal`` keeps its world in a file.
    """

    simulator: str
    name: str = ""
    connection: str = ""
    port: int = 0
    control_port: int = 0
    journal: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def simulators() -> list[str]:
    """Names of all simulators: the modules here that define ``SIMULATOR``."""
    return sorted(found.stem for found in _HERE.glob("*.py") if "\nSIMULATOR = " in found.read_text(encoding="utf-8"))


def _simulator(name: str) -> type[Simulator]:
    if name not in simulators():
        known = ", ".join(simulators())
        raise ConfigurationError(
            "unknown_simulator", f"there is no simulator of this name; known are: {known}", field="sandbox"
        )
    found: type[Simulator] = import_module(f"integrations.testing.{name}").SIMULATOR
    return found


class Sandbox:
    """Starts and stops stands together; a context manager."""

    def __init__(self, stands: Iterable[Stand], *, host: str = "127.0.0.1") -> None:
        self._stands = {stand.name or stand.simulator: stand for stand in stands}
        self._host = host
        self.servers: dict[str, SimulatorServer] = {}

    def start(self) -> Self:
        """Start every stand; if one cannot start, stop those that did."""
        try:
            for name, stand in self._stands.items():
                simulator = _simulator(stand.simulator)(journal=stand.journal)
                server = SimulatorServer(simulator, host=self._host, port=stand.port, control_port=stand.control_port)
                self.servers[name] = server
                server.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.servers.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def describe(self) -> list[dict[str, Any]]:
        """Every stand with its addresses and invented credentials."""
        return [
            {
                "name": name,
                "simulator": server.simulator.name,
                "url": server.url,
                "control": server.control_url,
                "login": server.simulator.login,
                "secret": server.simulator.secret,
                "options": {**server.simulator.options, **self._stands[name].options},
            }
            for name, server in self.servers.items()
        ]

    def environment(self) -> dict[str, str]:
        """``AIRFLOW_CONN_<ID>`` for every stand that names a connection: what makes Leadgate talk to the sandbox."""
        found: dict[str, str] = {}
        for described in self.describe():
            connection = self._stands[described["name"]].connection
            if not connection:
                continue
            known = described["simulator"] in registry.destinations()
            kind = registry.manifest(described["simulator"]).connection_type if known else ""
            document = {
                "conn_type": kind or "http",
                "host": described["url"],
                "login": described["login"],
                "password": described["secret"],
                "extra": described["options"],
            }
            found[f"AIRFLOW_CONN_{connection.upper()}"] = json.dumps(document)
        return found


def stand_from(word: str) -> Stand:
    """A stand from ``[name=]simulator[:port[:control port]]``."""
    name, _, rest = word.rpartition("=")
    simulator, *ports = rest.split(":")
    if len(ports) > 2 or not all(port.isdigit() for port in ports):  # noqa: PLR2004 - service and control
        raise ConfigurationError("bad_stand", "write [name=]simulator[:port[:control port]]", field="sandbox")
    numbers = [int(port) for port in ports] + [0, 0]
    return Stand(simulator=simulator, name=name, port=numbers[0], control_port=numbers[1])


def main(words: list[str]) -> int:
    """Run stands until a signal; print one JSON document with their addresses first."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(stand_from(word) for word in words or simulators()) as sandbox:
        sys.stdout.write(json.dumps(sandbox.describe(), ensure_ascii=False) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
