"""Completes a time that was written without its offset. It refuses to assume one: without a configured zone, or with a writing
that has two readings, the text stays as it is and LeadSchema says what is missing.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

# As Excel and people in Russia write it: 2026-11-22 14:05[:00], 22.11.2026 14:05[:00]. Never 11/22/2026: that is two days.
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d?:\d\d(?::\d\d(?:\.\d{1,6})?)?)", re.ASCII)
_DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4}),?[T ](\d\d?:\d\d(?::\d\d)?)", re.ASCII)


def with_zone(text: str, zone: ZoneInfo | None) -> str:
    """Return ``text`` as RFC 3339 if it is a local time of ``zone``; else unchanged."""
    written = text.strip()
    if zone is None or not written:
        return text
    if matched := _ISO.fullmatch(written):
        day, clock = matched[1], matched[2]
    elif matched := _DOTTED.fullmatch(written):
        day, clock = f"{matched[3]}-{int(matched[2]):02}-{int(matched[1]):02}", matched[4]
    else:
        return text
    try:
        return (
            datetime.fromisoformat(f"{day}T{clock.rjust(5, '0') if len(clock) == len('9:05') else clock}")
            .replace(tzinfo=zone)
            .isoformat()
        )
    except ValueError:
        return text
