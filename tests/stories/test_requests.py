"""Every request of a data subject, from its opening to its closing, at two simulators: what was promised, and when."""

from __future__ import annotations

import json
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from integrations.testing.invented_leads import Invented
from leadgate.pipeline.case_file import Asked
from leadgate.pipeline.case_steps import How
from schemas.cases import CaseKind, CaseState, CaseStepName, StepState, SubjectCase
from schemas.clocks import ClockState
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError, VaultError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.house import TestHouse, document, renamed

OFFICER = How(actor="officer-1")
SENT = How(actor="officer-1", reference="out-2026-17")


def phone_of(lead: Invented) -> str:
    """As a lead keeps it."""
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    return phone


def who(lead: Invented) -> Withdrawal:
    return Withdrawal(brand=lead.document["brand"], phone=Personal(phone_of(lead)))


def opened(house: TestHouse, kind: CaseKind, lead: Invented, **more: Any) -> SubjectCase:
    names = more.pop("values", {})
    case, _ = house.house.requests.open(
        Asked(
            kind=kind,
            who=who(lead),
            received_at=house.clock.now,
            values=Personal(names),
            names=tuple(sorted(names)),
            **more,
        ),
        owner="officer-1",
    )
    return case


def stepped(house: TestHouse, case: SubjectCase, how: How = OFFICER) -> tuple[CaseStepName, StepState]:
    name, did = house.house.requests.step(case.case_id, how)
    return name, did.state


def finished(house: TestHouse, case: SubjectCase) -> SubjectCase:
    assert stepped(house, case, SENT) == (CaseStepName.ANSWER, StepState.DONE)
    closed = house.house.requests.cases.close(case.case_id, actor="officer-1")
    assert closed.state is CaseState.DONE
    board = house.house.clocks.board(met=50)
    assert case.case_id not in {each.about for each in board.running}
    assert {board.state(each) for each in board.met if each.about == case.case_id} == {ClockState.MET}
    return closed


def delivered(house: TestHouse, number: int = 1) -> Invented:
    """A lead that stands at the call center and in the CRM."""
    lead = house.invented.lead(number, brand="lada", purposes=["callback", "crm_followup"])
    assert house.admit(lead) == [("admitted", [])]
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=20)
    return lead


def test_access_says_everything_that_is_held_and_everybody_who_was_told(house: TestHouse, tmp_path: Path) -> None:
    lead = delivered(house)
    assert house.admit(renamed(lead, "twice"))[0][0] == "refused"  # what was put aside is held too, for days
    case = opened(house, CaseKind.ACCESS, lead)
    assert house.house.requests.preview(case.case_id).would == {"persons": 1, "leads": 1}
    with pytest.raises(ConfigurationError, match="--to"):
        stepped(house, case)
    target = tmp_path / "answer"
    how = How(actor="officer-1", target=target)
    assert stepped(house, case, how) == (CaseStepName.REPORT, StepState.DONE)

    told = json.loads((tmp_path / "answer.json").read_bytes())
    (person,) = told["persons"]
    (held,) = person["leads"]
    assert held["fields"]["phone"] == phone_of(lead)
    assert held["fields"]["given_name"] == lead.document["given_name"]
    assert {each["destination"]: each["state"] for each in held["recipients"]} == {
        "lada_calls": "accepted",
        "lada_crm": "accepted",
    }
    assert all("phone" in each["fields"] for each in held["recipients"])
    assert held["consent"]["purposes"] == "callback crm_followup"
    assert [each["kind"] for each in person["requests"]] == ["access"]
    (copy,) = person["received"]
    assert lead.document["given_name"] in copy["content"]
    paper = (tmp_path / "answer.pdf").read_bytes()
    text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(paper))
    assert phone_of(lead) in text
    assert told["pdf_sha256"] == sha256(paper).hexdigest()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("answer.*")} == {0o600}

    # The log knows the document by its digest, and who looked at what.
    leaves = b"".join(bytes(row[0]) for row in house.rows("select body from audit_pending"))
    assert sha256((tmp_path / "answer.json").read_bytes()).hexdigest().encode() in leaves
    assert b"identity.opened" in leaves
    assert phone_of(lead).encode() not in leaves
    with pytest.raises(ConfigurationError, match="reference") as again:
        stepped(house, case)
    assert again.value.field == "--reference"
    finished(house, case)
    assert house.verified().ok


