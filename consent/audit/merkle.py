"""The RFC 6962 tree. Refuses a proof that is too short, too long, of another size, or does not end in the root.

The clauses are those of RFC 6962 section 2.1 (hashes, paths) and RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verification).
Proofs are read through ``Read``: the hash of the complete subtree at a level and index. ``Levels`` answers it from memory; a
store of C2SP tiles answers it from ``tile/<L>/<N>`` with the same numbers, so proofs need no second implementation.

A verifier refuses ``size1 = 0``: nothing is proven about a log of which nothing was known, and implementations that accept
it were the ones to fail the public vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from schemas.errors import AuditError

HASH_SIZE: Final = 32
#: MTH({}) = SHA-256().
EMPTY_ROOT: Final = sha256(b"").digest()
#: Sizes are written as int64 by most readers of checkpoints.
MAX_SIZE: Final = 2**63 - 1

#: Levels of a proof that ``KnownRoot`` hashes each time: the rest is shared by 256 leaves.
_LOW: Final = 8
_HIGH: Final = 12
_ONE_SIZE: Final = frozenset({HASH_SIZE})

Read = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """MTH({d(0)}) = SHA-256(0x00 || d(0))."""
    return sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """``leaf_hash`` of each, without a call for each."""
    digest = sha256
    return [digest(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Root over complete subtrees, the largest first: the right edge is hashed upwards."""
    if not nodes:
        return EMPTY_ROOT
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


