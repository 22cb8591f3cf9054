"""What may be kept of a vendor's own words: one short code, one reference. Anything else might be prose; prose quotes data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_REFERENCE = re.compile(r"[A-Za-z0-9_.:/=+-]{1,128}")

#: Stands where a vendor's word was not fit to be kept.
UNREADABLE = "unreadable_code"


def safe_code(word: Any, *, sent: Iterable[Any] = ()) -> str | None:
    """A vendor's error code as it may be stored. ``sent`` are the values that went out: a code that repeats one is no code."""
    if word is None or word == "":
        return None
    text = str(word)
    return text if _CODE.fullmatch(text) and not _repeats(text, sent) else UNREADABLE


def safe_reference(word: Any, *, sent: Iterable[Any] = ()) -> str | None:
    """The vendor's id of a record as it may be stored, or None: a reference that is somebody's e-mail address is none."""
    if word is None or isinstance(word, dict | list | bool):
        return None
    text = str(word)
    return text if _REFERENCE.fullmatch(text) and not _repeats(text, sent) else None


def _repeats(text: str, sent: Iterable[Any]) -> bool:
    folded = text.casefold()
    return any(isinstance(value, str) and value.casefold() == folded for value in sent)
