"""Signed notes and checkpoints: written as the C2SP specifications say, read strictly, and believed only with a known key."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import checkpoint, note
from consent.audit.merkle import EMPTY_ROOT
from consent.audit.note import Signature, SignerKey, VerifierKey
from schemas.errors import AuditError

ORIGIN = "audit.example.org/leadgate"
SIGNER = SignerKey(name=ORIGIN, seed=bytes(range(32)))
OTHER = SignerKey(name=ORIGIN, seed=bytes(32))
WITNESS = SignerKey(name="witness.example.org", seed=b"\x07" * 32)
ROOT = sha256(b"root").digest()
TEXT = f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n"
SIGNED = checkpoint.sign(size=7, root=ROOT, signers=[SIGNER])


def code_of(action: object, *args: object) -> str:
    assert callable(action)
    with pytest.raises(AuditError) as caught:
        action(*args)
    return caught.value.code


def b64(kind: int, key: bytes) -> str:
    return base64.b64encode(bytes([kind]) + key).decode()


def test_the_bytes_are_those_of_the_specification() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    key_id = sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    line = f"— {ORIGIN} {base64.b64encode(key_id + private.sign(TEXT.encode())).decode()}\n"
    assert SIGNED.note == TEXT + "\n" + line
    assert str(SIGNER.verifier) == f"{ORIGIN}+{key_id.hex()}+{b64(1, public)}"
    assert SIGNER.line() == f"PRIVATE+KEY+{ORIGIN}+{key_id.hex()}+{b64(1, bytes(range(32)))}"


def test_keys_read_back_and_the_private_one_does_not_print() -> None:
    assert VerifierKey.parse(str(SIGNER.verifier) + "\n") == SIGNER.verifier
    again = SignerKey.parse(SIGNER.line() + "\n")
    assert again.sign(TEXT) == SIGNER.sign(TEXT)
    secret = SIGNER.line().rsplit("+", 1)[1]
    assert secret not in f"{SIGNER!r} {SIGNER}"


@given(st.data())
def test_a_key_line_with_a_character_changed_or_missing_is_refused(data: st.DataObject) -> None:
    for line, parse in ((str(SIGNER.verifier), VerifierKey.parse), (SIGNER.line(), SignerKey.parse)):
        at = data.draw(st.integers(0, len(line) - 1))
        character = data.draw(st.characters(codec="ascii", categories=["L", "N", "P", "S"]).filter(lambda c: c != line[at]))  # noqa: B023 - drawn at once
        for mangled in (line[:at] + character + line[at + 1 :], line[:at] + line[at + 1 :], line[:at], line[at + 1 :]):
            if mangled != line:
                with pytest.raises(AuditError) as caught:
                    parse(mangled)
                assert line[-20:] not in str(caught.value)


def test_a_note_is_believed_only_with_a_known_key() -> None:
    assert note.verify(SIGNED.note, [SIGNER.verifier]) == TEXT
    assert code_of(note.verify, SIGNED.note, [OTHER.verifier]) == "unknown_key"
    assert code_of(note.verify, SIGNED.note, []) == "unknown_key"


def test_unknown_signatures_are_ignored_and_every_known_one_must_hold() -> None:
    witness = WITNESS.sign(TEXT)
    both = note.assemble(TEXT, [OTHER.sign(TEXT), witness, SIGNER.sign(TEXT)])
    assert note.verify(both, [SIGNER.verifier]) == TEXT
    wrong = Signature(name=witness.name, key_id=witness.key_id, value=SIGNER.sign(TEXT).value)
    half = note.assemble(TEXT, [SIGNER.sign(TEXT), wrong])
    assert note.verify(half, [SIGNER.verifier]) == TEXT
    assert code_of(note.verify, half, [SIGNER.verifier, WITNESS.verifier]) == "bad_signature"
    twice = note.assemble(TEXT, [witness, wrong])
    assert code_of(note.verify, twice, [WITNESS.verifier]) == "bad_signature"
    short = Signature(name=witness.name, key_id=witness.key_id, value=b"x")
    assert code_of(note.verify, note.assemble(TEXT, [short]), [WITNESS.verifier]) == "bad_signature"


def test_a_name_or_an_id_alone_does_not_make_a_key_known() -> None:
    mine = SIGNER.sign(TEXT)
    borrowed_name = Signature(name=mine.name, key_id=b"\x00" * 4, value=mine.value)
    borrowed_id = Signature(name="else.example.org", key_id=mine.key_id, value=mine.value)
    assert code_of(note.verify, note.assemble(TEXT, [borrowed_name, borrowed_id]), [SIGNER.verifier]) == "unknown_key"


def test_sixteen_signatures_and_more_are_read() -> None:
    signers = [SignerKey(name=f"w{number}.example.org", seed=bytes([number]) * 32) for number in range(1, 64)]
    many = note.sign(TEXT, [*signers, SIGNER])
    assert note.verify(many, [SIGNER.verifier, *(signer.verifier for signer in signers)]) == TEXT
    assert code_of(note.verify, note.sign(TEXT, [*signers, SIGNER, OTHER]), [SIGNER.verifier]) == "bad_note"


@given(st.integers(0, len(SIGNED.note.encode()) * 8 - 1))
def test_no_single_bit_of_a_checkpoint_can_be_changed(bit: int) -> None:
    raw = bytearray(SIGNED.note.encode())
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AuditError):
        checkpoint.verify(bytes(raw), [SIGNER.verifier])


def test_no_prefix_of_a_checkpoint_is_one() -> None:
    raw = SIGNED.note.encode()
    for length in range(len(raw)):
        with pytest.raises(AuditError):
            checkpoint.verify(raw[:length], [SIGNER.verifier])


SIGNATURE = SIGNED.note.split("\n\n")[1]


@pytest.mark.parametrize(
    "bad",
    [
        TEXT,
        TEXT + "\n",
        SIGNATURE,
        "\n" + SIGNATURE,
        TEXT + SIGNATURE,
        TEXT + "\n" + SIGNATURE + "\n",
        TEXT + "\n" + SIGNATURE.replace("— ", "- "),
        TEXT + "\n" + SIGNATURE.replace("— ", "—  "),
        TEXT + "\n" + SIGNATURE.replace(ORIGIN, ""),
        TEXT + "\n" + SIGNATURE.replace(ORIGIN, "a+b"),
        TEXT + "\n" + SIGNATURE.replace(ORIGIN, "a\u00a0b"),
        TEXT + "\n" + SIGNATURE.replace("\n", " \n"),
        TEXT + "\n" + SIGNATURE.replace("=", ""),
        TEXT + "\n— x AAAA\n",
        TEXT + "\n— x AAAAAA==\n",
        TEXT.replace("\n", "\r\n") + "\n" + SIGNATURE,
        TEXT.replace("7", "7\t") + "\n" + SIGNATURE,
        TEXT.replace("7", "7\0") + "\n" + SIGNATURE,
        b"\xff" + SIGNED.note.encode(),
        "\ud800" + SIGNED.note,
        "x" * 300_000 + SIGNED.note,
        "",
        "\n\n",
    ],
)
def test_what_is_not_written_like_a_note_is_refused(bad: str | bytes) -> None:
    assert code_of(note.parse, bad) in {"bad_note", "bad_key"}


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u3000b", "a\x7fb", "a\x00"])
def test_a_key_name_holds_no_space_plus_or_control(name: str) -> None:
    with pytest.raises(AuditError):
        SignerKey(name=name, seed=bytes(32))


def test_a_checkpoint_reads_back() -> None:
    for size, root in ((7, ROOT), (0, EMPTY_ROOT), (2**63 - 1, ROOT)):
        made = checkpoint.sign(size=size, root=root, signers=[SIGNER, WITNESS])
        assert checkpoint.parse(made.note) == made
        assert checkpoint.verify(made.note.encode(), [SIGNER.verifier, WITNESS.verifier]) == made
        assert (made.origin, made.size, made.root) == (ORIGIN, size, root)


def test_extension_lines_of_others_are_ignored() -> None:
    assert checkpoint.verify(note.sign(TEXT + "more\n", [SIGNER]), [SIGNER.verifier]).size == 7


def test_a_key_speaks_for_its_own_log_only() -> None:
    foreign = note.sign(TEXT.replace(ORIGIN, "else.example.org"), [SIGNER])
    assert code_of(checkpoint.verify, foreign, [SIGNER.verifier]) == "wrong_origin"
    assert code_of(checkpoint.verify, note.sign(TEXT, [WITNESS]), [SIGNER.verifier, WITNESS.verifier]) == "wrong_origin"


B64 = base64.b64encode(ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n7\n",
        f"{ORIGIN}\n\n7\n{B64}\n",
        f"\n7\n{B64}\n",
        f"{ORIGIN}\n07\n{B64}\n",
        f"{ORIGIN}\n-7\n{B64}\n",
        f"{ORIGIN}\n+7\n{B64}\n",
        f"{ORIGIN}\n 7\n{B64}\n",
        f"{ORIGIN}\n7.0\n{B64}\n",
        f"{ORIGIN}\n0x7\n{B64}\n",
        f"{ORIGIN}\n1_0\n{B64}\n",
        f"{ORIGIN}\n\u0667\n{B64}\n",
        f"{ORIGIN}\n{2**63}\n{B64}\n",
        f"{ORIGIN}\n{10**400}\n{B64}\n",
        f"{ORIGIN}\n0\n{B64}\n",
        f"{ORIGIN}\n7\n{B64[:-1]}\n",
        f"{ORIGIN}\n7\n{B64[:-4]}\n",
        f"{ORIGIN}\n7\n{B64} \n",
        f"{ORIGIN}\n7\n{B64[:-2]}{chr(ord(B64[-2]) + 1)}=\n",
        f"{ORIGIN}\n7\n{B64}\n\n{ORIGIN}\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    assert code_of(checkpoint.verify, note.sign(text, [SIGNER]), [SIGNER.verifier]) == "bad_checkpoint"


@pytest.mark.parametrize(
    "said", [{"origin": ""}, {"origin": "a\nb"}, {"size": -1}, {"size": 2**63}, {"root": b"x"}, {"size": 0}]
)
def test_nothing_is_signed_that_could_not_be_read(said: dict[str, object]) -> None:
    with pytest.raises(AuditError):
        checkpoint.build(**({"origin": ORIGIN, "size": 7, "root": ROOT} | said))  # type: ignore[arg-type]
