"""Legal clocks as data. A term says its unit, for ten days and ten working days are two different promises.

The figures are no constants: they stand in leadgate.yaml (``clocks``), and what is not said there falls back to
``consent.clocks.DEFAULT_RULES``, each with the law it is read from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ClockKind(StrEnum):
    """What the law gives a time for."""

    MARKETING_STOP = "marketing_stop"  # phone marketing ends on demand
    STOP_DEMAND = "stop_demand"  # processing ends on demand
    WITHDRAWAL = "withdrawal"  # consent taken back: processing ends, data are destroyed
    DESTRUCTION_BLOCKED = "destruction_blocked"  # destruction is impossible: blocked, and destroyed later
    COMPLAINT = "complaint"  # data under complaint are blocked while it is looked into
    INACCURATE = "inaccurate"  # wrong data are put right
    UNLAWFUL_STOP = "unlawful_stop"
    UNLAWFUL_DESTROY = "unlawful_destroy"  # counts from the same moment as the stop
    INCIDENT_NOTICE = "incident_notice"  # the regulator learns of a leak
    INCIDENT_REPORT = "incident_report"  # ... and what was found out about it
    PURPOSE_ACHIEVED = "purpose_achieved"
    SUBJECT_REQUEST = "subject_request"  # a data subject gets an answer


class ClockSubject(StrEnum):
    """What a clock runs about."""

    WITHDRAWAL = "withdrawal"
    CASE = "case"
    PERSON = "person"
    INCIDENT = "incident"


class ClockState(StrEnum):
    """How a clock stands at one moment. The order is the order of urgency."""

    OVERDUE = "overdue"
    AT_RISK = "at_risk"
    RUNNING = "running"
    MET_LATE = "met_late"
    MET = "met"


class TermUnit(StrEnum):
    """What a term is counted in; the word is how leadgate.yaml writes it."""

    NOW = "now"  # at once: due in the moment it starts
    HOURS = "h"
    DAYS = "d"
    WORKING_DAYS = "wd"
    MONTHS = "mo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """How long something may take."""

    amount: int
    unit: TermUnit

    @property
    def word(self) -> str:
        """As leadgate.yaml writes it: ``10wd``, ``1mo``, ``24h``, ``now``."""
        return self.unit.value if self.unit is TermUnit.NOW else f"{self.amount}{self.unit.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRule:
    """One clock of one jurisdiction. ``extension`` is added only with a reasoned notice to the person."""

    term: Term
    law: str
    extension: Term | None = None
    warn_before: timedelta = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRules:
    """Working days of a country: those a library knows, and what leadgate.yaml adds to them."""

    country: str = "RU"
    zone: str = "Europe/Moscow"  # IANA; a day ends there
    days_off: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()


#: Rules by jurisdiction and kind.
ClockRules = Mapping[tuple[str, ClockKind], ClockRule]

#: The jurisdiction whose rule is used where another one has none.
FALLBACK_JURISDICTION: Final = "RU"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTerms:
    """The clocks of one brand. ``rules`` holds only what leadgate.yaml says otherwise than the defaults."""

    jurisdiction: str = FALLBACK_JURISDICTION
    fallback: str = FALLBACK_JURISDICTION
    rules: ClockRules = field(default_factory=lambda: MappingProxyType({}))
    calendar: CalendarRules = field(default_factory=CalendarRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock that was started. ``about`` is the id of what it runs about; ``flag`` says that a machine's time was wrong."""

    clock_id: str
    kind: ClockKind
    jurisdiction: str
    term: str
    law: str
    subject: ClockSubject
    about: str
    brand: str
    started_at: datetime
    recorded_at: datetime
    due_at: datetime
    warn_at: datetime
    person_id: str | None = None
    latest_at: datetime | None = None  # with the extension; None: the law knows none
    extended_at: datetime | None = None
    extended_for: str | None = None
    extension_notice: str | None = None
    met_at: datetime | None = None
    outcome: str | None = None
    flag: str | None = None
