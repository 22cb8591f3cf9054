"""Where a consent stands at any moment: the table, and what holds whatever happened and in whatever order it arrived."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.gate import may_send
from consent.standing import Answer, Rules, Standing, Why, standing_of
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState
from schemas.consent_record import ConsentRecord
from schemas.policy import Notice
from schemas.vocabulary import Reason
from tests.consent.agreements import DAY, NOW, OTHER, notice, policy, record

S = ConsentState
MICROSECOND = timedelta(microseconds=1)
RULES = Rules.of(
    [
        notice("2", valid_from=NOW - 100 * DAY),
        notice("4", valid_from=NOW - 10 * DAY, renewal_from=NOW + 9 * DAY),
    ],
    {"callback": 30 * DAY, "crm_followup": 90 * DAY},
    {"c1": "policy-1"},
)
GIVEN = record(given_at=NOW, recorded_at=NOW)


def event(state: ConsentState, day: float, *, consent_id: str | None = "c1", **changes: Any) -> ConsentEvent:
    moment = NOW + day * DAY
    plain = ConsentEvent(
        event_id=f"{state.value}-{day}-{consent_id}",
        person_id="p1",
        consent_id=consent_id,
        state=state,
        event_time=moment,
        recorded_at=moment,
        origin=ConsentOrigin.OFFICER,
    )
    return dataclasses.replace(plain, **changes)


def ask(
    *events: ConsentEvent,
    day: float = 1,
    records: Sequence[ConsentRecord] = (GIVEN,),
    purpose: str = "callback",
    rules: Rules = RULES,
    known: float | None = None,
) -> Answer:
    return standing_of(
        purpose=purpose,
        at=NOW + day * DAY,
        records=records,
        events=events,
        rules=rules,
        known_at=None if known is None else NOW + known * DAY,
    )


def rules_with(*notices: Notice) -> Rules:
    return Rules.of(notices, RULES.valid_for, {})


#: What happened (events, day that is asked about) -> the answer and what it rests on.
TABLE: list[tuple[str, list[ConsentEvent], float, Standing, Why]] = [
    ("given", [], 0, Standing.GRANTED, Why.RECORD),
    ("asked before it was given", [], -0.1, Standing.UNKNOWN, Why.NOTHING),
    ("a newer notice asks anew", [], 9, Standing.STALE, Why.NEWER_NOTICE),
    ("a moment before it asks", [], 8.99, Standing.GRANTED, Why.RECORD),
    ("the term is over", [], 30, Standing.EXPIRED, Why.TERM),
    ("withdrawn on the record", [event(S.WITHDRAWN, 2)], 2, Standing.WITHDRAWN, Why.EVENT),
    ("... a moment earlier it stood", [event(S.WITHDRAWN, 2)], 1.9, Standing.GRANTED, Why.RECORD),
    ("withdrawn at the very moment it was given", [event(S.WITHDRAWN, 0, consent_id=None)], 1, Standing.WITHDRAWN, Why.EVENT),
    ("everything withdrawn before it was given", [event(S.WITHDRAWN, -1, consent_id=None)], 1, Standing.GRANTED, Why.RECORD),
    ("another purpose withdrawn", [event(S.WITHDRAWN, 1, purpose="crm_followup")], 2, Standing.GRANTED, Why.RECORD),
    ("another record withdrawn", [event(S.WITHDRAWN, 1, consent_id="c9")], 2, Standing.GRANTED, Why.RECORD),
    ("renewed after a withdrawal", [event(S.WITHDRAWN, 1), event(S.RENEWED, 2)], 3, Standing.WITHDRAWN, Why.EVENT),
    ("terminated", [event(S.TERMINATED, 1)], 2, Standing.TERMINATED, Why.EVENT),
    ("terminated, then withdrawn", [event(S.TERMINATED, 1), event(S.WITHDRAWN, 2)], 3, Standing.WITHDRAWN, Why.EVENT),
    ("refused when asked again", [event(S.REFUSED, 1)], 2, Standing.REFUSED, Why.EVENT),
    ("refused, later renewed", [event(S.REFUSED, 1), event(S.RENEWED, 2)], 3, Standing.GRANTED, Why.RECORD),
    ("renewed, later refused", [event(S.RENEWED, 1), event(S.REFUSED, 2)], 3, Standing.REFUSED, Why.EVENT),
    ("refused and renewed at one moment", [event(S.REFUSED, 1), event(S.RENEWED, 1)], 3, Standing.REFUSED, Why.EVENT),
    ("renewed before the term was over", [event(S.RENEWED, 8)], 8.5, Standing.GRANTED, Why.RECORD),
    ("expired by an event", [event(S.EXPIRED, 1)], 2, Standing.EXPIRED, Why.EVENT),
    ("found invalid later", [event(S.INVALIDATED, 9)], 1, Standing.INVALIDATED, Why.EVENT),
    ("asked again, nothing answered yet", [event(S.REQUESTED, 1), event(S.DEFERRED, 2)], 3, Standing.GRANTED, Why.RECORD),
]


@pytest.mark.parametrize(("events", "day", "standing", "why"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_table(events: list[ConsentEvent], day: float, standing: Standing, why: Why) -> None:
    answer = ask(*events, day=day)
    assert (answer.standing, answer.why) == (standing, why)


def test_the_answer_says_under_what() -> None:
    answer = ask(event(S.WITHDRAWN, 2), day=3)
    assert answer.consent_id == "c1"
    assert answer.notice == ("contact", "2", "ru")
    assert answer.policy_version == "policy-1"
    assert answer.event_id == "withdrawn-2-c1"
    assert answer.since == NOW + 2 * DAY
    granted = ask()
    assert (granted.since, granted.until) == (NOW, NOW + 9 * DAY), "until a newer notice asks anew"
    assert granted.granted


def test_a_renewal_under_the_newer_notice_is_not_stale() -> None:
    renewed = event(S.RENEWED, 8, facts={"notice_version": "4"})
    answer = ask(renewed, day=37)
    assert (answer.standing, answer.notice) == (Standing.GRANTED, ("contact", "4", "ru"))
    assert ask(renewed, day=38).standing is Standing.EXPIRED, "its own term counts from the renewal"
    assert ask(event(S.RENEWED, 8, facts={"notice_version": "5"}), day=9).standing is Standing.STALE, "nobody knows version 5"
    other_text = event(S.RENEWED, 8, facts={"notice_version": "4", "text_sha256": OTHER})
    assert ask(other_text, day=9).standing is Standing.STALE, "another text was shown"


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (rules_with(), Why.NOTICE_UNKNOWN),
        (rules_with(notice("2", text_sha256=OTHER)), Why.NOTICE_CHANGED),
        (rules_with(notice("2", valid_from=NOW + MICROSECOND)), Why.BEFORE_NOTICE),
        (rules_with(notice("2", valid_until=NOW)), Why.AFTER_NOTICE),
        (rules_with(notice("2", purposes=frozenset({"crm_followup"}))), Why.NOT_NAMED),
    ],
)
def test_a_consent_without_its_notice_never_held(rules: Rules, why: Why) -> None:
    for day in (0, 1, 400):
        answer = ask(day=day, rules=rules)
        assert (answer.standing, answer.why) == (Standing.INVALIDATED, why)


def test_without_a_record_the_newest_word_is_the_answer() -> None:
    asked, said_no, stop = event(S.REQUESTED, 0), event(S.REFUSED, 1), event(S.WITHDRAWN, 1, consent_id=None)
    assert ask(records=[]).standing is Standing.UNKNOWN
    assert ask(asked, records=[]).standing is Standing.REQUESTED
    assert ask(asked, said_no, records=[]).standing is Standing.REFUSED
    assert ask(asked, said_no, stop, records=[]).standing is Standing.WITHDRAWN, "at the same moment the withdrawal wins"
    assert ask(stop, records=[], day=0.5).standing is Standing.UNKNOWN


def test_a_new_consent_after_a_withdrawal_is_a_new_record() -> None:
    anew = record(consent_id="c2", given_at=NOW + 5 * DAY, recorded_at=NOW + 5 * DAY)
    stop = event(S.WITHDRAWN, 3, consent_id=None)
    before, after = (ask(stop, day=day, records=[anew, GIVEN]) for day in (4, 6))
    assert (before.standing, before.consent_id) == (Standing.WITHDRAWN, "c1")
    assert (after.standing, after.consent_id) == (Standing.GRANTED, "c2")


def test_what_was_known_is_another_question_than_what_was_so() -> None:
    late = event(S.WITHDRAWN, 1, recorded_at=NOW + 3 * DAY)
    assert ask(late, day=2).standing is Standing.WITHDRAWN
    assert ask(late, day=2, known=2).standing is Standing.GRANTED
    assert ask(late, day=2, known=3).standing is Standing.WITHDRAWN
    late_record = record(given_at=NOW, recorded_at=NOW + 2 * DAY)
    assert ask(records=[late_record], day=1, known=1).standing is Standing.UNKNOWN


DAYS = st.integers(-5, 40)
EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from(ConsentState),
        DAYS,
        consent_id=st.sampled_from([None, "c1", "c2"]),
        purpose=st.sampled_from([None, "callback", "crm_followup"]),
        facts=st.sampled_from([{}, {"notice_version": "4"}]),
    ),
    max_size=6,
)
RECORDS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", "c3"]), DAYS, st.sampled_from(["2", "4", "none"])),
    max_size=3,
    unique_by=lambda x: x[0],
).map(
    lambda rows: [
        record(consent_id=name, given_at=NOW + day * DAY, recorded_at=NOW + day * DAY, notice_version=version)
        for name, day, version in rows
    ]
)


@given(EVENTS, RECORDS, DAYS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    events: list[ConsentEvent], records: list[ConsentRecord], day: int, shuffler: Any
) -> None:
    answer = ask(*events, day=day, records=records)
    shuffled, others = list(events), list(records)
    shuffler.shuffle(shuffled)
    shuffler.shuffle(others)
    again = ask(*shuffled, day=day, records=others)
    # Two events of one moment and one kind are told apart by nothing but their id, and these have the same.
    assert dataclasses.replace(answer, policy_version=None) == dataclasses.replace(again, policy_version=None)


@given(EVENTS, RECORDS, DAYS)
def test_a_withdrawal_of_everything_wins_at_its_moment(
    events: list[ConsentEvent], records: list[ConsentRecord], day: int
) -> None:
    stop = event(S.WITHDRAWN, day, consent_id=None, event_id="stop")
    assert not ask(*events, stop, day=day, records=records).granted


@given(EVENTS, RECORDS, DAYS)
def test_what_comes_later_changes_no_past_answer(events: list[ConsentEvent], records: list[ConsentRecord], day: int) -> None:
    now = NOW + day * DAY
    events = [one for one in events if one.state is not S.INVALIDATED]  # what never held is found out later, for every moment
    past = [one for one in events if one.event_time <= now]
    assert ask(*events, day=day, records=records) == ask(
        *past, day=day, records=[one for one in records if one.given_at <= now]
    )


@given(EVENTS, RECORDS, DAYS)
def test_one_more_event_never_grants_but_by_a_renewal(
    events: list[ConsentEvent], records: list[ConsentRecord], day: int
) -> None:
    others = [one for one in events if one.state is not S.RENEWED]
    for count in range(len(others)):
        if ask(*others[: count + 1], day=day, records=records).granted:
            assert ask(*others[:count], day=day, records=records).granted


@given(st.integers(0, 120), st.sampled_from(["callback", "crm_followup"]), st.lists(DAYS, max_size=2))
def test_the_gate_agrees(day: int, purpose: str, withdrawn: list[int]) -> None:
    """What the gate lets go is granted, and what it stops for the consent's sake is not."""
    at = NOW + day * DAY
    last = max((NOW + each * DAY for each in withdrawn if each <= day), default=None)
    rule = policy(notices=RULES.notices)
    one = record(given_at=NOW, recorded_at=NOW)
    finding = may_send(
        one,
        destination="calls" if purpose == "callback" else "cards",
        purpose=purpose,
        policy=rule,
        withdrawn={} if last is None else {purpose: last},
        now=at,
    )
    events = [event(S.WITHDRAWN, each, consent_id=None, purpose=purpose) for each in withdrawn]
    answer = ask(*events, day=day, purpose=purpose)
    assert answer.granted == (finding is None)
    if finding is not None and finding.reason in (Reason.WITHDRAWN, Reason.CONSENT_EXPIRED):
        assert answer.standing in (Standing.WITHDRAWN, Standing.EXPIRED)
