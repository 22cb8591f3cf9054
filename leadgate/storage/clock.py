"""Time as the ledger stores it: whole microseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Whole microseconds of an aware ``moment``. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment."""
    return _EPOCH + timedelta(microseconds=micros)


#: The last moment that can be told.
LATEST = to_micros(datetime.max.replace(tzinfo=UTC))
