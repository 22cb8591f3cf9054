"""Destinations on a bad day: HTML for JSON, an error under 200, a fault without detail, a cut answer, results missing, the
wrong WSDL, no credentials, another clock. What is in doubt is read back, the others are served at once, the books close.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from integrations import registry
from integrations.testing.invented_leads import Invented
from integrations.testing.knobs import Fault, FaultKind, Garbage
from integrations.testing.soap_call_center import CLOCK_TOLERANCE, SoapCallCenter
from integrations.testing.soap_wire import UsernameTokens
from schemas.errors import DeliveryError
from tests.stories.outside import Office

CRM, CALLS = "lada_crm", "lada_calls"


@pytest.fixture
def people(office: Office) -> list[Invented]:
    """Six people, four of the brand whose destinations misbehave, admitted and waiting."""
    lada = ["callback", "crm_followup"]
    leads = [office.invented.lead(number, brand="lada", purposes=lada) for number in range(1, 5)]
    leads += [office.invented.lead(number, brand="s7") for number in (5, 6)]
    assert office.admit(*leads) == [("admitted", [])] * 6
    return leads


def send_all(office: Office) -> dict[str, str]:
    """One round over everything due, as the scheduler runs it; answers what each failing destination said."""
    said = {}
    for name in office.house.destinations():
        try:
            office.dispatcher(name).run(seconds=20)
        except DeliveryError as error:
            said[name] = error.diagnostics()
            office.said.append(error.diagnostics())
    return said


def waiting(office: Office, name: str) -> set[tuple[str, str | None, int]]:
    """(state, reason, count) of what has not arrived."""
    rows = office.rows(
        "select state, reason, count(*) from delivery where destination = :name and state <> 'accepted' group by state, reason",
        name=name,
    )
    return {(row[0], row[1], row[2]) for row in rows}


def fault(kind: FaultKind, **settings: object) -> Fault:
    return Fault.from_json({"kind": kind, "times": 1, **settings})


#: what -> (where, the fault, what waits then, whether the vendor had taken the batch).
ANSWERS: dict[str, tuple[str, Fault, set[tuple[str, str | None, int]], bool]] = {
    "HTML instead of JSON": (CRM, fault(FaultKind.GARBAGE, form=Garbage.HTML), {("uncertain", "not_json", 4)}, True),
    "a log-in page before anything was taken": (
        CRM,
        fault(FaultKind.GARBAGE, form=Garbage.HTML, take=False),
        {("uncertain", "not_json", 4)},
        False,
    ),
    "HTML instead of SOAP": (CALLS, fault(FaultKind.GARBAGE, form=Garbage.HTML), {("uncertain", "not_soap", 4)}, True),
    "200 with an error inside": (CRM, fault(FaultKind.ERROR_INSIDE), {("uncertain", "error_inside", 4)}, False),
    "200 with a SOAP fault without detail": (
        CALLS,
        fault(FaultKind.ERROR_INSIDE, code="Server"),
        {("uncertain", "fault_server", 4)},
        False,
    ),
    "200 with a typed fault inside": (
        CALLS,
        fault(FaultKind.ERROR_INSIDE, code="UnavailableFault"),
        {("deferred", "unavailable", 4)},
        False,
    ),
    "an answer cut on the line": (CRM, fault(FaultKind.TAKE_THEN_CUT), {("uncertain", "connection_lost", 4)}, True),
    "a SOAP answer cut on the line": (CALLS, fault(FaultKind.TAKE_THEN_CUT), {("uncertain", "connection_lost", 4)}, True),
    "JSON cut by the vendor itself": (CRM, fault(FaultKind.GARBAGE, form=Garbage.CUT), {("uncertain", "not_json", 4)}, True),
    "XML cut by the vendor itself": (CALLS, fault(FaultKind.GARBAGE, form=Garbage.CUT), {("uncertain", "not_soap", 4)}, True),
    "nothing under 200": (CRM, fault(FaultKind.GARBAGE, form=Garbage.EMPTY), {("uncertain", "answer_does_not_match", 4)}, True),
    "another version's SOAP": (
        CALLS,
        fault(FaultKind.GARBAGE, form=Garbage.WRONG_TYPE),
        {("uncertain", "unexpected_answer", 4)},
        True,
    ),
    "fewer results than were sent": (
        CRM,
        fault(FaultKind.FEWER_RESULTS, count=3),
        {("uncertain", "missing_in_answer", 3)},
        True,
    ),
    "fewer SOAP results than were sent": (
        CALLS,
        fault(FaultKind.FEWER_RESULTS, count=3),
        {("uncertain", "missing_in_answer", 3)},
        True,
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_nobody_can_read_is_doubt_and_doubt_is_read_back(
    office: Office, people: list[Invented], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, wrong, waits, taken = ANSWERS[what]
    office.simulator(name).knobs.set(wrong)
    with caplog.at_level("DEBUG"):
        assert send_all(office) == {}
        assert waiting(office, name) == waits
        assert office.world(name).stats()["records"] == (4 if taken else 0)
        for other in set(office.settings.destinations) - {name}:
            assert waiting(office, other) == set(), "one destination's trouble delays no other"
        shown = office.balance_shown("ru")
        assert "Баланс НЕ сходится" in shown, "what is in doubt is not called done"
        assert all(f"{name}: " in shown and f" {count}: {code} (" in shown for _, code, count in waits), "and why, in Russian"
        office.settled(good=6)
    writes = office.world(name).stats()["writes"]
    assert writes == 4, "nothing was written twice"
    office.names_nobody(*people, log=caplog.records)


def test_a_look_up_that_answers_html_leaves_the_doubt_and_calls_a_person(office: Office, people: list[Invented]) -> None:
    knobs = office.simulator(CALLS).knobs
    knobs.set(fault(FaultKind.TAKE_THEN_CUT))
    knobs.set(fault(FaultKind.GARBAGE, form=Garbage.HTML, on=["lookup"]))
    assert send_all(office) == {}
    office.clock.advance(minutes=1)
    (said,) = send_all(office).values()
    assert said.startswith("not_soap: the destination answers HTML where SOAP is due: check base_url")
    assert waiting(office, CALLS) == {("uncertain", "connection_lost", 4)}
    office.settled(good=6)
    assert office.world(CALLS).stats()["writes"] == 4
    office.names_nobody(*people)


# -- what an operator must mend ----------------------------------------------------------------------------------------------


def test_another_clock_at_the_call_center_is_said_and_mended(office: Office, people: list[Invented]) -> None:
    center = cast("SoapCallCenter", office.simulator(CALLS))
    right = center._tokens
    later = UsernameTokens(
        {str(center.login): center.secret}, tolerance=CLOCK_TOLERANCE, clock=lambda: datetime.now(UTC) + timedelta(minutes=10)
    )
    center._tokens = later
    try:
        said = send_all(office)
    finally:
        center._tokens = right
    assert said.keys() == {CALLS}
    assert "compare both clocks" in said[CALLS]
    assert waiting(office, CALLS) == {("queued", "unauthorized", 4)}
    assert office.world(CALLS).rows() == []
    office.settled(good=6)
    office.names_nobody(*people)


def other_version(folder: Path) -> str:
    """The vendor's next WSDL: the same words in another namespace."""
    ours = registry.folder("soap_call_center")
    for name in ("call_center.wsdl", "call_center.xsd"):
        text = (ours / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace("call-center/1", "call-center/2"), encoding="utf-8")
    return str(folder / "call_center.wsdl")


