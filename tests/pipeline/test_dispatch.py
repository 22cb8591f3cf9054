"""Dispatch against vendors that refuse, throttle, hang, cut and lie: what a delivery becomes, and what the vendor holds then.

Every test asks the simulated world in the end. ``lada_crm`` is one record a key (upsert); ``lada_calls`` makes a double of
every repetition and can be asked (search_then_write).
"""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from integrations.testing.knobs import Fault, FaultKind, Garbage
from leadgate.storage.clock import from_micros
from schemas.errors import TerminalError
from schemas.vocabulary import Outcome
from tests.houses.house import TestHouse

BOTH = pytest.mark.parametrize("name", ["lada_crm", "lada_calls"])


@pytest.fixture
def full(house: TestHouse) -> TestHouse:
    """A house with eight leads queued at both destinations of one brand."""
    house.admit(*house.invented.many(8, brand="lada"))
    return house


def _again(house: TestHouse, name: str, **wait: float) -> None:
    house.clock.advance(**wait)
    house.dispatcher(name, worker=f"worker at {house.clock.now.isoformat()}").run(seconds=20)


def _held(house: TestHouse, name: str) -> tuple[int, int]:
    """(records, doubled keys) at the vendor."""
    stats = house.world(name).stats()
    return stats["records"], len(stats["doubles"])


def _reasons(house: TestHouse, name: str) -> set[str | None]:
    return {row[0] for row in house.rows("select reason from delivery where destination = :name", name=name)}


# -- the good day ----------------------------------------------------------------------------------------------------------


@BOTH
def test_everything_arrives_once_and_is_written_down(full: TestHouse, name: str) -> None:
    count = full.dispatcher(name).run(seconds=20)
    assert (count.accepted, full.states(name), _held(full, name)) == (8, {"accepted": 8}, (8, 0))
    rows = full.rows(
        "select key, vendor_ref, sent_sha256, not_before, lease_until, attempt from delivery where destination = :name",
        name=name,
    )
    world = {row["key"]: row for row in full.world(name).records()}
    assert {row[0] for row in rows} == world.keys(), "the vendor holds the pseudonyms of these leads and nothing else"
    for row in rows:
        assert row[1].endswith(world[row[0]]["ref"])
        assert len(row[2]) == 64
        assert tuple(row[3:]) == (None, None, 1)
    assert full.dispatcher(name).run(seconds=20).accepted == 0
    assert full.world(name).stats()["writes"] == 8
    assert full.verified().ok


def test_a_destination_is_told_its_fields_and_no_others(full: TestHouse) -> None:
    for name in ("lada_crm", "lada_calls"):
        full.dispatcher(name).run(seconds=20)
    for record in full.world("lada_calls").records():
        assert not {"email", "text", "city", "permalink"} & record["fields"].keys()
        assert {"phone", "givenName", "carModel", "consentId"} <= record["fields"].keys()
    lead = full.invented.lead(0, brand="lada")
    telling = {lead.document["text"], lead.document["user"], lead.document["thread_id"], "staff-0"}
    for record in full.world("lada_crm").records():
        assert not telling & {str(value) for value in record["fields"].values()}
        assert record["fields"]["email"].startswith(("nikto.", "nobody."))


def test_pseudonyms_of_one_lead_do_not_match_between_destinations(full: TestHouse) -> None:
    rows = full.rows("select lead_id, key from delivery")
    assert len({row[1] for row in rows}) == len(rows) == 16


@BOTH
def test_batches_follow_the_vendors_limit(house: TestHouse, name: str) -> None:
    size = house.house.manifests[house.settings.destinations[name].connector].capabilities.batch_size
    house.admit(*house.invented.many(size + 3, brand="lada"))
    house.dispatcher(name).run(seconds=30)
    assert house.world(name).stats()["calls"] == {"write": 2}
    assert _held(house, name) == (size + 3, 0)


@BOTH
@pytest.mark.parametrize("fault", [Fault(kind=FaultKind.TAKE_THEN_RESET, times=1), None], ids=["lost answer", "rejected"])
def test_the_log_names_what_was_told_also_if_no_answer_came_or_a_refusal(
    full: TestHouse, name: str, fault: Fault | None
) -> None:
    """Whoever asks what was disclosed must learn it from the log alone (GDPR Art. 15(1)(c))."""
    knobs = full.simulator(name).knobs
    if fault:
        knobs.set(fault)
    else:
        knobs.reject(every=1, code="BAD_PHONE", field="phone")
    full.dispatcher(name).run(seconds=20)
    event = "delivery.uncertain" if fault else "delivery.rejected"
    leaves = [json.loads(bytes(row[0])) for row in full.rows("select body from audit_pending")]
    told = [leaf["facts"]["fields"] for leaf in leaves if leaf["event"] == event]
    assert len(told) == 8
    assert all("phone" in fields for fields in told)


