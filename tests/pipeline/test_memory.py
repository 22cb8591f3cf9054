"""Who took consent back is not called after everything else about them is gone; and nobody is remembered longer than that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.testing.invented_leads import Invented
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Reason
from tests.houses.house import TestHouse, consent, renamed

REFUSED = ("refused", [Reason.WITHDRAWN] * 3)


def _person(house: TestHouse) -> str:
    return str(house.rows("select person_id from lead order by lead_id desc limit 1")[0][0])


def _withdrawal(lead: Invented, *purposes: str) -> Withdrawal:
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    return Withdrawal(brand=lead.brand, phone=Personal(phone), purposes=purposes)


def _anew(house: TestHouse, lead: Invented, name: str) -> Invented:
    return renamed(lead, name, consent=consent(lead, given_at=house.clock.now.isoformat()))


@pytest.mark.parametrize("kept", ["phone", "email", "user"])
def test_a_late_lead_of_somebody_who_is_gone_is_refused(house: TestHouse, kept: str) -> None:
    """By whatever it names the person, though the withdrawal named the phone only."""
    lead, other = house.invented.lead(1, brand="lada"), house.invented.lead(2, brand="lada")
    house.admit(lead)
    house.clock.advance(minutes=5)
    house.house.withdraw(_withdrawal(lead), actor="moderator-1")
    house.house.erase(_person(house), actor="system", reason="withdrawn")
    assert house.rows("select count(*) from identifier") == [(0,)]
    late = renamed(other, "late", **{kept: lead.document[kept]})
    assert house.admit(late) == [REFUSED]
    assert house.admit(other) == [("admitted", [])], "nobody else is meant"
    house.clock.advance(minutes=5)
    assert house.admit(_anew(house, lead, "anew")) == [("admitted", [])], "what is agreed to afterwards stands"
    assert house.verified().ok


def test_whoever_asked_to_be_erased_took_everything_back(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.clock.advance(minutes=5)
    house.house.erase(_person(house), actor="officer-1", reason="subject_request")
    assert house.admit(renamed(lead, "late")) == [REFUSED]


def test_a_consent_that_ended_by_itself_is_nothing_to_remember(house: TestHouse) -> None:
    house.admit(house.invented.lead(1, brand="lada"))
    house.house.erase(_person(house), actor="system", reason="consent_ended")
    assert house.rows("select count(*) from suppression") == [(0,)]


def test_only_what_was_taken_back_is_remembered(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.clock.advance(minutes=5)
    house.house.withdraw(_withdrawal(lead, "callback"), actor="moderator-1")
    house.house.erase(_person(house), actor="system", reason="consent_ended")
    assert {row[0] for row in house.rows("select purpose from suppression")} == {"callback"}
    assert house.admit(renamed(lead, "late")) == [("admitted", [])]
    assert house.states("lada_calls") == {"suppressed": 1}, "of the first lead; the late one may go to the other only"


def test_a_stranger_who_withdrew_is_remembered_too(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.house.withdraw(_withdrawal(lead), actor="moderator-1")
    person = str(house.rows("select person_id from person")[0][0])
    house.house.erase(person, actor="system", reason="withdrawn")
    assert house.admit(lead) == [REFUSED]


def test_the_digest_finds_nothing_else(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.house.withdraw(_withdrawal(lead), actor="moderator-1")
    known = {bytes(row[0]) for row in house.rows("select digest from identifier")}
    remembered = {bytes(row[0]) for row in house.rows("select digest from suppression")}
    assert remembered
    assert not known & remembered


def test_nobody_is_remembered_longer_than_an_older_consent_could_carry(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.house.withdraw(_withdrawal(lead), actor="moderator-1")
    house.clock.advance(days=364)
    house.house.recipients.catch_up()
    assert {row[0] for row in house.rows("select purpose from suppression")} == {"crm_followup", "survey"}
    house.clock.advance(days=2)
    assert house.house.recipients.catch_up().forgotten == 2
    assert house.rows("select count(*) from suppression") == [(0,)]


def test_an_installation_may_decide_against_it(house: TestHouse) -> None:
    settings = replace(house.settings, retention=replace(house.settings.retention, suppression=False))
    forgetful = TestHouse(settings, house.sandbox, clock=house.clock)
    lead = house.invented.lead(1, brand="lada")
    forgetful.admit(lead)
    house.clock.now += timedelta(minutes=5)
    forgetful.house.withdraw(_withdrawal(lead), actor="moderator-1")
    forgetful.house.erase(_person(house), actor="system", reason="withdrawn")
    assert house.rows("select count(*) from suppression") == [(0,)]
    assert forgetful.admit(renamed(lead, "late")) == [("admitted", [])]
    forgetful.close()
