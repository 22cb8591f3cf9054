"""Identifiers: UUID version 7 (RFC 9562 section 5.7), made a batch at a time; random apart from the millisecond."""

from __future__ import annotations

import os


def new_ids(count: int, micros: int) -> list[str]:
    """``count`` fresh ids for the moment ``micros`` (microseconds since the epoch), 36 characters each."""
    stamp = f"{micros // 1000:012x}"
    head = f"{stamp[:8]}-{stamp[8:]}-7"
    random = os.urandom(10 * count).hex()
    ids = []
    for at in range(0, 20 * count, 20):
        # the variant bits "10" make the first digit of the fourth group one of 8, 9, a, b
        variant = "89ab"[int(random[at + 3], 16) & 3]
        ids.append(f"{head}{random[at : at + 3]}-{variant}{random[at + 4 : at + 7]}-{random[at + 7 : at + 19]}")
    return ids
