"""Reads the hashes a proof needs from the ledger, and no others. Refuses to answer where the ledger has a gap.

A proof over a log of a million leaves needs some twenty hashes of complete subtrees. Subtrees of 256**level leaves are kept
(``audit_node``, written by the integrator); every other one is hashed from at most 256 of those below it. ``Hashes`` is the
``Read`` of ``consent.audit.merkle``: ask it with ``gather`` what will be read, and it fetches that in one statement a level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from consent.audit.merkle import HASH_SIZE, Read, consistency_proof, root_of, subtree_root
from leadgate.storage import log
from leadgate.storage.engine import Transaction
from schemas.errors import AuditError

#: Hashes in a full tile, and the height of the tree over them (C2SP tlog-tiles).
TILE: Final = 256
HEIGHT: Final = 8
_NOTHING: Final = bytes(HASH_SIZE)
#: Subtrees made from one reading.
_PAGE: Final = 64


class Hashes:
    """The tree as the ledger keeps it, within one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._known: dict[int, dict[int, bytes]] = {}
        self._subtrees: dict[tuple[int, int], bytes] = {}

    def gather(self, *works: Callable[[Read], object]) -> None:
        """Run each work once with a stand-in, to learn what it will read, and fetch all of it."""
        wanted: dict[int, set[tuple[int, int]]] = {}

        def note(level: int, index: int) -> bytes:
            wanted.setdefault(level // HEIGHT, set()).add(_span(level, index))
            return _NOTHING

        for work in works:
            work(note)
        for level, spans in wanted.items():
            missing = sorted(span for span in spans if not self._has(level, span))
            if missing:
                self._known.setdefault(level, {}).update(log.hashes(self._tx, level, missing))

    def read(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree over leaves ``index * 2**level`` up to ``(index + 1) * 2**level``."""
        if level % HEIGHT == 0:
            return self.span(level // HEIGHT, index, index + 1)[0]
        found = self._subtrees.get((level, index))
        if found is None:
            found = self._subtrees[level, index] = root_of(self.span(level // HEIGHT, *_span(level, index)))
        return found

    def root(self, size: int) -> bytes:
        """Root of the first ``size`` leaves."""
        self.gather(lambda read: subtree_root(read, 0, size))
        return subtree_root(self.read, 0, size)

    def consistency(self, sizes: Iterable[int], size: int) -> dict[int, list[bytes]]:
        """For each of ``sizes`` (none zero, none beyond ``size``): the proof that the log of ``size`` leaves begins with it."""
        wanted = sorted(set(sizes))
        self.gather(*(partial(consistency_proof, size1=each, size2=size) for each in wanted))
        return {each: consistency_proof(self.read, size1=each, size2=size) for each in wanted}

    def span(self, level: int, begin: int, end: int) -> list[bytes]:
        """The kept hashes ``begin`` up to ``end`` of a tile level. Raises AuditError if one is missing."""
        known = self._known.setdefault(level, {})
        if not self._has(level, (begin, end)):
            known.update(log.hashes(self._tx, level, [(begin, end)]))
        try:
            return [known[index] for index in range(begin, end)]
        except KeyError:
            raise _gap() from None

    def _has(self, level: int, span: tuple[int, int]) -> bool:
        known = self._known.get(level, {})
        return all(index in known for index in range(*span))


def _span(level: int, index: int) -> tuple[int, int]:
    """Which kept hashes of tile level ``level // 8`` lie under a subtree."""
    below = level % HEIGHT
    return index << below, (index + 1) << below


def nodes_to_add(tx: Transaction, size: int, fresh: Mapping[int, bytes]) -> list[tuple[int, int, bytes]]:
    """(level, index, hash) of the subtrees that a log of ``size`` leaves has and that are not kept yet.

    ``fresh`` are the leaf hashes of this batch, by index; what else lies below is read. A ledger of an older version kept no
    subtrees: then all of them are made here, once.
    """
    counts = log.node_counts(tx)
    made: list[tuple[int, int, bytes]] = []
    below = fresh
    level = 1
    while (complete := size >> (HEIGHT * level)) > 0:
        above: dict[int, bytes] = {}
        for begin in range(counts.get(level, 0), complete, _PAGE):
            end = min(begin + _PAGE, complete)
            children = _children(tx, level - 1, begin * TILE, end * TILE, below)
            above.update((index, root_of(children[(index - begin) * TILE :][:TILE])) for index in range(begin, end))
        made += [(level, index, digest) for index, digest in above.items()]
        below = above
        level += 1
    return made


def _children(tx: Transaction, level: int, begin: int, end: int, fresh: Mapping[int, bytes]) -> list[bytes]:
    stored = {} if begin in fresh else log.hashes(tx, level, [(begin, min(end, min(fresh, default=end)))])
    try:
        return [fresh[index] if index in fresh else stored[index] for index in range(begin, end)]
    except KeyError:
        raise _gap() from None


def _gap() -> AuditError:
    return AuditError(
        "hash_missing", "the ledger lost hashes of its log; compare it with the published tiles", field="audit_leaf"
    )
