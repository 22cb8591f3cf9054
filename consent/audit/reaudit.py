"""Re-derives a whole log from its entry bundles and holds every tile against it. Refuses to believe a hash that it can compute.

1. Each leaf is hashed; a bundle that is missing, cut or of another length is named, and its tile's hashes stand in for it.
2. The hashes must be those of the level-0 tile, the roots of full tiles those of the tile above, and so on up.
3. The root must be the signed one, and the roots that an auditor kept must be those of their sizes.
4. If something differs, ``locate`` finds out from the signed root down which of the two, leaf or tile, is not the original.

Of a pruned log everything from its minimum index on is re-derived; what lies before it is taken from the tiles that remain,
which the signed root vouches for. Memory: some hundred bytes for each 256 leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from consent.audit.findings import Collector
from consent.audit.history import Statement
from consent.audit.locate import Derived, Difference, Locator
from consent.audit.merkle import HASH_SIZE, subtree_root
from consent.audit.tile_reader import Tiles, bundle_of, tile_of
from consent.audit.tiles import HEIGHT, WIDTH, Fetch, hashes_of, shapes, unbundled
from schemas.audit import Checkpoint
from schemas.errors import AuditError

RESTORE: Final = (
    "Take this file from another copy of the log, or write the folder anew from the ledger, and find out who changed it"
)
_REWRITTEN: Final = "Keep this copy as evidence and ask for the log that the checkpoint was signed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """``leaves`` were hashed from ``first`` on; ``sealed`` says that they gave the signed root."""

    first: int
    leaves: int
    sealed: bool


def audit_tiles(
    fetch: Fetch,
    checkpoint: Checkpoint,
    *,
    found: Collector,
    kept: Sequence[Statement] = (),
    minimum: int = 0,
    each: Callable[[int, bytes], object] | None = None,
) -> Audited:
    """Re-audit the log of a *verified* checkpoint; everything that is wrong becomes a finding.

    ``kept`` are roots that somebody else signed or kept, of the same or smaller sizes; ``each`` is told every leaf.
    """
    audit = _Audit(fetch, size=checkpoint.size, minimum=minimum, found=found)
    audit.leaves(each)
    audit.tiles()
    sealed = audit.compare(checkpoint, kept)
    return Audited(first=audit.begin, leaves=audit.count, sealed=sealed)


class _Audit:
    """One pass over one folder."""

    def __init__(self, fetch: Fetch, *, size: int, minimum: int, found: Collector) -> None:
        self._fetch = fetch
        self._size = size
        self._found = found
        self._stored = Tiles(fetch, size=size)
        self.begin = min(minimum, size) & -WIDTH
        self._minimum = minimum
        self._derived = Derived(self._stored, begin=self.begin, size=size, hashes=self._entry_hashes)
        self._differences: list[Difference] = []
        self.count = 0

    # -- leaves -------------------------------------------------------------------------------------------------------

    def leaves(self, each: Callable[[int, bytes], object] | None) -> None:
        """Hash every leaf and hold it against its tile."""
        for number in range(self.begin >> HEIGHT, -(-self._size // WIDTH)):
            width = min(WIDTH, self._size - number * WIDTH)
            path, tile = tile_of(self._fetch, self._size, 0, number)
            tile = self._whole(path, tile, width)
            place, bundle = bundle_of(self._fetch, self._size, number)
            if bundle is not None and each is not None:
                self._tell(each, number, bundle, width)
            hashes = self._read(number, place, bundle, tile, width)
            if hashes is None:
                self._derived.stand_in(number)
                continue
            if tile is not None and b"".join(hashes) != tile:
                self._differences += (
                    Difference(level=0, index=number * WIDTH + at, path=path)
                    for at, (left, right) in enumerate(zip(hashes, hashes_of(tile), strict=True))
                    if left != right
                )
            self._derived.add(number, hashes)

    def _read(self, number: int, path: str, bundle: bytes | None, tile: bytes | None, width: int) -> list[bytes] | None:
        """The hashes of a bundle's leaves; if it cannot be used that is said, and its tile's hashes are answered."""
        first = number * WIDTH
        hashes = hashed(bundle) if bundle is not None else []
        if hashes is not None and len(hashes) > width and not path.endswith(f".p/{width}") and width < WIDTH:
            hashes = hashes[:width]  # the full bundle of a folder that has grown since
        if hashes is not None and len(hashes) == width:
            self.count += width
            return hashes
        if bundle is None:
            self._add("leaf_missing", _leaves(first, first + width - 1), f"the file {path} is missing")
        elif hashes is None:
            self._add("bundle_damaged", path, "an entry is longer than what is left of the file: it was cut or changed")
        else:
            self._miscounted(path, first, hashes, hashes_of(tile or b""), width)
        return hashes_of(tile) if tile is not None else None

    def _miscounted(self, path: str, first: int, hashes: list[bytes], known: list[bytes], width: int) -> None:
        said = f"the file {path} holds {len(hashes)} leaves and not {width}"
        at = next((at for at, (left, right) in enumerate(zip(hashes, known, strict=False)) if left != right), None)
        if at is None:
            at = min(len(hashes), width)
        if known and len(hashes) < width and hashes[at:] == known[at + width - len(hashes) :]:
            self._add("leaf_missing", _leaves(first + at, first + at + width - len(hashes) - 1), said)
        else:
            self._add("bundle_damaged", path, f"{said}; they part at leaf {first + at}")

    def _tell(self, each: Callable[[int, bytes], object], number: int, bundle: bytes, width: int) -> None:
        try:
            leaves = unbundled(bundle)[:width]
        except AuditError:
            return  # named by whoever hashes it
        for index, leaf in enumerate(leaves, number * WIDTH):
            each(index, leaf)

    def _entry_hashes(self, number: int) -> list[bytes] | None:
        """The hashes of a bundle again, when a place within it is searched for."""
        bundle = bundle_of(self._fetch, self._size, number)[1]
        width = min(WIDTH, self._size - number * WIDTH)
        hashes = hashed(bundle) if bundle is not None else None
        if hashes is not None and len(hashes) >= width:
            return hashes[:width]
        found = tile_of(self._fetch, self._size, 0, number)[1]
        return hashes_of(found) if found is not None and len(found) == width * HASH_SIZE else None

    # -- tiles --------------------------------------------------------------------------------------------------------

    def tiles(self) -> None:
        """Hold every tile above the leaves against what lies under it."""
        for level, number, width in shapes(self._size):
            if level == 0 or number < self._minimum >> HEIGHT * (level + 1):
                continue
            path, tile = tile_of(self._fetch, self._size, level, number)
            for at, claimed in enumerate(hashes_of(self._whole(path, tile, width) or b"")):
                index = number * WIDTH + at
                if self._derived.ask(HEIGHT * level, index) != claimed:
                    self._differences.append(Difference(level=HEIGHT * level, index=index, path=path))

    def _whole(self, path: str, tile: bytes | None, width: int) -> bytes | None:
        """A tile that is there and of the right length."""
        if tile is None:
            self._add("tile_missing", path, "the file is missing")
        elif len(tile) != width * HASH_SIZE:
            self._add("tile_damaged", path, f"it is {len(tile)} bytes long and not {width * HASH_SIZE}")
        else:
            return tile
        return None

    # -- roots --------------------------------------------------------------------------------------------------------

    def compare(self, checkpoint: Checkpoint, kept: Sequence[Statement]) -> bool:
        """Hold the roots against what was signed; name what is not the original."""
        locator = Locator(self._derived, self._stored, self._found)
        sealed = self._root(self._size) == checkpoint.root
        if sealed:
            locator.trust(self.begin, self._size)
        elif not locator.search(self._size, checkpoint.root):
            fits = [each.size for each in kept if self._root(each.size) == each.root]
            self._found.add(
                "root_mismatch",
                place=f"between leaf {max(fits, default=0)} and leaf {self._size - 1}",
                problem="neither leaves nor tiles have the signed root: leaves were changed, removed, added or moved",
                advice=_REWRITTEN,
            )
        locator.name(self._differences)
        for each in kept:
            self._kept(each)
        return sealed

    def _kept(self, statement: Statement) -> None:
        root = self._root(statement.size)
        if root is None:
            self._found.add(
                "pruned_past",
                place=statement.place,
                problem="the log was pruned beyond it, or its tiles are missing: that it was continued cannot be shown",
                advice="Ask the owner for a consistency proof from this checkpoint, made from the pruned tiles",
            )
        elif root != statement.root:
            self._found.add(
                "log_rewritten" if statement.kept else "checkpoint_inconsistent",
                place=statement.place,
                problem=f"the log here does not begin with the log of {statement.size} leaves that was signed then",
                advice="Two histories were signed with one key: keep both checkpoints as evidence and ask the key's owner",
            )

    def _root(self, size: int) -> bytes | None:
        try:
            return subtree_root(self._derived.read, 0, size)
        except AuditError:
            return None

    def _add(self, code: str, place: str, problem: str) -> None:
        self._found.add(code, place=place, problem=problem, advice=RESTORE)


def hashed(bundle: bytes) -> list[bytes] | None:
    """The leaf hashes of a bundle; None if it ends within an entry."""
    hashes: list[bytes] = []
    push, digest = hashes.append, sha256
    at, end = 0, len(bundle)
    while at < end - 1:
        begin = at + 2
        at = begin + (bundle[at] << 8 | bundle[at + 1])
        push(digest(b"\x00" + bundle[begin:at]).digest())
    return hashes if at == end else None


def _leaves(first: int, last: int) -> str:
    return f"leaf {first}" if first == last else f"leaves {first} to {last}"
