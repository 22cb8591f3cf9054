"""How facts are said on paper. Refuses what has no words: a float, bytes, an object of a class that was not thought of here.

One implementation for both kinds of document, so that a PDF and its HTML never name two different days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import Language
from schemas.words import Said

_MONTHS: Final = {
    Language.EN: (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    Language.RU: (
        "января", "февраля", "марта", "апреля", "мая", "июня",
        "июля", "августа", "сентября", "октября", "ноября", "декабря",
    ),
}  # fmt: skip
_ZERO: Final = timedelta(0)


def said_date(day: date, language: Language) -> str:
    """``1 June 2026``, ``1 июня 2026 г.``"""
    year = f"{day.year} г." if language is Language.RU else str(day.year)
    return f"{day.day} {_MONTHS[language][day.month - 1]} {year}"


def said_moment(at: datetime, language: Language) -> str:
    """``1 June 2026, 09:00:05 UTC``; with the offset if ``at`` has another zone. Refuses a naive moment."""
    offset = at.utcoffset()
    if offset is None:
        raise ConfigurationError("naive_moment", "a moment on paper says its zone", field="data")
    zone = "UTC" if offset == _ZERO else f"UTC{_offset(offset)}"
    return f"{said_date(at, language)}, {at:%H:%M:%S} {zone}"


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def prepared(value: Any, language: Language, *, place: str = "data") -> Any:
    """``value`` as JSON knows it, with moments, dates and ``Said`` in words. Raises ConfigurationError naming the place."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Said | str | date):
        return _said(value, language)
    if is_dataclass(value) and not isinstance(value, type | Personal):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): prepared(each, language, place=f"{place}.{name}") for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [prepared(each, language, place=f"{place}[{at}]") for at, each in enumerate(value)]
    raise ConfigurationError("no_words_for_it", f"a document cannot say a {type(value).__name__}", field=place)


def _said(value: Said | str | date, language: Language) -> str:
    if isinstance(value, Said):
        return value.in_(language)
    if isinstance(value, str):
        return str.__str__(value)  # of a word of code too
    return said_moment(value, language) if isinstance(value, datetime) else said_date(value, language)
