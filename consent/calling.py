"""When a person may be called, by their own clock. It refuses to guess a zone: of several, the hours that suit all of them are
told, and none where there are no such hours.

The rule (from when until when, by country) is the brand's and part of its policy; who calls keeps to it. The window goes with
the lead as the plain field ``calling_window``: "09:00-21:00 Europe/Samara" where the person's zone is known, and where a number
may be anywhere in a country of eleven zones, "07:00-09:00 UTC".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.policy import CallingWindow

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = 24 * 60  # minutes


def window_text(window: CallingWindow, zones: Iterable[str], *, now: datetime) -> str | None:
    """The hours in which somebody in one of ``zones`` may be called, by today's offsets; None if no hour suits all of them.

    ``zones`` are those of the number; where nobody knows them, the zone that the rule names for its country is taken.
    """
    known = [(name, zone) for name in sorted(set(zones)) if (zone := _zone(name)) is not None]
    if not known and window.zone is not None and (zone := _zone(window.zone)) is not None:
        known = [(window.zone, zone)]
    if not known:
        return None
    if len(known) == 1:
        return f"{window.begin:%H:%M}-{window.end:%H:%M} {known[0][0]}"
    # One local day each, in minutes of UTC: a zone in the east begins it before midnight.
    offsets = [(now.astimezone(zone).utcoffset() or timedelta()) // _MINUTE for _, zone in known]
    begin = max(_minutes(window.begin) - offset for offset in offsets)
    end = min(_minutes(window.end) - offset for offset in offsets)
    return f"{_clock(begin)}-{_clock(end)} UTC" if begin < end else None


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # a zone newer than this machine's tables
        return None


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes % _DAY, 60)
    return f"{hour:02d}:{minute:02d}"
