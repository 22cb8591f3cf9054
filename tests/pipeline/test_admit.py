"""Admission through every kind of source: each submission is decided exactly once, for the reason that is its own, and one that
is poison costs nobody else anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consent.keys.file import FileKeyProvider
from consent.pseudonyms import Pseudonyms
from integrations.contract.source import Request, Source, WebhookSource
from integrations.testing.invented_leads import EXPECTED, Flaw, Invented, possible
from leadgate.pipeline.admit import Admitter
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import Parsed, Submission, Withdrawal
from schemas.vocabulary import Channel, Reason
from tests.houses.house import VK_SECRET, WEBHOOK_SECRET, TestHouse, consent, document, renamed, submission


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


# -- people -------------------------------------------------------------------------------------------------------------------


def _person(house: TestHouse, lead: Invented) -> str:
    rows = house.rows("select person_id from submission where event_id = :event", event=lead.event_id)
    return str(rows[0][0])


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_one_person_with_two_phones_is_known_by_the_address(house: TestHouse, *, together: bool) -> None:
    lead = house.invented.lead(1, brand="lada")
    other = renamed(lead, "second phone", phone="+7 900 000-99-01", topic={"code": "price", "fields": {"car_model": "X"}})
    third = renamed(
        other, "by the second phone alone", email=None, user=None, topic={"code": "price", "fields": {"car_model": "Y"}}
    )
    for part in [[lead, other, third]] if together else [[lead], [other], [third]]:
        house.admit(*part)
    assert _person(house, lead) == _person(house, other) == _person(house, third)
    assert house.rows("select count(*) from person")[0][0] == 1


def test_two_people_are_never_merged_and_the_strictest_withdrawal_counts(house: TestHouse) -> None:
    first, second = house.invented.lead(1, brand="lada"), house.invented.lead(2, brand="lada")
    house.admit(first, second)
    house.clock.advance(minutes=1)
    house.admit(house.invented.withdrawal(second))
    # The phone of one, the address of the other, under a consent that is older than the other's withdrawal.
    mixed = renamed(first, "mixed", email=second.document["email"], topic={"code": "price", "fields": {"car_model": "X"}})
    assert house.admit(mixed) == [("refused", [Reason.WITHDRAWN] * 3)]
    assert _person(house, mixed) == _person(house, first)
    assert house.rows("select count(*) from person")[0][0] == 2


def test_brands_do_not_know_each_others_people(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    other = replace(house.invented.lead(1, brand="s7"), event_id="other brand")
    other = document(other, phone=lead.document["phone"], email=lead.document["email"])
    house.admit(lead, other)
    assert _person(house, lead) != _person(house, other)


def test_an_erased_person_who_returns_is_somebody_new(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    before = _person(house, lead)
    house.house.erase(before, actor="officer-1", reason="subject_request")
    assert house.admit(renamed(lead, "again")) == [("admitted", [])], "nobody remembers the first request"
    assert _person(house, renamed(lead, "again")) != before
    report = house.verified()
    assert (report.ok, report.erased) == (True, 1 + 1)  # the person, and the lead


# -- withdrawal ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["phone", "email", "user"])
def test_withdrawal_after_the_lead(house: TestHouse, by: str) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.clock.advance(minutes=1)
    assert house.admit(house.invented.withdrawal(lead, by=by)) == [("admitted", [])]
    assert house.rows("select state, count(*) from delivery group by 1") == [("suppressed", 2)]


@pytest.mark.parametrize("by", ["phone", "email", "user"])
def test_withdrawal_before_a_late_lead(house: TestHouse, by: str) -> None:
    lead = house.invented.lead(1, brand="lada")
    assert house.admit(house.invented.withdrawal(lead, by=by)) == [("admitted", [])], "whether we know the person is not told"
    assert house.admit(lead) == [("refused", [Reason.WITHDRAWN] * 3)], "its consent is older than the withdrawal"
    assert house.rows("select count(*) from delivery") == [(0,)]


@pytest.mark.parametrize("order", ["lead first", "withdrawal first"])
def test_withdrawal_in_the_same_batch(house: TestHouse, order: str) -> None:
    lead = house.invented.lead(1, brand="lada")
    both = [lead, house.invented.withdrawal(lead)]
    house.admit(*(both if order == "lead first" else reversed(both)))
    assert house.state_of(lead) == ("refused", [Reason.WITHDRAWN] * 3)


def test_new_consent_after_a_withdrawal_stands(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.admit(house.invented.withdrawal(lead))
    house.clock.advance(minutes=10)
    anew = renamed(
        lead,
        "anew",
        consent=consent(lead, given_at="2026-06-01T09:05:00Z"),
        topic={"code": "price", "fields": {"car_model": "X"}},
    )
    assert house.admit(anew) == [("admitted", [])]
    assert house.rows("select state, count(*) from delivery group by 1 order by 1") == [("queued", 2), ("suppressed", 2)]


def test_withdrawal_of_one_purpose(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(house.invented.withdrawal(lead, purposes=["callback"]))
    assert house.admit(lead) == [("admitted", [])]
    assert (house.states("lada_calls"), house.states("lada_crm")) == ({}, {"queued": 1})


def test_an_identifier_that_only_the_withdrawal_knows_is_remembered(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(renamed(lead, "no address", email=None, user=None))
    stop = house.invented.withdrawal(lead)
    house.admit(document(stop, email=lead.document["email"]))
    late = renamed(lead, "by address alone", phone=None, user=None, country="RU")
    ((state, reasons),) = house.admit(late)
    assert (state, set(reasons)) == ("refused", {Reason.WITHDRAWN, Reason.DUPLICATE})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"purposes": ["astrology"]}, Reason.UNKNOWN_PURPOSE),
        ({"purposes": ["79000001234", "_x"]}, Reason.UNKNOWN_PURPOSE),
        ({"purposes": ["_x" * 99]}, Reason.INVALID_FIELD),
        ({"phone": "not a phone"}, Reason.INVALID_FIELD),
        ({"phone": None}, Reason.INVALID_FIELD),
        ({"brand": "nobody"}, Reason.UNKNOWN_BRAND),
    ],
)
def test_a_withdrawal_nobody_understands_is_shown_to_a_person(
    house: TestHouse, changes: dict[str, Any], reason: Reason
) -> None:
    lead, other = house.invented.lead(1, brand="lada"), house.invented.lead(2, brand="lada")
    stop = document(house.invented.withdrawal(lead), **changes)
    assert house.admit(other, stop) == [("admitted", []), ("quarantined", [reason])]
    assert house.verified().ok


# -- poison -----------------------------------------------------------------------------------------------------------------


class Breaking(Source):
    """A stranger's source that breaks its promise never to raise."""

    name = "breaking"

    def parse(self, submission: Submission) -> Parsed:
        raise RecursionError(submission.body.reveal().decode())


