"""A withdrawal reaches everybody who has the data: a call center behind SOAP that can erase, and a Salesforce org whose recycle
bin makes that no erasure. Queue, recipients, statuses, clocks and log all say what the two worlds hold.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integrations.testing.invented_leads import Invented
from integrations.testing.knobs import FaultKind
from integrations.testing.sandbox import Sandbox, Stand
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Language
from tests.documents.printing import text_of
from tests.houses.commands import PROGRAM, environment, leadgate, verify
from tests.houses.house import CONFIG, Clock, TestHouse, settings_for

_PATIENCE = 60.0


@pytest.fixture
def office(ledger_url: str, keys: Path, tmp_path: Path) -> Iterator[TestHouse]:
    """The house with Salesforce for a CRM, patient vendors, and today's clock: commands have the real one."""
    text = CONFIG.read_text(encoding="utf-8")
    before, after = text.split("    connector: json_crm\n    connection: proof_lada_crm")
    text = f"{before}    connector: salesforce\n    connection: proof_lada_crm{after}"
    text = text.replace("read_timeout: 1s", "read_timeout: 30s")
    config = tmp_path / "leadgate.yaml"
    config.write_text(text, encoding="utf-8")
    state = tmp_path / "state"
    state.mkdir()
    for file in keys.iterdir():
        if file.is_file():
            (state / file.name).write_bytes(file.read_bytes())
            (state / file.name).chmod(0o600)
    stands = [
        Stand(simulator="soap_call_center", name="lada_calls", connection="proof_lada_calls"),
        Stand(simulator="salesforce", name="lada_crm", connection="proof_lada_crm"),
    ]
    with Sandbox(stands) as sandbox:
        settings = settings_for(state=state, ledger_url=ledger_url, config=config)
        house = TestHouse(settings, sandbox, clock=Clock(datetime.now(UTC)))
        yield house
        house.close()


