"""The stage: everything the demo runs on, in one folder, on loopback and free ports, and gone when the demo ends.

The whole installation (leadgate.stack) beside simulated vendors. Nothing of the checkout is written but ``.leadgate/demo``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from integrations.testing.sandbox import Sandbox, Stand
from leadgate.airflow.components import CHECKOUT
from leadgate.stack import Stack

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


class Stage(Stack):
    """The stack with a sandbox for vendors. Leaves nothing behind unless it fails; then the logs stay."""

    def __init__(self, folder: Path, *, tell: Callable[[str], None]) -> None:
        super().__init__(folder=folder, airflow_home=folder / "airflow", tell=tell)
        self.sandbox = Sandbox(STANDS)

    def start(self, *, airflow_port: int | None = None, intake_port: int | None = None, intake_required: bool = True) -> Self:
        """Set everything up and answer when Airflow is healthy."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self.tell("starting the sandbox: two call centers, two CRMs ...")
        self._cleanup.enter_context(self.sandbox)
        return super().start(airflow_port=airflow_port, intake_port=intake_port, intake_required=intake_required)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if error is None or isinstance(error, KeyboardInterrupt):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self.tell(f"it failed; the logs are kept in {self.folder}")

    def _environment(self, ledger_url: str) -> Mapping[str, str]:
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
