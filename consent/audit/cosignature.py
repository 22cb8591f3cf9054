r"""C2SP tlog-cosignature: the bytes that a cosigner signs. Refuses to cosign what is no checkpoint, and a time that is none.

    Ed25519 (type 0x04)                         ML-DSA-44 (type 0x06), RFC 8446 structures
        cosignature/v1                              "subtree/v1\n\0"            12 bytes
        time <POSIX seconds>                        cosigner name               1 byte of length, name
        <the whole text of the checkpoint>          time, log origin            u64; 1 byte of length, origin
                                                    start = 0, end = size       u64, u64
                                                    root                        32 bytes

A signature line of either type carries ``u64 time || signature``. The time says: of everything this cosigner has seen of the
log, this was the largest tree at that moment. An ML-DSA-44 signature may leave it out (zero): so a log signs its own
checkpoints. That type commits to the cosigner's name and to size and root, not to extension lines, which is one more reason
why ours have none. Ed25519 does not commit to the name: one key belongs to one cosigner.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NoReturn

from consent.audit.head import TreeHead, read
from schemas.errors import AuditError

#: POSIX seconds must fit an int64.
MAX_TIME: Final = 2**63 - 1

_TIME_SIZE: Final = 8
_LABEL: Final = b"subtree/v1\n\x00"
_LONGEST_NAME: Final = 255


class Kind(IntEnum):
    """Signature types of C2SP signed-note that this version knows; the byte stands in keys and in key ids."""

    ED25519 = 0x01  # over the text itself: a log's own signature
    ED25519_COSIGNATURE = 0x04  # a witness
    ML_DSA_44 = 0x06  # a log's own signature, or a witness that is safe against quantum computers


#: Types that a log signs its own checkpoints with; 0x04 says that somebody watched, not that the log said so.
LOG_KINDS: Final = frozenset({Kind.ED25519, Kind.ML_DSA_44})
#: Types whose signatures carry a time.
TIMED: Final = frozenset({Kind.ED25519_COSIGNATURE, Kind.ML_DSA_44})


def message(kind: Kind, *, name: str, time: int, text: str) -> bytes:
    """The bytes to sign or to verify. ``text`` is the text of a checkpoint, except for ED25519, which signs any text."""
    if kind is Kind.ED25519:
        return text.encode()
    if not 0 <= time <= MAX_TIME:
        _bad("a cosignature's time is in POSIX seconds")
    head = read(text)
    if kind is Kind.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    return _subtree(name=name, time=time, head=head)


def pack(time: int, signature: bytes) -> bytes:
    """``timestamped_signature``: what stands after the key id of a signature line."""
    return time.to_bytes(_TIME_SIZE, "big") + signature


def unpack(value: bytes) -> tuple[int, bytes]:
    """Time and signature. Raises AuditError if there is no room for a time, or it is beyond an int64."""
    time = int.from_bytes(value[:_TIME_SIZE], "big")
    if len(value) <= _TIME_SIZE or time > MAX_TIME:
        _bad("a cosignature is a time and a signature: the line is cut or was changed")
    return time, value[_TIME_SIZE:]


def _subtree(*, name: str, time: int, head: TreeHead) -> bytes:
    return b"".join(
        (
            _LABEL,
            _counted(name),
            time.to_bytes(8, "big"),
            _counted(head.origin),
            bytes(8),  # start: a checkpoint begins at leaf 0
            head.size.to_bytes(8, "big"),
            head.root,
        )
    )


def _counted(text: str) -> bytes:
    raw = text.encode()
    if not 0 < len(raw) <= _LONGEST_NAME:
        _bad("the name of a cosigner and the origin of a log have at most 255 bytes here")
    return bytes((len(raw),)) + raw


def _bad(why: str) -> NoReturn:
    raise AuditError("bad_cosignature", why, field="cosignature") from None
