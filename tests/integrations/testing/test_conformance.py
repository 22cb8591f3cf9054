"""The suite itself is proven: a stranger's connector, found by entry point, passes if it is good and fails for each misdeed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integrations import registry

CONNECTOR = """
import logging, os
from integrations.declarative.rest import RestDestination
from schemas.delivery import DeliveryReceipt
from schemas.errors import DeliveryError, TransientError, UncertainError
from schemas.vocabulary import Outcome

class Acme(RestDestination):
    name = "acme"

    def _deliver(self, batch):
        misdeed = os.environ["MISDEED"]
        if misdeed == "log":
            logging.getLogger("acme").debug("sending %s", batch[0].fields.reveal()["phone"][2:])
        try:
            receipts = super()._deliver(batch)
        except DeliveryError as error:
            if misdeed == "certain" and isinstance(error, UncertainError):
                raise TransientError("busy", "nothing was stored")
            if misdeed == "quote":
                raise UncertainError("lost", "lost " + batch[0].fields.reveal()["email"]) from None
            if misdeed == "chain":
                cause = ValueError(batch[0].fields.reveal()["family_name"])
                raise UncertainError("lost", "lost") from cause
            if misdeed != "green":
                raise
            receipts = []
        if misdeed == "green":
            return [DeliveryReceipt(key=one.key, outcome=Outcome.ACCEPTED, sent_sha256="0" * 64) for one in batch]
        if misdeed == "fault":
            raise KeyError(batch[0].fields.reveal()["phone"])
        return receipts
"""
#: Each misdeed with the tests that must find it.
MISDEEDS = {
    "good": "throttle or partial or discloses",
    "green": "partial_failure or error_inside",
    "certain": "lost_answer and reset",
    "quote": "lost_answer and reset",
    "chain": "lost_answer and reset",
    "log": "one_receipt",
    "fault": "one_receipt",
}
SUITE = """
import pytest
from integrations.testing.conformance import DestinationConformance
from integrations.testing.json_crm import JsonCrm

class Acme(DestinationConformance):
    connector = "acme"
    simulator = JsonCrm
    misdeed = "good"

    @pytest.fixture(autouse=True)
    def how(self, monkeypatch):
        monkeypatch.setenv("MISDEED", self.misdeed)
"""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed package with a connector of its own, as a stranger would ship it; it also claims a name of ours."""
    home = tmp_path_factory.mktemp("stranger")
    package = home / "acme_leadgate"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "connector.py").write_text(CONNECTOR)
    manifest = (registry.folder("json_crm") / "connector.yaml").read_text()
    exemptions = "\nexemptions:\n  throttle_by_date: the vendor never sends a date\n"
    (package / "connector.yaml").write_text(manifest.replace("name: json_crm", "name: acme") + exemptions)
    info = home / "acme_leadgate-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-leadgate\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[leadgate.connectors]\nacme = acme_leadgate\njson_crm = acme_leadgate\n")
    classes = [f"class Test{name.title()}(Acme):\n    misdeed = {name!r}\n" for name in MISDEEDS]
    (home / "test_acme.py").write_text(SUITE + "\n".join(classes))
    return home


@pytest.fixture(scope="module")
def report(stranger: Path) -> str:
    """What pytest says of the stranger's suite, in a process where the stranger is installed."""
    selection = " or ".join(f"(Test{name.title()} and ({tests}))" for name, tests in MISDEEDS.items())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-k",
        selection,
    ]
    done = subprocess.run(
        [*command, "test_acme.py"], capture_output=True, text=True, check=False, env=environment(stranger), cwd=stranger
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


def environment(stranger: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(stranger), str(Path.cwd())])}


def verdicts(report: str, name: str) -> set[str]:
    """PASSED, FAILED and ERROR as they stand beside the tests of one class."""
    words = [line.split() for line in report.splitlines() if f"::Test{name.title()}::" in line]
    return {word[0] for word in words if word[0] in {"PASSED", "FAILED", "ERROR"}}


def test_a_good_stranger_passes(report: str) -> None:
    assert verdicts(report, "good") == {"PASSED"}


def test_an_exemption_is_reported(report: str) -> None:
    assert "acme is exempt from test_throttle_by_date: the vendor never sends a date" in report


@pytest.mark.parametrize("misdeed", [name for name in MISDEEDS if name != "good"])
def test_each_misdeed_is_found(report: str, misdeed: str) -> None:
    assert verdicts(report, misdeed) & {"FAILED", "ERROR"}


def test_a_stranger_cannot_take_our_name(stranger: Path) -> None:
    code = "from integrations import registry; print(registry.folder('json_crm'), *registry.destinations())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(stranger), cwd=stranger
    )
    assert done.stdout.startswith(str(registry.folder("json_crm")))
    assert " acme " in done.stdout
