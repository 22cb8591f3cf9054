"""Time as the ledger stores it: whole microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_MINUTES = 24 * 60  # of a day
#: Every minute of a day and every second of a minute as RFC 3339 writes them: formatting three numbers costs twice as much.
_TIMES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(_MINUTES))
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
    """The moment as RFC 3339 says it, in UTC and cut to the second; a third of the price of making a ``datetime`` first.

    Raises OverflowError for what is no moment.
    """
    minutes, second = divmod(micros // 1_000_000, 60)
    day, minute = divmod(minutes, _MINUTES)
    return _date(day) + _TIMES[minute] + _SECONDS[second]


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()[:10]


#: The last moment that can be told.
LATEST = to_micros(datetime.max.replace(tzinfo=UTC))