# -- refusals --------------------------------------------------------------------------------------------------------------


@BOTH
def test_each_record_is_judged_by_itself(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.reject(every=3, code="BAD_PHONE", field="phone")
    count = full.dispatcher(name).run(seconds=20)
    assert (count.accepted, count.rejected) == (6, 2)
    assert (full.states(name), _held(full, name)) == ({"accepted": 6, "rejected": 2}, (6, 0))
    assert _reasons(full, name) == {None, "BAD_PHONE"}
    assert full.verified().ok


@BOTH
def test_a_record_that_is_busy_is_put_off_alone(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.reject(every=4, code="LOCKED", times=1)
    count = full.dispatcher(name).run(seconds=20)
    assert (count.accepted, count.deferred) == (6, 2)
    _again(full, name, minutes=10)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))


@BOTH
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_throttle_is_obeyed_in_both_forms_and_is_no_outage(full: TestHouse, name: str, form: str) -> None:
    if form == "seconds":
        asked = "120"
    else:  # a date is measured against the answer's own Date header, which is the real clock's
        from datetime import UTC, datetime  # noqa: PLC0415 - only here

        asked = format_datetime(datetime.now(UTC) + timedelta(seconds=121), usegmt=True)
    full.simulator(name).knobs.throttle(asked, times=1)
    count = full.dispatcher(name).run(seconds=20)
    assert (count.deferred, count.accepted) == (8, 0)
    assert full.world(name).stats()["calls"] == {"write": 1}, "after a throttle nobody knocks again"
    row = full.rows("select failures, open_until from destination_state where destination = :name", name=name)[0]
    assert row[0] == 0, "a throttle is no failure"
    _again(full, name, seconds=60)
    assert full.world(name).stats()["calls"] == {"write": 1}
    _again(full, name, seconds=65)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))
    attempts = full.rows("select distinct attempt from delivery where destination = :name", name=name)
    assert [row[0] for row in attempts] == [1], "a throttle is not held against a delivery"


@BOTH
def test_a_refused_connection_loses_nothing(full: TestHouse, name: str) -> None:
    full.server(name).down()
    count = full.dispatcher(name).run(seconds=20)
    assert (count.deferred, full.states(name)) == (8, {"deferred": 8})
    assert _reasons(full, name) == {"connection_refused"}
    full.server(name).up()
    _again(full, name, minutes=10)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))


@BOTH
def test_bad_credentials_stop_the_destination_loudly_and_send_nothing(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.refuse(401)
    with pytest.raises(TerminalError) as caught:
        full.dispatcher(name).run(seconds=20)
    assert caught.value.code == "unauthorized"
    assert full.states(name) == {"queued": 8}
    attempts = full.rows("select distinct attempt from delivery where destination = :name", name=name)
    assert [row[0] for row in attempts] == [0]
    full.simulator(name).knobs.clear()
    assert full.dispatcher(name).run(seconds=20).accepted == 0, "the breaker rests"
    _again(full, name, seconds=31)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))


@BOTH
def test_bad_credentials_are_tried_ever_less_often(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.refuse(401)
    pauses = []
    for _ in range(7):
        with pytest.raises(TerminalError):
            full.dispatcher(name).run(seconds=20)
        (open_until,) = full.rows("select open_until from destination_state where destination = :name", name=name)[0]
        pauses.append((from_micros(open_until) - full.clock.now).total_seconds())
        full.clock.advance(seconds=pauses[-1] + 1)
    assert pauses == [30, 60, 120, 240, 480, 600, 600]


@BOTH
def test_who_mended_it_need_not_wait(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.refuse(401)
    with pytest.raises(TerminalError):
        full.dispatcher(name).run(seconds=20)
    with pytest.raises(TerminalError):
        full.dispatcher(name).run(seconds=20, insist=True)
    assert full.dispatcher(name).run(seconds=20).accepted == 0, "it rests"
    full.simulator(name).knobs.clear()
    assert full.dispatcher(name).run(seconds=20, insist=True).accepted == 8
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))


# -- answers that got lost -------------------------------------------------------------------------------------------------

LOST = {
    "hangs": Fault(kind=FaultKind.TAKE_THEN_HANG, times=1),
    "answers 503": Fault(kind=FaultKind.TAKE_THEN_REFUSE, status=503, times=1),
    "answers 500": Fault(kind=FaultKind.TAKE_THEN_REFUSE, status=500, times=1),
    "resets": Fault(kind=FaultKind.TAKE_THEN_RESET, times=1),
    "cuts the answer": Fault(kind=FaultKind.TAKE_THEN_CUT, times=1),
    "answers HTML": Fault(kind=FaultKind.GARBAGE, form=Garbage.HTML, times=1),
    "answers half": Fault(kind=FaultKind.GARBAGE, form=Garbage.CUT, times=1),
    "answers another type": Fault(kind=FaultKind.GARBAGE, form=Garbage.WRONG_TYPE, times=1),
    "answers nothing": Fault(kind=FaultKind.GARBAGE, form=Garbage.EMPTY, times=1),
}