def no_wsdl(folder: Path) -> str:
    (folder / "page.wsdl").write_text("<!DOCTYPE html><html><body>Sign in</body></html>", encoding="utf-8")
    return str(folder / "page.wsdl")


CALLS_ENTRY = "  lada_calls:\n    connector: soap_call_center\n"
#: what -> (the file it names, a piece of what the operator reads).
WSDLS: dict[str, tuple[Callable[[Path], str], str]] = {
    "of another version": (other_version, "the version of the WSDL"),
    "that is a log-in page": (no_wsdl, "page.wsdl"),
    "that is not there": (lambda folder: str(folder / "nowhere.wsdl"), "wsdl_missing [nowhere.wsdl]"),
}


#: what -> (the connection as it stands in the environment, exit code, a piece of what the operator reads).
CONNECTIONS: dict[str, tuple[Callable[[Mapping[str, str]], str], int, str]] = {
    "no connection": (lambda _: "", 2, "no_connection [AIRFLOW_CONN_PROOF_S7_CALLS]"),
    "a connection that is no JSON": (
        lambda _: "http://user:secret-word@host",
        2,
        "bad_connection [AIRFLOW_CONN_PROOF_S7_CALLS]",
    ),
    "no password": (lambda known: json.dumps({**known, "password": None}), 3, "credentials_missing"),
    "an old password": (
        lambda known: json.dumps({**known, "password": "secret-word"}),
        3,
        "unauthorized: the destination does not accept the credentials: renew login and secret",
    ),
    "no address": (lambda known: json.dumps({**known, "host": ""}), 2, "bad_address [connection of s7_calls]"),
}


