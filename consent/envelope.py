"""Refuses to open what is torn, foreign, of an unknown version, under another key or row, or changed: each by its code.

One binary format for everything sealed, big-endian:

    offset  bytes  what
    0       3      magic "LGE"
    3       1      format version, 1
    4       1      algorithm: 1 AES-256-GCM, 2 AES-256-KWP (a wrapped data key)
    5       4      version of the key-encryption key; for data, the one current when it was sealed
    -- algorithm 2 ends with --
    9       48     RFC 5649 wrap of data key (32) and its random id (8)
    -- algorithm 1 goes on with --
    9       8      id of the data key: random, says which key was meant and nothing about it
    17      4      CRC-32 of the row's names: tells "wrong row" from "changed bytes"; a diagnosis, not a defence
    21      12     nonce, random (NIST SP 800-38D section 8.2.2)
    33      n+16   ciphertext and tag; the associated data are bytes 0..21 and the row's names, each with its length

The tag is the only authority. What the header says is checked before it, so that a person at night reads what is wrong; a
header that lies still fails at the tag, because the tag covers it.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import VaultError

MAGIC: Final = b"LGE"
FORMAT: Final = 1
AES_256_GCM: Final = 1
AES_256_KWP: Final = 2

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
NONCE_BYTES: Final = 12
_LONGEST_NAME: Final = 0xFFFF  # bytes, what two length bytes can say

_PREFIX = struct.Struct(">3sBBI")
_KEY_ID_AT: Final = _PREFIX.size
_ROW_AT: Final = _KEY_ID_AT + KEY_ID_BYTES
_NONCE_AT: Final = _ROW_AT + 4
_CIPHERTEXT_AT: Final = _NONCE_AT + NONCE_BYTES
_SMALLEST: Final = _CIPHERTEXT_AT + 16
_SEALED: Final = MAGIC + bytes((FORMAT, AES_256_GCM))
#: A data key's 40 bytes and the 8 of RFC 5649's integrity check.
WRAPPED_BYTES: Final = _PREFIX.size + KEY_BYTES + KEY_ID_BYTES + 8
#: An id of ours, a UUID, as ``names`` writes it: two bytes of length and 36 characters.
_ID: Final = 36
_BEFORE_ID: Final = "\0$"


def names(*parts: str) -> bytes:
    """Join names so that no two lists read alike: each is preceded by its length in two bytes. An empty part is refused."""
    joined = b""
    for part in parts:
        raw = part.encode()
        if not 0 < len(raw) <= _LONGEST_NAME:
            raise VaultError("context_missing", "a seal is bound to named things; a name is missing or far too long")
        joined += len(raw).to_bytes(2, "big") + raw
    if not joined:
        raise VaultError("context_missing", "a seal is bound to named things; none was given")
    return joined


def id_name(one: str) -> bytes:
    """As ``names`` for one, at a third of its price where it is an id of ours."""
    if len(one) == _ID and one.isascii():
        return f"{_BEFORE_ID}{one}".encode()
    return names(one)


def id_names(one: str, other: str) -> bytes:
    """As ``names`` for two, at a third of its price where both are ids of ours."""
    if len(one) == len(other) == _ID and one.isascii() and other.isascii():
        return f"{_BEFORE_ID}{one}{_BEFORE_ID}{other}".encode()
    return names(one, other)


def head(key_version: int, key_id: bytes) -> bytes:
    """The part of an envelope's header that all envelopes of one data key share."""
    return _PREFIX.pack(MAGIC, FORMAT, AES_256_GCM, key_version) + key_id


def seal(dek: bytes, header: bytes, nonce: bytes, plaintext: bytes, row: bytes) -> bytes:
    """Seal under one data key. ``row`` comes from ``names``; ``nonce`` MUST be fresh random bytes for every call."""
    front = header + crc32(row).to_bytes(4, "big")
    return front + nonce + AESGCM(dek).encrypt(nonce, plaintext, front + row)


def unseal(dek: bytes, key_id: bytes, envelope: bytes, row: bytes) -> bytes:
    """Open one envelope. Raises VaultError; the code says what does not fit."""
    if len(envelope) < _SMALLEST or not envelope.startswith(_SEALED):
        _check_prefix(envelope, AES_256_GCM, _SMALLEST)
    if envelope[_KEY_ID_AT:_NONCE_AT] != key_id + crc32(row).to_bytes(4, "big"):
        if envelope[_KEY_ID_AT:_ROW_AT] != key_id:
            raise VaultError("wrong_key", "the envelope was sealed under another data key")
        raise VaultError("wrong_row", "the envelope belongs to another row")
    try:
        return AESGCM(dek).decrypt(envelope[_NONCE_AT:_CIPHERTEXT_AT], envelope[_CIPHERTEXT_AT:], envelope[:_NONCE_AT] + row)
    except InvalidTag:
        raise VaultError("not_authentic", "the envelope was changed, or the key is not the one it names") from None


def pack_wrapped(version: int, payload: bytes) -> bytes:
    """A wrapped data key in the common format."""
    return _PREFIX.pack(MAGIC, FORMAT, AES_256_KWP, version) + payload


def unpack_wrapped(blob: bytes, version: int) -> bytes:
    """The RFC 5649 payload of a wrapped data key. Raises VaultError if it is torn, foreign or of another version."""
    _check_prefix(blob, AES_256_KWP, WRAPPED_BYTES)
    if len(blob) != WRAPPED_BYTES:
        raise VaultError("truncated", "a wrapped key has the wrong length")
    if _PREFIX.unpack_from(blob)[3] != version:
        raise VaultError("key_version_mismatch", "a wrapped key names another key version than its row", field="key_version")
    return blob[_PREFIX.size :]


def sealed_under(blob: bytes) -> int:
    """The version of the key-encryption key that the header names; diagnosis only, the row's column is the authority."""
    if len(blob) < _PREFIX.size or not blob.startswith(MAGIC):
        raise VaultError("foreign", "these bytes are no envelope of ours")
    return int(_PREFIX.unpack_from(blob)[3])


def _check_prefix(blob: bytes, algorithm: int, smallest: int) -> None:
    if not blob.startswith(MAGIC):
        if len(blob) < len(MAGIC) and MAGIC.startswith(blob):
            raise VaultError("truncated", "the envelope is cut off")
        raise VaultError("foreign", "these bytes are no envelope of ours")
    if len(blob) < _PREFIX.size:
        raise VaultError("truncated", "the envelope is cut off")
    if blob[3] != FORMAT:
        raise VaultError("unknown_format", "the envelope is of a format version this program does not know")
    if blob[4] != algorithm:
        raise VaultError("unknown_algorithm", "the envelope names another algorithm than is expected here")
    if len(blob) < smallest:
        raise VaultError("truncated", "the envelope is cut off")
