"""Erasing whole: what is found, what is held back, what two at once and a process that dies in the middle leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from consent.shredding import LINE_BYTES
from leadgate.storage import destruction
from schemas.errors import ConfigurationError
from tests.houses.commands import environment, leadgate
from tests.houses.house import TestHouse, consent, renamed


def _people(house: TestHouse) -> list[str]:
    return [row[0] for row in house.rows("select person_id from person order by person_id")]


def _lines(house: TestHouse) -> int:
    path = house.settings.shred_list_path
    return path.stat().st_size // LINE_BYTES if path.exists() else 0


def test_everything_goes(house: TestHouse) -> None:
    lead = house.invented.lead(6001, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=20)
    (person,) = _people(house)
    done = house.house.erase(person, actor="officer-1", reason="subject_request")
    assert (done.keys, done.leads, done.recipients) == (1, 1, ("lada_crm",))
    assert done.identifiers > 0
    empty = "select count(*) from person where wrapped_key is not null or key_version is not null"
    assert house.rows(empty) == [(0,)]
    assert house.rows("select count(*) from identifier") == [(0,)]
    assert house.rows("select count(*) from lead where sealed is not null or length(fingerprint) > 0") == [(0,)]
    assert house.rows("select count(*) from submission where sealed is not null or wrapped_key is not null") == [(0,)]
    assert house.rows("select count(*) from delivery where sent_sha256 is not null") == [(0,)], "a digest nobody can check"
    with house.ledger.snapshot() as tx:
        (row,) = destruction.of_person(tx, person)
    assert (row.reason, row.method, row.shred_number) == ("subject_request", "key_destroyed", 1)
    assert "phone" in row.categories
    assert row.counts["leads"] == 1
    assert house.verified().ok
    assert house.house.balance().closes


def test_what_was_put_aside_of_them_goes_too(house: TestHouse) -> None:
    """A document that was never valid names no person; its phone finds it all the same."""
    lead, other = house.invented.lead(6002, brand="lada"), house.invented.lead(6003, brand="lada")
    broken = renamed(lead, "broken", topic="no such topic", given_name=None, email=None)
    foreign = renamed(lead, "foreign", brand="ladaa")  # a misspelt brand
    others = renamed(other, "others", topic="no such topic")
    house.admit(broken, foreign, others)
    house.admit(lead, other)
    ((person,),) = house.rows(
        "select l.person_id from lead l join submission s on s.lead_id = l.lead_id where s.event_id = :e", e=lead.event_id
    )
    assert house.house.erase(person, actor="officer-1", reason="subject_request").submissions == 2
    left = house.rows("select event_id from submission where sealed is not null order by event_id")
    assert [row[0] for row in left] == ["others"]


def test_a_legal_hold_keeps_them(house: TestHouse) -> None:
    house.admit(house.invented.lead(6004, brand="lada"))
    (person,) = _people(house)
    until = house.clock.now + timedelta(days=400)
    hold = house.house.destruction.hold(person, reason="court_order", until=until, actor="officer-1")
    said = leadgate(house, "erase", "--actor", "officer-1", "--person", person, "--yes")
    assert said.returncode == 1
    assert "court_order" in said.stdout
    assert house.house.erase(person, actor="officer-1", reason="subject_request").held == ("court_order",)
    house.clock.advance(days=399)
    assert house.house.apply_retention().destroyed == 0
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(1,)]
    house.house.destruction.lift(hold.hold_id, actor="officer-1")
    with pytest.raises(ConfigurationError):
        house.house.destruction.lift(hold.hold_id, actor="officer-1")
    assert house.house.apply_retention().destroyed == 1
    assert house.verified().ok
    told = [body for _, body in house.house.leaves_of(house.house.leads_of_person(person)[0])]
    assert [word in str(told) for word in ("hold.set", "hold.lifted", "subject.erased")] == [True, True, True]


def test_a_hold_that_ends_by_itself_and_one_of_nobody(house: TestHouse) -> None:
    house.admit(house.invented.lead(6005, brand="lada"))
    (person,) = _people(house)
    house.house.destruction.hold(person, reason="complaint", until=house.clock.now + timedelta(days=2), actor="officer-1")
    house.clock.advance(days=3)
    assert house.house.destruction.holds() == []
    assert house.house.erase(person, actor="officer-1", reason="subject_request").keys == 1
    with pytest.raises(ConfigurationError) as caught:
        house.house.destruction.hold(person, reason="complaint", until=None, actor="officer-1")
    assert caught.value.code == "nothing_to_hold"


def test_two_at_once_destroy_once(house: TestHouse) -> None:
    house.admit(*(house.invented.lead(6010 + number, brand="lada") for number in range(6)))
    people = _people(house)
    hands = [house.another() for _ in range(3)]
    with ThreadPoolExecutor(len(hands)) as pool:
        jobs = [
            pool.submit(each.erase, person, actor=f"officer-{number}", reason="subject_request")
            for person in people
            for number, each in enumerate(hands)
        ]
        keys = sum(job.result().keys for job in jobs)
    for each in hands:
        each.close()
    assert keys == len(people)
    assert _lines(house) == len(people)
    assert house.rows("select count(*) from destruction where state = 'done'") == [(len(people),)]
    assert house.verified().ok
    assert leadgate(house, "restore", "check").returncode == 0


_DIES = """
    import os, signal, sys
    from datetime import UTC, datetime
    from leadgate.storage.shred_list import ShredList
    from leadgate.wiring import open_house

    class Dies(ShredList):
        def append(self, *words, **more):
            if sys.argv[2] == "before_the_list":
                os.kill(os.getpid(), signal.SIGKILL)
            lines = super().append(*words, **more)
            os.kill(os.getpid(), signal.SIGKILL)

    with open_house() as house:
        house.shred_list = Dies(house.settings.shred_list_path)
        house.erase(sys.argv[1], actor="officer-1", reason="subject_request")
