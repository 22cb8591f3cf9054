"""C2SP tlog-tiles: the log as files that any static web server can hand out. Refuses to extend what does not fit its size.

    checkpoint                      the latest signed checkpoint
    tile/<L>/<N>                    256 hashes of 32 bytes: full subtrees of 256**L leaves, numbers N * 256 and on
    tile/<L>/<N>.p/<W>              the right edge: its first W hashes
    tile/entries/<N>[.p/<W>]        the leaves themselves, each after a uint16 of its length

N is written as x001/x234/067, so that no folder holds more than a thousand names. A file never changes once it is full; the
right edge gets a new file for each published size, and the old one may go when the full tile is there.

Pure: ``extend`` yields paths and bytes, whoever calls it writes them, and publishes ``checkpoint`` last, after ``Tiles.root``
over what it wrote gave the signed root. ``prunable`` names what may go when leaves before a minimum index are given up; all
proofs about the rest stay possible. Reading stands in ``tile_reader``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

from consent.audit.leaf import MAX_LEAF
from consent.audit.merkle import HASH_SIZE, MAX_SIZE, leaf_hashes
from schemas.errors import AuditError

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
TILE_SIZE: Final = WIDTH * HASH_SIZE

_LENGTH: Final = 2
_PATH: Final = re.compile(
    r"tile/(entries|0|[1-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)

#: The bytes of one file of the log, or None if it is not there.
Fetch = Callable[[str], bytes | None]


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Where the hashes stand: ``tile/<L>/<N>``, with ``.p/<W>`` if there are fewer than 256."""
    return f"tile/{level}/{_numbered(number, width)}"


def entries_path(number: int, width: int = WIDTH) -> str:
    """Where the leaves stand."""
    return f"tile/entries/{_numbered(number, width)}"


def is_path(path: str) -> bool:
    """Whether this is a path of tlog-tiles in its one spelling: what a server may hand out, beside ``checkpoint``."""
    matched = _PATH.fullmatch(path)
    return matched is not None and not re.match(r"x000/.", matched[2])


def folder(root: Path) -> Fetch:
    """Read from a folder; what cannot be opened is not there."""
    prefix = f"{root}/"

    def fetch(path: str) -> bytes | None:
        try:
            with FileIO(prefix + path) as file:  # a re-audit reads two files for 256 leaves: a Path would cost a tenth of it
                return file.readall()
        except OSError:
            return None

    return fetch


def paths(size: int, *, minimum: int = 0) -> Iterator[str]:
    """Every tile and bundle that a log of this size hands out; those that end at or before ``minimum`` may be gone."""
    for level, number, width in shapes(size):
        if number >= minimum >> HEIGHT * (level + 1):
            yield tile_path(level, number, width)
            if level == 0:
                yield entries_path(number, width)


