"""Recipients are told of a withdrawal until they have done it, whatever happens in between. What counts is what their worlds
hold; what our rows, leaves and clocks say must be that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from integrations import registry
from integrations.contract.destination import Destination
from integrations.testing.invented_leads import Invented
from integrations.testing.knobs import FaultKind, Garbage
from leadgate.pipeline.recipients import Teller
from leadgate.pipeline.told import TellCount
from leadgate.storage import outbox, recipients
from leadgate.storage.clock import to_micros
from leadgate.wiring import House
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError, TerminalError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Ask, PersonState, TellingState
from tests.houses.house import TestHouse, consent, renamed

BOTH = pytest.mark.parametrize("name", ["lada_crm", "lada_calls"])


def withdrawal(lead: Invented, *purposes: str) -> Withdrawal:
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    return Withdrawal(brand=lead.brand, phone=Personal(phone), purposes=purposes)


def teller(house: TestHouse, name: str, *, worker: str = "teller-1", connector: Destination | None = None) -> Teller:
    return Teller(
        ledger=house.ledger,
        vault=house.house.vault,
        connector=connector or house.house.destination(name),
        rules=house.settings.delivery,
        worker=worker,
        clock=house.clock,
        sleep=lambda seconds: house.clock.advance(seconds=seconds),
    )


def tell(house: TestHouse, name: str, **more: Any) -> TellCount:
    house.house.recipients_due()
    return teller(house, name, **more).run(seconds=9)


def changed(house: TestHouse, name: str, **capabilities: Any) -> Destination:
    """The destination's own connector under a manifest with other capabilities."""
    known = house.house.destination(name)
    manifest = replace(known.manifest, capabilities=replace(known.manifest.capabilities, **capabilities))
    operations = {
        verb: each for verb, each in manifest.transport["operations"].items() if getattr(manifest.capabilities, verb, True)
    }
    manifest = replace(manifest, transport={**manifest.transport, "operations": operations})
    return type(known)(manifest=manifest, endpoint=known.endpoint)


def states(house: TestHouse) -> dict[str, str]:
    return {row[0]: row[1] for row in house.rows("select destination, state from telling")}


def events(house: TestHouse) -> list[str]:
    """What the leaves about recipients say, in order."""
    said = [json.loads(bytes(row[0])) for row in house.rows("select body from audit_pending order by pending_id")]
    return [f"{each['event']}:{each['facts']['destination']}" for each in said if each["event"].startswith("recipient.")]


def running(house: TestHouse) -> list[str]:
    return sorted(row[0] for row in house.rows("select kind from clock where met_at is null"))


@pytest.fixture
def held(house: TestHouse) -> Iterator[Invented]:
    """A lead that both recipients hold."""
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=9)
    house.dispatcher("lada_calls").run(seconds=9)
    house.clock.advance(minutes=5)
    yield lead
    assert house.verified().ok


def test_both_are_told_to_stop_and_then_to_destroy(house: TestHouse, held: Invented) -> None:
    done = house.house.withdraw(withdrawal(held), actor="moderator-1")
    assert house.house.recipients_due() == ["lada_calls", "lada_crm"]
    for name in ("lada_calls", "lada_crm"):
        count = tell(house, name)
        assert (count.suppressed, count.erased) == (1, 1)
        assert house.world(name).stats()["records"] == 0
        calls = [call for call in house.world(name).calls if call in ("suppress", "erase")]
        assert calls == ["suppress", "erase"], "first of all the calls stop"
    assert house.house.recipients_due() == []
    facts = house.house.recipients.facts(done.withdrawal_id)
    assert facts.complete
    assert {each.state for each in facts.recipients} == {TellingState.ERASED}
    assert all(each.suppressed_at == each.erased_at == house.clock.now for each in facts.recipients)
    assert events(house)[-4:] == [
        "recipient.suppressed:lada_calls", "recipient.erased:lada_calls",
        "recipient.suppressed:lada_crm", "recipient.erased:lada_crm",
    ]  # fmt: skip
    assert running(house) == ["withdrawal"], "our own copy is still there"
    person = house.house.persons(withdrawal=withdrawal(held))[0]
    assert house.house.state_of_person(person) is PersonState.WITHDRAWN
    house.house.erase(person, actor="officer-1", reason="withdrawn")
    assert running(house) == []


