"""Retention: what is due, why and when; the same in a dry run and when it is carried out."""

from __future__ import annotations

import json

from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse


def _stop(house: TestHouse, phone: str) -> None:
    e164 = phone_or_none(phone, "RU")
    assert e164 is not None
    house.house.withdraw(Withdrawal(brand="lada", phone=Personal(e164)), actor="officer-1")


def test_a_dry_run_names_what_is_due_and_why_and_changes_nothing(house: TestHouse) -> None:
    lead = house.invented.lead(6501, brand="lada")
    house.admit(lead, house.invented.lead(6502, brand="lada"))
    _stop(house, lead.document["phone"])
    house.clock.advance(days=11)
    dry = house.house.apply_retention(dry_run=True, most=10)
    (due,) = dry.listed
    assert (due.action, due.why, due.lead_ids) == (
        "destroy_person",
        "withdrawn",
        tuple(house.house.leads_of_person(due.person_id or "")),
    )
    assert due.purpose is not None
    assert due.due_at is not None
    assert due.due_at <= house.clock.now
    assert dry.destroyed == 0
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(2,)]
    done = house.house.apply_retention()
    assert (done.destroyed, done.counts) == (1, dry.counts)
    assert house.rows("select reason from destruction") == [("withdrawn",)]
    assert house.house.apply_retention().destroyed == 0
    assert house.verified().ok


def test_the_command_lists_ids_reasons_and_dates_in_both_languages(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    house.admit(house.invented.lead(6503, brand="lada"))
    house.run("update consent_record set given_at = given_at - 40000000000000")  # long over, for the command's real clock
    russian = leadgate(house, "retention", "--lang", "ru", "--dry-run")
    assert russian.returncode == 0, russian.stderr
    assert "данные человека подлежат уничтожению" in russian.stdout
    (person,) = house.rows("select person_id from person")[0]
    lead = house.house.leads_of_person(person)[0]
    assert lead in russian.stdout
    document = json.loads(leadgate(house, "retention", "--json").stdout)
    assert document["destroyed"] == 0
    assert document["due"][0]["person_id"] == person
    assert leadgate(house, "retention", "--yes", "--dry-run").returncode == 2


def test_somebody_of_whom_only_a_withdrawal_is_known_goes_when_it_has_served(house: TestHouse) -> None:
    _stop(house, "+7 900 000-65-04")
    house.clock.advance(days=364)
    kept = house.house.apply_retention()
    assert (kept.destroyed, kept.counts) == (0, {"keep.no_lead": 1})
    house.clock.advance(days=2)  # a consent of the longest purpose, a year, could not carry any more
    assert house.house.apply_retention().destroyed == 1
    assert house.rows("select count(*) from identifier") == [(0,)]
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(0,)]
    assert house.verified().ok