@BOTH
@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_is_read_back_before_anything_is_sent_again(full: TestHouse, name: str, how: str) -> None:
    full.simulator(name).knobs.set(LOST[how])
    count = full.dispatcher(name).run(seconds=20)
    assert (count.uncertain, count.accepted, full.states(name)) == (8, 0, {"uncertain": 8})
    assert _held(full, name) == (8, 0), "the vendor took them all"
    assert full.dispatcher(name).run(seconds=20).resolved == 0, "it is given time to finish first"
    full.clock.advance(seconds=11)
    again = full.dispatcher(name).run(seconds=20)
    assert (again.resolved, again.accepted) == (8, 8)
    stats = full.world(name).stats()
    assert (stats["records"], stats["doubles"], stats["writes"]) == (8, [], 8), "not one was written twice"
    assert stats["calls"] == {"write": 1, "lookup": 1}
    assert full.states(name) == {"accepted": 8}
    assert full.verified().ok


@BOTH
def test_a_lost_request_is_found_absent_and_sent_again(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.garbage(Garbage.HTML, take=False, times=1)
    assert full.dispatcher(name).run(seconds=20).uncertain == 8
    assert _held(full, name) == (0, 0)
    _again(full, name, seconds=11)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))
    assert full.verified().ok


@BOTH
def test_a_result_that_is_missing_from_the_answer_is_a_doubt_of_its_own(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.fewer_results(3, times=1)
    count = full.dispatcher(name).run(seconds=20)
    assert (count.accepted, count.uncertain) == (5, 3)
    assert _reasons(full, name) == {None, "missing_in_answer"}
    _again(full, name, seconds=11)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))
    assert full.world(name).stats()["writes"] == 8


@BOTH
def test_a_batch_that_arrived_in_part_is_settled_record_by_record(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.reject(every=2, code="LATER_FINE", times=1)
    full.simulator(name).knobs.take_then(FaultKind.TAKE_THEN_REFUSE, status=502, times=1)
    assert full.dispatcher(name).run(seconds=20).uncertain == 8
    assert _held(full, name) == (4, 0)
    full.clock.advance(seconds=11)
    again = full.dispatcher(name).run(seconds=20)
    assert (again.resolved, again.accepted, again.queued) == (8, 8, 4)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))
    assert full.world(name).stats()["writes"] == 8


