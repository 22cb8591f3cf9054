"""The tree against a slow reference written from RFC 6962's recursion, for every size up to 600, and against public facts."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.merkle import (
    EMPTY_ROOT,
    CompactRange,
    KnownRoot,
    Levels,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from schemas.errors import AuditError

SIZES = 600
LEAVES = [number.to_bytes(4, "big") for number in range(SIZES)]
HASHES = leaf_hashes(LEAVES)
LEVELS = Levels(HASHES)
_ROOTS: dict[tuple[int, int], bytes] = {}


def slow_root(begin: int, end: int) -> bytes:
    """MTH, RFC 6962 section 2.1, as it stands there."""
    if begin == end:
        return sha256().digest()
    if end - begin == 1:
        return sha256(b"\x00" + LEAVES[begin]).digest()
    if (begin, end) not in _ROOTS:
        split = begin + slow_split(end - begin)
        _ROOTS[begin, end] = sha256(b"\x01" + slow_root(begin, split) + slow_root(split, end)).digest()
    return _ROOTS[begin, end]


def slow_split(width: int) -> int:
    power = 1
    while power * 2 < width:
        power *= 2
    return power


def slow_path(index: int, begin: int, end: int) -> list[bytes]:
    """PATH, section 2.1.1."""
    if end - begin == 1:
        return []
    split = slow_split(end - begin)
    if index < split:
        return [*slow_path(index, begin, begin + split), slow_root(begin + split, end)]
    return [*slow_path(index - split, begin + split, end), slow_root(begin, begin + split)]


def slow_subproof(old: int, begin: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF, section 2.1.2."""
    if old == end - begin:
        return [] if whole else [slow_root(begin, end)]
    split = slow_split(end - begin)
    if old <= split:
        return [*slow_subproof(old, begin, begin + split, whole=whole), slow_root(begin + split, end)]
    return [*slow_subproof(old - split, begin + split, end, whole=False), slow_root(begin, begin + split)]


def test_every_size_has_the_reference_root_three_ways() -> None:
    grown = CompactRange()
    for size in range(SIZES + 1):
        assert grown.size == size
        assert grown.root() == slow_root(0, size) == LEVELS.root(size)
        assert CompactRange.from_bytes(grown.to_bytes()).root() == grown.root()
        if size < SIZES:
            grown.append(HASHES[size])
    assert root_of(HASHES) == slow_root(0, SIZES)


def test_every_inclusion_proof_of_every_size_up_to_130_and_some_of_each_beyond() -> None:
    choose = random.Random(6962)
    for size in range(1, SIZES + 1):
        indexes = range(size) if size <= 130 else {0, size - 1, *(choose.randrange(size) for _ in range(4))}
        for index in indexes:
            proof = inclusion_proof(LEVELS.read, index=index, size=size)
            assert proof == slow_path(index, 0, size)
            assert verify_inclusion(leaf=HASHES[index], index=index, size=size, proof=proof, root=slow_root(0, size))


def test_every_consistency_proof_of_every_size_up_to_130_and_some_of_each_beyond() -> None:
    choose = random.Random(9162)
    for size2 in range(1, SIZES + 1):
        sizes = range(1, size2 + 1) if size2 <= 130 else {1, size2 - 1, size2, *(choose.randint(1, size2) for _ in range(4))}
        for size1 in sizes:
            proof = consistency_proof(LEVELS.read, size1=size1, size2=size2)
            assert proof == slow_subproof(size1, 0, size2, whole=True)
            roots = {"root1": slow_root(0, size1), "root2": slow_root(0, size2)}
            assert verify_consistency(size1=size1, size2=size2, proof=proof, **roots)


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@settings(max_examples=200)
@given(st.data())
def test_an_inclusion_proof_with_anything_changed_fails(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZES))
    index = data.draw(st.integers(0, size - 1))
    bit = data.draw(st.integers(0, 255))
    leaf, root = HASHES[index], LEVELS.root(size)
    proof = inclusion_proof(LEVELS.read, index=index, size=size)

    def holds(**change: object) -> bool:
        given = {"leaf": leaf, "index": index, "size": size, "proof": proof, "root": root} | change
        return verify_inclusion(**given)  # type: ignore[arg-type]

    assert holds()
    assert not holds(leaf=flipped(leaf, bit))
    assert not holds(root=flipped(root, bit))
    for at in range(len(proof)):
        assert not holds(proof=[*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]])
        assert not holds(proof=[*proof[:at], *proof[at + 1 :]])
        assert not holds(proof=[*proof[:at], proof[at][:-1], *proof[at + 1 :]])
    assert not holds(proof=[*proof, leaf])
    assert not holds(proof=[leaf, *proof])
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index) if size > 1 else st.just(size))
    assert not holds(index=other)
    assert not holds(index=-1)
    assert not holds(index=size)
    assert not holds(size=0)


