"""Time as the ledger stores it: whole microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_DAY = 86_400  # seconds
#: The parts of a time of day, printed once.
_MINUTES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(_DAY // 60))
_SECONDS = tuple(f"{second:02}Z" for second in range(60))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Whole microseconds of an aware ``moment``. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment."""
    return _EPOCH + timedelta(microseconds=micros)


def rfc3339(micros: int) -> str:
    """The moment as RFC 3339 says it, in UTC and cut to the second; a fifth of the price of making a ``datetime`` first.

    Raises OverflowError for what is no moment.
    """
    day, second = divmod(micros // 1_000_000, _DAY)
    return f"{_date(day)}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()[:10]


#: The last moment that can be told.
LATEST = to_micros(datetime.max.replace(tzinfo=UTC))
