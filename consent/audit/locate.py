"""Says which of two disagreeing copies is the original, leaf or tile. Refuses to guess: what leads to a signed root counts.

A log in tiles holds every hash twice: as it stands in a tile, and as it follows from what lies below. The search goes down from
the signed root. At each node, whichever pair of children has the known hash is the original, the one from the tiles, the one
re-derived from the leaves, or one of each. So a bit is found wherever it was flipped, several at once too; and where no pair
fits, the segment below is all that can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, product
from typing import Final

from consent.audit.findings import Collector
from consent.audit.merkle import EMPTY_ROOT, node_hash
from consent.audit.tile_reader import Tiles
from consent.audit.tiles import HEIGHT, WIDTH, entries_path, missing, subtree_of, tile_path
from schemas.errors import AuditError

#: Combinations of peaks that are tried; a log has one peak for each bit of its size, and few of them are damaged.
MAX_TRIES: Final = 4096
#: Mixtures that are kept of one node, and hashes spent on mixing: enough for some damaged places below one another.
MAX_MIXED: Final = 64
MAX_HASHES: Final = 200_000

_RESTORE: Final = "Take it from another copy of the log, or write the folder anew from the ledger, and find out who changed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The hash at ``index`` of ``level``, as it stands in the tile ``path``, is not the one that follows from below."""

    level: int
    index: int
    path: str


