"""Finds the two leaves whose exchange, or the one whose move, restores a signed root. Refuses to guess: only the root decides.

A root says yes or no to an order and nothing more, so orders are tried. The times inside the leaves say where to begin: a log
is nearly sorted by time, and a leaf that was put elsewhere is outside its longest sorted subsequence. If times do not help
(one batch shares its moment), neighbours are tried first, then wider pairs, until the budget ends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import Final

from consent.audit.merkle import CompactRange, Levels, node_hash

#: Exchanges tried in one segment; one costs some 30 microseconds.
MAX_TRIES: Final = 100_000
#: Hashes spent on moves in one segment; one costs some 0.7 microseconds.
MAX_HASHES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """Leaf ``stands`` belongs at ``belongs``; ``hashes`` is the order that has the signed root."""

    belongs: int
    stands: int
    hashes: list[bytes]


def mend(hashes: list[bytes], times: Sequence[float], *, begin: int, size: int, root: bytes) -> Mended | None:
    """The order of leaves ``begin`` to ``size - 1`` that has ``root``, if one exchange or one move makes it."""
    strangers = [begin + at for at in out_of_order(times[begin:size])]
    return _exchanged(hashes, strangers, begin=begin, size=size, root=root) or _moved(
        hashes, strangers, begin=begin, size=size, root=root
    )


def out_of_order(times: Sequence[float]) -> list[int]:
    """Positions outside one longest subsequence that never falls (patience sorting)."""
    tops: list[float] = []
    at_top: list[int] = []
    before: list[int] = []
    for position, time in enumerate(times):
        pile = bisect_right(tops, time)
        before.append(at_top[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(time)
            at_top.append(position)
        else:
            tops[pile] = time
            at_top[pile] = position
    sorted_ones = set()
    position = at_top[-1] if at_top else -1
    while position >= 0:
        sorted_ones.add(position)
        position = before[position]
    return [position for position in range(len(times)) if position not in sorted_ones]


def _exchanged(hashes: list[bytes], strangers: list[int], *, begin: int, size: int, root: bytes) -> Mended | None:
    levels = Levels(hashes[:size])
    pairs = chain(combinations(strangers, 2), _neighbours_first(begin, size))
    for left, right in islice(pairs, MAX_TRIES):
        if _root_with(levels, {left: hashes[right], right: hashes[left]}) == root:
            order = list(hashes)
            order[left], order[right] = hashes[right], hashes[left]
            return Mended(belongs=left, stands=right, hashes=order)
    return None


def _neighbours_first(begin: int, end: int) -> Iterator[tuple[int, int]]:
    for distance in range(1, end - begin):
        for left in range(begin, end - distance):
            yield left, left + distance


def _moved(hashes: list[bytes], strangers: list[int], *, begin: int, size: int, root: bytes) -> Mended | None:
    segment, fixed = hashes[begin:size], CompactRange()
    fixed.extend(hashes[:begin])
    tries = MAX_HASHES // max(len(segment), 1)
    for stands, belongs in islice(_moves(strangers, begin, size), tries):
        order = segment[: stands - begin] + segment[stands - begin + 1 :]
        order.insert(belongs - begin, hashes[stands])
        tree = fixed.copy()
        tree.extend(order)
        if tree.root() == root:
            return Mended(belongs=belongs, stands=stands, hashes=[*hashes[:begin], *order, *hashes[size:]])
    return None


def _moves(strangers: Iterable[int], begin: int, end: int) -> Iterator[tuple[int, int]]:
    for stands in chain(strangers, range(begin, end)):
        for belongs in range(begin, end):
            yield stands, belongs


def _root_with(levels: Levels, changes: dict[int, bytes]) -> bytes:
    """The root if some leaves had other hashes: only their paths are hashed again."""
    width, level, root = levels.size, 0, b""
    while width:
        if width & 1:  # the last complete subtree of this level has no sibling: it is one of the peaks, smallest first
            peak = changes.get(width - 1) or levels.read(level, width - 1)
            root = node_hash(peak, root) if root else peak
        above: dict[int, bytes] = {}
        for index in changes:
            left = index & ~1
            if left + 1 < width and left >> 1 not in above:
                pair = (changes.get(left) or levels.read(level, left), changes.get(left + 1) or levels.read(level, left + 1))
                above[left >> 1] = node_hash(*pair)
        changes, width, level = above, width >> 1, level + 1
    return root