"""


@pytest.mark.parametrize("where", ["before_the_list", "after_the_list"])
def test_a_process_that_dies_in_the_middle_is_completed(house: TestHouse, where: str) -> None:
    house.admit(house.invented.lead(6020, brand="lada"), house.invented.lead(6021, brand="lada"))
    one, other = _people(house)
    program = [sys.executable, "-c", textwrap.dedent(_DIES), one, where]
    died = subprocess.run(program, env=environment(house) | {"PYTHONPATH": os.getcwd()}, capture_output=True, check=False)  # noqa: PTH109 - the checkout
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert _lines(house) == (1 if where == "after_the_list" else 0)
    assert house.rows("select count(*) from person where wrapped_key is null") == [(0,)]

    # That is no restored backup: everything goes on, and whoever destroys next completes it.
    assert leadgate(house, "balance").returncode == 1
    house.clock.now = datetime.now(UTC) + timedelta(minutes=11)  # the process that died had the real clock
    fresh = house.another()
    assert fresh.erase(other, actor="officer-2", reason="subject_request").keys == 1
    fresh.close()
    assert house.rows("select count(*) from person where wrapped_key is null") == [(2,)]
    assert house.rows("select actor from destruction where person_id = :p and state = 'done'", p=one) == [("officer-1",)]
    assert _lines(house) == 2
    assert leadgate(house, "restore", "check").returncode == 0
    house.house.seal()
    house.clock.advance(minutes=1)
    assert house.house.verify().ok


def test_what_retention_had_only_decided_is_decided_anew(house: TestHouse) -> None:
    """A crash between decision and list; then the person agreed again: nobody destroys the new lead."""
    lead = house.invented.lead(6030, brand="lada")
    house.admit(lead)
    (person,) = _people(house)
    with house.transaction() as tx:
        destruction.intend(tx, [(person, person, "consent_ended", "system", 1)])  # long ago
    house.clock.advance(days=400)
    given = (house.clock.now - timedelta(hours=1)).isoformat()
    house.admit(renamed(lead, "anew", consent=consent(lead, given_at=given)))
    house.house.apply_retention()
    assert house.rows("select count(*) from lead where sealed is not null") == [(1,)]
    assert house.rows("select count(*) from destruction where state = 'intended'") == [(0,)]
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(1,)]
