"""Identifiers: UUID version 7 (RFC 9562 section 5.7), made a batch at a time, in ascending order.

The twelve bits after the millisecond count (section 6.2, method 1), so that what was handed in first in a batch is also decided
first; the other 62 are random, so that two processes never make the same one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count as counting
from typing import Final

_COUNTED: Final = 4096
_COUNTS: Final = tuple(f"{number:03x}" for number in range(_COUNTED))
#: The upper bits of the fourth group are the variant, "10".
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))


def new_ids(count: int, micros: int, *, after: int = 0) -> list[str]:
    """``count`` fresh ids for the moment ``micros`` (microseconds since the epoch), 36 characters each, ascending.

    They come after the ``after`` ids that were made for that moment already.
    """
    ids: list[str] = []
    clock = bytearray(os.urandom(2 * count))
    clock[::2] = clock[::2].translate(_VARIANT)
    # The two random groups of each id, printed and cut in one call for all of them.
    fourth, fifth = iter(clock.hex(" ", 2).split(" ")), iter(os.urandom(6 * count).hex(" ", 6).split(" "))
    while len(ids) < count:
        later, place = divmod(after + len(ids), _COUNTED)  # an overflow borrows from the next millisecond
        stamp = f"{micros // 1000 + later:012x}"
        head = f"{stamp[:8]}-{stamp[8:]}-7"
        starts = [head + counted for counted in _COUNTS[place : place + count - len(ids)]]
        ids += map("-".join, zip(starts, fourth, fifth, strict=False))  # the shortest first: it takes none from the others
    return ids


def stream_of_ids(micros: int, *, block: int) -> Iterator[str]:
    """As many fresh ids for the moment ``micros`` as are asked for, ascending, made ``block`` at a time."""
    for after in counting(step=block):
        yield from new_ids(block, micros, after=after)