def walked(*, leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2, step by step as it stands there."""
    if index >= size:
        return False
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            node = node_hash(node, sibling)
        fn >>= 1
        sn >>= 1
    return sn == 0 and node == root


def test_the_short_way_answers_as_the_clauses_do() -> None:
    """All small sizes and indexes, the proofs of all neighbours of them: whatever fits one of them by chance is found."""
    proofs = {
        (index, size): inclusion_proof(LEVELS.read, index=index, size=size) for size in range(1, 20) for index in range(size)
    }
    for size in range(1, 20):
        for index in range(size + 2):
            for other in proofs.values():
                said = {"leaf": HASHES[min(index, size - 1)], "index": index, "size": size, "proof": other}
                expected = walked(**said, root=slow_root(0, size))  # type: ignore[arg-type]
                assert verify_inclusion(**said, root=slow_root(0, size)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [*range(1, 601, 37), 255, 256, 257, 511, 512, 513, 600])
def test_every_bit_of_a_sample_of_proofs_counts(size: int) -> None:
    choose = random.Random(size)
    root, many = slow_root(0, size), KnownRoot(size=size, root=slow_root(0, size))
    for index in {0, size - 1, choose.randrange(size)}:
        proof = inclusion_proof(LEVELS.read, index=index, size=size)
        for _ in range(2):  # the second time from what was proven before
            assert many.holds(leaf=HASHES[index], index=index, proof=proof)
        for at, sibling in enumerate(proof):
            for bit in range(256):
                wrong = [*proof[:at], flipped(sibling, bit), *proof[at + 1 :]]
                assert not verify_inclusion(leaf=HASHES[index], index=index, size=size, proof=wrong, root=root)
                assert not many.holds(leaf=HASHES[index], index=index, proof=wrong)
        for size1 in {1, size, choose.randint(1, size)}:
            steps = consistency_proof(LEVELS.read, size1=size1, size2=size)
            for at, step in enumerate(steps):
                for bit in choose.sample(range(256), 32):
                    wrong = [*steps[:at], flipped(step, bit), *steps[at + 1 :]]
                    roots = {"root1": slow_root(0, size1), "root2": root}
                    assert not verify_consistency(size1=size1, size2=size, proof=wrong, **roots)


@settings(max_examples=150)
@given(st.data())
def test_many_under_one_root_are_judged_as_one_by_one(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZES))
    root = LEVELS.root(size)
    many = KnownRoot(size=size, root=root)
    for _ in range(6):
        index = data.draw(st.integers(0, size - 1))
        proof = inclusion_proof(LEVELS.read, index=index, size=size)
        leaf, stated = HASHES[index], index
        match data.draw(st.sampled_from(["nothing", "leaf", "index", "shorter", "longer", "hash", "cut"])):
            case "leaf":
                leaf = HASHES[data.draw(st.integers(0, SIZES - 1))]
            case "index":
                stated = data.draw(st.integers(-1, size))
            case "shorter":
                proof = proof[: data.draw(st.integers(0, max(len(proof) - 1, 0)))]
            case "longer":
                proof = [*proof, leaf]
            case "hash" if proof:
                proof[data.draw(st.integers(0, len(proof) - 1))] = HASHES[data.draw(st.integers(0, SIZES - 1))]
            case "cut" if proof:
                at = data.draw(st.integers(0, len(proof) - 1))
                proof[at] = proof[at][:-1]
            case _:
                pass
        expected = verify_inclusion(leaf=leaf, index=stated, size=size, proof=proof, root=root)
        assert many.holds(leaf=leaf, index=stated, proof=proof) == expected


@settings(max_examples=200)
@given(st.data())
def test_a_consistency_proof_with_anything_changed_fails(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, SIZES))
    size1 = data.draw(st.integers(1, size2))
    bit = data.draw(st.integers(0, 255))
    root1, root2 = LEVELS.root(size1), LEVELS.root(size2)
    proof = consistency_proof(LEVELS.read, size1=size1, size2=size2)

    def holds(**change: object) -> bool:
        given = {"size1": size1, "root1": root1, "size2": size2, "root2": root2, "proof": proof} | change
        return verify_consistency(**given)  # type: ignore[arg-type]

    assert holds()
    assert not holds(root1=flipped(root1, bit))
    assert not holds(root2=flipped(root2, bit))
    for at in range(len(proof)):
        assert not holds(proof=[*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]])
        assert not holds(proof=[*proof[:at], *proof[at + 1 :]])
    assert not holds(proof=[*proof, root1])
    assert not holds(proof=[root1, *proof])
    assert not holds(size1=0)
    assert not holds(size1=0, proof=[])
    assert not holds(size1=0, root1=EMPTY_ROOT, proof=[])
    assert not holds(size1=size2 + 1)
    assert not holds(root1=root1[:-1])


#: The leaves that the Certificate Transparency reference implementations test with, and the roots over the first n of them.
PUBLIC_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
PUBLIC_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_public_facts() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaf_hashes(PUBLIC_LEAVES)).hex() == PUBLIC_ROOT
    a, b, c, d, e, f, g, h = (sha256(b"\x00" + leaf).digest() for leaf in PUBLIC_LEAVES)

    def join(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    by_hand = [
        sha256().digest(),
        a,
        join(a, b),
        join(join(a, b), c),
        join(join(a, b), join(c, d)),
        join(join(join(a, b), join(c, d)), e),
        join(join(join(a, b), join(c, d)), join(e, f)),
        join(join(join(a, b), join(c, d)), join(join(e, f), g)),
        join(join(join(a, b), join(c, d)), join(join(e, f), join(g, h))),
    ]
    assert [root_of(leaf_hashes(PUBLIC_LEAVES[:size])) for size in range(9)] == by_hand
    assert node_hash(a, b) == by_hand[2]


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70), st.integers(0, 70))
def test_a_range_that_was_stored_between_two_batches_grows_the_same(hashes: list[bytes], cut: int) -> None:
    first = CompactRange()
    first.extend(hashes[:cut])
    twin = first.copy()
    second = CompactRange.from_bytes(first.to_bytes())
    second.extend(hashes[cut:])
    assert second.root() == root_of(hashes)
    assert twin.to_bytes() == first.to_bytes()


@pytest.mark.parametrize("state", [b"", b"\x00" * 7, b"\x00" * 7 + b"\x01", b"\x00" * 8 + b"x", b"\xff" * (8 + 64 * 32)])
def test_a_stored_range_that_does_not_fit_its_size_is_refused(state: bytes) -> None:
    with pytest.raises(AuditError):
        CompactRange.from_bytes(state)


def test_a_proof_that_cannot_exist_is_refused() -> None:
    for index, size in ((0, 0), (-1, 5), (5, 5)):
        with pytest.raises(AuditError):
            inclusion_proof(LEVELS.read, index=index, size=size)
    for size1, size2 in ((0, 5), (6, 5), (0, 0)):
        with pytest.raises(AuditError):
            consistency_proof(LEVELS.read, size1=size1, size2=size2)
