"""The body of ``POST /add-checkpoint`` (C2SP tlog-witness). Refuses every other way to write it; believes nothing in it.

old <size of the last checkpoint the witness signed>
<base64 of a hash of the consistency proof>         at most 63 of these
                                                    an empty line
<the signed checkpoint>
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.audit import note as notes
from consent.audit.merkle import HASH_SIZE, MAX_SIZE
from consent.audit.note import Signature
from schemas.errors import AuditError, IntakeError

MAX_PROOF: Final = 63
#: Bytes: the proof's lines, and the largest note.
MAX_BODY: Final = notes.MAX_NOTE + (MAX_PROOF + 2) * 64

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """What somebody asks the witness to sign."""

    old: int
    proof: tuple[bytes, ...]
    note: str
    text: str
    signatures: tuple[Signature, ...]

    @property
    def origin(self) -> str:
        """Whose checkpoint it claims to be."""
        return self.text.partition("\n")[0]


def parse(body: bytes) -> AddCheckpoint:
    """Raises IntakeError 400."""
    if len(body) > MAX_BODY:
        raise IntakeError("body_too_large", f"a request has at most {MAX_BODY} bytes", status=413)
    head, blank, note = body.partition(b"\n\n")
    if not blank:
        _bad("no empty line separates the proof from the checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
        text, signatures = notes.parse(note)
    except UnicodeDecodeError:
        _bad("the lines before the checkpoint are not ASCII")
    except AuditError as error:
        raise IntakeError("bad_request", error.message, field="checkpoint") from None
    old = _OLD.fullmatch(lines[0])
    if old is None or int(old[1]) > MAX_SIZE:
        _bad("the first line is 'old ' and a decimal number without leading zeros")
    if len(lines) - 1 > MAX_PROOF:
        _bad(f"a consistency proof has at most {MAX_PROOF} hashes")
    return AddCheckpoint(
        old=int(old[1]), proof=tuple(map(_hash, lines[1:])), note=note.decode(), text=text, signatures=signatures
    )


def _hash(line: str) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != HASH_SIZE or base64.b64encode(raw).decode() != line:
        _bad("a line of the proof is not base64 of 32 bytes")
    return raw


def _bad(message: str) -> NoReturn:
    raise IntakeError("bad_request", message, status=400) from None