def _admitter(house: TestHouse, sources: dict[str, Source]) -> Admitter:
    return Admitter(
        ledger=house.ledger,
        vault=house.house.vault,
        index=house.house.index,
        pseudonyms=Pseudonyms(house.house.keys, house.settings.tenant),
        sources={**house.house.sources, **sources},
        policies=house.house.policies,
        key_lengths=dict.fromkeys(house.settings.destinations, 26),
        clock=house.clock,
    )


def test_a_source_that_raises_costs_its_own_submission_only(house: TestHouse) -> None:
    good = list(house.invented.many(3, brand="lada"))
    house.receive(*good)
    house.receive(house.invented.lead(9, brand="lada"), source="breaking")
    settings = replace(house.house.sources["webhook"].settings, name="breaking", secrets=())
    count = _admitter(house, {"breaking": Breaking(settings)}).run(seconds=9)
    assert (count.admitted, count.quarantined) == (3, 1)
    findings = house.rows("select findings from submission where source = 'breaking'")[0][0]
    assert "RecursionError" in findings
    assert house.invented.lead(9, brand="lada").document["family_name"] not in findings


POISON: dict[str, Any] = {
    "nothing": b"",
    "no UTF-8": "Ненастоящая".encode("cp1251"),
    "UTF-16": "Ненастоящая".encode("utf-16"),
    "a number": b"4217",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "deep document": b'{"brand":"lada","consent":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    "a key of somebody's": json.dumps({"brand": "lada", "+79000004217": "x", "Ненастоящая": 1}).encode(),
    "endless keys": json.dumps({"brand": "lada"} | {f"k{n}_{'x' * 30}": n for n in range(3_000)}).encode(),
    "nul bytes": json.dumps({"brand": "lada", "given_name": "\x00", "text": "\ud800 \x00"}).encode(),
    "huge numbers": b'{"brand":"lada","phone":1' + b"0" * 400 + b"}",
    "not a topic": json.dumps({"brand": "lada", "topic": [[[1]]], "consent": [1], "user": {"a": 1}}).encode(),
    "brand is an object": b'{"brand":{"a":1}}',
}


@pytest.mark.parametrize("what", POISON)
def test_poison_is_put_aside_and_the_others_go_on(house: TestHouse, what: str) -> None:
    good = list(house.invented.many(2, brand="lada"))
    poison = replace(submission(house.invented.lead(3, brand="lada")), event_id="poison", body=Personal(POISON[what]))
    house.house.receiver.commit([submission(good[0]), poison, submission(good[1])])
    count = house.house.admit()
    assert (count.taken, count.admitted, count.quarantined + count.refused) == (3, 2, 1)
    assert house.verified().ok


@pytest.mark.parametrize("column", ["sealed", "wrapped_key"])
def test_a_submission_whose_seal_is_broken_is_put_aside(house: TestHouse, column: str) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    house.receive(*leads)
    house.run(f"update submission set {column} = :bytes where event_id = :event", bytes=b"?", event=leads[1].event_id)  # noqa: S608 - our two columns
    count = house.house.admit()
    assert (count.admitted, count.quarantined) == (2, 1)


