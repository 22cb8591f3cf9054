"""The books: balance, promise, plan and retention say what is, change nothing when only asked, and destroy what is due."""

from __future__ import annotations

import json

from integrations.testing.invented_leads import Flaw
from tests.houses.house import TestHouse

# -- balance and promise --------------------------------------------------------------------------------------------------


def test_open_books_are_never_called_closed(house: TestHouse) -> None:
    assert house.house.balance().closes, "nothing came, nothing is owed"
    house.receive(*house.invented.many(3, brand="lada"), house.invented.lead(9, brand="lada", flaw=Flaw.NO_CONSENT))
    assert not house.house.balance().decided
    house.house.admit()
    balance = house.house.balance()
    assert (balance.decided, balance.settled, balance.closes) == (True, False, False)
    assert (balance.received, balance.admitted, balance.quarantined + balance.refused) == (4, 3, 1)
    assert balance.reasons == {"no_consent": 1}
    house.clock.advance(minutes=1)
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=9)
    closed = house.house.balance()
    assert closed.closes
    assert closed.deliveries == {"lada_calls": {"accepted": 3}, "lada_crm": {"accepted": 3}}
    assert (closed.median_seconds, closed.longest_seconds, closed.late) == (60.0, 60.0, 0)
    kept = house.rows("select counts from balance order by taken_at desc limit 1")[0][0]
    assert json.loads(kept)["closes"] is True


def test_what_was_late_is_counted(house: TestHouse) -> None:
    house.admit(house.invented.lead(1, brand="lada"))
    house.clock.advance(hours=5)
    house.dispatcher("lada_calls").run(seconds=9)
    assert house.house.balance().late == 1


def test_the_promise_names_the_oldest_that_waits(house: TestHouse) -> None:
    assert house.house.promise().state == "kept"
    house.receive(house.invented.lead(1, brand="lada"))
    house.clock.advance(hours=2)
    house.receive(house.invented.lead(2, brand="lada"))
    promise = house.house.promise()
    assert (promise.kind, promise.state) == ("submission", "kept")
    assert promise.age.total_seconds() == 7200
    house.clock.advance(hours=1)
    assert house.house.promise().state == "at_risk"
    house.house.admit()
    assert house.house.promise().kind == "delivery"
    house.clock.advance(hours=1)
    assert house.house.promise().state == "broken"
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=9)
    assert house.house.promise().state == "kept"


# -- plan -----------------------------------------------------------------------------------------------------------------


def test_a_plan_says_what_would_be_sent_and_touches_nothing(house: TestHouse) -> None:
    leads = list(house.invented.many(5, brand="lada"))
    house.admit(*leads)
    person = house.rows("select person_id from lead order by lead_id limit 1")[0][0]
    house.run("insert into withdrawal values (:person, 'callback', :at, null)", person=person, at=2**60)
    before = house.rows("select * from delivery order by delivery_id")
    plan = house.house.plan("lada_calls")
    assert (plan.sends, plan.calls, plan.stopped) == (4, 1, {"withdrawn": 1})
    assert set(plan.fields["lada:callback"]) >= {"phone", "given_name", "car_model"}
    assert not {"email", "text", "user"} & set(plan.fields["lada:callback"])
    assert house.rows("select * from delivery order by delivery_id") == before
    assert house.world("lada_calls").stats()["calls"] == {}
    done = house.dispatcher("lada_calls").run(seconds=9)
    assert (done.accepted, done.suppressed) == (4, 1), "and that is what happens"


def test_a_plan_shows_what_waits_and_why(house: TestHouse) -> None:
    house.admit(*house.invented.many(3, brand="lada"))
    house.simulator("lada_crm").knobs.throttle("600", times=1)
    house.dispatcher("lada_crm").run(seconds=9)
    plan = house.house.plan("lada_crm")
    assert (plan.sends, plan.waiting) == (0, {"deferred": 3})
    assert plan.paused_until is not None


# -- retention ------------------------------------------------------------------------------------------------------------


def _sealed(house: TestHouse) -> tuple[int, int, int]:
    """How many submissions, leads and people can still be opened."""
    return tuple(
        house.rows(f"select count(*) from {table} where {column} is not null")[0][0]  # noqa: S608 - our three
        for table, column in (("submission", "sealed"), ("lead", "sealed"), ("person", "wrapped_key"))
    )


def test_retention_destroys_what_is_due_and_only_that(house: TestHouse) -> None:
    house.admit(
        *house.invented.many(2, brand="lada"),
        house.invented.lead(8, brand="lada", flaw=Flaw.UNKNOWN_TOPIC),
        house.invented.lead(9, brand="lada", flaw=Flaw.FOREIGN_COUNTRY),
    )
    assert _sealed(house) == (2, 2, 2), "of an admitted lead only the vault's copy stands"
    assert house.house.apply_retention().destroyed == 0
    house.clock.advance(days=4)
    dry = house.house.apply_retention(dry_run=True)
    assert (dry.destroyed, sum(dry.counts.values()) > 0, _sealed(house)) == (0, True, (2, 2, 2))
    assert house.house.apply_retention().destroyed == 1, "the refused one is due first"
    assert _sealed(house) == (1, 2, 2)
    house.clock.advance(days=30)
    house.house.apply_retention()
    assert _sealed(house) == (0, 2, 2)
    assert house.verified().ok


def test_retention_follows_withdrawal_and_the_end_of_consent(house: TestHouse) -> None:
    stays, leaves = house.invented.lead(1, brand="lada"), house.invented.lead(2, brand="lada")
    house.admit(stays, leaves)
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=9)
    house.admit(house.invented.withdrawal(leaves))
    house.clock.advance(days=11)
    house.house.apply_retention(actor="system")
    assert _sealed(house)[1:] == (1, 1)
    house.clock.advance(days=400)
    house.house.apply_retention()
    assert _sealed(house) == (0, 0, 0)
    again = house.house.apply_retention()
    assert again.destroyed == 0
    assert house.verified().ok