def test_one_that_only_suppresses_is_said_to_hold_it_still(house: TestHouse, held: Invented) -> None:
    done = house.house.withdraw(withdrawal(held, "crm_followup"), actor="moderator-1")
    count = tell(house, "lada_crm", connector=changed(house, "lada_crm", erase=False))
    assert (count.suppressed, count.erased) == (1, 0)
    assert house.world("lada_crm").stats()["suppressed"] == 1
    (fact,) = house.house.recipients.facts(done.withdrawal_id).recipients
    assert (fact.state, fact.code, fact.stopped, fact.ended, fact.by_hand) == (
        TellingState.SUPPRESSED, "cannot_erase", True, False, True,
    )  # fmt: skip
    assert "stop_demand" not in running(house)
    assert "withdrawal" in running(house)
    house.house.recipients.told_by_hand([fact.delivery_id], how="letter", actor="officer-1")
    (fact,) = house.house.recipients.facts(done.withdrawal_id).recipients
    assert (fact.state, fact.told_at, fact.by_hand) == (TellingState.TOLD, house.clock.now, False)
    assert fact.suppressed_at is not None
    with pytest.raises(ConfigurationError):
        house.house.recipients.told_by_hand([fact.delivery_id], how="letter", actor="officer-1")


def test_one_that_can_do_neither_is_a_persons_to_tell(house: TestHouse, held: Invented) -> None:
    done = house.house.withdraw(withdrawal(held, "crm_followup"), actor="moderator-1")
    count = tell(house, "lada_crm", connector=changed(house, "lada_crm", suppress=False, erase=False))
    assert count == TellCount(by_hand=1)
    (fact,) = house.house.recipients.facts(done.withdrawal_id).recipients
    assert (fact.state, fact.code, fact.by_hand) == (TellingState.BY_HAND, "cannot_be_told", True)
    assert "stop_demand" in running(house), "nobody has stopped there"
    house.house.recipients.told_by_hand([fact.delivery_id], how="RKN-77-1", actor="officer-1")
    assert "stop_demand" not in running(house)
    assert events(house)[-2:] == ["recipient.by_hand:lada_crm", "recipient.told:lada_crm"]


def test_one_that_can_only_erase_is_not_asked_to_suppress(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held, "crm_followup"), actor="moderator-1")
    assert tell(house, "lada_crm", connector=changed(house, "lada_crm", suppress=False)).erased == 1
    assert house.world("lada_crm").stats()["calls"].get("suppress", 0) == 0


def test_a_recipient_that_needs_a_phone_to_stop_gets_it_while_there_is_one(house: TestHouse, held: Invented) -> None:
    connector = changed(house, "lada_crm", erase=False, suppress_fields=frozenset({"phone"}))
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    person = house.house.persons(withdrawal=withdrawal(held))[0]
    assert tell(house, "lada_crm", connector=connector).suppressed == 1
    house.house.erase(person, actor="officer-1", reason="withdrawn")
    other = changed(house, "lada_calls", erase=False, suppress_fields=frozenset({"phone"}))
    assert tell(house, "lada_calls", connector=other) == TellCount(by_hand=1)


def test_what_the_recipient_does_not_have_is_said_so(house: TestHouse, held: Invented) -> None:
    house.world("lada_crm").reset()
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    assert tell(house, "lada_crm").not_held == 1
    assert tell(house, "lada_calls").erased == 1
    assert states(house) == {"lada_crm": "not_held", "lada_calls": "erased"}


def test_a_refusal_waits_for_a_person_and_stops_no_other(house: TestHouse, held: Invented) -> None:
    other = house.invented.lead(2, brand="lada")
    house.admit(other)
    house.dispatcher("lada_crm").run(seconds=9)
    house.clock.advance(minutes=1)
    done = [house.house.withdraw(withdrawal(lead, "crm_followup"), actor="moderator-1") for lead in (held, other)]
    key = house.rows("select key from telling where withdrawal_id = :id", id=done[0].withdrawal_id)[0][0]
    house.simulator("lada_crm").knobs.reject(keys=[key], code="ON_HOLD", on=["suppress"], times=1)
    count = tell(house, "lada_crm")
    assert (count.failed, count.erased) == (1, 1)
    (fact,) = house.house.recipients.facts(done[0].withdrawal_id).by_hand
    assert (fact.state, fact.code) == (TellingState.FAILED, "ON_HOLD")
    assert [each.delivery_id for each in house.house.recipients.retry([fact.delivery_id], apply=False, actor="x")] == [
        fact.delivery_id
    ]
    assert states(house)["lada_crm"] in ("failed", "erased")
    house.house.recipients.retry([done[0].withdrawal_id], apply=True, actor="officer-1")
    assert tell(house, "lada_crm").erased == 1
    assert house.house.recipients.retry([done[0].withdrawal_id], apply=True, actor="officer-1") == []


# -- recipients that are away, or talk nonsense ----------------------------------------------------------------------------


@BOTH
def test_a_recipient_that_is_down_for_a_while_is_told_when_it_is_back(house: TestHouse, held: Invented, name: str) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    house.server(name).down()
    for _ in range(20):  # far more often than a delivery would be tried
        tell(house, name)
        house.clock.advance(minutes=31)
    assert house.rows("select state, told_at from telling where destination = :name", name=name) == [("queued", None)]
    assert "stop_demand" in running(house)
    house.server(name).up()
    count = tell(house, name)
    assert (count.suppressed, count.erased) == (1, 1)
    assert house.world(name).stats()["records"] == 0


