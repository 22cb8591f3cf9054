"""A vendor takes a batch and its answer is lost: the day ends with every lead there once, and the log tells the doubt."""

from __future__ import annotations

import json

import pytest

from integrations.testing.knobs import FaultKind
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse


@pytest.mark.parametrize("kind", [FaultKind.TAKE_THEN_HANG, FaultKind.TAKE_THEN_REFUSE])
def test_the_lost_answer_makes_no_double_and_is_told(house: TestHouse, kind: FaultKind) -> None:
    house.admit(*house.invented.many(20, brand="lada"))
    house.simulator("lada_calls").knobs.take_then(kind, times=1, status=503)
    house.dispatcher("lada_calls").run(seconds=20)
    assert not house.house.balance().closes, "a doubt is not an end"
    house.clock.advance(seconds=30)
    house.dispatcher("lada_calls").run(seconds=20)
    house.dispatcher("lada_crm").run(seconds=20)
    balance = house.house.balance()
    assert balance.closes
    assert balance.deliveries == {"lada_calls": {"accepted": 20}, "lada_crm": {"accepted": 20}}
    stats = house.world("lada_calls").stats()
    assert (stats["records"], stats["doubles"], stats["writes"]) == (20, [], 20)
    report = house.verified()
    assert report.ok
    assert (report.events["delivery.uncertain"], report.events["delivery.resolved"]) == (20, 20)
    lead_id = house.rows("select lead_id from lead limit 1")[0][0]
    events = [json.loads(leaf)["event"] for _, leaf in house.house.leaves_of(lead_id)]
    calls = ["delivery.uncertain", "delivery.resolved"]
    assert events == ["submission.received", "lead.admitted", *calls, "delivery.accepted"], "the last one is the CRM's"
    assert leadgate(house, "trace", lead_id).returncode == 0
