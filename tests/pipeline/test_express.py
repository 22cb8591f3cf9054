"""What was just admitted goes out at once, as dispatch would send it; and whatever a destination does, admission goes on and
nothing is lost or doubled. Every test asks the simulated worlds in the end.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from integrations.contract.destination import Destination
from integrations.testing.invented_leads import Invented
from integrations.testing.knobs import Fault, FaultKind
from leadgate.pipeline.express import Express
from leadgate.storage import outbox
from leadgate.storage.clock import to_micros
from leadgate.wiring import House, environment_credentials
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.house import TestHouse
from tests.houses.interrupted import interrupted

BOTH = ("lada_calls", "lada_crm")


def _express(house: TestHouse, **connectors: Destination) -> Express:
    """The way at once to both destinations of a brand, over these connectors if others are given."""
    return Express({name: house.dispatcher(name, connector=connectors.get(name)) for name in BOTH})


def _admit(house: TestHouse, express: Express, *, leads: int, batch: int = 500) -> tuple[int, int]:
    """(admitted, accepted at once)."""
    house.receive(*house.invented.many(leads, brand="lada"))
    count = house.house.admitter.run(seconds=30, batch=batch, express=express)
    return count.admitted, count.accepted


def _held(house: TestHouse, name: str) -> tuple[int, list[str]]:
    stats = house.world(name).stats()
    return stats["records"], stats["doubles"]


def _dispatch(house: TestHouse, name: str, **wait: float) -> None:
    house.clock.advance(**wait)
    house.dispatcher(name, worker=f"worker at {house.clock.now.isoformat()}").run(seconds=20)


# -- the good day ----------------------------------------------------------------------------------------------------------


def test_what_is_admitted_is_accepted_everywhere_when_admission_is_done(house: TestHouse) -> None:
    house.receive(*house.invented.many(8, brand="lada"))
    count = house.house.admit(send=True)
    assert (count.admitted, count.deliveries, count.accepted) == (8, 16, 16)
    for name in BOTH:
        assert (house.states(name), _held(house, name)) == ({"accepted": 8}, (8, []))
    assert house.house.destinations() == []
    assert house.rows("select count(*) from hand_over") == [(0,)], "nothing is left in hand"
    assert house.verified().ok


def test_express_and_dispatch_leave_the_same_behind(house: TestHouse) -> None:
    """One lead by each way: rows, leaves and what the vendors hold differ in nothing but ids, digests, moments and people."""
    first, second = _alike(house)
    kept = []
    for lead, send in ((first, True), (second, False)):
        house.receive(lead)
        house.house.admit(send=send)
        for name in BOTH:
            house.dispatcher(name).run(seconds=9)
        lead_id = house.rows("select lead_id from submission where event_id = :event", event=lead.event_id)[0][0]
        rows = house.rows(
            "select destination, purpose, state, attempt, not_before, lease_until, reason, length(sent_sha256), key"
            " from delivery where lead_id = :lead order by destination",
            lead=lead_id,
        )
        leaves = house.rows("select body from audit_pending where about = :lead order by pending_id", lead=lead_id)
        shapes = sorted((leaf["event"], sorted(leaf["facts"])) for leaf in (json.loads(bytes(row[0])) for row in leaves))
        told = [
            sorted(record["fields"]) for row in rows for record in house.world(row[0]).records() if record["key"] == row[-1]
        ]
        kept.append(([tuple(row[:-1]) for row in rows], shapes, told))
    assert kept[0] == kept[1]
    assert [len(part) for part in kept[0]] == [2, 3, 2]


def _alike(house: TestHouse) -> tuple[Invented, Invented]:
    """Two invented leads that name the same fields."""
    seen: dict[tuple[str, ...], Invented] = {}
    for lead in house.invented.many(50, brand="lada"):
        shape = (*sorted(lead.document), lead.document["topic"]["code"])
        if shape in seen:
            return seen[shape], lead
        seen[shape] = lead
    raise AssertionError("the inventor has become too inventive")


def test_what_is_handed_over_is_what_a_claim_would_read(house: TestHouse) -> None:
    house.receive(*house.invented.many(3, brand="lada"))
    express, admitter = _express(house), house.house.admitter
    with house.transaction() as tx:
        _, handed = admitter._batch(tx, 500, express)
    for name in BOTH:
        in_hand = {one.claimed.delivery_id: one.claimed for one in handed[name].records.values()}
        assert len(in_hand) == 3
        house.run("update delivery set state = 'queued', attempt = 0, not_before = 0 where destination = :name", name=name)
        now = to_micros(house.clock.now)
        with house.transaction() as tx:
            read = outbox.claim(tx, destination=name, worker="w", limit=9, now=now, lease_until=now + 1)
        assert {one.delivery_id: one for one in read} == in_hand


def test_nothing_waiting_speaks_to_nobody(house: TestHouse) -> None:
    assert house.house.express() is None
    assert house.house.admit(send=True).taken == 0


def test_the_settings_may_leave_all_sending_to_dispatch(house: TestHouse) -> None:
    house.receive(*house.invented.many(3, brand="lada"))
    settings = replace(house.settings, delivery=house.with_rules(express=False))
    with House(settings, credentials=house.house.credentials, clock=house.clock) as other:
        assert other.admit(send=True).accepted == 0
    assert house.states("lada_crm") == {"queued": 3}


# -- people who change their minds -----------------------------------------------------------------------------------------


def test_a_withdrawal_after_the_admission_stops_what_is_not_sent_yet(house: TestHouse) -> None:
    leads = list(house.invented.many(6, brand="lada"))
    gone: list[Invented] = []

    def change_of_mind() -> None:
        if gone:
            return
        sent = {row["key"] for row in house.world("lada_calls").records()}
        rows = house.rows(
            "select s.event_id, d.key from submission s join delivery d on d.lead_id = s.lead_id"
            " where d.destination = 'lada_calls'"
        )
        gone.extend(lead for lead in leads if lead.event_id in {row[0] for row in rows if row[1] not in sent})
        for lead in gone[:2]:
            phone = phone_or_none(lead.document["phone"], "RU")
            assert phone is not None
            house.house.withdraw(Withdrawal(brand="lada", phone=Personal(phone), purposes=()), actor="moderator-1")

    house.receive(*leads)
    express = Express(
        {"lada_calls": house.dispatcher("lada_calls", connector=interrupted(house, "lada_calls", change_of_mind, batch_size=1))}
    )
    count = house.house.admitter.run(seconds=9, express=express)
    assert (count.admitted, count.accepted) == (6, 4)
    assert (house.states("lada_calls"), _held(house, "lada_calls")) == ({"accepted": 4, "suppressed": 2}, (4, []))
    assert house.states("lada_crm") == {"queued": 4, "suppressed": 2}
    assert house.verified().ok


# -- destinations that are not well ----------------------------------------------------------------------------------------


def test_an_outage_ends_its_part_in_the_run_and_nobody_elses(house: TestHouse) -> None:
    house.simulator("lada_crm").knobs.set(Fault(kind=FaultKind.REFUSE, status=503))
    assert _admit(house, _express(house), leads=9, batch=3) == (9, 9)
    assert house.states("lada_calls") == {"accepted": 9}
    assert house.states("lada_crm") == {"uncertain": 3, "queued": 6}
    assert house.world("lada_crm").stats()["calls"].get("write", 0) <= 1
    house.simulator("lada_crm").knobs.clear()
    _dispatch(house, "lada_crm", hours=1)
    _dispatch(house, "lada_crm", minutes=1)
    assert (house.states("lada_crm"), _held(house, "lada_crm")) == ({"accepted": 9}, (9, []))


def test_a_destination_with_an_outage_behind_it_takes_part_again_after_a_success(house: TestHouse) -> None:
    house.simulator("lada_crm").knobs.set(Fault(kind=FaultKind.REFUSE, status=503, times=1))
    assert _admit(house, _express(house), leads=2) == (2, 2)
    house.receive(*house.invented.many(2, start=50, brand="lada"))
    assert house.house.admitter.run(seconds=9, express=_express(house)).accepted == 2, "the other destination's"
    _dispatch(house, "lada_crm", hours=1)
    house.receive(*house.invented.many(2, start=70, brand="lada"))
    assert house.house.admitter.run(seconds=9, express=_express(house)).accepted == 4


@pytest.mark.parametrize("kind", [FaultKind.TAKE_THEN_RESET, FaultKind.TAKE_THEN_CUT])
def test_a_lost_answer_is_read_back_and_nothing_is_doubled(house: TestHouse, kind: FaultKind) -> None:
    for name in BOTH:
        house.simulator(name).knobs.set(Fault(kind=kind, times=1))
    assert _admit(house, _express(house), leads=5) == (5, 0)
    for name in BOTH:
        assert house.states(name) == {"uncertain": 5}
        _dispatch(house, name, minutes=1)
        assert (house.states(name), _held(house, name)) == ({"accepted": 5}, (5, []))
    assert house.verified().ok


def test_a_slow_destination_holds_admission_for_one_call(house: TestHouse) -> None:
    house.simulator("lada_calls").knobs.slow(0.2)
    calls = interrupted(house, "lada_calls", lambda: None, batch_size=2)
    express = Express({"lada_calls": house.dispatcher("lada_calls", connector=calls)}, patience=0.1)
    assert _admit(house, express, leads=9, batch=6) == (9, 2)
    assert house.states("lada_calls") == {"accepted": 2, "queued": 7}
    house.simulator("lada_calls").knobs.clear()
    _dispatch(house, "lada_calls")
    assert _held(house, "lada_calls") == (9, [])


def test_a_refusal_that_needs_a_person_stops_no_admission(house: TestHouse) -> None:
    house.simulator("lada_crm").knobs.set(Fault(kind=FaultKind.REFUSE, status=403))
    assert _admit(house, _express(house), leads=4, batch=2) == (4, 4)
    assert house.states("lada_crm") == {"queued": 4}


def test_a_destination_with_a_rate_limit_is_left_to_dispatch(house: TestHouse) -> None:
    express = _express(house, lada_crm=house.slowed("lada_crm", calls_per_second=1.0))
    assert _admit(house, express, leads=4) == (4, 4)
    assert house.states("lada_crm") == {"queued": 4}


def test_a_destination_without_credentials_is_left_to_dispatch(house: TestHouse) -> None:
    environment = {name: value for name, value in house.sandbox.environment().items() if "CRM" not in name}
    house.receive(*house.invented.many(3, brand="lada"))
    with House(house.settings, credentials=environment_credentials(environment), clock=house.clock) as other:
        assert (other.admit(send=True).accepted, house.states("lada_crm")) == (3, {"queued": 3})


# -- deaths and races ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOTH)
def test_a_death_between_the_commit_and_the_send_is_found_after_the_lease(house: TestHouse, name: str) -> None:
    house.receive(*house.invented.many(4, brand="lada"))
    express, admitter = _express(house), house.house.admitter
    with house.transaction() as tx:
        admitter._batch(tx, 500, express)
    assert house.states(name) == {"claimed": 4}
    _dispatch(house, name, minutes=1)
    assert house.states(name) == {"claimed": 4}, "the lease still runs"
    _dispatch(house, name, minutes=3)
    _dispatch(house, name, minutes=1)
    assert (house.states(name), _held(house, name)) == ({"accepted": 4}, (4, []))
    assert house.verified().ok


def test_a_death_after_the_destination_took_it_doubles_nothing(house: TestHouse) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    house.receive(*house.invented.many(4, brand="lada"))
    express = _express(house, lada_calls=interrupted(house, "lada_calls", die))
    with pytest.raises(KeyboardInterrupt):
        house.house.admitter.run(seconds=9, express=express)
    assert (house.states("lada_calls"), _held(house, "lada_calls")) == ({"claimed": 4}, (4, []))
    for name in BOTH:
        _dispatch(house, name, minutes=4)
        _dispatch(house, name, minutes=1)
        assert (house.states(name), _held(house, name)) == ({"accepted": 4}, (4, []))


def test_a_transaction_that_is_undone_sends_nothing(house: TestHouse) -> None:
    house.receive(*house.invented.many(3, brand="lada"))
    express, admitter = _express(house), house.house.admitter

    def undone() -> None:
        with house.transaction() as tx:
            admitter._batch(tx, 500, express)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undone()
    assert [_held(house, name) for name in BOTH] == [(0, []), (0, [])]
    assert admitter.run(seconds=9, express=express).accepted == 6


def test_two_admissions_beside_each_other_send_each_lead_once(house: TestHouse) -> None:
    house.receive(*house.invented.many(120, brand="lada"))
    houses = [house.another() for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(each.admitter.run, seconds=30, batch=20, express=each.express()) for each in houses]
            counts = [run.result() for run in runs]
    finally:
        for each in houses:
            each.close()
    assert sum(count.admitted for count in counts) == 120
    for name in BOTH:
        house.dispatcher(name).run(seconds=20)
        assert _held(house, name) == (120, [])
        assert house.states(name) == {"accepted": 120}
    assert house.verified().ok
