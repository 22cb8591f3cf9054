"""What the text of a checkpoint says. Refuses sizes that are not plain decimals and roots that are no hash.

    <origin>
    <size, decimal, no leading zeros>
    <base64 of the RFC 6962 root>

Nothing here is verified: a tree head is what somebody wrote, signed or not (C2SP tlog-checkpoint).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.audit.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from schemas.errors import AuditError

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """So many leaves of this log have this root."""

    origin: str
    size: int
    root: bytes


def write(*, origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, to be signed."""
    if not origin or "\n" in origin:
        _bad("an origin is one line that is not empty")
    if not 0 <= size <= MAX_SIZE or len(root) != HASH_SIZE or (size == 0 and root != EMPTY_ROOT):
        _bad("size and root do not make a checkpoint")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n"


def read(text: str) -> TreeHead:
    """Raises AuditError for every other way to write it. Extension lines of other logs are accepted and ignored."""
    if not text.endswith("\n"):
        _bad("the text of a checkpoint ends in a newline")
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
    return TreeHead(origin=origin, size=int(size), root=root)


def _bad(message: str) -> NoReturn:
    raise AuditError("bad_checkpoint", message, field="checkpoint") from None