def test_rectification_reaches_whoever_holds_the_wrong_value(house: TestHouse) -> None:
    lead = delivered(house)
    right = "+79000000999"
    case = opened(house, CaseKind.RECTIFICATION, lead, values={"phone": right, "city": "Tver"})
    assert stepped(house, case) == (CaseStepName.CORRECT, StepState.DONE)
    # nobody finds the person by the wrong number any more, everybody by the right one
    assert house.house.persons(withdrawal=who(lead)) == []
    assert house.house.persons(withdrawal=Withdrawal(brand="lada", phone=Personal(right))) == list(case.person_ids)

    before = {name: house.world(name).stats()["records"] for name in ("lada_calls", "lada_crm")}
    name, state = stepped(house, case)
    assert name is CaseStepName.PROPAGATE
    corrections = {each.destination: each.state for each in house.house.requests.corrections.of(case.case_id)}
    for destination in ("lada_calls", "lada_crm"):
        assert house.world(destination).stats()["records"] == before[destination], "a correction is no second record"
    upserts = [each for each in corrections if corrections[each] == "done"]
    assert upserts, "at least one of the simulators can upsert"
    for destination in upserts:
        assert right in str(house.world(destination).records())
    by_hand = [each for each in corrections if corrections[each] == "by_hand"]
    if by_hand:
        assert state is StepState.WAITING
        for destination in by_hand:
            assert house.house.requests.corrections.told_by_hand(case.case_id, destination, how="telephone", actor="officer-1")
        assert stepped(house, case) == (CaseStepName.PROPAGATE, StepState.DONE)
    finished(house, case)
    report = house.verified()
    assert report.ok, report.findings


def test_erasure_destroys_and_waits_for_the_recipients(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ERASURE, lead)
    assert stepped(house, case) == (CaseStepName.WITHDRAW, StepState.DONE)
    assert stepped(house, case) == (CaseStepName.ERASE, StepState.DONE)
    assert house.house.persons(withdrawal=who(lead)) == []
    assert house.house.requests.cases.kept(house.house.requests.cases.show(case.case_id)).who.phone is not None
    assert stepped(house, case) == (CaseStepName.RECIPIENTS, StepState.WAITING)
    with pytest.raises(ConfigurationError, match="finish it"):
        house.house.requests.cases.refuse(case.case_id, reason="late", reference="x", actor="officer-1")
    with pytest.raises(ConfigurationError, match="not done yet"):
        house.house.requests.cases.close(case.case_id, actor="officer-1")
    house.run(
        "update telling set state = 'erased', erased_at = :now, not_before = null, decided_at = :now", now=1_780_000_000_000_000
    )
    assert house.house.requests.go_on().moved == 1
    finished(house, case)
    assert house.verified().ok

    # the identifiers that were kept go a term after the case is closed
    assert house.house.requests.go_on().forgotten == 0
    house.clock.advance(days=91)
    assert house.house.requests.go_on().forgotten == 1
    with pytest.raises(VaultError):
        house.house.requests.cases.kept(house.house.requests.cases.show(case.case_id))


