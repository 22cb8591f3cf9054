"""Moments. Refused: a time without its offset from UTC, because "12:00" in Vladivostok is another day's consent in Minsk."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from marshmallow import ValidationError

from schemas.fields.base import Checked
from schemas.fields.hint import Hint

# RFC 3339, 5.6; ``fromisoformat`` alone would also take week dates, commas and missing seconds.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


class Moment(Checked[datetime]):
    """A date and time as in RFC 3339, answered in UTC. Nanoseconds are cut to microseconds."""

    def read(self, value: object) -> datetime | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_A_MOMENT)
        matched = _MOMENT.fullmatch(value)
        if matched is None:
            text = value.strip()
            if not text:
                return None
            matched = _MOMENT.fullmatch(text)
            if matched is None:
                raise ValidationError(Hint.NOT_A_MOMENT)
            value = text
        if matched[1] is None:
            raise ValidationError(Hint.NO_TIME_ZONE)
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # 31 February; the year 1 east of Greenwich
            raise ValidationError(Hint.NOT_A_MOMENT) from None