def test_a_person_whose_key_is_broken_costs_their_own_leads_only(house: TestHouse) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    house.admit(*leads)
    house.run("update person set wrapped_key = :bytes where person_id = :person", bytes=b"?", person=_person(house, leads[1]))
    more = [renamed(lead, f"more {lead.number}", topic={"code": "price", "fields": {"car_model": "X"}}) for lead in leads]
    assert [state for state, _ in house.admit(*more)] == ["admitted", "quarantined", "admitted"]


def test_an_honest_row_between_two_poisonous_ones_of_every_size_of_batch(house: TestHouse) -> None:
    leads = list(house.invented.many(23, flawed=0.6))
    house.receive(*leads)
    total = house.house.admitter.run(seconds=20, batch=3)
    assert total.taken == 23
    assert [house.state_of(lead)[0] for lead in leads] == [lead.expected for lead in leads]


# -- keys -------------------------------------------------------------------------------------------------------------------


def test_a_lost_keyring_stops_everything_loudly_and_decides_nothing(house: TestHouse) -> None:
    house.receive(*house.invented.many(3, brand="lada"))
    keyring = house.settings.keyring_path
    kept = keyring.read_bytes()
    keyring.unlink()
    lost = house.another()
    with pytest.raises(ConfigurationError) as caught:
        lost.admit()
    lost.close()
    assert caught.value.code == "no_keyring"
    assert house.rows("select state, count(*) from submission group by 1") == [("received", 3)]
    keyring.write_bytes(kept)
    assert house.house.admit().admitted == 3


def test_another_keyring_is_refused_before_anything_is_touched(house: TestHouse) -> None:
    house.admit(*house.invented.many(3, brand="lada"))
    house.receive(house.invented.lead(9, brand="lada"))
    house.settings.keyring_path.unlink()
    FileKeyProvider.create(house.settings.keyring_path, tenant=house.settings.tenant, now=house.clock.now)
    stranger = house.another()
    acts: list[Callable[[], object]] = [
        stranger.admit,
        lambda: stranger.dispatch("lada_calls"),
        lambda: stranger.receiver,
        lambda: stranger.withdraw(Withdrawal(brand="lada", user=Personal("vk:1")), actor="moderator-1"),
    ]
    for act in acts:
        with pytest.raises(ConfigurationError) as caught:
            act()
        assert caught.value.code == "wrong_keyring"
    stranger.close()
    assert house.rows("select state, count(*) from submission group by 1 order by 1") == [("admitted", 3), ("received", 1)]
    assert house.states("lada_calls") == {"queued": 3}
    assert house.house.admit().admitted == 1, "whoever holds the right one goes on"


def test_people_and_duplicates_are_recognised_over_a_rotation(house: TestHouse) -> None:
    first, second, third = (house.invented.lead(number, brand="lada") for number in range(3))
    house.admit(first)
    path = house.settings.keyring_path
    FileKeyProvider.add_version(path, now=house.clock.now, announce=True)
    before = house.another()  # knows both versions, writes under the old one
    house.receive(second, renamed(first, "first again"))
    before.admit()
    assert house.state_of(renamed(first, "first again")) == ("refused", [Reason.DUPLICATE])
    FileKeyProvider.promote(path, 2)
    after = house.another()  # writes under the new one
    house.receive(third, *(renamed(lead, f"promoted {lead.number}") for lead in (first, second)))
    after.admit()
    house.receive(*(renamed(lead, f"beside {lead.number}") for lead in (first, second, third)))
    before.admit()  # and the one that has not been started anew finds everybody
    for word, leads in (("promoted", (first, second)), ("beside", (first, second, third))):
        for lead in leads:
            assert house.state_of(renamed(lead, f"{word} {lead.number}")) == ("refused", [Reason.DUPLICATE])
    assert house.rows("select count(*) from person") == [(3,)]
    versions = [
        house.rows(
            "select key_version, count(*) from identifier where person_id = :person group by 1 order by 1",
            person=_person(house, lead),
        )
        for lead in (first, second, third)
    ]
    assert versions == [[(1, 3)], [(1, 3), (2, 3)], [(1, 3), (2, 3)]], "new people stand under every live version"
    dispatched = [house.dispatcher("lada_calls", house=each).run(seconds=9).accepted for each in (after, before)]
    assert dispatched == [3, 0]
    before.close()
    after.close()


# -- at once ------------------------------------------------------------------------------------------------------------------


def test_admissions_at_once_make_no_double(house: TestHouse) -> None:
    leads = list(house.invented.many(60))
    again = [house.invented.again(lead, channel=Channel.FACEBOOK) for lead in leads]
    house.receive(*(one for pair in zip(leads, again, strict=True) for one in pair))

    def admit(_: int) -> int:
        mine = house.another()
        try:
            return mine.admitter.run(seconds=30, batch=7).taken
        finally:
            mine.close()

    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(admit, range(3)))
    house.house.admit()
    assert sum(taken) <= 120
    assert house.rows("select state, count(*) from submission group by 1 order by 1") == [("admitted", 60), ("refused", 60)]
    assert house.rows("select count(*), count(distinct person_id) from lead") == [(60, 60)]
    assert house.rows("select count(*) from delivery") == [(120,)]
    assert house.verified().ok
