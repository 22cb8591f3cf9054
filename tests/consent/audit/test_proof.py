"""tlog-proof files: self-contained, checked offline, and every changed byte is refused with its place."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import checkpoint, proof
from consent.audit.cosignature import Kind
from consent.audit.merkle import Levels, leaf_hashes
from consent.audit.note import SignerKey
from consent.audit.policy import Policy
from schemas.errors import AuditError

ORIGIN = "audit.example.org/leadgate"
NOW = 1_790_000_000
LOG = SignerKey(name=ORIGIN, seed=b"\x01" * 32)
WITNESS = SignerKey(name="witness.example.org", seed=b"\x02" * 32, kind=Kind.ED25519_COSIGNATURE)
POLICY = Policy.parse(f"log {LOG.verifier}\nwitness officer {WITNESS.verifier}\nquorum officer\n")
LEAVES = [f"leaf {number}".encode() for number in range(300)]
LEVELS = Levels(leaf_hashes(LEAVES))


def signed(size: int, *, seen: bool = True) -> str:
    note = checkpoint.sign(size=size, root=LEVELS.root(size), signers=[LOG]).note
    return checkpoint.joined(note, [checkpoint.cosign(note, WITNESS, time=NOW)]) if seen else note


NOTE = signed(300)
PROOF = proof.make(LEVELS.read, index=7, note=NOTE, extra=b"which form this leaf answers to")


def code_of(held: object, leaf: bytes = LEAVES[7], **named: object) -> tuple[str, str]:
    with pytest.raises(AuditError) as caught:
        proof.verify(held, leaf, **({"policy": POLICY} | named))  # type: ignore[arg-type]
    return caught.value.code, caught.value.message


def test_the_file_is_that_of_the_specification() -> None:
    lines = PROOF.text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + base64.b64encode(b"which form this leaf answers to").decode()
    assert lines[2] == "index 7"
    sibling = sha256(b"\x00" + LEAVES[6]).digest()
    assert lines[3] == base64.b64encode(sibling).decode()
    assert len(lines[3:12]) == 9
    assert lines[12] == ""
    assert PROOF.text().endswith("\n\n" + NOTE)
    assert proof.parse(PROOF.encode()) == PROOF


def test_every_leaf_of_some_sizes_is_proven() -> None:
    for size in (1, 2, 3, 255, 256, 257, 300):
        note = signed(size)
        for index in {0, 1, size // 2, size - 1} & set(range(size)):
            held = proof.make(LEVELS.read, index=index, note=note).encode()
            judged = proof.verify(held, LEAVES[index], policy=POLICY)
            assert (judged.checkpoint.size, dict(judged.seen)) == (size, {"officer": NOW})
            assert proof.verify(held, LEAVES[index], keys=[LOG.verifier]).checkpoint.size == size


def test_what_does_not_hold_is_told_apart() -> None:
    alone = proof.make(LEVELS.read, index=7, note=signed(300, seen=False)).encode()
    assert code_of(alone)[0] == "missing_quorum"
    assert proof.verify(alone, LEAVES[7], keys=[LOG.verifier]).ok
    assert code_of(PROOF, LEAVES[8])[0] == "bad_proof"
    stranger = SignerKey(name=ORIGIN, seed=b"\x03" * 32)
    assert code_of(PROOF, policy=None, keys=[stranger.verifier])[0] == "unknown_key"
    assert code_of(PROOF, now=NOW + 100, max_age=99)[0] == "missing_quorum"
    for change in ({"index": 8}, {"index": 300}, {"hashes": PROOF.hashes[1:]}, {"hashes": PROOF.hashes * 2}):
        other = proof.Proof(**({"index": 7, "hashes": PROOF.hashes, "note": NOTE} | change))  # type: ignore[arg-type]
        assert code_of(other)[0] == "bad_proof"
    old = proof.Proof(index=7, hashes=PROOF.hashes, note=signed(299))
    assert code_of(old)[0] == "bad_proof"


TEXT = PROOF.text()
HASH = TEXT.split("\n")[3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        (TEXT.replace("@v1", "@v2"), 1),
        (TEXT.replace("\n", "\r\n"), 1),
        (" " + TEXT, 1),
        (TEXT.replace("extra ", "extra"), 2),
        (TEXT.replace("extra ", "extra !"), 2),
        ("c2sp.org/tlog-proof@v1\nextra \nindex 7\n\n" + NOTE, 2),
        (TEXT.replace("index 7", "index 07"), 3),
        (TEXT.replace("index 7", "index -7"), 3),
        (TEXT.replace("index 7", "index 7 "), 3),
        (TEXT.replace("index 7", "index"), 3),
        (TEXT.replace("index 7", "index 9223372036854775807"), 3),
        (TEXT.replace("index 7\n", ""), 3),
        (TEXT.replace(HASH, HASH[:-4]), 4),
        (TEXT.replace(HASH, HASH[:-1]), 4),
        (TEXT.replace(HASH, HASH + " "), 4),
        (TEXT.replace(HASH, HASH + "\n" + HASH[:-3]), 5),
        (TEXT.replace("index 7\n", "index 7\n" + f"{HASH}\n" * 64), 67),
        (TEXT.split("\n\n", maxsplit=1)[0], 12),
        ("c2sp.org/tlog-proof@v1\n\n" + NOTE, 2),
    ],
)
def test_a_malformed_file_is_refused_at_its_line(text: str, line: int) -> None:
    with pytest.raises(AuditError) as caught:
        proof.parse(text)
    assert caught.value.code == "bad_proof"
    assert caught.value.message.startswith(f"line {line}: ")


@pytest.mark.parametrize("tail", ["", "\n", "\n\n", "\n\n" + NOTE[:-1], "\n\n\n" + NOTE, "\n\nnothing signed\n"])
def test_a_checkpoint_that_is_cut_is_refused(tail: str) -> None:
    with pytest.raises(AuditError):
        proof.parse(TEXT.split("\n\n", maxsplit=1)[0] + tail)


def test_what_is_too_large_or_no_text_is_refused() -> None:
    for raw in (b"\xff" + PROOF.encode(), b"c2sp.org/tlog-proof@v1\n" * 50_000):
        with pytest.raises(AuditError) as caught:
            proof.parse(raw)
        assert caught.value.code == "bad_proof"


PLAIN = proof.make(LEVELS.read, index=7, note=signed(300, seen=False)).encode()


@given(st.integers(0, len(PLAIN) * 8 - 1))
def test_no_single_bit_of_a_proof_can_be_changed(bit: int) -> None:
    raw = bytearray(PLAIN)
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AuditError):
        proof.verify(bytes(raw), LEAVES[7], keys=[LOG.verifier])


def test_no_prefix_of_a_proof_is_one() -> None:
    for length in range(len(PLAIN)):
        with pytest.raises(AuditError):
            proof.verify(PLAIN[:length], LEAVES[7], keys=[LOG.verifier])
