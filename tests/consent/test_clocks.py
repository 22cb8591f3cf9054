"""When a legal clock ends: on Russian and other calendars, at the end of months and days, never later than the law says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.clocks import (
    DEFAULT_RULES,
    Calendar,
    calendar_of,
    deadline,
    due,
    extended,
    jurisdiction_of,
    rule_of,
    state_at,
)
from schemas.clocks import CalendarRules, ClockKind, ClockRule, ClockState, ClockTerms, Term, TermUnit
from schemas.errors import ConfigurationError

RUSSIA = Calendar(CalendarRules())
GERMANY = Calendar(CalendarRules(country="DE", zone="Europe/Berlin"))
MOMENTS = st.datetimes(datetime(2021, 1, 1), datetime(2027, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


def at_noon(day: str) -> datetime:
    """Noon in Moscow."""
    return datetime.fromisoformat(f"{day}T12:00:00+03:00")


def working(count: int) -> Term:
    return Term(amount=count, unit=TermUnit.WORKING_DAYS)


def days(count: int) -> Term:
    return Term(amount=count, unit=TermUnit.DAYS)


def months(count: int) -> Term:
    return Term(amount=count, unit=TermUnit.MONTHS)


@pytest.mark.parametrize(
    ("began", "count", "ends", "why"),
    [
        ("2026-06-01", 10, "2026-06-16", "Russia Day on Friday the 12th is no working day"),
        ("2025-12-26", 3, "2026-01-12", "New Year: 31 December to 11 January, 9 January moved there from the 3rd"),
        ("2025-12-31", 1, "2026-01-12", "the first working day of the year"),
        ("2026-04-28", 10, "2026-05-14", "the 1st of May, and the 11th for the 9th on a Saturday"),
        ("2024-04-26", 1, "2024-04-27", "a Saturday that was made a working day"),
        ("2024-04-27", 1, "2024-05-02", "29 and 30 April were moved there"),
        ("2025-10-31", 1, "2025-11-01", "Saturday 1 November works for Monday the 3rd"),
        ("2025-11-01", 1, "2025-11-05", "3 and 4 November off"),
        ("2026-03-06", 1, "2026-03-10", "8 March on a Sunday is observed on Monday"),
        ("2026-06-06", 7, "2026-06-17", "a Saturday is no working day to begin with; the 12th is off"),
    ],
)
def test_working_days_in_russia(began: str, count: int, ends: str, why: str) -> None:
    assert due(working(count), at_noon(began), RUSSIA) == datetime.fromisoformat(f"{ends}T23:59:59+03:00"), why


@pytest.mark.parametrize(
    ("began", "count", "ends"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-02-28", 1, "2026-03-28"),
    ],
)
def test_a_month_ends_on_its_number_or_on_its_last_day(began: str, count: int, ends: str) -> None:
    assert RUSSIA.day_of(due(months(count), at_noon(began), RUSSIA)) == date.fromisoformat(ends)


def test_a_day_begins_and_ends_where_the_brand_is() -> None:
    late = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)  # the 2nd in Moscow
    assert due(days(30), late, RUSSIA) == datetime(2026, 7, 2, 20, 59, 59, tzinfo=UTC)
    assert due(days(30), late, Calendar(CalendarRules(zone="America/New_York"))) == datetime(2026, 7, 2, 3, 59, 59, tzinfo=UTC)


def test_hours_do_not_sleep() -> None:
    began = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    assert due(Term(amount=72, unit=TermUnit.HOURS), began, RUSSIA) == began + timedelta(hours=72)


def test_a_day_with_an_hour_less_ends_at_midnight_all_the_same() -> None:
    began = datetime(2026, 3, 27, 11, 0, tzinfo=UTC)  # summer time begins in Berlin on the 29th
    assert due(days(2), began, GERMANY) == datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)


def test_at_once_means_now() -> None:
    end = deadline(ClockTerms(), ClockKind.MARKETING_STOP, at_noon("2026-06-01"))
    assert end.due_at == end.warn_at == at_noon("2026-06-01")
    assert end.latest_at is None


def test_a_term_in_days_that_ends_on_a_sunday_is_not_moved_on() -> None:
    assert due(days(30), at_noon("2026-06-05"), RUSSIA) == datetime.fromisoformat("2026-07-05T23:59:59+03:00")  # a Sunday


def test_leadgate_yaml_knows_better_than_the_library() -> None:
    local = Calendar(
        CalendarRules(days_off=frozenset({date(2026, 6, 2)}), working_days=frozenset({date(2026, 6, 6), date(2026, 6, 12)}))
    )
    assert due(working(1), at_noon("2026-06-01"), local) == datetime.fromisoformat("2026-06-03T23:59:59+03:00")
    assert due(working(1), at_noon("2026-06-05"), local) == datetime.fromisoformat("2026-06-06T23:59:59+03:00")
    assert due(working(1), at_noon("2026-06-11"), local) == datetime.fromisoformat("2026-06-12T23:59:59+03:00")


def test_ten_days_and_five_more_are_fifteen_from_the_beginning() -> None:
    rule = DEFAULT_RULES["RU", ClockKind.STOP_DEMAND]
    assert extended(rule, at_noon("2026-06-01"), RUSSIA) == due(working(15), at_noon("2026-06-01"), RUSSIA)
    gdpr = DEFAULT_RULES["EU", ClockKind.SUBJECT_REQUEST]
    ends = extended(gdpr, at_noon("2026-01-31"), GERMANY)
    assert ends is not None
    assert GERMANY.day_of(ends) == date(2026, 4, 30)
    mixed = ClockRule(term=months(1), extension=working(5), law="invented")
    assert extended(mixed, at_noon("2026-06-01"), RUSSIA) == datetime.fromisoformat("2026-07-08T23:59:59+03:00")
    assert extended(DEFAULT_RULES["RU", ClockKind.WITHDRAWAL], at_noon("2026-06-01"), RUSSIA) is None


def test_every_kind_has_a_rule_with_its_law() -> None:
    for kind in ClockKind:
        for place in ("RU", "EU", "US"):
            assert rule_of(ClockTerms(), kind, place).law
    with pytest.raises(ConfigurationError, match=r"clocks\.rules\.XX\.complaint"):
        rule_of(ClockTerms(fallback="XX"), ClockKind.COMPLAINT, "XX")


def test_what_leadgate_yaml_says_goes_before_the_defaults() -> None:
    ours = ClockRule(term=working(3), law="our promise")
    terms = ClockTerms(rules={("RU", ClockKind.STOP_DEMAND): ours})
    assert rule_of(terms, ClockKind.STOP_DEMAND, "RU") is ours
    assert rule_of(terms, ClockKind.STOP_DEMAND, "EU").law == "GDPR 12(3)"


def test_whose_law() -> None:
    assert [jurisdiction_of(country, {}, fallback="RU") for country in ("RU", "US", "DE", "IS", "KZ")] == [
        "RU", "US", "EU", "EU", "RU",
    ]  # fmt: skip
    kazakh = {("KZ", ClockKind.WITHDRAWAL): ClockRule(term=working(1), law="invented")}
    assert jurisdiction_of("KZ", kazakh, fallback="RU") == "KZ"


@pytest.mark.parametrize(
    ("rules", "code"),
    [(CalendarRules(country="ZZ"), "unknown_calendar"), (CalendarRules(zone="Moscow/Europe"), "unknown_zone")],
)
def test_a_calendar_nobody_knows_is_refused(rules: CalendarRules, code: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Calendar(rules)
    assert refused.value.code == code


def test_how_a_clock_stands() -> None:
    begin = at_noon("2026-06-01")
    warn, end = begin + timedelta(days=3), begin + timedelta(days=5)
    tick = timedelta(microseconds=1)

    def state(now: datetime, met: datetime | None = None) -> ClockState:
        return state_at(now=now, due_at=end, warn_at=warn, met_at=met)

    assert [state(warn - tick), state(warn), state(end), state(end + tick)] == [
        ClockState.RUNNING, ClockState.AT_RISK, ClockState.AT_RISK, ClockState.OVERDUE,
    ]  # fmt: skip
    assert state(end + tick, met=end) is ClockState.MET
    assert state(end + tick, met=end + tick) is ClockState.MET_LATE


@given(MOMENTS, st.integers(1, 40))
def test_a_clock_of_working_days_ends_on_one_and_counts_them_all(began: datetime, count: int) -> None:
    ends = RUSSIA.day_of(due(working(count), began, RUSSIA))
    first = RUSSIA.day_of(began)
    passed = [first + timedelta(days=number) for number in range(1, (ends - first).days + 1)]
    assert RUSSIA.is_working_day(ends)
    assert sum(RUSSIA.is_working_day(day) for day in passed) == count


@given(MOMENTS, MOMENTS, st.sampled_from([working(7), days(30), months(1), months(6)]))
def test_who_began_earlier_ends_no_later(one: datetime, other: datetime, term: Term) -> None:
    first, second = sorted((one, other))
    assert due(term, first, RUSSIA) <= due(term, second, RUSSIA)
    assert due(term, first, RUSSIA) > first


def test_a_calendar_is_made_once() -> None:
    assert calendar_of(CalendarRules()) is calendar_of(CalendarRules())