#: Two destinations are wrong at a time, so that one process shows both.
DAYS = [
    ("of another version", "no connection"),
    ("that is a log-in page", "a connection that is no JSON"),
    ("that is not there", "no password"),
    (None, "an old password"),
    (None, "no address"),
]


@pytest.mark.parametrize(("wsdl", "connection"), DAYS)
def test_the_wrong_wsdl_and_missing_credentials_stop_their_destinations_alone(
    office: Office, people: list[Invented], wsdl: str | None, connection: str
) -> None:
    make, code, sentence = CONNECTIONS[connection]
    variable = "AIRFLOW_CONN_PROOF_S7_CALLS"
    changes = {variable: make(json.loads(office.sandbox.environment()[variable]))}
    if wsdl is not None:
        text = office.settings.path.read_text(encoding="utf-8")
        wrong = office.folder / "wrong.yaml"
        wrong.write_text(text.replace(CALLS_ENTRY, f"{CALLS_ENTRY}    options: {{ wsdl: {WSDLS[wsdl][0](office.folder)} }}\n"))
        assert wrong.read_text(encoding="utf-8") != text
        changes["LEADGATE_CONFIG"] = str(wrong)
    told = office.command("dispatch", **changes)
    assert f"s7_calls: {sentence}" in told.err
    assert told.code == code if wsdl is None else told.code in (2, 3)
    assert "secret-word" not in told.err + told.out
    assert {(row[0], row[2]) for row in waiting(office, "s7_calls")} == {("queued", 2)}
    if wsdl is not None:
        assert "lada_calls: " in told.err
        assert WSDLS[wsdl][1] in told.err
        assert office.world(CALLS).rows() == []
    assert not any(waiting(office, name) for name in (CRM, "s7_crm"))
    assert bool(waiting(office, CALLS)) == (wsdl is not None)
    office.settled(good=6)
    office.names_nobody(*people)


def test_a_check_goes_through_all_destinations(office: Office) -> None:
    office.simulator(CRM).knobs.garbage(Garbage.HTML, on=["check"], times=1)
    told = office.command("check", "--json", AIRFLOW_CONN_PROOF_LADA_CALLS="")
    assert told.code == 1
    found = json.loads(told.out)
    assert {name for name, each in found.items() if each["ok"]} == {"s7_calls", "s7_crm"}
    assert "no_connection [AIRFLOW_CONN_PROOF_LADA_CALLS]" in found[CALLS]["message"]
    assert "HTML where JSON is due" in found[CRM]["message"]
    assert "Check host, port and path" in found[CRM]["advice"]
