"""What the officer is asked: who agreed to what, under which text, and since when not any more. Kantara's ANCR tests B1 to
B4 (evidence first) are told here as stories.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from consent.audit.leaf import decode
from consent.standing import Standing
from integrations.testing.invented_leads import Invented
from leadgate.pipeline.consents import ConsentBook
from leadgate.wiring.consents import book_of
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Event
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse, consent, document, renamed


def admitted(house: TestHouse) -> str:
    """Admit one lead; answer its id."""
    assert house.admit(house.invented.lead(1, brand="lada")) == [("admitted", [])]
    lead_id: str = house.rows("select lead_id from lead")[0][0]
    return lead_id


def book(house: TestHouse) -> ConsentBook:
    return book_of(house.house)


def standings(house: TestHouse, word: str, **delta: float) -> dict[str, Standing]:
    seen = book(house).overview(word, at=house.clock() + timedelta(**delta))
    assert seen is not None
    return {answer.purpose: answer.standing for answer in seen.answers}


def withdraw(house: TestHouse, lead: Invented, *, purposes: tuple[str, ...] = ()) -> None:
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    house.house.withdraw(Withdrawal(brand="lada", phone=Personal(phone), purposes=purposes), actor="anna.k")


def leaves(house: TestHouse) -> list[Any]:
    rows = house.rows("select body from audit_leaf order by leaf_index") or house.rows(
        "select body from audit_pending order by pending_id"
    )
    return [decode(bytes(row[0])) for row in rows]


def test_b1_notice_before_consent_before_use_in_the_order_of_the_log(house: TestHouse) -> None:
    lead_id = admitted(house)
    house.dispatcher("lada_calls").run(seconds=20)
    house.house.seal()
    told = leaves(house)
    order = [entry.event for entry in told]
    names = (Event.NOTICE_PUBLISHED, Event.LEAD_ADMITTED, Event.DELIVERY_ACCEPTED)
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)
    (record,) = book(house).records(lead_id, at=house.clock())
    processing = record["pii_processing"][0]
    given = record["events"][0]
    assert processing["privacy_notice"]["valid_from"] <= given["event_time"] <= given["recorded_at"]
    assert processing["pii_controllers"] == ["controller/lada"]


def test_b1_the_record_before_its_notice_is_rejected(house: TestHouse) -> None:
    """The failure trace: agreed first, told later."""
    lead = house.invented.lead(1, brand="lada")
    notice = house.house.policies["lada"].notices
    first = min(each.valid_from for each in notice.values() if each.notice_id == lead.document["consent"]["notice_id"])
    early = document(lead, consent=consent(lead, given_at=(first - timedelta(days=1)).isoformat(), notice_version="1"))
    state, reasons = house.admit(early)[0]
    assert state in ("quarantined", "refused")
    assert "consent_before_notice" in reasons
    without = document(house.invented.lead(2, brand="lada"), consent=consent(lead, notice_id="nobody-wrote-it"))
    assert house.admit(without) == [("quarantined", ["unknown_notice"])]
    assert house.rows("select count(*) from consent_record")[0][0] == 0


def test_b2_a_notice_rewritten_after_the_fact_takes_its_consents_with_it(house: TestHouse) -> None:
    lead_id = admitted(house)
    assert set(standings(house, lead_id).values()) == {Standing.GRANTED}
    house.run("update notice set text_sha256 = :other", other="0" * 64)
    seen = book(house).overview(lead_id, at=house.clock())
    assert seen is not None
    assert {(answer.standing.value, answer.why.value) for answer in seen.answers} == {("invalidated", "notice_changed")}
    assert leadgate(house, "notice", "verify").returncode == 4


def test_b3_recipients_are_enumerated_when_consent_is_given(house: TestHouse) -> None:
    lead_id = admitted(house)
    (record,) = book(house).records(lead_id, at=house.clock())
    told = {each["purpose"]: each["recipient_third_parties"] for each in record["pii_processing"]}
    routes = {each["purpose"]: each["routes"] for each in record["events"]}
    for purpose, names in routes.items():
        assert {name.partition(":")[0] for name in names} <= set(told[purpose])
    assert routes["callback"] == ["lada_calls:callback"]
    parties = {each["party_id"] for each in record["party_identification"]}
    assert {name for names in told.values() for name in names} <= parties


def test_b4_no_identifier_is_kept_before_the_notice(house: TestHouse) -> None:
    """Somebody who agreed to nothing is not known afterwards: no person, no index entry, no key."""
    lead = house.invented.lead(1, brand="lada")
    without = document(lead, consent=consent(lead, notice_id="nobody-wrote-it"))
    house.admit(without)
    kept = "select (select count(*) from person) + (select count(*) from identifier) + (select count(*) from lead)"
    assert house.rows(kept)[0][0] == 0


def test_where_a_consent_stood_is_answered_for_every_moment(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    lead_id = house.rows("select lead_id from lead")[0][0]
    assert set(standings(house, lead_id, days=-30).values()) == {Standing.UNKNOWN}
    house.clock.advance(hours=1)
    withdraw(house, lead, purposes=("callback",))
    now = standings(house, lead_id)
    assert (now["callback"], now["crm_followup"]) == (Standing.WITHDRAWN, Standing.GRANTED)
    assert standings(house, lead_id, minutes=-1)["callback"] is Standing.GRANTED
    assert standings(house, lead_id, days=400)["crm_followup"] is Standing.EXPIRED
    assert standings(house, lead_id, days=400)["callback"] is Standing.WITHDRAWN


def test_a_withdrawal_before_any_consent_stands_until_a_later_one(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    withdraw(house, lead)
    person = house.rows("select person_id from person")[0][0]
    assert set(standings(house, person).values()) == {Standing.WITHDRAWN}
    assert house.admit(lead)[0][0] == "refused"
    house.clock.advance(hours=1)
    given = (house.clock.now - timedelta(minutes=1)).isoformat()
    assert house.admit(renamed(lead, "anew", consent=consent(lead, given_at=given))) == [("admitted", [])]
    assert standings(house, person)["callback"] is Standing.GRANTED
    assert standings(house, person, minutes=-2)["callback"] is Standing.WITHDRAWN


def test_the_commands_answer_without_saying_who(house: TestHouse, tmp_path: Path) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    lead_id = house.rows("select lead_id from lead")[0][0]
    at = (house.clock.now + timedelta(hours=1)).isoformat()
    plain = leadgate(house, "consent", "show", lead_id, "--at", at, "--lang", "ru")
    assert plain.returncode == 0, plain.stderr
    assert "действует" in plain.stdout
    linked = leadgate(house, "consent", "show", lead_id, "--at", at, "--json-ld")
    (document_,) = json.loads(linked.stdout)
    assert document_["@type"] == "dpv:ConsentRecord"
    target = tmp_path / "records.jsonl"
    assert leadgate(house, "consent", "export", str(target), "--at", at).returncode == 0
    assert leadgate(house, "consent", "export", str(target)).returncode == 2, "nothing is overwritten"
    (record,) = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert record["record_id"] == document_["dct:identifier"]
    assert target.stat().st_mode & 0o777 == 0o600
    for said in (plain.stdout, linked.stdout, target.read_text("utf-8")):
        assert lead.document["phone"] not in said
        assert lead.document["given_name"] not in said
    assert leadgate(house, "consent", "show", "0190b5b0-0000-7000-8000-00000000ffff").returncode == 1
