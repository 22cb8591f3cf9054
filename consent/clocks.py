"""Refuses to count a day that is no working day, and to let a clock end later than the law says. When is a clock due?

1. Counting begins on the day after the event; a clock of days or months ends at the end of its last day, in the brand's zone
   (Civil Code of Russia, 191 and 194; Regulation (EEC, Euratom) 1182/71, 3(1) and 3(2)).
2. A month ends on the day of the same number; where the month has none, on its last day (Civil Code 192(3); 1182/71, 3(2)(c)).
3. Whoever has a term in calendar days that ends on a day off has, as some read it, until the next working day (Civil Code 193).
   We do not take that day: a clock met early is met under every reading.
4. Hours run through nights and holidays.
5. A clock due at once is due in the moment it starts: whatever it asks for is done in the same transaction, or it is late.

The rules below are defaults and **not legal advice**: a lawyer reads them before they are used. leadgate.yaml overrides each.
Working days are the library's (holidays: with the days off that Russia's government moves, as far as they are published), and
what leadgate.yaml adds.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from schemas.clocks import CalendarRules, ClockKind, ClockRule, ClockRules, ClockState, ClockTerms, Term, TermUnit
from schemas.errors import ConfigurationError

#: How far the clock of whoever reports an event may be ahead of ours, as a duration.
CLOCK_SKEW: Final = timedelta(minutes=5)
#: A brand's clocks end with its day, not with the last microsecond of it: people read the moment.
_END_OF_DAY: Final = time(23, 59, 59)
_A_DAY: Final = timedelta(days=1)
#: The European Economic Area, where the GDPR applies.
_EEA: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU",
        "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip

_NOW: Final = Term(amount=0, unit=TermUnit.NOW)


def _days(amount: int) -> Term:
    return Term(amount=amount, unit=TermUnit.DAYS)


def _hours(amount: int) -> Term:
    return Term(amount=amount, unit=TermUnit.HOURS)


def _working(amount: int) -> Term:
    return Term(amount=amount, unit=TermUnit.WORKING_DAYS)


def _months(amount: int) -> Term:
    return Term(amount=amount, unit=TermUnit.MONTHS)


_WEEK: Final = timedelta(days=7)
_HALF_DAY: Final = timedelta(hours=12)
_GDPR_ANSWER: Final = ClockRule(term=_months(1), extension=_months(2), law="GDPR 12(3)", warn_before=_WEEK)

#: What leadgate.yaml does not say otherwise: (jurisdiction, kind) -> rule, with the law it is read from. Third-party readings.
DEFAULT_RULES: Final[ClockRules] = MappingProxyType(
    {
        ("RU", ClockKind.MARKETING_STOP): ClockRule(term=_NOW, law="152-FZ 15(2), 38-FZ 18(1)"),
        ("RU", ClockKind.STOP_DEMAND): ClockRule(term=_working(10), extension=_working(5), law="152-FZ 21(5.1)"),
        ("RU", ClockKind.WITHDRAWAL): ClockRule(term=_days(30), law="152-FZ 21(5)", warn_before=_WEEK),
        ("RU", ClockKind.DESTRUCTION_BLOCKED): ClockRule(term=_months(6), law="152-FZ 21(6)", warn_before=timedelta(days=30)),
        ("RU", ClockKind.COMPLAINT): ClockRule(term=_NOW, law="152-FZ 21(1)"),
        ("RU", ClockKind.INACCURATE): ClockRule(term=_working(7), law="152-FZ 21(2)"),
        ("RU", ClockKind.UNLAWFUL_STOP): ClockRule(term=_working(3), law="152-FZ 21(3)", warn_before=_A_DAY),
        ("RU", ClockKind.UNLAWFUL_DESTROY): ClockRule(term=_working(10), law="152-FZ 21(3)"),
        ("RU", ClockKind.INCIDENT_NOTICE): ClockRule(term=_hours(24), law="152-FZ 21(3.1)", warn_before=_HALF_DAY),
        ("RU", ClockKind.INCIDENT_REPORT): ClockRule(term=_hours(72), law="152-FZ 21(3.1)", warn_before=_A_DAY),
        ("RU", ClockKind.PURPOSE_ACHIEVED): ClockRule(term=_days(30), law="152-FZ 21(4)", warn_before=_WEEK),
        ("RU", ClockKind.SUBJECT_REQUEST): ClockRule(term=_working(10), extension=_working(5), law="152-FZ 20(1)"),
        ("EU", ClockKind.MARKETING_STOP): ClockRule(term=_NOW, law="GDPR 21(3)"),
        ("EU", ClockKind.STOP_DEMAND): _GDPR_ANSWER,
        ("EU", ClockKind.WITHDRAWAL): ClockRule(term=_months(1), law="GDPR 7(3), 17(1)(b), 12(3)", warn_before=_WEEK),
        ("EU", ClockKind.INACCURATE): _GDPR_ANSWER,
        ("EU", ClockKind.INCIDENT_REPORT): ClockRule(term=_hours(72), law="GDPR 33(1)", warn_before=_A_DAY),
        ("EU", ClockKind.SUBJECT_REQUEST): _GDPR_ANSWER,
        ("US", ClockKind.STOP_DEMAND): ClockRule(term=_working(10), law="47 CFR 64.1200(a)(10)"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a clock must be met. Decided once, stored, never computed again: neither a new rule nor a new calendar moves it."""

    kind: ClockKind
    jurisdiction: str
    term: Term
    law: str
    due_at: datetime
    warn_at: datetime
    latest_at: datetime | None  # with the extension; None: the law knows none


