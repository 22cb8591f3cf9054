"""One person's key is destroyed: what happened stays provable, who it was is gone, for every command and for every hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.contact import phone_or_none
from schemas.errors import VaultError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.commands import leadgate, verify
from tests.houses.house import TestHouse, consent, renamed
from tests.stories.canary import Scanner, telling


def _by_phone(phone: str) -> Withdrawal:
    e164 = phone_or_none(phone, "RU")
    assert e164 is not None
    return Withdrawal(brand="lada", phone=Personal(e164))


def test_after_erasure_the_walk_is_told_and_the_person_is_not(house: TestHouse) -> None:
    lead, other = house.invented.lead(4301, brand="lada"), house.invented.lead(4302, brand="lada")
    house.admit(lead, other)
    house.dispatcher("lada_crm").run(seconds=20)
    house.house.seal()
    lead_id, person_id = house.rows(
        "select l.lead_id, l.person_id from lead l join submission s on s.lead_id = l.lead_id where s.event_id = :event",
        event=lead.event_id,
    )[0]

    shown = leadgate(house, "erase", "--actor", "officer-1", "--lead", lead_id)
    assert shown.returncode == 0, shown.stderr
    assert house.rows("select count(*) from person where wrapped_key is null") == [(0,)], "without --yes it is only shown"
    done = leadgate(house, "erase", "--actor", "officer-1", "--lead", lead_id, "--yes")
    assert done.returncode == 0, done.stderr
    assert "lada_crm" in done.stdout, "who holds a copy is named: only they can destroy it"
    house.house.seal()

    said = leadgate(house, "trace", lead_id)
    assert said.returncode == 0
    told = [json.loads(leaf)["event"] for _, leaf in house.house.leaves_of(lead_id)]
    assert told == ["submission.received", "lead.admitted", "delivery.accepted", "subject.erased", "recipient.asked"]
    assert verify(house) == (0, [])
    assert house.house.verify().erased >= 1

    scanner = Scanner(telling([lead]))
    for words in (["trace", lead_id, "--json"], ["erase", "--actor", "officer-1", "--lead", lead_id, "--yes"]):
        command = leadgate(house, *words)
        assert command.returncode == 0, "twice is no error"
        assert scanner.text(" ".join(words), command.stdout + command.stderr) == []
    assert house.house.persons(withdrawal=_by_phone(lead.document["phone"])) == []
    assert house.house.persons(withdrawal=_by_phone(other.document["phone"])) != []

    # Nothing is left to open, in the ledger or from a copy of the row somebody kept beside today's ledger.
    row = house.rows("select l.sealed, p.wrapped_key from lead l join person p using (person_id) where lead_id = :l", l=lead_id)
    assert row == [(None, None)]
    assert house.rows("select count(*) from identifier where person_id = :p", p=person_id) == [(0,)]
    with pytest.raises(VaultError) as caught:
        house.house.vault.unwrap_person_key(person_id, None, 1)
    assert caught.value.code == "key_destroyed"
    assert house.rows("select state, reason from delivery where lead_id = :l and destination = 'lada_calls'", l=lead_id) == [
        ("suppressed", "erased")
    ]


def test_the_bytes_of_a_destroyed_key_leave_the_file(sqlite_house: TestHouse) -> None:
    """On SQLite at once; Postgres keeps old versions of a row until it vacuums (docs/keys.md)."""
    house = sqlite_house
    house.admit(house.invented.lead(4303, brand="lada"))
    person, wrapped = house.rows("select person_id, wrapped_key from person")[0]
    house.house.erase(person, actor="officer-1", reason="subject_request")
    house.ledger.close()  # the last connection writes everything into the file
    assert bytes(wrapped) not in Path(house.settings.ledger_url.removeprefix("sqlite:///")).read_bytes()


def test_a_person_who_comes_back_is_traced_from_the_return_on(house: TestHouse) -> None:
    lead = house.invented.lead(4304, brand="lada")
    house.admit(lead)
    first = house.rows("select lead_id, person_id from lead")[0]
    house.house.erase(first[1], actor="officer-1", reason="subject_request")
    house.clock.advance(minutes=5)
    house.admit(renamed(lead, "back", consent=consent(lead, given_at=house.clock.now.isoformat())))
    second = house.rows("select lead_id, person_id from lead where lead_id <> :l", l=first[0])[0]
    assert second[1] != first[1]
    events = [json.loads(leaf)["event"] for _, leaf in house.house.leaves_of(second[0])]
    assert events == ["submission.received", "lead.admitted"]
    house.dispatcher("lada_crm").run(seconds=20)
    assert house.world("lada_crm").stats()["records"] == 1
    assert house.verified().ok
