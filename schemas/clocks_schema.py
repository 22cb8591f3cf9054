"""What leadgate.yaml may say about legal clocks and calendars. Refused: a term without a unit, a rule without its law."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.clocks import ClockKind, Term, TermUnit
from schemas.fields.setting import Choice, Duration, Text
from schemas.settings_part import Part, part

_TERM: Final = re.compile(r"([1-9][0-9]{0,3})(h|d|wd|mo)", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def place() -> fields.String:
    """A jurisdiction: a country, or EU."""
    return fields.String(
        validate=validate.Regexp(r"[A-Z]{2}\Z", error="must be a country as two capital letters, or EU"),
        error_messages={"invalid": "must be text"},
    )


class TermField(fields.Field[Term]):
    """``10wd``, ``30d``, ``1mo``, ``24h`` or ``now``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(error_messages={"required": "is required", "null": "is required"}, **settings)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Term:  # noqa: ARG002 - marshmallow's hook
        if value == TermUnit.NOW:
            return Term(amount=0, unit=TermUnit.NOW)
        found = _TERM.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("must be now, or a whole number and a unit: 24h, 30d, 10wd (working days), 1mo")
        return Term(amount=int(found[1]), unit=TermUnit(found[2]))


class DayField(fields.Field[date]):
    """A day, as 2026-05-08."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> date:  # noqa: ARG002 - marshmallow's hook
        try:
            if isinstance(value, str) and _DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ValidationError("must be a day, as 2026-05-08")


class ClockRuleSchema(Part):
    """One clock: how long, under which law, how much more with a reasoned notice, and when to warn."""

    term = TermField(required=True)
    law = Text(required=True)
    extension = TermField()
    warn_before = Duration()

    @validates_schema
    def extension_makes_it_longer(self, data: dict[str, Any], **_: Any) -> None:
        if TermUnit.NOW in {data["term"].unit, getattr(data.get("extension"), "unit", None)} and "extension" in data:
            raise ValidationError({"extension": ["what is due at once is not extended"]})


class ClocksSchema(Part):
    """All clocks: by jurisdiction (a country, or EU) and kind. What is not named keeps its default."""

    fallback = place()
    keep_identifiers = Duration()
    rules = fields.Dict(
        keys=place(),
        values=fields.Dict(
            keys=Choice(ClockKind),
            values=part(ClockRuleSchema),
            error_messages={"invalid": "must be a mapping of clocks"},
        ),
        load_default=dict,
        error_messages={"invalid": "must be a mapping of jurisdictions"},
    )


class CalendarSchema(Part):
    """Working days of one country, beside those the library knows."""

    timezone = Text()
    days_off = fields.List(DayField(), load_default=list, error_messages={"invalid": "must be a list"})
    working_days = fields.List(DayField(), load_default=list, error_messages={"invalid": "must be a list"})

    @validates_schema
    def a_day_is_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        if set(data["days_off"]) & set(data["working_days"]):
            raise ValidationError({"working_days": ["a day cannot be both a working day and a day off"]})


def calendars() -> fields.Dict:
    """The part ``calendars``: by country."""
    return fields.Dict(
        keys=place(),
        values=part(CalendarSchema),
        load_default=dict,
        error_messages={"invalid": "must be a mapping of countries"},
    )
