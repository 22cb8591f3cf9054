"""C2SP tlog-checkpoint: the signed statement over a log. Refuses one that no key of the log itself signed.

The text (``head``) says origin, size and root. The signer's name is the origin (the specification's SHOULD), so that one
verifier key says both whose log it is and who may speak for it; ``verify`` holds a checkpoint to that. A log signs with
Ed25519, ML-DSA-44 or both: strangers' tools know the first, the second is meant to outlast quantum computers. No extension
lines are written, because monitors cannot audit them.

Witnesses add their lines to the same note (``cosign``, ``joined``); who of them saw it, and when, is what ``cosigned`` answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.audit import cosignature, head
from consent.audit import note as notes
from consent.audit.cosignature import LOG_KINDS, TIMED
from consent.audit.note import Signature, SignerKey, VerifierKey
from schemas.audit import Checkpoint
from schemas.errors import AuditError

__all__ = ["Cosigned", "build", "cosign", "cosigned", "joined", "parse", "sign", "verify"]

build: Final = head.write


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness saw this checkpoint at this moment; ``time`` is in POSIX seconds, zero if it does not say when."""

    key: VerifierKey
    time: int


def sign(*, size: int, root: bytes, signers: Sequence[SignerKey], time: int = 0) -> Checkpoint:
    """A signed checkpoint. The origin is the first signer's name; the others sign the same text.

    ``time`` (POSIX seconds) goes into ML-DSA-44 signatures; zero makes no statement about when.
    """
    if not signers:
        _bad("nobody signs")
    if any(signer.verifier.kind not in LOG_KINDS for signer in signers):
        _bad("a log does not sign with the key of a witness")
    origin = signers[0].verifier.name
    note = notes.sign(build(origin=origin, size=size, root=root), signers, time=time)
    return Checkpoint(origin=origin, size=size, root=root, note=note)


def parse(note: str | bytes) -> Checkpoint:
    """What a checkpoint says, unverified. Raises AuditError for every other way to write it."""
    text, _ = notes.parse(note)
    return _read(text, note)


def verify(note: str | bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """What a checkpoint says, if a known key of the log itself signed it: one whose name is its origin. Raises AuditError.

    ``keys`` may hold witnesses' keys too: their signatures must then be right, but never stand for the log's.
    """
    text, signatures = notes.parse(note)
    checkpoint = _read(text, note)
    signed = notes.verify_signatures(text, signatures, keys)
    spoke = [key for key in signed if key.kind in LOG_KINDS]
    if all(key.name != checkpoint.origin for key in spoke):
        if not spoke:
            raise AuditError("unknown_key", "witnesses signed this checkpoint, no known key of the log did", field="signature")
        raise AuditError("wrong_origin", "the checkpoint is of another log than the key that signed it", field="origin")
    return checkpoint


def cosign(note: str | bytes, signer: SignerKey, *, time: int) -> Signature:
    """A witness's signature line for a checkpoint that it has verified and found to extend the last one it signed."""
    if signer.verifier.kind not in TIMED:
        _bad("a witness signs with an Ed25519 cosignature or ML-DSA-44 key: this one cannot say when it saw the checkpoint")
    text, _ = notes.parse(note)
    return signer.sign(text, time=time)


def joined(note: str | bytes, signatures: Iterable[Signature]) -> str:
    """The note with these lines added; a line takes the place of an older one of the same key."""
    text, before = notes.parse(note)
    by_key = {(each.name, each.key_id): each for each in before}
    by_key.update({(each.name, each.key_id): each for each in signatures})
    return notes.assemble(text, by_key.values())


def cosigned(note: str | bytes, witnesses: Sequence[VerifierKey]) -> tuple[Cosigned, ...]:
    """Which of these witnesses signed the checkpoint and when, in the order of the lines; the latest time of each.

    Raises AuditError ``bad_signature``, naming the witness, if one of their signatures is wrong.
    """
    text, signatures = notes.parse(note)
    head.read(text)
    known = {(key.name, key.key_id): key for key in witnesses if key.kind in TIMED}
    mine = [each for each in signatures if (each.name, each.key_id) in known]
    if mine:
        notes.verify_signatures(text, mine, list(known.values()))
    seen: dict[VerifierKey, int] = {}
    for each in mine:
        key = known[each.name, each.key_id]
        seen[key] = max(seen.get(key, 0), cosignature.unpack(each.value)[0])
    return tuple(Cosigned(key=key, time=time) for key, time in seen.items())


def _read(text: str, note: str | bytes) -> Checkpoint:
    stated = head.read(text)
    return Checkpoint(
        origin=stated.origin, size=stated.size, root=stated.root, note=note if isinstance(note, str) else note.decode()
    )


def _bad(message: str) -> NoReturn:
    raise AuditError("bad_checkpoint", message, field="checkpoint")
