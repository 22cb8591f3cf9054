"""Identifiers: UUID version 7 (RFC 9562 section 5.7), made a batch at a time, in ascending order.

The twelve bits after the millisecond count (section 6.2, method 1), so that what was handed in first in a batch is also decided
first; the other 62 are random, so that two processes never make the same one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

_COUNTED: Final = 4096
_COUNTS: Final = tuple(f"{number:03x}" for number in range(_COUNTED))
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # its two upper bits are "10"


def new_ids(count: int, micros: int) -> list[str]:
    """``count`` fresh ids for the moment ``micros`` (microseconds since the epoch), 36 characters each, ascending."""
    ids: list[str] = []
    random = os.urandom(8 * count).hex()
    for first in range(0, count, _COUNTED):  # an overflow borrows from the next millisecond
        stamp = f"{micros // 1000 + first // _COUNTED:012x}"
        head = f"{stamp[:8]}-{stamp[8:]}-7"
        for at, counted in zip(range(16 * first, 16 * min(count, first + _COUNTED), 16), _COUNTS, strict=False):
            ids.append(f"{head}{counted}-{_VARIANT[random[at]]}{random[at + 1 : at + 4]}-{random[at + 4 : at + 16]}")
    return ids


def stream_of_ids(micros: int, *, block: int) -> Iterator[str]:
    """As many fresh ids for the moment ``micros`` as are asked for, made ``block`` at a time and ascending within a block."""
    while True:
        yield from new_ids(block, micros)
