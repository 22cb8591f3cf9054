"""A long queue in two lanes, on Postgres: each delivery goes out once, and what ends one lane ends both and loses nothing."""

from __future__ import annotations

import pytest

from integrations.testing.knobs import Fault, FaultKind
from schemas.errors import TerminalError
from tests.houses.house import TestHouse

_LEADS = 230


@pytest.fixture
def full(house: TestHouse) -> TestHouse:
    house.receive(*house.invented.many(_LEADS, brand="lada"))
    assert house.house.admit().admitted == _LEADS
    return house


def test_each_delivery_goes_out_once_whichever_lane_took_it(full: TestHouse) -> None:
    seen: list[int] = []
    dispatcher = full.dispatcher("lada_calls", rules=full.with_rules(batches_per_claim=1))
    count = dispatcher.run(seconds=60, progress=lambda total: seen.append(total.accepted))
    assert (count.accepted, count.late) == (_LEADS, 0)
    assert seen == sorted(seen)
    assert seen[-1] == _LEADS
    assert full.world("lada_calls").stats()["records"] == _LEADS
    assert full.world("lada_calls").stats()["doubles"] == []
    workers = {row[0] for row in full.rows("select distinct worker from delivery where destination = 'lada_calls'")}
    assert workers == ({"worker-1", "worker-1-2"} if full.ledger.postgres else {"worker-1"})
    assert full.verified().ok


def test_what_needs_a_person_stops_both_lanes_and_loses_nothing(full: TestHouse) -> None:
    full.simulator("lada_calls").knobs.set(Fault(kind=FaultKind.REFUSE, status=403))
    with pytest.raises(TerminalError):
        full.dispatcher("lada_calls", rules=full.with_rules(batches_per_claim=1)).run(seconds=60)
    assert full.states("lada_calls") == {"queued": _LEADS}
    full.simulator("lada_calls").knobs.clear()
    full.clock.advance(hours=2)
    count = full.dispatcher("lada_calls", rules=full.with_rules(batches_per_claim=1)).run(seconds=60)
    assert (count.accepted, full.world("lada_calls").stats()["doubles"]) == (_LEADS, [])


def test_lost_answers_in_both_lanes_are_read_back_and_doubled_nowhere(full: TestHouse) -> None:
    full.simulator("lada_calls").knobs.set(Fault(kind=FaultKind.TAKE_THEN_RESET, times=3))
    for _ in range(8):
        full.dispatcher("lada_calls", rules=full.with_rules(batches_per_claim=1)).run(seconds=60)
        full.clock.advance(hours=1)
    assert full.states("lada_calls") == {"accepted": _LEADS}
    stats = full.world("lada_calls").stats()
    assert (stats["records"], stats["doubles"]) == (_LEADS, [])
    assert full.verified().ok
