"""Requests of data subjects when the process dies between two instructions, and when recipients cannot be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadgate.pipeline.case_steps import CaseSteps, How
from leadgate.pipeline.corrections import Corrections
from leadgate.pipeline.rectify import Rectifier
from leadgate.wiring import House
from schemas.cases import CaseKind, CaseStepName, StepState
from schemas.errors import ConfigurationError
from schemas.vocabulary import WriteMode
from tests.houses.house import TestHouse
from tests.houses.interrupted import interrupted
from tests.stories.test_requests import OFFICER, delivered, finished, opened, phone_of, stepped

RIGHT = "+79000000888"


class _Death(BaseException):
    """The process is gone."""


def dying(house: TestHouse, of: House) -> CaseSteps:
    """The steps of a process that dies as soon as the CRM has answered."""

    def die() -> None:
        raise _Death

    crm = interrupted(house, "lada_crm", die)
    corrections = Corrections(
        ledger=of.ledger,
        vault=of.vault,
        policies=of.policies,
        write_mode=lambda name: WriteMode.UPSERT if name == "lada_crm" else WriteMode.APPEND_ONLY,
        connector=lambda name: crm if name == "lada_crm" else of.destination(name),
        clock=house.clock,
    )
    return CaseSteps(
        cases=of.requests.cases,
        ledger=of.ledger,
        vault=of.vault,
        index=of.index,
        rectifier=Rectifier(vault=of.vault, index=of.index, corrections=corrections),
        corrections=corrections,
        erase=lambda person, actor: of.erase(person, actor=actor, reason="subject_request"),
        would_erase=lambda person: of.erase(person, actor="system", reason="subject_request", dry_run=True),
        strays=of.destruction.strays,
        clock=house.clock,
    )


def test_a_correction_whose_answer_was_not_recorded_is_sent_again_as_one_record(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.RECTIFICATION, lead, values={"phone": RIGHT})
    stepped(house, case)
    with pytest.raises(_Death):
        dying(house, house.another()).run(case.case_id, OFFICER)
    assert RIGHT in str(house.world("lada_crm").records()), "the recipient has it, we do not know"
    states = {each.destination: each.state for each in house.house.requests.corrections.of(case.case_id)}
    assert states["lada_crm"] == "queued"
    stepped(house, case)
    states = {each.destination: each.state for each in house.house.requests.corrections.of(case.case_id)}
    assert states["lada_crm"] == "done"
    assert house.world("lada_crm").stats()["records"] == 1
    assert house.verified().ok


def test_a_correction_waits_for_a_recipient_that_is_down(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.RECTIFICATION, lead, values={"phone": RIGHT})
    stepped(house, case)
    house.server("lada_crm").down()
    assert stepped(house, case) == (CaseStepName.PROPAGATE, StepState.WAITING)
    house.server("lada_crm").up()
    house.house.requests.corrections.told_by_hand(case.case_id, "lada_calls", how="letter", actor="officer-1")
    assert house.house.requests.go_on().moved == 1
    assert RIGHT in str(house.world("lada_crm").records())
    finished(house, case)


def test_a_withdrawn_recipient_is_not_told_the_right_value(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.RECTIFICATION, lead, values={"phone": RIGHT})
    stepped(house, case)
    objection = opened(house, CaseKind.OBJECTION, lead)
    assert objection.person_ids == (), "the wrong number finds nobody any more"
    again = opened(house, CaseKind.OBJECTION, lead.__class__(**{
        **{name: getattr(lead, name) for name in lead.__dataclass_fields__}, "document": {**lead.document, "phone": RIGHT},
    }))  # fmt: skip
    assert stepped(house, again) == (CaseStepName.WITHDRAW, StepState.DONE)
    stepped(house, case)
    assert RIGHT not in str(house.world("lada_crm").records())
    states = {each.destination: (each.state, each.reason) for each in house.house.requests.corrections.of(case.case_id)}
    assert states["lada_crm"] == ("refused", "withdrawn")


def test_an_erasure_that_was_not_recorded_is_recorded(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ERASURE, lead)
    stepped(house, case)
    house.house.erase(case.person_ids[0], actor="officer-1", reason="subject_request")  # and the process died here
    assert stepped(house, case) == (CaseStepName.ERASE, StepState.DONE)
    kept = house.house.requests.cases.kept(house.house.requests.cases.show(case.case_id))
    assert kept.who.phone is not None
    assert kept.who.phone.reveal() == phone_of(lead), "what is needed to go on survives the erasure"
    assert house.verified().ok


def test_a_legal_hold_makes_an_erasure_wait(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ERASURE, lead)
    stepped(house, case)
    hold = house.house.destruction.hold(case.person_ids[0], reason="claim", until=None, actor="officer-1")
    assert stepped(house, case) == (CaseStepName.ERASE, StepState.WAITING)
    assert house.house.requests.cases.show(case.case_id).step(CaseStepName.ERASE).reason == "legal_hold.claim"  # type: ignore[union-attr]
    house.house.destruction.lift(hold.hold_id, actor="officer-1")
    assert stepped(house, case) == (CaseStepName.ERASE, StepState.DONE)


def test_a_report_that_was_written_and_not_recorded_is_written_anew(house: TestHouse, tmp_path: Path) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.ACCESS, lead)
    (tmp_path / "answer.json").write_text("left by somebody who died", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        stepped(house, case, How(actor="officer-1", target=tmp_path / "answer"))
    assert not (tmp_path / "answer.pdf").exists()
    how = How(actor="officer-1", target=tmp_path / "second")
    assert stepped(house, case, how) == (CaseStepName.REPORT, StepState.DONE)


def test_a_step_that_two_people_do_at_once_is_done_once(house: TestHouse) -> None:
    lead = delivered(house)
    case = opened(house, CaseKind.RESTRICTION, lead)
    other = house.another()
    assert stepped(house, case) == (CaseStepName.RESTRICT, StepState.DONE)
    done = other.requests.cases.settle(
        case.case_id, CaseStepName.RESTRICT, lambda *_: pytest.fail("it was done before"), actor="officer-2"
    )
    assert done.reason == "done_before"
    other.close()
