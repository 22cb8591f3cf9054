"""C2SP tlog-proof: one leaf's place in the log, as a file that stands alone. Refuses, and says at which line.

    c2sp.org/tlog-proof@v1
    extra <base64>                  only if there is any; nobody vouches for it
    index <decimal>
    <base64 of a hash>              from the leaf's sibling up to the child of the root; none in a log of one leaf
    <blank line>
    <the signed checkpoint as it stands, with its cosignatures>

It is checked offline with the leaf itself, the log's public key and, if witnesses are asked for, a policy: 1. hash the leaf,
2. the log's signature, 3. the witnesses' and their quorum, 4. the path from the leaf to the signed root.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import HASH_SIZE, MAX_SIZE, Read, inclusion_proof, leaf_hash, verify_inclusion
from consent.audit.note import MAX_NOTE, VerifierKey
from consent.audit.policy import Judged, Policy
from consent.audit.vkey import b64, unb64
from schemas.audit import Checkpoint
from schemas.errors import AuditError

#: How such a file is called.
SUFFIX: Final = ".tlog-proof"
MEDIA_TYPE: Final = "text/plain; charset=utf-8"

_FIRST: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
#: Levels of the deepest tree that a checkpoint can state.
_MAX_HASHES: Final = 63
_MAX_PROOF: Final = 2 * MAX_NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof, read but not verified. ``extra`` is whatever its maker put there."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes = b""

    def text(self) -> str:
        """The file."""
        extra = [f"extra {b64(self.extra)}"] if self.extra else []
        lines = [_FIRST, *extra, f"index {self.index}", *(b64(each) for each in self.hashes)]
        return "\n".join(lines) + f"\n\n{self.note}"

    def encode(self) -> bytes:
        """The file's bytes."""
        return self.text().encode()


def make(read: Read, *, index: int, note: str, extra: bytes = b"") -> Proof:
    """The proof that leaf ``index`` stands under the signed checkpoint ``note``; ``read`` answers from tiles or memory."""
    size = checkpoints.parse(note).size
    return Proof(index=index, hashes=tuple(inclusion_proof(read, index=index, size=size)), note=note, extra=extra)


def parse(raw: str | bytes) -> Proof:
    """Read a file. Raises AuditError ``bad_proof`` naming the line, or ``bad_checkpoint`` or ``bad_note``."""
    text = _text(raw)
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != _FIRST:
        _bad(1, f"a proof begins with '{_FIRST}'")
    if not blank:
        _bad(len(lines), "no blank line is followed by a checkpoint: the end of the file is missing")
    extra, at = b"", 1
    if len(lines) > 1 and lines[1].startswith("extra "):
        found = unb64(lines[1].removeprefix("extra "))
        if not found:
            _bad(2, "extra data are base64, and the line is left out if there are none")
        extra, at = found, 2
    matched = _INDEX.fullmatch(lines[at]) if len(lines) > at else None
    if matched is None or int(matched[1]) >= MAX_SIZE:
        _bad(at + 1, "'index' and a decimal number without leading zeros are expected")
    hashes = tuple(_hash(number, line) for number, line in enumerate(lines[at + 1 :], at + 2))
    if len(hashes) > _MAX_HASHES:
        _bad(at + 2 + _MAX_HASHES, "no tree is that deep")
    checkpoints.parse(note)
    return Proof(index=int(matched[1]), hashes=hashes, note=note, extra=extra)


def verify(
    proof: Proof | str | bytes,
    leaf: bytes,
    *,
    keys: Sequence[VerifierKey] = (),
    policy: Policy | None = None,
    now: int | None = None,
    max_age: int | None = None,
) -> Judged:
    """Whether this leaf stands where the proof says, in a log that ``keys`` or the policy know, seen by the policy's quorum.

    Raises AuditError: ``bad_proof`` (malformed, or for another leaf, index or tree), ``unknown_key``, ``bad_signature``,
    ``wrong_origin``, ``missing_quorum``.
    """
    read = proof if isinstance(proof, Proof) else parse(proof)
    judged = judged_by(read.note, keys=keys, policy=policy, now=now, max_age=max_age)
    signed: Checkpoint = judged.checkpoint
    if read.index >= signed.size:
        raise AuditError("bad_proof", f"there is no leaf {read.index} in a log of {signed.size} leaves", field="index")
    if not verify_inclusion(leaf=leaf_hash(leaf), index=read.index, size=signed.size, proof=read.hashes, root=signed.root):
        raise AuditError(
            "bad_proof",
            f"the {len(read.hashes)} hashes do not lead from this leaf at index {read.index} to the root that was signed for"
            f" {signed.size} leaves: the leaf, its index or a hash is another",
            field="hashes",
        )
    return judged


def judged_by(
    note: str | bytes,
    *,
    keys: Sequence[VerifierKey] = (),
    policy: Policy | None = None,
    now: int | None = None,
    max_age: int | None = None,
) -> Judged:
    """A checkpoint as a policy judges it, as one that asks for no witness if there is none. Raises as ``Policy.require``."""
    if policy is None:
        return Judged(checkpoint=checkpoints.verify(note, keys), seen={})
    return policy.require(note, keys=keys, now=now, max_age=max_age)


def _text(raw: str | bytes) -> str:
    if len(raw) > _MAX_PROOF:
        raise AuditError("bad_proof", "the file is larger than any proof", field="proof")
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise AuditError("bad_proof", "the file is not UTF-8", field="proof") from None


def _hash(number: int, line: str) -> bytes:
    raw = unb64(line)
    if raw is None or len(raw) != HASH_SIZE:
        _bad(number, "base64 of a hash of 32 bytes is expected")
    return raw


def _bad(number: int, why: str) -> NoReturn:
    raise AuditError("bad_proof", f"line {number}: {why}", field="proof") from None