def shapes(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of a log of this size, from the leaves up."""
    level = 0
    while hashes := size >> HEIGHT * level:
        for number in range(hashes >> HEIGHT):
            yield level, number, WIDTH
        if width := hashes & WIDTH - 1:
            yield level, hashes >> HEIGHT, width
        level += 1


def extend(fetch: Fetch, *, size: int, leaves: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """The files that ``leaves`` add to a log of ``size``: path and bytes, in the order in which they may be written.

    ``fetch`` reads the right edge as it was written for ``size``; memory is bounded by one bundle. Writing them again, after a
    process died, gives the same bytes. Raises AuditError ``tile_missing`` or ``tile_damaged`` if the edge does not fit: then
    write the log anew from size 0.
    """
    levels = _edge(fetch, size)
    bundle = bytearray(_must(fetch, entries_path(size >> HEIGHT, size & WIDTH - 1))) if size & WIDTH - 1 else bytearray()
    grown, source = size, iter(leaves)
    while batch := list(islice(source, WIDTH - (grown & WIDTH - 1))):
        bundle += bundled(batch)
        levels[0] += b"".join(leaf_hashes(batch))
        grown += len(batch)
        if grown & WIDTH - 1 == 0:
            yield entries_path((grown >> HEIGHT) - 1), bytes(bundle)
            bundle.clear()
            yield from _carried(levels, grown)
    if grown == size:
        return
    if bundle:
        yield entries_path(grown >> HEIGHT, grown & WIDTH - 1), bytes(bundle)
    for level, edge in enumerate(levels):
        hashes = grown >> HEIGHT * level
        if edge and hashes != size >> HEIGHT * level:
            yield tile_path(level, hashes >> HEIGHT, hashes & WIDTH - 1), bytes(edge)


def outgrown(before: int, size: int) -> Iterator[str]:
    """Folders of partial tiles (``tile/0/001.p``) that may go: their tiles became full between these two sizes."""
    level = 0
    while size >> HEIGHT * (level + 1):
        first, last = before >> HEIGHT * (level + 1), size >> HEIGHT * (level + 1)
        for number in range(first, last):
            yield f"{tile_path(level, number)}.p"
            if level == 0:
                yield f"{entries_path(number)}.p"
        level += 1


def prunable(before: int, minimum: int) -> Iterator[str]:
    """Full tiles and bundles that may go when the minimum index rises from ``before`` to ``minimum``."""
    level = 0
    while minimum >> HEIGHT * (level + 1):
        for number in range(before >> HEIGHT * (level + 1), minimum >> HEIGHT * (level + 1)):
            yield tile_path(level, number)
            if level == 0:
                yield entries_path(number)
        level += 1


def bundled(leaves: Iterable[bytes]) -> bytes:
    """Leaves as an entry bundle. Raises AuditError if one is larger than a uint16 can say."""
    parts: list[bytes] = []
    for leaf in leaves:
        if len(leaf) > MAX_LEAF:
            raise AuditError("leaf_too_large", f"a leaf is at most {MAX_LEAF} bytes (C2SP tlog-tiles)", field="leaf")
        parts += (len(leaf).to_bytes(_LENGTH, "big"), leaf)
    return b"".join(parts)


def unbundled(bundle: bytes) -> list[bytes]:
    """The leaves of a bundle; one that is cut ends with a leaf that is too short, or a stray byte: both raise AuditError."""
    leaves: list[bytes] = []
    at, end = 0, len(bundle)
    while at < end - 1:
        begin = at + _LENGTH
        at = begin + (bundle[at] << 8 | bundle[at + 1])
        leaves.append(bundle[begin:at])
    if at != end:
        raise AuditError("bundle_cut", f"the bundle ends within its entry {max(len(leaves) - 1, 0)}", field="entries")
    return leaves


def hashes_of(tile: bytes) -> list[bytes]:
    """The hashes of a tile, one by one."""
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]


def subtree_of(hashes: Sequence[bytes]) -> bytes:
    """Root of a full subtree: the number of hashes is a power of two."""
    level, digest = hashes, sha256
    while len(level) > 1:
        level = [digest(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def _edge(fetch: Fetch, size: int) -> list[bytearray]:
    """The hashes of the partial tile at each level of a log of this size; the lowest level stands first, and always."""
    if not 0 <= size <= MAX_SIZE:
        raise AuditError("proof_out_of_range", "a log has not this size", field="size")
    levels: list[bytearray] = [bytearray()]
    level, hashes = 0, size
    while hashes:
        if level == len(levels):
            levels.append(bytearray())
        if width := hashes & WIDTH - 1:
            path = tile_path(level, hashes >> HEIGHT, width)
            levels[level] += _must(fetch, path)
            if len(levels[level]) != width * HASH_SIZE:
                damaged(path)
        level, hashes = level + 1, hashes >> HEIGHT
    return levels


def _carried(levels: list[bytearray], grown: int) -> Iterator[tuple[str, bytes]]:
    """The tiles that are full now, and their roots one level up."""
    level = 0
    while level < len(levels) and len(levels[level]) == TILE_SIZE:
        full = bytes(levels[level])
        yield tile_path(level, (grown >> HEIGHT * (level + 1)) - 1), full
        levels[level].clear()
        if level + 1 == len(levels):
            levels.append(bytearray())
        levels[level + 1] += subtree_of(hashes_of(full))
        level += 1


def _must(fetch: Fetch, path: str) -> bytes:
    found = fetch(path)
    if found is None:
        missing(path)
    return found


def missing(path: str) -> NoReturn:
    raise AuditError("tile_missing", f"the file {path} is missing", field=path)


def damaged(path: str) -> NoReturn:
    raise AuditError("tile_damaged", f"the file {path} has not the length of its hashes", field=path)


def _numbered(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    named = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return named if width == WIDTH else f"{named}.p/{width}"
