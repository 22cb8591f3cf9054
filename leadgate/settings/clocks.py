"""Legal clocks and calendars from leadgate.yaml, one set a brand. It refuses a calendar nobody knows, before a clock starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from consent.clocks import calendar_of, jurisdiction_of
from leadgate.settings.model import BrandSettings
from leadgate.settings.problems import Problems
from schemas.clocks import FALLBACK_JURISDICTION, CalendarRules, ClockRule, ClockTerms
from schemas.errors import ConfigurationError

#: Where a day ends, of countries with one zone that counts for everybody; another country says it in leadgate.yaml.
_ZONES: Final = {
    "AM": "Asia/Yerevan", "AZ": "Asia/Baku", "BY": "Europe/Minsk", "DE": "Europe/Berlin", "FI": "Europe/Helsinki",
    "GB": "Europe/London", "GE": "Asia/Tbilisi", "KG": "Asia/Bishkek", "KZ": "Asia/Almaty", "RU": "Europe/Moscow",
    "TR": "Europe/Istanbul", "UZ": "Asia/Tashkent",
}  # fmt: skip
#: What is kept to go on with a request is destroyed this long after the request is closed.
KEEP_IDENTIFIERS: Final = timedelta(days=90)


def with_clocks(brands: Mapping[str, BrandSettings], values: Mapping[str, Any], problems: Problems) -> dict[str, BrandSettings]:
    """The brands, each with the clocks of its home country. Adds to ``problems`` what cannot be a calendar."""
    said = values["clocks"]
    fallback = said.get("fallback", FALLBACK_JURISDICTION)
    rules = MappingProxyType(
        {(place, kind): ClockRule(**rule) for place, kinds in said["rules"].items() for kind, rule in kinds.items()}
    )
    calendars = values["calendars"]
    return {
        name: replace(
            brand,
            clocks=ClockTerms(
                jurisdiction=jurisdiction_of(brand.home_country, rules, fallback=fallback),
                fallback=fallback,
                rules=rules,
                calendar=_calendar(brand.home_country, calendars.get(brand.home_country, {}), problems),
            ),
        )
        for name, brand in brands.items()
    }


def _calendar(country: str, values: Mapping[str, Any], problems: Problems) -> CalendarRules:
    place = f"calendars.{country}"
    zone = values.get("timezone") or _ZONES.get(country)
    if zone is None:
        problems.add(f"{place}.timezone", "is required: clocks of a brand of this country end with its day")
    rules = CalendarRules(
        country=country,
        zone=zone or "UTC",
        days_off=frozenset(values.get("days_off", ())),
        working_days=frozenset(values.get("working_days", ())),
    )
    try:
        calendar_of(rules)
    except ConfigurationError as error:
        problems.add(f"{place}.timezone" if error.code == "unknown_zone" else place, error.message)
    return rules