class CompactRange:
    """The complete subtrees of a growing log, one for each bit of its size: enough to append and to know the root."""

    __slots__ = ("_nodes", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._nodes: list[bytes] = []  # the largest, leftmost subtree first

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf *hash*."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add many leaf *hashes*, in order."""
        size, nodes, digest = self._size, self._nodes, sha256
        pop, push = nodes.pop, nodes.append
        for leaf in leaves:
            node, rest = leaf, size
            while rest & 1:
                node = digest(b"\x01" + pop() + node).digest()
                rest >>= 1
            push(node)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """MTH of everything appended."""
        return _fold(self._nodes)

    def copy(self) -> CompactRange:
        """An independent range of the same state."""
        twin = CompactRange()
        twin._size, twin._nodes = self._size, list(self._nodes)
        return twin

    def to_bytes(self) -> bytes:
        """Size as eight bytes, big-endian, then the subtree hashes from left to right."""
        return self._size.to_bytes(8, "big") + b"".join(self._nodes)

    @classmethod
    def from_bytes(cls, state: bytes) -> CompactRange:
        """What ``to_bytes`` wrote. Raises AuditError if the length does not fit the size."""
        size, body = int.from_bytes(state[:8], "big"), state[8:]
        if len(state) < 8 or size > MAX_SIZE or len(body) != size.bit_count() * HASH_SIZE:  # noqa: PLR2004 - a uint64
            raise AuditError("range_damaged", "the stored state of the log does not fit its own size", field="compact_range")
        made = cls()
        made._size = size
        made._nodes = [body[at : at + HASH_SIZE] for at in range(0, len(body), HASH_SIZE)]
        return made


def root_of(hashes: Iterable[bytes]) -> bytes:
    """MTH over leaf hashes."""
    made = CompactRange()
    made.extend(hashes)
    return made.root()


class Levels:
    """Every complete subtree over the given leaf hashes, in memory: 64 bytes a leaf."""

    __slots__ = ("_levels",)

    def __init__(self, hashes: Iterable[bytes]) -> None:
        digest = sha256
        level = list(hashes)
        self._levels = [level]
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)  # an odd one at the end has no complete parent yet
            level = [digest(b"\x01" + left + right).digest() for left, right in pairs]
            self._levels.append(level)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    def read(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree over leaves ``index * 2**level`` up to ``(index + 1) * 2**level``."""
        return self._levels[level][index]

    def root(self, size: int | None = None) -> bytes:
        """Root of the first ``size`` leaves."""
        return subtree_root(self.read, 0, self.size if size is None else size)


def subtree_root(read: Read, begin: int, end: int) -> bytes:
    """MTH(D[begin:end]), split as RFC 6962 does: ``begin`` is a multiple of a power of two not below ``end - begin``."""
    nodes: list[bytes] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append(read(level, begin >> level))
        begin += 1 << level
    return _fold(nodes)


def inclusion_proof(read: Read, *, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]), RFC 6962 section 2.1.1: the siblings from the leaf up to the root."""
    if not 0 <= index < size:
        raise AuditError("proof_out_of_range", "there is no such leaf in a log of this size", field="index")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        split = begin + _split(end - begin)
        if index < split:
            path.append(subtree_root(read, split, end))
            end = split
        else:
            path.append(subtree_root(read, begin, split))
            begin = split
    path.reverse()
    return path


def consistency_proof(read: Read, *, size1: int, size2: int) -> list[bytes]:
    """PROOF(size1, D[size2]), RFC 6962 section 2.1.2; empty if the sizes are equal."""
    if not 0 < size1 <= size2:
        raise AuditError("proof_out_of_range", "a log is consistent only with a smaller one that is not empty", field="size1")
    path: list[bytes] = []
    begin, end, whole = 0, size2, True
    while end != size1:
        split = begin + _split(end - begin)
        if size1 <= split:
            path.append(subtree_root(read, split, end))
            end = split
        else:
            path.append(subtree_root(read, begin, split))
            begin, whole = split, False
    if not whole:
        path.append(subtree_root(read, begin, end))
    path.reverse()
    return path


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` leads from this leaf *hash* at ``index`` to ``root`` of a log of ``size`` (RFC 9162, 2.1.3.2).

    The clauses walk ``index`` and ``size - 1`` up in step. Below the level where they meet, a bit of the index says on which
    side the sibling stands; above it the leaf lies on the right edge, where only levels with a set bit have a sibling, on the
    left. Knowing both counts beforehand gives the one length a proof can have.
    """
    if not 0 <= index < size <= MAX_SIZE or not _hashes((leaf, root)) or not _hashes(proof):
        return False
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        return False
    return _climbed(leaf, index, proof, inner) == root


def _climbed(node: bytes, index: int, proof: Sequence[bytes], inner: int) -> bytes:
    digest = sha256
    for sibling in proof[:inner]:
        node = digest(b"\x01" + sibling + node if index & 1 else b"\x01" + node + sibling).digest()
        index >>= 1
    for sibling in proof[inner:]:
        node = digest(b"\x01" + sibling + node).digest()
    return node


class KnownRoot:
    """Verifies many leaves under one root. What was proven of a part of the tree is kept, so that it is not hashed again.

    A proof is refused as ``verify_inclusion`` refuses it: every hash of it is compared, those that were proven before too.
    """

    __slots__ = ("_proven", "_proven_higher", "root", "size")

    def __init__(self, *, size: int, root: bytes) -> None:
        self.size = size
        self.root = root
        # By place: the hash of a subtree of 2**_LOW leaves (2**_HIGH) and, behind it, every hash of the path above it.
        self._proven: dict[int, list[bytes]] = {}
        self._proven_higher: dict[int, list[bytes]] = {}

    def holds(self, *, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
        """Whether this leaf *hash* stands at ``index``."""
        if not 0 <= index < self.size or (index ^ (self.size - 1)).bit_length() < _HIGH or len(leaf) != HASH_SIZE:
            return verify_inclusion(leaf=leaf, index=index, size=self.size, proof=proof, root=self.root)
        node = _climbed(leaf, index, proof[:_LOW], _LOW)
        low = [node, *proof[_LOW:]]
        known = self._proven.get(index >> _LOW)
        if known is not None:
            return known == low
        high = [_climbed(node, index >> _LOW, proof[_LOW:_HIGH], _HIGH), *proof[_HIGH:]]
        known = self._proven_higher.get(index >> _HIGH)
        if known is None and verify_inclusion(leaf=leaf, index=index, size=self.size, proof=proof, root=self.root):
            known = self._proven_higher[index >> _HIGH] = high
        if known != high:
            return False
        self._proven[index >> _LOW] = low
        return True


def verify_consistency(*, size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the log of ``size2`` begins with the log of ``size1`` (RFC 9162, 2.1.4.2). ``size1 = 0`` is refused."""
    if not 0 < size1 <= size2 <= MAX_SIZE:
        return False
    if size1 == size2:
        return not proof and root1 == root2
    if not proof or not _hashes((root1, root2)) or not _hashes(proof):
        return False
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            second = node_hash(second, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and first == root1 and second == root2


def _split(width: int) -> int:
    """Largest power of two smaller than ``width``."""
    return 1 << ((width - 1).bit_length() - 1)


def _hashes(values: Iterable[bytes]) -> bool:
    return set(map(len, values)) <= _ONE_SIZE
