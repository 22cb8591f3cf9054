"""What may be kept of a vendor's own words: one short code, one reference. Anything else might be prose; prose quotes data."""

from __future__ import annotations

import re
from typing import Any

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_REFERENCE = re.compile(r"[A-Za-z0-9_.:/=+-]{1,128}")

#: The code of a receipt for a record that was to be suppressed or erased and is not there under our key.
ABSENT = "absent"
#: Stands where a vendor's word was not fit to be kept.
UNREADABLE = "unreadable_code"


def safe_code(word: Any, *, sent: bytes = b"") -> str | None:
    """A vendor's error code as it may be stored. ``sent`` is the record as it went out: what repeats its values is no code."""
    if word is None or word == "":
        return None
    text = str(word)
    repeated = sent and b'"%b"' % text.lower().encode() in sent.lower()
    return text if _CODE.fullmatch(text) and not repeated else UNREADABLE


def safe_reference(word: Any, *, sent: bytes = b"") -> str | None:
    """The vendor's id of a record as it may be stored, or None: a reference that is somebody's phone number is none."""
    if type(word) is int:
        text = str(word)
    elif type(word) is str:
        text = word
    else:
        return None
    return text if _REFERENCE.fullmatch(text) and b'"%b"' % text.encode() not in sent else None