@BOTH
@pytest.mark.parametrize("form", list(Garbage))
def test_an_answer_nobody_can_read_is_no_yes(house: TestHouse, held: Invented, name: str, form: Garbage) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    knobs = house.simulator(name).knobs
    knobs.garbage(form, on=["suppress"], take=False, times=1)
    knobs.garbage(form, on=["erase"], times=1)  # carried out, and not said
    assert tell(house, name).suppressed == 0
    for _ in range(3):
        house.clock.advance(minutes=31)
        tell(house, name)
    assert states(house)[name] == "erased"
    assert house.world(name).stats()["records"] == 0


@BOTH
def test_an_answer_that_never_came_is_asked_for_again(house: TestHouse, held: Invented, name: str) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    house.simulator(name).knobs.take_then(FaultKind.TAKE_THEN_RESET, on=["suppress", "erase"], times=1)
    assert tell(house, name).deferred == 1
    house.clock.advance(minutes=1)
    assert tell(house, name).erased == 1
    assert [event for event in events(house) if event.endswith(name)][1] == f"recipient.deferred:{name}"


def test_a_wrong_password_is_red_and_waits(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    known = house.house.destination("lada_crm")
    wrong = registry.destination("json_crm", replace(known.endpoint, secret=Personal("wrong")))
    house.house.recipients_due()
    with pytest.raises(TerminalError):
        teller(house, "lada_crm", connector=wrong).run(seconds=9)
    assert states(house)["lada_crm"] == "queued"
    assert house.house.recipients_due() == ["lada_calls"], "left alone for a while"
    assert teller(house, "lada_crm").run(seconds=9, insist=True).erased == 1


def test_a_rate_is_kept(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    begun = house.clock.now
    slowed = house.slowed("lada_crm", calls_per_second=0.5)
    assert tell(house, "lada_crm", connector=slowed).erased == 1
    assert (house.clock.now - begun).total_seconds() >= 2


# -- workers that die, and deliveries on their way -------------------------------------------------------------------------


@BOTH
def test_a_teller_that_died_leaves_it_due_again(house: TestHouse, held: Invented, name: str) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    now = house.clock.now
    with house.transaction() as tx:  # it claimed, and died before or after it asked: nobody knows
        lease = to_micros(now + house.settings.delivery.lease)
        recipients.claim(tx, destination=name, worker="dead", limit=9, now=to_micros(now), lease_until=lease)
    assert tell(house, name) == TellCount()
    house.clock.advance(minutes=3)
    assert tell(house, name).erased == 1
    with house.transaction() as tx:  # it was not dead, only slow
        late = [each._replace(state="queued") for each in recipients.of_persons(tx, [_person(house)])]
        assert recipients.settle(tx, late, worker="dead") == set()


@BOTH
@pytest.mark.parametrize("arrived", [True, False])
def test_what_a_worker_had_in_hands_is_told_once_its_outcome_is_known(house: TestHouse, name: str, *, arrived: bool) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    now, lease = to_micros(house.clock.now), to_micros(house.clock.now + house.settings.delivery.lease)
    if arrived:  # the vendor took it, and the worker died before it could say so
        house.simulator(name).knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
        house.dispatcher(name).run(seconds=9)
    else:
        with house.transaction() as tx:
            outbox.claim(tx, destination=name, worker="dead", limit=9, now=now, lease_until=lease)
    house.clock.advance(seconds=5)
    done = house.house.withdraw(withdrawal(lead), actor="moderator-1")
    assert states(house) == {name: "waiting"}
    assert house.house.recipients_due() == []
    assert "stop_demand" in running(house)
    for _ in range(4):
        house.clock.advance(minutes=2)
        house.dispatcher(name).run(seconds=9)
    assert tell(house, name).erased == (1 if arrived else 0)
    assert states(house) == {name: "erased" if arrived else "not_held"}
    assert house.house.recipients.facts(done.withdrawal_id).complete
    assert house.world(name).stats()["records"] == 0
    assert "stop_demand" not in running(house)
    assert house.verified().ok


def test_two_requests_at_once_tell_nobody_twice(house: TestHouse, held: Invented) -> None:
    first = house.house.withdraw(withdrawal(held), actor="moderator-1")
    second = house.house.withdraw(withdrawal(held), actor="officer-1")
    assert first.withdrawal_id != second.withdrawal_id
    assert tell(house, "lada_crm").erased == 1
    assert tell(house, "lada_calls").erased == 1
    for done in (first, second):
        facts = house.house.recipients.facts(done.withdrawal_id)
        assert [each.state for each in facts.recipients] == [TellingState.ERASED] * 2
    assert house.world("lada_crm").stats()["calls"]["suppress"] == 1
    assert len(house.rows("select 1 from telling")) == 2


def test_a_person_who_was_erased_first_is_told_of_all_the_same(house: TestHouse, held: Invented) -> None:
    done = house.house.withdraw(withdrawal(held), actor="moderator-1")
    house.house.erase(_person(house), actor="officer-1", reason="subject_request")
    assert tell(house, "lada_crm").erased == 1
    assert tell(house, "lada_calls").erased == 1
    assert house.house.recipients.facts(done.withdrawal_id).complete
    assert running(house) == []


def test_an_erasure_without_a_withdrawal_is_told_too(house: TestHouse, held: Invented) -> None:
    person = _person(house)
    house.house.erase(person, actor="officer-1", reason="subject_request")
    assert house.house.recipients_due() == ["lada_calls", "lada_crm"]
    assert tell(house, "lada_crm").erased == 1
    assert [each.state for each in house.house.recipients.told_about(person)] == [TellingState.QUEUED, TellingState.ERASED] or [
        each.state for each in house.house.recipients.told_about(person)
    ] == [TellingState.ERASED, TellingState.QUEUED]


def test_an_erasure_during_a_delivery_is_told_once_it_is_known(house: TestHouse) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.simulator("lada_calls").knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    house.dispatcher("lada_calls").run(seconds=9)  # taken, and nobody knows
    house.house.erase(_person(house), actor="officer-1", reason="subject_request")
    assert states(house) == {"lada_calls": "waiting"}
    house.clock.advance(minutes=3)
    house.dispatcher("lada_calls").run(seconds=9)
    assert tell(house, "lada_calls").erased == 1
    assert house.world("lada_calls").stats()["records"] == 0
    assert house.verified().ok


def test_a_destination_nobody_configures_any_more_is_a_persons(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    left = {name: each for name, each in house.settings.destinations.items() if name != "lada_crm"}
    with House(replace(house.settings, destinations=left), credentials=house.house.credentials, clock=house.clock) as fewer:
        assert fewer.recipients_due() == ["lada_calls"]
    assert house.rows("select state, code from telling where destination = 'lada_crm'") == [("by_hand", "not_configured")]


# -- who is asked, and who is not ------------------------------------------------------------------------------------------


def test_withdrawals_from_before_there_were_tellings_are_caught_up(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    for table in ("telling", "withdrawal_effect", "withdrawal_request"):  # a ledger of version 0001 has none of it
        house.run(f"delete from {table}")  # noqa: S608 - our own tables
    assert house.house.recipients_due() == []
    assert house.house.recipients.catch_up().asked == 2
    assert house.house.recipients.catch_up().asked == 0
    assert tell(house, "lada_crm").erased == 1


def test_a_new_consent_is_no_resurrection(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    house.clock.advance(minutes=5)
    given = (house.clock.now).isoformat()
    anew = renamed(held, "anew", consent=consent(held, given_at=given), topic={"code": "price", "fields": {"car_model": "Y"}})
    assert house.admit(anew) == [("admitted", [])]
    house.dispatcher("lada_crm").run(seconds=9)
    assert tell(house, "lada_crm").erased == 1
    assert house.world("lada_crm").stats()["records"] == 1, "the new record stands, the old one is gone"
    assert house.house.recipients.catch_up().returned == 1
    assert house.house.state_of_person(_person(house)) is PersonState.KNOWN
    assert house.house.recipients.catch_up().asked == 0


def test_one_purpose_leaves_the_other_recipient_alone(house: TestHouse, held: Invented) -> None:
    house.house.withdraw(withdrawal(held, "callback"), actor="moderator-1")
    assert house.house.recipients_due() == ["lada_calls"]
    tell(house, "lada_calls")
    assert (house.world("lada_calls").stats()["records"], house.world("lada_crm").stats()["records"]) == (0, 1)
    assert house.house.state_of_person(_person(house)) is PersonState.KNOWN


def test_restricting_asks_to_stop_and_not_to_destroy(house: TestHouse, held: Invented) -> None:
    with house.transaction() as tx:
        holders = recipients.holders_of(tx, _person(house))
        recipients.ask(tx, holders, cause="restriction", wants=Ask.SUPPRESS, now=to_micros(house.clock.now))
    assert tell(house, "lada_crm").suppressed == 1
    assert states(house)["lada_crm"] == "suppressed"
    assert house.world("lada_crm").stats()["records"] == 1
    house.house.withdraw(withdrawal(held), actor="moderator-1")
    assert tell(house, "lada_crm").erased == 1, "who was asked to stop only is asked to destroy now"


def _person(house: TestHouse) -> str:
    return str(house.rows("select person_id from lead order by lead_id limit 1")[0][0])
