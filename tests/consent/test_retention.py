"""What is due, when, and why: to the microsecond, and never what is held or on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consent.retention import (
    Action,
    HeldDelivery,
    HeldLead,
    HeldPerson,
    HeldSubmission,
    PurposeTerm,
    RetentionFinding,
    Why,
    plan,
)
from schemas.policy import RetentionRules
from schemas.vocabulary import Outcome, SubmissionState

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = RetentionRules(
    refused=timedelta(hours=24),
    quarantined=14 * DAY,
    admitted_submission=timedelta(hours=1),
    lead=30 * DAY,
    withdrawn=10 * DAY,
    lead_by_purpose={"contract": 100 * DAY},
)


def submission(state: SubmissionState, *, decided: datetime | None = START, on_hold: bool = False) -> HeldSubmission:
    return HeldSubmission(submission_id="s", state=state, received_at=START - DAY, decided_at=decided, on_hold=on_hold)


def of_submission(held: HeldSubmission, now: datetime) -> RetentionFinding:
    (finding,) = plan(submissions=[held], persons=[], rules=RULES, now=now).findings
    return finding


def lead(
    lead_id: str = "l1", *terms: PurposeTerm, states: tuple[Outcome, ...] = (), decided: datetime | None = START
) -> HeldLead:
    return HeldLead(
        lead_id=lead_id,
        admitted_at=START,
        terms=terms or (PurposeTerm(purpose="callback", ends_at=START + 60 * DAY),),
        deliveries=tuple(HeldDelivery(state=state, decided_at=decided) for state in states),
    )


def of_person(
    *leads: HeldLead, now: datetime, rules: RetentionRules = RULES, on_hold: bool = False
) -> list[tuple[Action, Why]]:
    person = HeldPerson(person_id="p", leads=leads, on_hold=on_hold)
    return [(finding.action, finding.why) for finding in plan(submissions=[], persons=[person], rules=rules, now=now).findings]


# -- submissions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kept", "why"),
    [
        (SubmissionState.REFUSED, timedelta(hours=24), Why.REFUSED),
        (SubmissionState.QUARANTINED, 14 * DAY, Why.QUARANTINE_OVER),
        (SubmissionState.ADMITTED, timedelta(hours=1), Why.SEALED_IN_VAULT),
    ],
)
def test_a_submission_goes_at_its_moment_and_not_before(state: SubmissionState, kept: timedelta, why: Why) -> None:
    before, at = of_submission(submission(state), START + kept - TICK), of_submission(submission(state), START + kept)
    assert (before.action, before.why, before.due_at) == (Action.KEEP, why, START + kept)
    assert (at.action, at.why, at.submission_id) == (Action.DESTROY_SUBMISSION, why, "s")
    assert of_submission(submission(state, on_hold=True), START + kept).action is Action.HOLD
    assert of_submission(submission(state, decided=None), START + kept - DAY).action is Action.DESTROY_SUBMISSION


def test_an_undecided_submission_is_never_rubbish() -> None:
    finding = of_submission(submission(SubmissionState.RECEIVED, decided=None), START + 10_000 * DAY)
    assert (finding.action, finding.why, finding.due_at) == (Action.KEEP, Why.NOT_DECIDED, None)


# -- leads ------------------------------------------------------------------------------------------------------------------


def test_a_person_goes_after_the_consent_and_its_retention() -> None:
    end = START + 90 * DAY
    assert of_person(lead(), now=end - TICK) == [(Action.KEEP, Why.CONSENT_ENDED)]
    assert of_person(lead(), now=end) == [(Action.DESTROY_PERSON, Why.CONSENT_ENDED)]


def test_the_longest_purpose_carries_the_lead() -> None:
    two = lead(
        "l1",
        PurposeTerm(purpose="callback", ends_at=START + 60 * DAY),
        PurposeTerm(purpose="contract", ends_at=START + 10 * DAY),
    )
    assert of_person(two, now=START + 110 * DAY - TICK) == [(Action.KEEP, Why.CONSENT_ENDED)]
    assert of_person(two, now=START + 110 * DAY) == [(Action.DESTROY_PERSON, Why.CONSENT_ENDED)]


def test_what_was_taken_back_goes_by_its_own_rule() -> None:
    taken = lead("l1", PurposeTerm(purpose="callback", ends_at=START + 60 * DAY, withdrawn_at=START + DAY))
    assert of_person(taken, now=START + 11 * DAY - TICK) == [(Action.KEEP, Why.WITHDRAWN)]
    assert of_person(taken, now=START + 11 * DAY) == [(Action.DESTROY_PERSON, Why.WITHDRAWN)]


def test_one_purpose_taken_back_leaves_the_other() -> None:
    half = lead(
        "l1",
        PurposeTerm(purpose="callback", ends_at=START + 60 * DAY, withdrawn_at=START),
        PurposeTerm(purpose="offers", ends_at=START + 60 * DAY),
    )
    assert of_person(half, now=START + 90 * DAY - TICK) == [(Action.KEEP, Why.CONSENT_ENDED)]


def test_taking_back_late_does_not_keep_it_longer() -> None:
    late = lead("l1", PurposeTerm(purpose="callback", ends_at=START, withdrawn_at=START + 29 * DAY))
    assert of_person(late, now=START + 30 * DAY) == [(Action.DESTROY_PERSON, Why.CONSENT_ENDED)]


def test_a_lead_no_consent_carries_is_due_at_once() -> None:
    bare = HeldLead(lead_id="l1", admitted_at=START, terms=())
    assert of_person(bare, now=START) == [(Action.DESTROY_PERSON, Why.NO_CONSENT)]


def test_being_delivered_may_achieve_the_purpose() -> None:
    rules = replace(RULES, delivered=5 * DAY)
    done = lead(states=(Outcome.ACCEPTED, Outcome.REJECTED))
    assert of_person(done, now=START + 5 * DAY - TICK, rules=rules) == [(Action.KEEP, Why.PURPOSE_ACHIEVED)]
    assert of_person(done, now=START + 5 * DAY, rules=rules) == [(Action.DESTROY_PERSON, Why.PURPOSE_ACHIEVED)]
    assert of_person(done, now=START + 5 * DAY) == [(Action.KEEP, Why.CONSENT_ENDED)]
    for unfinished in (lead(), lead(states=(Outcome.ACCEPTED, Outcome.QUEUED)), lead(states=(Outcome.ACCEPTED,), decided=None)):
        assert of_person(unfinished, now=START + 5 * DAY, rules=rules) == [(Action.KEEP, Why.CONSENT_ENDED)]


@pytest.mark.parametrize("state", list(Outcome))
def test_only_what_is_on_its_way_blocks(state: Outcome) -> None:
    expected = Action.WAIT if state in {Outcome.CLAIMED, Outcome.UNCERTAIN} else Action.DESTROY_PERSON
    assert of_person(lead(states=(Outcome.ACCEPTED, state)), now=START + 90 * DAY) == [(expected, Why.CONSENT_ENDED)]


def test_the_key_goes_with_the_last_lead() -> None:
    short, long = lead("l1", PurposeTerm(purpose="x", ends_at=START)), lead("l2", PurposeTerm(purpose="x", ends_at=START + DAY))
    middle = plan(
        submissions=[], persons=[HeldPerson(person_id="p", leads=(short, long))], rules=RULES, now=START + 30 * DAY
    ).findings
    assert {(f.action, f.lead_ids) for f in middle} == {(Action.KEEP, ("l2",)), (Action.DESTROY_LEAD, ("l1",))}
    (last,) = plan(
        submissions=[], persons=[HeldPerson(person_id="p", leads=(short, long))], rules=RULES, now=START + 31 * DAY
    ).findings
    assert (last.action, last.person_id, last.lead_ids, last.due_at) == (
        Action.DESTROY_PERSON,
        "p",
        ("l1", "l2"),
        START + 31 * DAY,
    )


def test_a_lead_on_its_way_keeps_the_key_but_not_the_other_lead() -> None:
    going, done = lead("l1", states=(Outcome.CLAIMED,)), lead("l2", states=(Outcome.ACCEPTED,))
    assert of_person(going, done, now=START + 90 * DAY) == [
        (Action.WAIT, Why.CONSENT_ENDED),
        (Action.DESTROY_LEAD, Why.CONSENT_ENDED),
    ]


def test_a_legal_hold_keeps_everything() -> None:
    assert of_person(lead("l1"), lead("l2"), now=START + 900 * DAY, on_hold=True) == [(Action.HOLD, Why.CONSENT_ENDED)] * 2
    assert of_person(lead("l1"), now=START, on_hold=True) == [(Action.KEEP, Why.CONSENT_ENDED)]


def test_a_person_without_leads_has_nothing_due() -> None:
    assert of_person(now=START) == []


# -- the plan ---------------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_the_same_twice_and_sums_up() -> None:
    people = [HeldPerson(person_id=f"p{n}", leads=(lead(f"l{n}"),)) for n in range(3)]
    things = [submission(SubmissionState.REFUSED), submission(SubmissionState.QUARANTINED)]
    one, two = (plan(submissions=things, persons=people, rules=RULES, now=START + 2 * DAY) for _ in range(2))
    assert one == two
    assert one.counts() == {"destroy_submission.refused": 1, "keep.consent_ended": 3, "keep.quarantine_over": 1}
    assert [finding.why for finding in one.destroy] == [Why.REFUSED]
    assert one.next_due_at == START + 14 * DAY
    assert plan(submissions=[], persons=[], rules=RULES, now=START).next_due_at is None