class Derived:
    """Hashes that follow from the leaves; before ``begin``, where a log was pruned, those of the tiles that remain."""

    def __init__(self, stored: Tiles, *, begin: int, size: int, hashes: Callable[[int], list[bytes] | None]) -> None:
        """``hashes`` answers the leaf hashes of a bundle once more."""
        self._stored = stored
        self._begin = begin
        self._size = size
        self._again = hashes
        self._roots: dict[int, bytes] = {}
        self._last: tuple[int, list[bytes]] = (-1, [])
        self._inner: dict[tuple[int, int], bytes] = {}

    def add(self, number: int, hashes: list[bytes]) -> None:
        """The leaf hashes of one bundle."""
        if len(hashes) == WIDTH:
            self._roots[number] = subtree_of(hashes)

    def stand_in(self, number: int) -> None:
        """Neither the leaves nor their tile can be read: take the hash from the tile above, if there is one."""
        if (root := _ask(self._stored.read, HEIGHT, number)) is not None:  # none over the right edge
            self._roots[number] = root

    def ask(self, level: int, index: int) -> bytes | None:
        """As ``read``; None if it cannot be derived."""
        return _ask(self.read, level, index)

    def read(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree. Raises AuditError if files are missing for it."""
        if (index + 1) << level <= self._begin:
            return self._stored.read(level, index)
        if level < HEIGHT:
            return self._low(level, index)
        if level == HEIGHT:
            if index not in self._roots:
                missing(entries_path(index))
            return self._roots[index]
        node = self._inner.get((level, index))
        if node is None:
            node = node_hash(self.read(level - 1, 2 * index), self.read(level - 1, 2 * index + 1))
            self._inner[level, index] = node
        return node

    def _low(self, level: int, index: int) -> bytes:
        number = index << level >> HEIGHT
        if self._last[0] != number:
            hashes = self._again(number)
            if hashes is None:
                missing(entries_path(number, min(WIDTH, self._size - number * WIDTH)))
            self._last = (number, hashes)
        first = (index << level) - number * WIDTH
        return subtree_of(self._last[1][first : first + (1 << level)])


class Locator:
    """Goes down from signed roots, and remembers where the leaves were found to be the original ones."""

    def __init__(self, derived: Derived, stored: Tiles, found: Collector) -> None:
        self._derived = derived
        self._stored = stored
        self._found = found
        self._trusted: list[tuple[int, int]] = []
        self._named: set[tuple[int, int]] = set()
        self._left = MAX_HASHES

    def trust(self, begin: int, end: int) -> None:
        """These leaves are as they were signed."""
        self._trusted.append((begin, end))

    def search(self, size: int, root: bytes) -> bool:
        """Name what is not as it was signed; False if neither leaves nor tiles, nor both mixed, have the root."""
        peaks = list(_peaks(size))
        for candidates in (self._candidates, self._mixed):
            choices = [candidates(level, index) for level, index in peaks]
            for chosen in islice(product(*choices), MAX_TRIES):
                if _folded(chosen) == root:
                    for (level, index), expected in zip(peaks, chosen, strict=True):
                        self._descend(level, index, expected)
                    return True
        return False

    def name(self, differences: Iterable[Difference]) -> None:
        """Name the tiles that differ from leaves found to be the original ones."""
        for each in differences:
            begin, end = each.index << each.level, (each.index + 1) << each.level
            if any(first <= begin and end <= last for first, last in self._trusted):
                self._tile(each.level, each.index, each.path)

    def _descend(self, level: int, index: int, expected: bytes) -> None:
        if level % HEIGHT == 0 and _ask(self._stored.read, level, index) not in {None, expected}:
            self._tile(level, index, None)
        if self._derived.ask(level, index) == expected:
            self.trust(index << level, (index + 1) << level)
            return
        if level == 0:
            self._found.add(
                "leaf_changed",
                place=f"leaf {index}",
                problem=f"its bytes in {entries_path(index // WIDTH, self._width(0, index // WIDTH))} have not the signed hash",
                advice=_RESTORE,
            )
            return
        left, right = (level - 1, 2 * index), (level - 1, 2 * index + 1)
        ones, others = self._candidates(*left), self._candidates(*right)
        if not ones or not others:
            return  # files are missing here, and were named
        for pair in chain(product(ones, others), self._mixed_pairs(left, right)):
            if node_hash(*pair) == expected:
                self._descend(*left, pair[0])
                self._descend(*right, pair[1])
                return
        first, last = index << level, ((index + 1) << level) - 1
        self._found.add(
            "root_mismatch",
            place=f"between leaf {first} and leaf {last}",
            problem="neither the leaves nor the tiles have the signed hash: both were changed",
            advice=_RESTORE,
        )

    def _candidates(self, level: int, index: int) -> list[bytes]:
        asked = (self._derived.ask(level, index), _ask(self._stored.read, level, index))
        return [*dict.fromkeys(each for each in asked if each is not None)]

    def _mixed(self, level: int, index: int) -> list[bytes]:
        """The candidates, and what can be mixed from those of the children where leaves and tiles disagree."""
        asked = self._candidates(level, index)
        if len(asked) < 2 or level == 0 or self._left <= 0:  # noqa: PLR2004 - they agree
            return asked
        pairs = islice(self._mixed_pairs((level - 1, 2 * index), (level - 1, 2 * index + 1)), MAX_MIXED)
        mixed = [node_hash(one, other) for one, other in pairs]
        self._left -= len(mixed)
        return [*dict.fromkeys((*asked, *mixed))][:MAX_MIXED]

    def _mixed_pairs(self, left: tuple[int, int], right: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
        yield from product(self._mixed(*left), self._mixed(*right))

    def _tile(self, level: int, index: int, path: str | None) -> None:
        if (level, index) in self._named:
            return
        self._named.add((level, index))
        row, number = level // HEIGHT, index // WIDTH
        first, last = index << level, ((index + 1) << level) - 1
        over = f"leaf {first}" if first == last else f"leaves {first} to {last}"
        self._found.add(
            "tile_changed",
            place=f"{path or tile_path(row, number, self._width(row, number))}, hash {index % WIDTH}",
            problem=f"the hash over {over} is not the signed one; the leaves are as signed"
            if path
            else f"the hash over {over} is not the signed one",
            advice=_RESTORE,
        )

    def _width(self, row: int, number: int) -> int:
        return min(WIDTH, (self._stored.size >> HEIGHT * row) - number * WIDTH)


def _ask(read: Callable[[int, int], bytes], level: int, index: int) -> bytes | None:
    try:
        return read(level, index)
    except AuditError:
        return None


def _peaks(size: int) -> Iterator[tuple[int, int]]:
    """Level and index of the complete subtrees of a log of this size, the largest first."""
    begin = 0
    while begin < size:
        level = (size - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level


def _folded(peaks: tuple[bytes, ...]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root
