"""Dispatch when something happens in between: a worker dies, a person takes consent back or is erased, somebody writes to a
row, a vendor cannot be asked. What counts is what the vendor's world holds, not our own books.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.testing.invented_leads import Invented
from integrations.testing.knobs import FaultKind, Garbage
from leadgate.pipeline.counts import DispatchCount
from leadgate.storage import outbox
from leadgate.storage.clock import to_micros
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import WriteMode
from tests.houses.house import TestHouse
from tests.houses.interrupted import interrupted

BOTH = pytest.mark.parametrize("name", ["lada_crm", "lada_calls"])


def withdrawal(lead: Invented, *purposes: str) -> Withdrawal:
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    return Withdrawal(brand=lead.brand, phone=Personal(phone), purposes=purposes)


def held(house: TestHouse, name: str) -> tuple[int, list[str]]:
    """(records, doubled keys) at the vendor."""
    stats = house.world(name).stats()
    return stats["records"], stats["doubles"]


def reasons(house: TestHouse, name: str) -> list[tuple[str, str | None, int]]:
    rows = house.rows(
        "select state, reason, count(*) from delivery where destination = :name group by 1, 2 order by 1, 2", name=name
    )
    return [tuple(row) for row in rows]


def nothing() -> None: ...


# -- workers that die -------------------------------------------------------------------------------------------------------


@BOTH
def test_a_claim_of_a_dead_worker_is_read_back_after_its_lease(house: TestHouse, name: str) -> None:
    house.admit(*house.invented.many(6, brand="lada"))
    now, lease = to_micros(house.clock.now), to_micros(house.clock.now + house.settings.delivery.lease)
    with house.transaction() as tx:  # it claimed, and died before it sent
        outbox.claim(tx, destination=name, worker="dead", limit=6, now=now, lease_until=lease)
    house.clock.advance(minutes=1)
    assert house.dispatcher(name, worker="b").run(seconds=9).accepted == 0
    assert house.states(name) == {"claimed": 6}, "its lease still runs"
    house.clock.advance(minutes=2)
    assert house.dispatcher(name, worker="b").run(seconds=9).uncertain == 6
    house.clock.advance(seconds=11)
    count = house.dispatcher(name, worker="b").run(seconds=9)
    assert (count.resolved, count.accepted) == (6, 6)
    assert (house.states(name), held(house, name)) == ({"accepted": 6}, (6, []))
    assert house.verified().ok


@BOTH
def test_a_worker_that_died_after_the_vendor_took_it_is_not_repeated(house: TestHouse, name: str) -> None:
    house.admit(*house.invented.many(6, brand="lada"))

    def die() -> None:
        raise KeyboardInterrupt  # whatever it is, nothing of ours runs after it

    with pytest.raises(KeyboardInterrupt):
        house.dispatcher(name, connector=interrupted(house, name, die), worker="dies").run(seconds=9)
    assert (house.states(name), held(house, name)) == ({"claimed": 6}, (6, []))
    house.clock.advance(minutes=3)
    house.dispatcher(name, worker="b").run(seconds=9)
    house.clock.advance(seconds=11)
    assert house.dispatcher(name, worker="b").run(seconds=9).accepted == 6
    assert (house.states(name), held(house, name)) == ({"accepted": 6}, (6, []))
    assert house.world(name).stats()["writes"] == 6
    assert house.verified().ok


@BOTH
def test_a_slow_worker_whose_doubts_another_one_ended_changes_nothing(house: TestHouse, name: str) -> None:
    house.admit(*house.invented.many(4, brand="lada"))
    other = house.another()

    def overtaken() -> None:
        for _ in range(2):
            house.clock.advance(minutes=3)
            house.dispatcher(name, worker="fast", house=other).run(seconds=9)

    count = house.dispatcher(name, connector=interrupted(house, name, overtaken), worker="slow").run(seconds=9)
    other.close()
    assert (count.late, count.accepted) == (4, 0), "what comes after the doubt was ended is counted and dropped"
    assert (house.states(name), held(house, name)) == ({"accepted": 4}, (4, []))
    assert house.verified().ok


def test_two_workers_at_once_share_the_queue(house: TestHouse) -> None:
    house.admit(*house.invented.many(30, brand="lada"))
    other = house.another()
    counts: list[DispatchCount] = []

    def beside() -> None:
        if not counts:
            counts.append(house.dispatcher("lada_calls", worker="b", house=other).run(seconds=9))

    rules = house.with_rules(batches_per_claim=1)
    connector = interrupted(house, "lada_calls", beside, batch_size=10)
    counts.append(house.dispatcher("lada_calls", connector=connector, rules=rules, worker="a").run(seconds=9))
    other.close()
    assert sorted(count.accepted for count in counts) == [10, 20]
    assert (house.states("lada_calls"), held(house, "lada_calls")) == ({"accepted": 30}, (30, []))


# -- people who change their minds -----------------------------------------------------------------------------------------


@BOTH
def test_a_withdrawal_between_claim_and_send_is_respected(house: TestHouse, name: str) -> None:
    leads = list(house.invented.many(6, brand="lada"))
    house.admit(*leads)
    taken_back: list[Invented] = []

    def change_of_mind() -> None:
        if not taken_back:
            keys = {row["key"] for row in house.world(name).records()}
            rows = house.rows(
                "select s.event_id from submission s join delivery d on d.lead_id = s.lead_id"
                " where d.destination = :name and d.state = 'claimed' and d.key <> :sent",
                name=name,
                sent=keys.pop(),
            )
            waiting = {row[0] for row in rows}
            taken_back.extend(lead for lead in leads if lead.event_id in waiting)
            for lead in taken_back[:2]:
                assert house.house.withdraw(withdrawal(lead), actor="moderator-1").recipients == (name,)

    connector = interrupted(house, name, change_of_mind, batch_size=1)
    count = house.dispatcher(name, connector=connector, rules=house.with_rules(batches_per_claim=6)).run(seconds=9)
    assert (count.accepted, count.suppressed) == (4, 2)
    assert (held(house, name), reasons(house, name)) == ((4, []), [("accepted", None, 4), ("suppressed", "withdrawn", 2)])
    assert house.verified().ok


@BOTH
def test_a_withdrawal_stops_what_is_queued_and_names_who_holds_it(house: TestHouse, name: str) -> None:
    lead, other = house.invented.lead(1, brand="lada"), house.invented.lead(2, brand="lada")
    house.admit(lead, other)
    house.dispatcher("lada_crm").run(seconds=9)
    done = house.house.withdraw(withdrawal(lead), actor="moderator-1")
    assert (done.suppressed, done.recipients) == (1, ("lada_crm",))
    house.dispatcher(name).run(seconds=9)
    assert house.states("lada_crm") == {"accepted": 2}
    assert held(house, "lada_calls")[0] == (1 if name == "lada_calls" else 0)
    again = house.house.withdraw(withdrawal(lead), actor="moderator-1")
    assert (again.suppressed, again.recipients) == (0, ("lada_crm",))
    assert house.verified().ok


def test_a_withdrawal_of_one_purpose_leaves_the_other(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    assert house.house.withdraw(withdrawal(lead, "callback"), actor="moderator-1").suppressed == 1
    house.dispatcher("lada_crm").run(seconds=9)
    house.dispatcher("lada_calls").run(seconds=9)
    assert (held(house, "lada_crm")[0], held(house, "lada_calls")[0]) == (1, 0)
    assert reasons(house, "lada_calls") == [("suppressed", "withdrawn", 1)]


@BOTH
def test_a_doubt_of_somebody_who_withdrew_is_read_back_and_never_sent_again(house: TestHouse, name: str) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.simulator(name).knobs.garbage(Garbage.HTML, take=False, times=1)
    house.dispatcher(name).run(seconds=9)
    assert house.house.withdraw(withdrawal(lead), actor="moderator-1").recipients == (name,)
    house.clock.advance(seconds=11)
    house.dispatcher(name).run(seconds=9)
    assert (held(house, name), reasons(house, name)) == ((0, []), [("suppressed", "withdrawn", 1)])
    assert house.verified().ok


@BOTH
def test_consent_that_ends_in_the_queue_is_not_used(house: TestHouse, name: str) -> None:
    house.admit(house.invented.lead(1, brand="lada"))
    house.clock.advance(days=366)
    house.dispatcher(name).run(seconds=9)
    assert (held(house, name)[0], reasons(house, name)) == (0, [("suppressed", "consent_expired", 1)])


@BOTH
def test_an_erased_person_is_suppressed_even_after_the_claim(house: TestHouse, name: str) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    house.admit(*leads)
    people = {row[0] for row in house.rows("select person_id from person")}
    gone: list[str] = []

    def erase() -> None:
        if not gone:
            sent = {row["key"] for row in house.world(name).records()}
            rows = house.rows("select person_id, key from delivery where destination = :name", name=name)
            gone.append(next(row[0] for row in rows if row[1] not in sent))
            assert house.house.erase(gone[0], actor="officer-1", reason="subject_request").keys == 1

    house.dispatcher(name, connector=interrupted(house, name, erase, batch_size=1)).run(seconds=9)
    assert (held(house, name)[0], reasons(house, name)) == (2, [("accepted", None, 2), ("suppressed", "erased", 1)])
    assert len(people) == 3
    assert house.verified().ok


@BOTH
def test_an_erased_persons_queue_is_stopped_at_once(house: TestHouse, name: str) -> None:
    house.admit(*house.invented.many(2, brand="lada"))
    person = house.rows("select person_id from lead order by lead_id limit 1")[0][0]
    dry = house.house.erase(person, actor="officer-1", reason="subject_request", dry_run=True)
    assert (dry.suppressed, dry.leads, dry.keys) == (2, 1, 0)
    done = house.house.erase(person, actor="officer-1", reason="subject_request")
    assert (done.keys, done.leads, done.suppressed, done.recipients) == (1, 1, 2, ())
    twice = house.house.erase(person, actor="officer-1", reason="subject_request")
    assert (twice.keys, twice.suppressed) == (0, 0)
    house.dispatcher(name).run(seconds=9)
    assert (held(house, name)[0], reasons(house, name)) == (1, [("accepted", None, 1), ("suppressed", "erased", 1)])
    assert house.verified().ok


# -- rows that somebody wrote to --------------------------------------------------------------------------------------------

_ENVELOPE = "update lead set sealed = :bytes where lead_id = :lead"
_EXCHANGED = """update lead set sealed = (select sealed from lead where lead_id <> :lead order by lead_id limit 1)
where lead_id = :lead"""
_KEY = """update person set wrapped_key = :bytes
where person_id = (select person_id from lead where lead_id = :lead)"""
_CONSENT = """update consent_record set indication = 'telepathy'
where consent_id = (select consent_id from lead where lead_id = :lead)"""
DAMAGE = {
    "envelope changed": (_ENVELOPE, "seal_foreign"),
    "envelope of another lead": (_EXCHANGED, "seal_wrong_key"),
    "person's key changed": (_KEY, "seal_foreign"),
    "consent unreadable": (_CONSENT, "record_unreadable"),
}


@BOTH
@pytest.mark.parametrize("how", DAMAGE)
def test_one_damaged_row_is_dead_and_stops_nobody(house: TestHouse, name: str, how: str) -> None:
    house.admit(*house.invented.many(5, brand="lada"))
    lead = house.rows("select lead_id from lead order by lead_id limit 1")[0][0]
    statement, reason = DAMAGE[how]
    values = {"bytes": b"not an envelope"} if ":bytes" in statement else {}
    assert house.run(statement, lead=lead, **values) == 1
    count = house.dispatcher(name).run(seconds=9)
    assert (count.accepted, count.dead) == (4, 1)
    assert (held(house, name)[0], reasons(house, name)) == (4, [("accepted", None, 4), ("dead", reason, 1)])


def test_a_consent_that_was_widened_in_the_database_sends_nothing_more(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada", purposes=["callback"])
    house.admit(lead)
    assert house.states("lada_crm") == {}
    house.run("update delivery set destination = 'lada_crm', purpose = 'crm_followup'")
    house.dispatcher("lada_crm").run(seconds=9)
    assert (held(house, "lada_crm")[0], reasons(house, "lada_crm")) == (0, [("suppressed", "no_consent", 1)])
    assert not house.verified().ok


# -- vendors that cannot be asked -------------------------------------------------------------------------------------------


def test_doubt_at_an_append_only_vendor_is_a_persons_to_decide(house: TestHouse) -> None:
    house.admit(*house.invented.many(4, brand="lada"))
    blind = {"write_mode": WriteMode.APPEND_ONLY, "lookup": False}
    connector = interrupted(house, "lada_calls", nothing, **blind)
    house.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    assert house.states("lada_calls") == {"uncertain": 4}
    house.clock.advance(seconds=11)
    count = house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    assert (count.dead, reasons(house, "lada_calls")) == (4, [("dead", "in_doubt", 4)])
    ask: dict[str, Any] = {"destination": "lada_calls", "delivery_ids": None, "apply": True, "actor": "engineer-1"}
    letters, kept, moved = house.house.replay(include_doubtful=False, **ask)
    assert (len(letters), len(kept), moved) == (0, 4, 0), "nobody sends a double by pressing replay"
    house.clock.advance(minutes=5)
    house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    assert held(house, "lada_calls") == (4, [])
    assert house.house.replay(include_doubtful=True, **ask)[2] == 4, "unless somebody says that a double is all right"
    house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    assert len(held(house, "lada_calls")[1]) == 4
    assert house.verified().ok


def test_an_append_only_vendor_may_hold_what_died_in_doubt(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    blind = {"write_mode": WriteMode.APPEND_ONLY, "lookup": False}
    connector = interrupted(house, "lada_calls", nothing, **blind)
    house.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    house.clock.advance(seconds=11)
    house.dispatcher("lada_calls", connector=connector).run(seconds=9)
    assert house.house.withdraw(withdrawal(lead), actor="moderator-1").recipients == ("lada_calls",)
    person = house.rows("select person_id from lead")[0][0]
    assert house.house.erase(person, actor="officer-1", reason="subject_request").recipients == ("lada_calls",)
    assert house.verified().ok


def test_an_upserting_vendor_that_cannot_be_asked_is_told_again(house: TestHouse) -> None:
    house.admit(*house.invented.many(4, brand="lada"))
    connector = interrupted(house, "lada_crm", nothing, lookup=False)
    house.simulator("lada_crm").knobs.take_then(FaultKind.TAKE_THEN_RESET, times=2)
    for _ in range(3):
        house.dispatcher("lada_crm", connector=connector).run(seconds=9)
        house.clock.advance(seconds=11)
    assert (house.states("lada_crm"), held(house, "lada_crm")) == ({"accepted": 4}, (4, []))
    assert house.world("lada_crm").stats()["writes"] == 12, "a repetition is one record there"
    assert house.verified().ok


def test_an_upserting_vendor_that_never_answers_is_given_up_in_doubt(house: TestHouse) -> None:
    house.admit(*house.invented.many(2, brand="lada"))
    connector = interrupted(house, "lada_crm", nothing, lookup=False)
    rules = house.with_rules(breaker_failures=99, settle=timedelta(seconds=1))
    house.simulator("lada_crm").knobs.take_then(FaultKind.TAKE_THEN_RESET)
    for _ in range(rules.attempts + 1):
        house.dispatcher("lada_crm", connector=connector, rules=rules).run(seconds=9)
        house.clock.advance(seconds=2)
    assert reasons(house, "lada_crm") == [("dead", "in_doubt", 2)]