def _run(office: TestHouse, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return leadgate(office, *words, typed=typed, LEADGATE_CONFIG=str(office.settings.path))


def _document(office: TestHouse, *words: str, typed: str = "") -> Any:
    done = _run(office, *words, "--json", typed=typed)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _start(office: TestHouse, *words: str) -> subprocess.Popen[bytes]:
    variables = environment(office, LEADGATE_CONFIG=str(office.settings.path))
    return subprocess.Popen([str(PROGRAM), *words], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def _kill(worker: subprocess.Popen[bytes]) -> None:
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()


def _withdraw(office: TestHouse, lead: Invented) -> dict[str, Any]:
    """As a moderator does, at the command line."""
    typed = f"{lead.document['phone']}\n"
    found: dict[str, Any] = _document(office, "withdraw", "--brand", "lada", "--actor", "moderator-7", "--yes", typed=typed)
    return found


def test_a_withdrawal_reaches_everybody(office: TestHouse, tmp_path: Path) -> None:
    lead, second = office.invented.lead(1, brand="lada"), office.invented.lead(2, brand="lada")
    office.admit(lead, second)
    for name in ("lada_calls", "lada_crm"):
        office.dispatcher(name).run(seconds=30)
    third = office.invented.lead(3, brand="lada")
    office.admit(third)  # still in the queue

    told = [_withdraw(office, each) for each in (lead, third)]
    assert [(each["suppressed"], each["recipients"]) for each in told] == [(0, ["lada_calls", "lada_crm"]), (2, [])]
    stopped = _document(office, "withdrawals", "show", told[1]["withdrawal_id"])
    assert {each["destination"] for each in stopped["stopped"]} == {"lada_calls", "lada_crm"}
    assert stopped["complete"], "what never left needs nobody to be told"

    done = _run(office, "withdrawals", "tell")
    assert done.returncode == 0, done.stderr

    # What the worlds hold: the call center destroyed it; the org stopped using it and keeps it.
    calls, org = office.world("lada_calls"), office.world("lada_crm")
    assert (calls.stats()["records"], calls.stats()["suppressed"]) == (1, 0), "only the second person is left"
    assert (org.stats()["records"], org.stats()["suppressed"]) == (2, 1)
    (marked,) = [row for row in org.rows() if row.suppressed]
    assert marked.fields["DoNotCall"] is True

    # What we say is that.
    shown = _document(office, "withdrawals", "show", told[0]["withdrawal_id"])
    states = {each["destination"]: (each["state"], each["code"], each["by_hand"]) for each in shown["recipients"]}
    assert states == {"lada_calls": ("erased", None, False), "lada_crm": ("suppressed", "cannot_erase", True)}
    assert not shown["complete"]
    clocks = {each["kind"]: each["met_at"] for each in shown["clocks"]}
    assert clocks.pop("withdrawal") is None
    assert all(clocks.values()), "everybody has stopped"
    assert "stop_demand" in clocks

    # The officer writes to the org's owner; retention destroys our copy; then the last clock closes.
    delivery = next(each["delivery_id"] for each in shown["recipients"] if each["destination"] == "lada_crm")
    by_hand = _run(office, "withdrawals", "told-by-hand", delivery, "--how", "letter", "--actor", "officer-1")
    assert by_hand.returncode == 0, by_hand.stderr
    office.clock.now = datetime.now(UTC)
    office.house.erase(shown["person_ids"][0], actor="system", reason="withdrawn")
    facts = office.house.recipients.facts(told[0]["withdrawal_id"])
    assert facts.complete
    assert all(each.met_at for each in facts.clocks)
    assert office.house.recipients_due() == []

    leaves = [json.loads(leaf) for _, leaf in office.house.leaves_of(facts.recipients[0].lead_id)]
    about = [f"{each['event']}:{each['facts']['destination']}" for each in leaves if each["event"].startswith("recipient.")]
    assert set(about) >= {
        "recipient.suppressed:lada_calls", "recipient.erased:lada_calls", "recipient.suppressed:lada_crm",
        "recipient.told:lada_crm",
    }  # fmt: skip
    assert office.house.seal().integrated > 0

    # The person's copy says the same: destroyed here, told by hand there, and every clock met.
    issued = office.house.documents.receipt(
        "withdrawal", facts.withdrawal_id, tmp_path / "receipt", actor="officer-1", language=Language.EN,
        with_identity=False, alone=False,
    )  # fmt: skip
    states = {each.fact.destination: each.fact.state.value for each in issued.facts.told}
    assert states == {"lada_calls": "erased", "lada_crm": "told"}
    paper = " ".join(text_of((tmp_path / "receipt.pdf").read_bytes()).split())
    assert "Invented Calls Call back destroyed it" in paper
    assert "Invented Cards Customer card told by hand" in paper
    assert verify(office, LEADGATE_CONFIG=str(office.settings.path)) == (0, [])


def test_a_worker_killed_with_the_delivery_in_its_hands(office: TestHouse) -> None:
    """The call center took the record; the worker died before it heard of it; in between the person took consent back."""
    lead = office.invented.lead(4, brand="lada")
    office.admit(lead)
    office.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_HANG, times=1)
    worker = _start(office, "dispatch", "lada_calls")
    _until(lambda: office.world("lada_calls").stats()["records"] == 1)
    office.clock.now = datetime.now(UTC)
    told = office.house.withdraw(_named(lead), actor="moderator-7")
    assert told.recipients == ("lada_calls",)
    assert office.rows("select state from telling") == [("waiting",)]
    _kill(worker)
    office.clock.now += timedelta(minutes=3)
    office.dispatcher("lada_calls").run(seconds=30)
    office.clock.advance(seconds=15)
    office.dispatcher("lada_calls").run(seconds=30)
    assert office.house.recipients_due() == ["lada_calls"]
    assert office.house.tell_recipients("lada_calls").erased == 1
    assert office.world("lada_calls").stats()["records"] == 0
    assert office.house.recipients.facts(told.withdrawal_id).complete
    assert office.verified().ok


@pytest.mark.parametrize("on", ["suppress", "erase"])
def test_a_teller_killed_in_the_middle_is_repeated(office: TestHouse, on: str) -> None:
    """Whatever the recipient did before the kill, it is asked again, and once it has done it nothing is left."""
    lead = office.invented.lead(5, brand="lada")
    office.admit(lead)
    office.dispatcher("lada_calls").run(seconds=30)
    told = office.house.withdraw(_named(lead), actor="moderator-7")
    office.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_HANG, times=1, on=[on])
    worker = _start(office, "withdrawals", "tell", "lada_calls")
    _until(lambda: office.world("lada_calls").stats()["calls"].get(on, 0) == 1)
    _kill(worker)
    assert not office.house.recipients.facts(told.withdrawal_id).complete
    assert office.house.recipients_due() == [], "its lease still runs"
    office.clock.now = datetime.now(UTC) + timedelta(minutes=3)
    assert office.house.recipients_due() == ["lada_calls"]
    office.house.tell_recipients("lada_calls")
    assert office.world("lada_calls").stats()["records"] == 0
    assert office.house.recipients.facts(told.withdrawal_id).complete
    assert office.verified().ok


def _named(lead: Invented) -> Withdrawal:
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    return Withdrawal(brand="lada", phone=Personal(phone))
