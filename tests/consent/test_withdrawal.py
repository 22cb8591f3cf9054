"""A withdrawal ends what was agreed before it, stops or follows every delivery under it, and leaves newer consent alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from consent.withdrawal import DeliveryEffect, RecordChange, RecordEffect, WithdrawalPlan, plan
from schemas.consent_record import ConsentRecord
from schemas.delivery import Delivery
from schemas.vocabulary import Indication, Language, Outcome

WITHDRAWN_AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
BEFORE = WITHDRAWN_AT - timedelta(days=3)
TICK = timedelta(microseconds=1)


def record(
    consent_id: str = "c1",
    *,
    given_at: datetime = BEFORE,
    purposes: tuple[str, ...] = ("callback", "offers"),
    withdrawn: tuple[tuple[str, datetime], ...] = (),
) -> ConsentRecord:
    return ConsentRecord(
        consent_id=consent_id,
        person_id="p",
        brand="volga",
        purposes=purposes,
        notice_id="n",
        notice_version="1",
        notice_language=Language.RU,
        text_sha256="0" * 64,
        indication=Indication.DIRECT_MESSAGE,
        evidence=(),
        given_at=given_at,
        recorded_at=given_at,
        withdrawn=withdrawn,
    )


def delivery(state: Outcome = Outcome.QUEUED, *, lead_id: str = "l1", purpose: str = "callback", to: str = "crm") -> Delivery:
    return Delivery(
        delivery_id=f"{lead_id}-{to}",
        lead_id=lead_id,
        destination=to,
        purpose=purpose,
        state=state,
        attempt=0,
        not_before=BEFORE,
    )


def withdraw(
    records: list[ConsentRecord], deliveries: list[Delivery], *purposes: str, consent_of: dict[str, str] | None = None
) -> WithdrawalPlan:
    return plan(
        records=records,
        deliveries=deliveries,
        consent_of={"l1": "c1", "l2": "c2"} if consent_of is None else consent_of,
        purposes=purposes,
        withdrawn_at=WITHDRAWN_AT,
    )


# -- records ----------------------------------------------------------------------------------------------------------------


def test_without_a_purpose_everything_ends() -> None:
    done = withdraw([record()], [])
    assert done.records == (RecordChange(consent_id="c1", effect=RecordEffect.ENDED, ended=("callback", "offers")),)
    assert done.ends_everything


def test_a_named_purpose_ends_and_the_other_stands() -> None:
    done = withdraw([record()], [], "offers")
    assert done.records == (
        RecordChange(consent_id="c1", effect=RecordEffect.NARROWED, ended=("offers",), standing=("callback",)),
    )
    assert not done.ends_everything


def test_what_was_taken_back_before_keeps_its_moment() -> None:
    once = record(withdrawn=(("offers", BEFORE),))
    assert withdraw([once], []).records[0].ended == ("callback",)
    assert withdraw([once], [], "offers").records[0] == RecordChange(
        consent_id="c1", effect=RecordEffect.UNTOUCHED, standing=("callback",)
    )


def test_a_purpose_never_agreed_changes_nothing() -> None:
    assert withdraw([record()], [delivery()], "profiling").records[0].effect is RecordEffect.UNTOUCHED
    assert withdraw([record()], [delivery()], "profiling").deliveries == ()


def test_a_newer_consent_stands_and_the_same_moment_does_not() -> None:
    newer, same = record("c2", given_at=WITHDRAWN_AT + TICK), record("c1", given_at=WITHDRAWN_AT)
    done = withdraw([newer, same], [delivery(lead_id="l1"), delivery(lead_id="l2")])
    assert [change.effect for change in done.records] == [RecordEffect.NEWER, RecordEffect.ENDED]
    assert [change.lead_id for change in done.deliveries] == ["l1"]
    assert not done.ends_everything


def test_an_unknown_person_has_an_empty_plan() -> None:
    done = withdraw([], [])
    assert (done.records, done.deliveries, done.suppress_now, done.recipients) == ((), (), (), ())
    assert done.ends_everything


# -- deliveries ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "effect"),
    [
        (Outcome.QUEUED, DeliveryEffect.SUPPRESS_NOW),
        (Outcome.DEFERRED, DeliveryEffect.SUPPRESS_NOW),
        (Outcome.DEAD, DeliveryEffect.SUPPRESS_NOW),
        (Outcome.CLAIMED, DeliveryEffect.SUPPRESS_AFTER_OUTCOME),
        (Outcome.UNCERTAIN, DeliveryEffect.READ_BACK_THEN_TELL),
        (Outcome.ACCEPTED, DeliveryEffect.TELL_RECIPIENT),
        (Outcome.REJECTED, DeliveryEffect.NOTHING),
        (Outcome.SUPPRESSED, DeliveryEffect.NOTHING),
    ],
)
def test_each_state_has_its_effect(state: Outcome, effect: DeliveryEffect) -> None:
    (change,) = withdraw([record()], [delivery(state)]).deliveries
    assert (change.effect, change.renewed) == (effect, False)


def test_no_state_is_forgotten() -> None:
    for state in Outcome:
        assert len(withdraw([record()], [delivery(state)]).deliveries) == 1


def test_who_is_told_and_what_stops() -> None:
    done = withdraw(
        [record()],
        [
            delivery(Outcome.QUEUED, to="a"),
            delivery(Outcome.ACCEPTED, to="c"),
            delivery(Outcome.UNCERTAIN, to="b"),
            delivery(Outcome.REJECTED, to="d"),
            delivery(Outcome.ACCEPTED, to="c", lead_id="l1b"),
        ],
        consent_of={"l1": "c1", "l1b": "c1"},
    )
    assert done.suppress_now == ("l1-a",)
    assert done.recipients == ("b", "c")


def test_only_the_named_purpose_stops() -> None:
    both = [delivery(to="a", purpose="callback"), delivery(to="b", purpose="offers")]
    assert withdraw([record()], both, "offers").suppress_now == ("l1-b",)
    assert withdraw([record()], both).suppress_now == ("l1-a", "l1-b")


def test_carried_out_again_it_finds_the_same_deliveries() -> None:
    """A crash between recording the withdrawal and stopping the deliveries must not lose them."""
    again = record(withdrawn=(("callback", WITHDRAWN_AT), ("offers", WITHDRAWN_AT)))
    assert withdraw([again], [delivery()]).suppress_now == withdraw([record()], [delivery()]).suppress_now == ("l1-crm",)


def test_a_recipient_is_told_about_the_record_only_if_the_person_came_back() -> None:
    back = record("c2", given_at=WITHDRAWN_AT + TICK, purposes=("callback",))
    (callback, offers) = withdraw(
        [record(), back], [delivery(Outcome.ACCEPTED), delivery(Outcome.ACCEPTED, to="b", purpose="offers")]
    ).deliveries
    assert (callback.renewed, offers.renewed) == (True, False)


def test_a_lead_whose_consent_is_unknown_stops_too() -> None:
    assert withdraw([], [delivery()], consent_of={}).suppress_now == ("l1-crm",)
    assert withdraw([], [delivery()], "callback", consent_of={}).suppress_now == ("l1-crm",)
    assert withdraw([], [delivery()], "offers", consent_of={}).suppress_now == ()
