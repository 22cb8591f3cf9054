"""Who a lead is about and what they took back: people are recognised, never merged; a withdrawal is stronger than a lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integrations.testing.invented_leads import Invented
from schemas.vocabulary import Reason
from tests.houses.house import TestHouse, consent, document, renamed

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
    assert house.admit(renamed(lead, "late")) == [("refused", [Reason.WITHDRAWN] * 3)], "its consent is older than the request"
    house.clock.advance(minutes=5)
    anew = renamed(lead, "again", consent=consent(lead, given_at=house.clock.now.isoformat()))
    assert house.admit(anew) == [("admitted", [])], "nobody remembers the first lead"
    assert _person(house, anew) != before
    report = house.verified()
    assert (report.ok, report.erased) == (True, 1), "one lead, counted once"


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
