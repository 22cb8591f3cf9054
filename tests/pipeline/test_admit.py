"""Admission through every kind of source: each submission is decided exactly once, for the reason that is its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.contract.source import Request, WebhookSource
from integrations.testing.invented_leads import EXPECTED, Flaw, Invented, possible
from schemas.errors import IntakeError
from schemas.personal import Personal
from schemas.vocabulary import Channel, Reason
from tests.houses.house import VK_SECRET, WEBHOOK_SECRET, TestHouse, consent, document, renamed


def _post(house: TestHouse, source: str, body: bytes, *, at: datetime | None = None, **headers: str) -> Any:
    """What the intake service does with a request."""
    spoken_to: WebhookSource = house.house.webhook_sources()[source]
    reception = spoken_to.receive(
        Request(headers={"content-type": "application/json", **headers}, body=Personal(body), received_at=at or house.clock.now)
    )
    house.house.receiver.commit(reception.submissions)
    return reception


def _signed(lead: Invented) -> dict[str, str]:
    stamp = str(int(datetime.now(UTC).timestamp()))  # the verifying library looks at the real clock
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    signature = hmac.new(key, f"{lead.event_id}.{stamp}.".encode() + lead.body, hashlib.sha256).digest()
    return {
        "webhook-id": lead.event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


_REFUSED_AT_THE_DOOR = {Flaw.BROKEN_JSON, Flaw.NOT_AN_OBJECT}


def _by_webhook(house: TestHouse, leads: list[Invented]) -> None:
    for lead in leads:
        if lead.flaw in _REFUSED_AT_THE_DOOR:  # the sender is told at once, and nothing is stored
            with pytest.raises(IntakeError):
                _post(house, "webhook", lead.body, at=datetime.now(UTC), **_signed(lead))
        else:
            _post(house, "webhook", lead.body, at=datetime.now(UTC), **_signed(lead))


def _by_file(house: TestHouse, leads: list[Invented]) -> None:
    place = house.settings.sources["export"].inbox
    assert place is not None
    inbox = Path(place)
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "leads.jsonl").write_bytes(b"\n".join(lead.body for lead in leads) + b"\n")
    (inbox / "leads.jsonl.done").touch()
    assert house.house.collect_files().rows == len(leads)


def _vk_event(lead: Invented, number: int, *, agreed: str = "Согласен") -> bytes:
    answers = [
        {"key": "first_name", "question": "Имя", "answer": lead.document["given_name"]},
        {"key": "last_name", "question": "Фамилия", "answer": lead.document["family_name"]},
        {"key": "phone_number", "question": "Телефон", "answer": lead.document["phone"]},
        {"key": "model", "question": "Модель", "answer": "Vesta"},
        {"key": "consent", "question": "Согласие", "answer": agreed},
    ]
    event = {
        "type": "lead_forms_new",
        "group_id": 900000001,
        "event_id": f"vk{number}",
        "secret": VK_SECRET,
        "object": {
            "lead_id": number,
            "group_id": 900000001,
            "user_id": 990_000_000 + number,
            "form_id": 501,
            "answers": answers,
        },
    }
    return json.dumps(event, ensure_ascii=False).encode()


# -- every kind of source ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [_by_webhook, _by_file], ids=["webhook", "file"])
def test_every_flaw_is_answered_with_its_own_reason(house: TestHouse, way: Any) -> None:
    policy = house.house.policies["lada"]
    flawed = [house.invented.lead(number, brand="lada", flaw=flaw) for number, flaw in enumerate(possible(policy))]
    good = list(house.invented.many(7, start=100))
    way(house, flawed + good)
    if way is _by_webhook:
        flawed = [lead for lead in flawed if lead.flaw not in _REFUSED_AT_THE_DOOR]
    count = house.house.admit()
    assert count.taken == len(flawed) + len(good)
    rows = house.rows("select state, findings from submission order by submission_id")
    decided = sorted((row[0], tuple(sorted({each["reason"] for each in json.loads(row[1] or "[]")}))) for row in rows)
    expected = [EXPECTED[lead.flaw] for lead in flawed if lead.flaw]
    assert sorted(state for state, _ in decided) == sorted([state for state, _ in expected] + ["admitted"] * len(good))
    for lead in flawed:
        assert lead.flaw is not None
        state, reason = EXPECTED[lead.flaw]
        assert any(row[0] == state and reason in row[1] for row in decided), lead.flaw
    assert count.admitted + count.quarantined + count.refused == count.taken
    balance = house.house.balance()
    assert balance.decided
    assert balance.received == count.taken
    assert house.verified().ok


@pytest.mark.parametrize("flaw", list(Flaw))
def test_each_flaw_alone(house: TestHouse, flaw: Flaw) -> None:
    lead = house.invented.lead(1, brand="lada", flaw=flaw)
    state, reason = EXPECTED[flaw]
    ((found, reasons),) = house.admit(lead)
    assert (found, reason in reasons) == (state, True), reasons
    assert house.rows("select count(*) from lead")[0][0] == house.rows("select count(*) from delivery")[0][0] == 0
    assert house.verified().ok


def test_vk_leads_and_refused_agreement(house: TestHouse) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    for number, lead in enumerate(leads):
        reception = _post(house, "vk", _vk_event(lead, number, agreed="Согласен" if number else "Нет"))
        assert reception.reply.body == b"ok"
    assert _post(house, "vk", _vk_event(leads[1], 1)).reply.body == b"ok", "VK repeats itself until it hears ok"
    house.house.admit()
    states = dict(tuple(row) for row in house.rows("select event_id, state from submission"))
    assert states["900000001:vk0"] in {"quarantined", "refused"}
    assert (states["900000001:vk1"], states["900000001:vk2"]) == ("admitted", "admitted")
    assert house.states("lada_calls") == {"queued": 2}
    assert house.states("lada_crm") == {}, "the form asked for a call and nothing else"


def test_a_vk_user_who_forbids_messages_takes_back_what_the_form_gave(house: TestHouse) -> None:
    lead = house.invented.lead(5, brand="lada")
    _post(house, "vk", _vk_event(lead, 5))
    house.house.admit()
    deny = {"type": "message_deny", "group_id": 900000001, "event_id": "d5", "secret": VK_SECRET}
    _post(house, "vk", json.dumps({**deny, "object": {"user_id": 990_000_005}}).encode())
    count = house.house.admit()
    assert (count.withdrawals, house.states("lada_calls")) == (1, {"suppressed": 1})


def test_no_destination_for_what_was_agreed(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada", purposes=["survey"])
    assert house.admit(lead) == [("refused", [Reason.NO_DESTINATION])]


def test_what_arrives_for_a_source_that_is_gone_waits_for_a_person(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.receive(lead, source="a_source_of_last_year")
    house.house.admit()
    assert house.state_of(lead, source="a_source_of_last_year") == ("quarantined", [Reason.UNPARSABLE])


# -- once ---------------------------------------------------------------------------------------------------------------------


def test_receiving_again_changes_nothing(house: TestHouse) -> None:
    leads = list(house.invented.many(5))
    first = house.receive(*leads)
    assert (first.new, first.repeated) == (5, 0)
    again = house.receive(*leads, leads[0], house.invented.lead(9))
    assert (again.new, again.repeated) == (1, 6)
    house.house.admit()
    late = house.receive(*leads)
    assert (late.new, late.repeated) == (0, 5)
    assert house.house.admit().taken == 0
    assert house.rows("select count(*) from submission")[0][0] == 6
    assert house.rows("select count(*) from lead")[0][0] == 6
    assert house.verified().events["submission.received"] == 6


def test_the_same_event_in_other_words_is_the_first_one(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.receive(lead)
    assert house.receive(document(lead, given_name="Другая")).repeated == 1


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
@pytest.mark.parametrize("channel", [Channel.VK, Channel.INSTAGRAM])
def test_the_same_request_again_is_a_duplicate_of_the_first(house: TestHouse, *, together: bool, channel: Channel) -> None:
    lead = house.invented.lead(1, brand="lada")
    again = house.invented.again(lead, channel=channel)
    answers = house.admit(lead, again) if together else house.admit(lead) + house.admit(again)
    assert answers == [("admitted", []), ("refused", [Reason.DUPLICATE])]
    assert house.rows("select count(*) from delivery")[0][0] == 2
    hint = json.loads(house.rows("select findings from submission where state = 'refused'")[0][0])[0]["hint"]
    assert house.rows("select lead_id from lead")[0][0] in hint, "the person who looks is told where the first one is"


def test_another_request_of_the_same_person_is_another_lead(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    other = renamed(lead, "other", topic={"code": lead.document["topic"]["code"], "fields": {"car_model": "Another"}})
    assert house.admit(lead, other) == [("admitted", []), ("admitted", [])]
    assert house.rows("select count(distinct person_id) from lead")[0][0] == 1


def test_a_duplicate_after_the_window_is_a_new_request(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.clock.advance(hours=23)
    assert house.admit(renamed(lead, "soon")) == [("refused", [Reason.DUPLICATE])]
    house.clock.advance(hours=2)
    assert house.admit(renamed(lead, "later")) == [("admitted", [])]


def test_a_refused_request_does_not_make_the_next_one_a_duplicate(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    bad = renamed(lead, "bad", consent=consent(lead, text_sha256="0" * 64))
    assert house.admit(bad, lead) == [("quarantined", [Reason.NOTICE_TEXT_MISMATCH]), ("admitted", [])]
