"""Reads a log from its tiles: roots, inclusion and consistency proofs, leaves. Refuses nothing but what is missing or cut.

Nothing read here is authenticated: a proof made from a changed tile is wrong and fails where proofs are verified, and ``root``
is to be compared with a signed checkpoint. Any static folder, or any function from a path to bytes, can stand behind it. A tile
is unfolded once (its 255 inner hashes) and kept; the upper tiles, which every proof needs, thus cost nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from consent.audit import merkle
from consent.audit.merkle import HASH_SIZE, subtree_root
from consent.audit.tiles import HEIGHT, WIDTH, Fetch, damaged, entries_path, hashes_of, missing, tile_path, unbundled
from schemas.errors import AuditError

#: Unfolded tiles that are kept: 37 KB each.
KEPT: Final = 512


class Tiles:
    """A log of ``size`` leaves behind ``fetch``; sizes and indexes beyond it are refused."""

    __slots__ = ("_bundle", "_fetch", "_kept", "size")

    def __init__(self, fetch: Fetch, *, size: int) -> None:
        self._fetch = fetch
        self.size = size
        self._kept: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()
        self._bundle: tuple[int, list[bytes]] = (-1, [])

    def read(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree over leaves ``index * 2**level`` on: what ``merkle`` makes proofs from."""
        if (index + 1) << level > self.size:
            raise AuditError("proof_out_of_range", "there is no such subtree in a log of this size", field="index")
        row, height = divmod(level, HEIGHT)
        first = index << height
        return self._unfolded(row, first >> HEIGHT)[height][(first & WIDTH - 1) >> height]

    def root(self, size: int | None = None) -> bytes:
        """Root of the first ``size`` leaves."""
        return subtree_root(self.read, 0, self._within(self.size if size is None else size))

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The path of a leaf in the log of ``size`` leaves."""
        return merkle.inclusion_proof(self.read, index=index, size=self._within(self.size if size is None else size))

    def consistency_proof(self, size1: int, size2: int | None = None) -> list[bytes]:
        """That the log of ``size2`` begins with the log of ``size1``."""
        size = self._within(self.size if size2 is None else size2)
        return merkle.consistency_proof(self.read, size1=size1, size2=size)

    def leaf_hash(self, index: int) -> bytes:
        """The hash of one leaf."""
        return self.read(0, index)

    def leaf(self, index: int) -> bytes:
        """One leaf's bytes."""
        if not 0 <= index < self.size:
            raise AuditError("proof_out_of_range", "there is no such leaf in a log of this size", field="index")
        return self._leaves(index >> HEIGHT)[index & WIDTH - 1]

    def leaves(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of leaves ``begin`` up to ``end``."""
        for index in range(begin, self._within(self.size if end is None else end)):
            yield index, self._leaves(index >> HEIGHT)[index & WIDTH - 1]

    def _leaves(self, number: int) -> list[bytes]:
        if self._bundle[0] != number:
            path, found = bundle_of(self._fetch, self.size, number)
            if found is None:
                missing(path)
            width = min(WIDTH, self.size - number * WIDTH)
            self._bundle = (number, _at_least(unbundled(found), width, path))
        return self._bundle[1]

    def _unfolded(self, row: int, number: int) -> list[list[bytes]]:
        """A tile's hashes, then the rows above them within the tile, as far as they are complete."""
        kept = self._kept
        rows = kept.get((row, number))
        if rows is None:
            rows = kept[row, number] = _unfold(self._tile(row, number))
            if len(kept) > KEPT:
                kept.popitem(last=False)
        else:
            kept.move_to_end((row, number))
        return rows

    def _tile(self, row: int, number: int) -> list[bytes]:
        path, found = tile_of(self._fetch, self.size, row, number)
        if found is None:
            missing(path)
        hashes = hashes_of(found)
        if len(hashes) != min(WIDTH, (self.size >> HEIGHT * row) - number * WIDTH) or len(hashes[-1]) != HASH_SIZE:
            damaged(path)
        return hashes

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise AuditError("proof_out_of_range", "the log has not that many leaves", field="size")
        return size


def tile_of(fetch: Fetch, size: int, row: int, number: int) -> tuple[str, bytes | None]:
    """Path and bytes of one tile of a log of ``size``; of a folder that has grown since, the beginning of the full tile."""
    width = min(WIDTH, (size >> HEIGHT * row) - number * WIDTH)
    path = tile_path(row, number, width)
    found = fetch(path)
    if found is None and width < WIDTH and (full := fetch(tile_path(row, number))) is not None:
        return tile_path(row, number), full[: width * HASH_SIZE]
    return path, found


def bundle_of(fetch: Fetch, size: int, number: int) -> tuple[str, bytes | None]:
    """Path and bytes of one entry bundle; of a folder that has grown since, the full bundle, which begins with this one."""
    width = min(WIDTH, size - number * WIDTH)
    path = entries_path(number, width)
    found = fetch(path)
    if found is None and width < WIDTH and (full := fetch(entries_path(number))) is not None:
        return entries_path(number), full
    return path, found


def _unfold(hashes: list[bytes]) -> list[list[bytes]]:
    rows, digest = [hashes], sha256
    while len(rows[-1]) > 1:
        below = rows[-1]
        rows.append([digest(b"\x01" + left + right).digest() for left, right in zip(below[::2], below[1::2], strict=False)])
    return rows


def _at_least(leaves: list[bytes], width: int, path: str) -> list[bytes]:
    if len(leaves) < width:
        raise AuditError("bundle_cut", f"the file {path} holds {len(leaves)} leaves and not {width}", field=path)
    return leaves
