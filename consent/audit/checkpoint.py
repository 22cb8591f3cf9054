"""C2SP tlog-checkpoint: the signed statement over a log. Refuses sizes that are not plain decimals and roots that are no hash.

    <origin>
    <size, decimal, no leading zeros>
    <base64 of the RFC 6962 root>

The signer's name is the origin (the specification's SHOULD), so that one verifier key says both whose log it is and who may
speak for it; ``verify`` holds a checkpoint to that. No extension lines are written, because monitors cannot audit them;
other logs' extension lines are accepted and ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, NoReturn

from consent.audit import note as notes
from consent.audit.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from consent.audit.note import SignerKey, VerifierKey
from schemas.audit import Checkpoint
from schemas.errors import AuditError

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES: Final = 3


def build(*, origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, to be signed."""
    if not origin or "\n" in origin:
        _bad("an origin is one line that is not empty")
    if not 0 <= size <= MAX_SIZE or len(root) != HASH_SIZE or (size == 0 and root != EMPTY_ROOT):
        _bad("size and root do not make a checkpoint")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n"


def sign(*, size: int, root: bytes, signers: Sequence[SignerKey]) -> Checkpoint:
    """A signed checkpoint. The origin is the first signer's name; the others sign the same text."""
    if not signers:
        _bad("nobody signs")
    origin = signers[0].verifier.name
    note = notes.sign(build(origin=origin, size=size, root=root), signers)
    return Checkpoint(origin=origin, size=size, root=root, note=note)


def parse(note: str | bytes) -> Checkpoint:
    """What a checkpoint says, unverified. Raises AuditError for every other way to write it."""
    text, _ = notes.parse(note)
    return _read(text, note)


def verify(note: str | bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """What a checkpoint says, if a known key whose name is its origin signed it. Raises AuditError."""
    text, signatures = notes.parse(note)
    checkpoint = _read(text, note)
    signed = notes.verify_signatures(text, signatures, keys)
    if all(key.name != checkpoint.origin for key in signed):
        raise AuditError("wrong_origin", "the checkpoint is of another log than the key that signed it", field="origin")
    return checkpoint


def _read(text: str, note: str | bytes) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) < _LINES or not all(lines):
        _bad("a checkpoint is three or more lines, none empty: origin, size, root")
    origin, size, encoded = lines[:_LINES]
    if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
        _bad("the size is a decimal number without leading zeros")
    try:
        root = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        _bad("the root is not base64")
    if len(root) != HASH_SIZE or base64.b64encode(root).decode("ascii") != encoded:
        _bad("the root is base64 of 32 bytes")
    if size == "0" and root != EMPTY_ROOT:
        _bad("an empty log has only one root")
    return Checkpoint(origin=origin, size=int(size), root=root, note=note if isinstance(note, str) else note.decode())


def _bad(message: str) -> NoReturn:
    raise AuditError("bad_checkpoint", message, field="checkpoint") from None