class Calendar:
    """Working days and the end of a day, for one country."""

    __slots__ = ("_off", "_on", "_public", "zone")

    def __init__(self, rules: CalendarRules) -> None:
        """Raises ConfigurationError for a country or a zone that nobody knows."""
        try:
            self.zone = ZoneInfo(rules.zone)
        except (OSError, ValueError, LookupError):
            raise ConfigurationError(
                "unknown_zone", "is no time zone of the IANA database", field="calendars.timezone"
            ) from None
        try:
            self._public = holidays.country_holidays(rules.country)
        except NotImplementedError:  # the library's word for a country that it has no calendar of
            raise ConfigurationError(
                "unknown_calendar", "no calendar of this country is known; name one that is", field="calendars.country"
            ) from None
        self._off, self._on = rules.days_off, rules.working_days

    def is_working_day(self, day: date) -> bool:
        """Whether people work that day; what leadgate.yaml says goes before what the library knows."""
        if day in self._on:
            return True
        return day not in self._off and bool(self._public.is_working_day(day))

    def after_working_days(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day``."""
        while count:
            day += _A_DAY
            count -= self.is_working_day(day)
        return day

    def day_of(self, moment: datetime) -> date:
        """The day it is there."""
        return moment.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """Its last second, in UTC."""
        return datetime.combine(day, _END_OF_DAY, self.zone).astimezone(UTC)


@lru_cache(maxsize=64)
def calendar_of(rules: CalendarRules) -> Calendar:
    """The calendar of these rules, made once: a library's year costs milliseconds."""
    return Calendar(rules)


def due(term: Term, started_at: datetime, calendar: Calendar) -> datetime:
    """The moment a term that began at ``started_at`` ends, in UTC."""
    began = calendar.day_of(started_at)
    match term.unit:
        case TermUnit.NOW:
            return started_at.astimezone(UTC)
        case TermUnit.HOURS:
            return started_at.astimezone(UTC) + timedelta(hours=term.amount)
        case TermUnit.DAYS:
            return calendar.end_of(began + term.amount * _A_DAY)
        case TermUnit.WORKING_DAYS:
            return calendar.end_of(calendar.after_working_days(began, term.amount))
        case TermUnit.MONTHS:
            return calendar.end_of(_months_after(began, term.amount))


def _months_after(day: date, count: int) -> date:
    months = day.year * 12 + day.month - 1 + count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def extended(rule: ClockRule, started_at: datetime, calendar: Calendar) -> datetime | None:
    """The end with the extension; None if the rule has none.

    Both terms of one unit are one longer term from the same beginning: 31 January and three months is 30 April.
    """
    if rule.extension is None:
        return None
    if rule.extension.unit is rule.term.unit:
        return due(Term(amount=rule.term.amount + rule.extension.amount, unit=rule.term.unit), started_at, calendar)
    return due(rule.extension, due(rule.term, started_at, calendar), calendar)


def deadline(terms: ClockTerms, kind: ClockKind, started_at: datetime, *, jurisdiction: str | None = None) -> Deadline:
    """The deadline of a clock that starts at ``started_at``; in the brand's own jurisdiction unless another is named.

    Where that jurisdiction has no rule of this kind, the fallback's holds. Raises ConfigurationError if neither has one.
    """
    place = jurisdiction or terms.jurisdiction
    rule = rule_of(terms, kind, place)
    calendar = calendar_of(terms.calendar)
    due_at = due(rule.term, started_at, calendar)
    return Deadline(
        kind=kind,
        jurisdiction=place,
        term=rule.term,
        law=rule.law,
        due_at=due_at,
        warn_at=max(min(started_at.astimezone(UTC), due_at), due_at - rule.warn_before),
        latest_at=extended(rule, started_at, calendar),
    )


def rule_of(terms: ClockTerms, kind: ClockKind, jurisdiction: str) -> ClockRule:
    """The rule that holds. Raises ConfigurationError if there is none."""
    for place in (jurisdiction, terms.fallback):
        found = terms.rules.get((place, kind)) or DEFAULT_RULES.get((place, kind))
        if found is not None:
            return found
    raise ConfigurationError(
        "no_such_clock", "no rule says how long this may take; add one", field=f"clocks.rules.{jurisdiction}.{kind}"
    )


def jurisdiction_of(country: str, rules: Mapping[tuple[str, ClockKind], ClockRule], *, fallback: str) -> str:
    """Whose law a brand of this country is under: its own where rules are known, the EU's in the EEA, else the fallback's."""
    if any(place == country for place, _ in (*rules, *DEFAULT_RULES)):
        return country
    return "EU" if country in _EEA else fallback


def state_at(*, now: datetime, due_at: datetime, warn_at: datetime, met_at: datetime | None) -> ClockState:
    """How a clock stands."""
    if met_at is not None:
        return ClockState.MET if met_at <= due_at else ClockState.MET_LATE
    if now > due_at:
        return ClockState.OVERDUE
    return ClockState.AT_RISK if now >= warn_at else ClockState.RUNNING