@BOTH
def test_a_read_back_that_fails_leaves_the_doubt_standing(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    full.simulator(name).knobs.refuse(503, times=1, on=["lookup"])
    full.dispatcher(name).run(seconds=20)
    _again(full, name, seconds=11)
    assert full.states(name) == {"uncertain": 8}, "not knowing stays not knowing"
    _again(full, name, minutes=3)
    assert (full.states(name), _held(full, name)) == ({"accepted": 8}, (8, 0))


@BOTH
def test_a_read_back_that_needs_a_person_is_loud(full: TestHouse, name: str) -> None:
    full.simulator(name).knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    full.simulator(name).knobs.refuse(403, times=1, on=["lookup"])
    full.dispatcher(name).run(seconds=20)
    full.clock.advance(seconds=11)
    with pytest.raises(TerminalError) as caught:
        full.dispatcher(name).run(seconds=20)
    assert caught.value.code == "forbidden"
    assert full.states(name) == {"uncertain": 8}


def test_a_vendor_that_loses_every_request_is_given_up_after_the_last_attempt(full: TestHouse) -> None:
    full.simulator("lada_calls").knobs.garbage(Garbage.HTML, take=False)
    rules = full.with_rules(breaker_failures=99)
    for _ in range(rules.attempts):
        full.dispatcher("lada_calls", rules=rules).run(seconds=20)
        full.clock.advance(minutes=5)
    full.dispatcher("lada_calls", rules=rules).run(seconds=20)
    assert full.states("lada_calls") == {"dead": 8}
    assert _reasons(full, "lada_calls") == {"attempts_exhausted"}
    assert full.world("lada_calls").stats()["calls"]["write"] == rules.attempts
    assert full.verified().ok


# -- outages ---------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_breaker_opens_half_opens_and_closes(house: TestHouse, name: str) -> None:
    size = house.house.manifests[house.settings.destinations[name].connector].capabilities.batch_size
    house.admit(*house.invented.many(2 * size, brand="lada"))
    rules = house.with_rules(backoff_base=timedelta(seconds=1))
    knobs = house.simulator(name).knobs
    knobs.set(Fault(kind=FaultKind.RESET))  # before anything is taken
    for _ in range(10):
        house.dispatcher(name, rules=rules).run(seconds=20)
        house.clock.advance(seconds=2)
    calls = house.world(name).stats()["calls"]["write"]
    failures, open_until = house.rows("select failures, open_until from destination_state where destination = :n", n=name)[0]
    assert failures == rules.breaker_failures == 3
    assert open_until is not None
    assert calls <= rules.breaker_failures + 1, "an open breaker lets nobody through"
    house.clock.advance(seconds=40)
    house.dispatcher(name, rules=rules).run(seconds=20)
    assert house.rows("select failures from destination_state where destination = :n", n=name)[0][0] == 4, "one probe, failed"
    knobs.clear()
    house.clock.advance(minutes=15)
    count = house.dispatcher(name, rules=rules).run(seconds=60)
    assert house.rows("select failures, open_until from destination_state where destination = :n", n=name)[0] == (0, None)
    house.clock.advance(minutes=15)
    house.dispatcher(name, rules=rules, worker="last").run(seconds=60)
    assert count.accepted >= size
    assert (house.states(name), _held(house, name)) == ({"accepted": 2 * size}, (2 * size, 0))


def test_one_dead_destination_does_not_touch_another(full: TestHouse) -> None:
    full.server("lada_crm").down()
    full.dispatcher("lada_crm").run(seconds=20)
    assert full.dispatcher("lada_calls").run(seconds=20).accepted == 8
    assert full.house.destinations() == []
    full.clock.advance(minutes=10)
    assert full.house.destinations() == ["lada_crm"]


@BOTH
def test_attempts_are_counted_and_the_dead_are_replayed_by_a_person(full: TestHouse, name: str) -> None:
    full.server(name).down()
    rules = full.with_rules(breaker_failures=99)
    for _ in range(rules.attempts + 2):
        full.dispatcher(name, rules=rules).run(seconds=20)
        full.clock.advance(minutes=15)
    assert full.states(name) == {"dead": 8}
    full.server(name).up()
    assert full.dispatcher(name).run(seconds=20).accepted == 0, "the dead stay dead until somebody looks"
    ask: dict[str, Any] = {"destination": name, "delivery_ids": None, "include_doubtful": False, "actor": "engineer-1"}
    letters, held, moved = full.house.replay(apply=False, **ask)
    assert (len(letters), len(held), moved) == (8, 0, 0)
    assert full.states(name) == {"dead": 8}
    assert full.house.replay(apply=True, **ask)[2] == 8
    assert full.house.replay(apply=True, **ask)[2] == 0, "twice changes nothing"
    assert full.dispatcher(name).run(seconds=20).accepted == 8
    assert _held(full, name) == (8, 0)
    assert full.verified().ok


# -- limits ----------------------------------------------------------------------------------------------------------------


def test_the_rate_limit_is_kept_across_workers(house: TestHouse) -> None:
    slow = house.slowed("lada_calls", calls_per_second=0.5)
    house.admit(*house.invented.many(450, brand="lada"))
    began = house.clock.now
    for worker in ("a", "b", "c"):
        house.dispatcher("lada_calls", connector=slow, worker=worker).run(seconds=30)
    assert house.states("lada_calls") == {"accepted": 450}
    calls = house.world("lada_calls").stats()["calls"]["write"]
    assert calls == 5
    assert house.clock.now - began >= timedelta(seconds=2 * (calls - 1))


def test_a_rate_too_slow_for_a_lease_gives_back_what_it_cannot_send(house: TestHouse) -> None:
    slow = house.slowed("lada_calls", calls_per_second=1 / 200)
    house.admit(*house.invented.many(250, brand="lada"))
    count = house.dispatcher("lada_calls", connector=slow).run(seconds=30)
    assert (count.accepted, house.states("lada_calls")) == (100, {"accepted": 100, "queued": 150})
    for _ in range(4):  # turns that are not taken push nobody back
        house.dispatcher("lada_calls", connector=slow).run(seconds=30)
    for _ in range(2):
        house.clock.advance(seconds=200)
        house.dispatcher("lada_calls", connector=slow).run(seconds=30)
    assert (house.states("lada_calls"), _held(house, "lada_calls")) == ({"accepted": 250}, (250, 0))
    assert Outcome.DEAD not in house.states("lada_calls")


def test_a_lease_shorter_than_a_call_is_refused(house: TestHouse) -> None:
    with pytest.raises(TerminalError) as caught:
        house.dispatcher("lada_calls", rules=house.with_rules(lease=timedelta(seconds=8)))
    assert caught.value.code == "lease_too_short"