def test_objection_stops_what_waits(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada", purposes=["callback", "crm_followup"])
    house.admit(lead)
    house.clock.advance(minutes=1)
    case = opened(house, CaseKind.OBJECTION, lead)
    assert stepped(house, case) == (CaseStepName.WITHDRAW, StepState.DONE)
    assert house.states("lada_calls") == house.states("lada_crm") == {"suppressed": 1}
    assert stepped(house, case) == (CaseStepName.RECIPIENTS, StepState.DONE)
    finished(house, case)
    assert house.verified().ok


def test_restriction_holds_everything_and_can_be_lifted(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada", purposes=["callback", "crm_followup"])
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=20)
    house.clock.advance(minutes=1)
    case = opened(house, CaseKind.RESTRICTION, lead)
    assert stepped(house, case) == (CaseStepName.RESTRICT, StepState.DONE)
    house.dispatcher("lada_calls").run(seconds=20)
    assert house.world("lada_calls").stats()["records"] == 0
    late = renamed(lead, "late", channel="facebook", topic={"code": "price", "fields": {"car_model": "X"}})
    assert house.admit(late)[0][0] == "refused", "a consent from before the restriction carries nothing"
    finished(house, case)
    assert house.house.apply_retention(dry_run=False).destroyed >= 0
    assert house.house.persons(withdrawal=who(lead)), "what is restricted is not destroyed"

    house.clock.advance(days=3)
    assert house.house.requests.lift(case.case_id, actor="officer-1") == 1
    assert house.house.requests.lift(case.case_id, actor="officer-1") == 0
    house.dispatcher("lada_calls").run(seconds=20)
    assert house.world("lada_calls").stats()["records"] == 1
    report = house.verified()
    assert report.ok, report.findings


def test_somebody_nobody_knows_is_answered_the_same_way(house: TestHouse, tmp_path: Path) -> None:
    for number, kind in enumerate(CaseKind):  # a withdrawal makes somebody of a stranger, so each is another one
        stranger = house.invented.lead(70 + number, brand="lada")
        values = {"city": "Tver"} if kind is CaseKind.RECTIFICATION else {}
        case = opened(house, kind, stranger, values=values)
        assert case.person_ids == ()
        how = How(actor="officer-1", target=tmp_path / kind.value)
        while (
            house.house.requests.cases.due_step(house.house.requests.cases.show(case.case_id)).name is not CaseStepName.ANSWER
        ):
            _, state = stepped(house, case, how)
            assert state is StepState.DONE, kind
        finished(house, case)
    told = json.loads((tmp_path / "access.json").read_bytes())
    assert told["persons"] == []
    assert house.verified().ok


def test_a_refusal_names_why_and_ends_the_clocks(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ACCESS, lead)
    done = house.house.requests.cases.refuse(case.case_id, reason="not_identified", reference="out-3", actor="officer-1")
    assert (done.state, done.result) == (CaseState.REFUSED, "not_identified")
    assert {each.state for each in done.steps} == {StepState.DROPPED}
    assert house.house.clocks.board().counts["open"] == 0
    with pytest.raises(ConfigurationError, match="closed"):
        stepped(house, done, SENT)
    assert house.verified().ok


def test_two_requests_at_once_for_one_person(house: TestHouse, tmp_path: Path) -> None:
    lead = delivered(house)
    access = opened(house, CaseKind.ACCESS, lead)
    erasure = opened(house, CaseKind.ERASURE, lead)
    assert access.person_ids == erasure.person_ids
    stepped(house, erasure)
    stepped(house, erasure)
    # the other one goes on: it says what is left to say
    assert stepped(house, access, How(actor="officer-1", target=tmp_path / "a")) == (CaseStepName.REPORT, StepState.DONE)
    told = json.loads((tmp_path / "a.json").read_bytes())
    assert told["persons"][0]["state"] == "erased"
    assert told["persons"][0]["leads"][0]["fields"] == {}
    finished(house, access)
    assert house.verified().ok


def test_what_was_pinned_stays_and_what_comes_later_is_included(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ERASURE, lead)
    assert case.policy_version == house.house.policies["lada"].version
    later = renamed(lead, "later", phone=lead.document["phone"], channel="vk", user="900000555",
                    topic={"code": "price", "fields": {"car_model": "Z"}})  # fmt: skip
    house.clock.advance(hours=1)
    house.admit(document(later))
    stepped(house, case)
    stepped(house, case)
    assert house.rows("select count(*) from lead where sealed is not null")[0][0] == 0


def test_a_request_of_the_future_is_refused(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    asked = Asked(kind=CaseKind.ACCESS, who=who(lead), received_at=house.clock.now + timedelta(hours=1))
    with pytest.raises(ConfigurationError, match="future"):
        house.house.requests.open(asked, owner="officer-1")
