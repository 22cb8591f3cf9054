"""Time zones of a phone number. It refuses to guess one where the number's range spans several: then it names them all."""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, timezone

#: What the library says of a number whose zone it does not know.
_UNKNOWN: Final = "Etc/Unknown"


def zones_of_phone(e164: str) -> tuple[str, ...]:
    """IANA names of every zone a number may be in; none if nobody knows. A mobile number is in its whole country."""
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        return ()
    return tuple(zone for zone in timezone.time_zones_for_number(number) if zone != _UNKNOWN)
