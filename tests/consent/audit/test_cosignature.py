"""Cosignatures and ML-DSA-44: the signed bytes are those of the specification, and old Ed25519 checkpoints go on verifying."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import checkpoint, note
from consent.audit.cosignature import Kind
from consent.audit.merkle import EMPTY_ROOT
from consent.audit.note import Signature, SignerKey, VerifierKey
from schemas.errors import AuditError

ORIGIN = "audit.example.org/leadgate"
ROOT = sha256(b"root").digest()
TEXT = f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n"
TIME = 1_790_000_000
LOG = SignerKey(name=ORIGIN, seed=bytes(range(32)))
LOG_PQ = SignerKey(name=ORIGIN, seed=b"\x05" * 32, kind=Kind.ML_DSA_44)
WITNESS = SignerKey(name="witness.example.org", seed=b"\x07" * 32, kind=Kind.ED25519_COSIGNATURE)
WITNESS_PQ = SignerKey(name="witness.example.org/pq", seed=b"\x08" * 32, kind=Kind.ML_DSA_44)
SIGNED = checkpoint.sign(size=7, root=ROOT, signers=[LOG, LOG_PQ], time=TIME)
OLD = checkpoint.sign(size=7, root=ROOT, signers=[LOG])


def code_of(action: object, *args: object, **named: object) -> str:
    assert callable(action)
    with pytest.raises(AuditError) as caught:
        action(*args, **named)
    return caught.value.code


def cosigned(signer: SignerKey, *, time: int = TIME, on: str = SIGNED.note) -> str:
    return checkpoint.joined(on, [checkpoint.cosign(on, signer, time=time)])


def test_an_ed25519_cosignature_is_over_the_bytes_of_the_specification() -> None:
    line = checkpoint.cosign(SIGNED.note, WITNESS, time=TIME)
    private = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    public = private.public_key().public_bytes_raw()
    assert line.key_id == sha256(b"witness.example.org\n\x04" + public).digest()[:4]
    assert line.value == TIME.to_bytes(8, "big") + private.sign(f"cosignature/v1\ntime {TIME}\n{TEXT}".encode())
    key = f"witness.example.org+{line.key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}"
    assert str(WITNESS.verifier) == key
    assert VerifierKey.parse(key) == WITNESS.verifier


def test_an_ml_dsa_44_signature_is_over_the_structure_of_the_specification() -> None:
    line = next(each for each in note.parse(SIGNED.note)[1] if each.key_id == LOG_PQ.verifier.key_id)
    public = MLDSA44PrivateKey.from_seed_bytes(b"\x05" * 32).public_key().public_bytes_raw()
    assert len(public) == 1312
    assert line.key_id == sha256(ORIGIN.encode() + b"\n\x06" + public).digest()[:4]
    assert len(line.value) == 8 + 2420
    name = bytes([len(ORIGIN)]) + ORIGIN.encode()
    signed = b"subtree/v1\n\x00" + name + TIME.to_bytes(8, "big") + name + bytes(8) + (7).to_bytes(8, "big") + ROOT
    assert line.value[:8] == TIME.to_bytes(8, "big")
    MLDSA44PublicKey.from_public_bytes(public).verify(line.value[8:], signed)


@pytest.mark.parametrize("signer", [LOG, LOG_PQ, WITNESS, WITNESS_PQ])
def test_keys_of_every_kind_read_back_and_the_private_one_does_not_print(signer: SignerKey) -> None:
    assert VerifierKey.parse(str(signer.verifier)) == signer.verifier
    again = SignerKey.parse(signer.line() + "\n")
    assert again.verifier == signer.verifier
    assert again.verifier.verifies(TEXT, signer.sign(TEXT, time=TIME).value)
    assert signer.line().rsplit("+", 1)[1] not in f"{signer!r} {signer}"


def test_a_key_of_another_type_or_length_is_refused() -> None:
    line = str(LOG_PQ.verifier)
    assert code_of(VerifierKey.parse, line.replace("+B", "+C", 1)) == "bad_key"
    short = VerifierKey.parse(str(WITNESS.verifier))
    for raw in (b"", b"\x06" + short.public, b"\x04" + LOG_PQ.verifier.public, b"\x02" + short.public):
        encoded = base64.b64encode(raw).decode()
        assert code_of(VerifierKey.parse, f"{short.name}+{short.key_id.hex()}+{encoded}") == "bad_key"
        assert code_of(SignerKey.parse, f"PRIVATE+KEY+{short.name}+{short.key_id.hex()}+{encoded}") == "bad_key"


def test_a_log_signs_with_both_and_either_key_is_enough() -> None:
    for keys in ([LOG.verifier], [LOG_PQ.verifier], [LOG.verifier, LOG_PQ.verifier]):
        assert checkpoint.verify(SIGNED.note, keys) == SIGNED


def test_an_old_checkpoint_signed_with_ed25519_alone_goes_on_verifying() -> None:
    assert checkpoint.verify(OLD.note, [LOG.verifier, LOG_PQ.verifier]) == OLD
    assert code_of(checkpoint.verify, OLD.note, [LOG_PQ.verifier]) == "unknown_key"


def test_when_both_keys_are_known_both_signatures_must_be_right() -> None:
    lines = note.parse(SIGNED.note)[1]
    wrong = Signature(name=lines[1].name, key_id=lines[1].key_id, value=lines[1].value[:-1] + bytes([lines[1].value[-1] ^ 1]))
    half = note.assemble(TEXT, [lines[0], wrong])
    assert checkpoint.verify(half, [LOG.verifier]).size == 7
    assert code_of(checkpoint.verify, half, [LOG.verifier, LOG_PQ.verifier]) == "bad_signature"


def test_a_witness_cannot_speak_for_the_log() -> None:
    named_like_the_log = SignerKey(name=ORIGIN, seed=b"\x09" * 32, kind=Kind.ED25519_COSIGNATURE)
    alone = note.sign(TEXT, [named_like_the_log], time=TIME)
    assert code_of(checkpoint.verify, alone, [LOG.verifier, named_like_the_log.verifier]) == "unknown_key"
    assert code_of(checkpoint.sign, size=7, root=ROOT, signers=[WITNESS], time=TIME) == "bad_checkpoint"
    assert code_of(checkpoint.verify, cosigned(WITNESS), [WITNESS.verifier]) == "unknown_key"


@pytest.mark.parametrize("witness", [WITNESS, WITNESS_PQ])
def test_who_saw_a_checkpoint_and_when(witness: SignerKey) -> None:
    both = [WITNESS.verifier, WITNESS_PQ.verifier]
    assert checkpoint.cosigned(SIGNED.note, both) == ()
    on = cosigned(witness)
    assert checkpoint.verify(on, [LOG.verifier]).root == ROOT
    assert [(each.key, each.time) for each in checkpoint.cosigned(on, both)] == [(witness.verifier, TIME)]
    later = cosigned(witness, time=TIME + 60, on=on)
    assert len(note.parse(later)[1]) == len(note.parse(on)[1])
    assert [each.time for each in checkpoint.cosigned(later, both)] == [TIME + 60]
    assert checkpoint.cosigned(later, []) == ()


def test_a_cosignature_of_another_time_root_or_name_is_refused() -> None:
    for signer in (WITNESS, WITNESS_PQ):
        line = checkpoint.cosign(SIGNED.note, signer, time=TIME)
        other_time = Signature(name=line.name, key_id=line.key_id, value=(TIME + 1).to_bytes(8, "big") + line.value[8:])
        other = checkpoint.sign(size=8, root=ROOT, signers=[LOG])
        for on, signature in ((SIGNED.note, other_time), (other.note, line)):
            held = checkpoint.joined(on, [signature])
            assert code_of(checkpoint.cosigned, held, [signer.verifier]) == "bad_signature"
            assert code_of(checkpoint.verify, held, [LOG.verifier, signer.verifier]) == "bad_signature"
    renamed = VerifierKey(name="else.example.org", public=WITNESS_PQ.verifier.public, kind=Kind.ML_DSA_44)
    borrowed = Signature(name=renamed.name, key_id=renamed.key_id, value=WITNESS_PQ.sign(TEXT, time=TIME).value)
    assert code_of(checkpoint.cosigned, checkpoint.joined(SIGNED.note, [borrowed]), [renamed]) == "bad_signature"


def test_what_is_no_checkpoint_or_states_no_time_is_not_cosigned() -> None:
    assert code_of(checkpoint.cosign, SIGNED.note, LOG, time=TIME) == "bad_checkpoint"
    assert code_of(checkpoint.cosign, SIGNED.note, WITNESS, time=0) == "bad_key"
    assert code_of(checkpoint.cosign, SIGNED.note, WITNESS, time=-1) == "bad_cosignature"
    assert code_of(checkpoint.cosign, SIGNED.note, WITNESS, time=2**63) == "bad_cosignature"
    letter = note.sign("a letter\n", [LOG])
    assert code_of(checkpoint.cosign, letter, WITNESS, time=TIME) == "bad_checkpoint"
    assert code_of(checkpoint.cosigned, letter, [WITNESS.verifier]) == "bad_checkpoint"
    far = SignerKey(name="w" * 256, seed=bytes(32), kind=Kind.ML_DSA_44)
    assert code_of(far.sign, TEXT, time=TIME) == "bad_cosignature"


@pytest.mark.parametrize("value", [b"", b"\x00" * 8, b"\xff" * 72, b"\x00" * 7, b"\x00" * 80])
def test_a_signature_that_is_cut_is_wrong_and_nothing_worse(value: bytes) -> None:
    for key in (WITNESS.verifier, WITNESS_PQ.verifier, LOG.verifier):
        assert not key.verifies(TEXT, value)


def test_an_empty_log_can_be_cosigned() -> None:
    empty = checkpoint.sign(size=0, root=EMPTY_ROOT, signers=[LOG, LOG_PQ])
    held = cosigned(WITNESS, on=empty.note)
    assert checkpoint.verify(held, [LOG.verifier, WITNESS.verifier]).size == 0
    log_line = next(each for each in note.parse(empty.note)[1] if each.key_id == LOG_PQ.verifier.key_id)
    assert log_line.value[:8] == bytes(8)


HELD = cosigned(WITNESS, on=cosigned(WITNESS_PQ)).encode()


@given(st.integers(0, len(HELD) * 8 - 1))
def test_no_single_bit_of_a_cosigned_checkpoint_can_be_changed(bit: int) -> None:
    raw = bytearray(HELD)
    raw[bit // 8] ^= 1 << bit % 8
    keys = [LOG.verifier, LOG_PQ.verifier]
    witnesses = [WITNESS.verifier, WITNESS_PQ.verifier]
    try:
        checkpoint.verify(bytes(raw), [*keys, *witnesses])
        seen = checkpoint.cosigned(bytes(raw), witnesses)
        signed = note.verify_signatures(*note.parse(bytes(raw)), keys)
    except AuditError:
        return
    # A bit of a name or key id makes its line an unknown one, which is ignored: but then it is missing.
    assert len(seen) + len(signed) < 4
