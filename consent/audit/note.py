"""C2SP signed-note. Refuses a note that no known key signed, and one on which any known key's signature is wrong.

    <text, ending in a newline>
    <blank line>
    — <key name> <base64(key id || signature)>

Signatures of unknown keys are ignored, as the specification demands: that is how a key is rotated and how witnesses add theirs.
Every signature of a known key is verified, the second and third too. Only Ed25519 (type 0x01) signs for now; the type byte in
both key formats is where cosignatures (0x04) and ML-DSA-44 (0x06) join without a new format.

A verifier key is ``<name>+<key id>+<base64(type || public key)>``, a signer key is one line of the same shape that begins with
``PRIVATE+KEY+``: both are the formats of the Go checksum database, which other logs' tools read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.errors import AuditError

ED25519: Final = 0x01
SEED_SIZE: Final = 32
#: Bytes. A checkpoint is under 200; sixteen post-quantum signatures are 80,000.
MAX_NOTE: Final = 262_144
#: The specification asks for at least 16.
MAX_SIGNATURES: Final = 64

_KEY_ID_SIZE: Final = 4
_PUBLIC_SIZE: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
#: Everything str.isspace() calls a space, plus, and control characters are refused in a key name.
_FORBIDDEN_IN_NAME: Final = re.compile(r"[\s+\x00-\x1f\x7f]")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: who says they signed, and with what."""

    name: str
    key_id: bytes  # 4 bytes
    value: bytes


class VerifierKey:
    """A public key with its name: what an auditor is given out of band."""

    __slots__ = ("_key", "key_id", "name", "public")

    def __init__(self, *, name: str, public: bytes) -> None:
        _check_name(name)
        self.name = name
        self.public = public
        self.key_id = _key_id(name, public)
        try:
            self._key = Ed25519PublicKey.from_public_bytes(public)
        except ValueError:
            _bad_key("the public key is no Ed25519 key")

    @classmethod
    def parse(cls, line: str) -> VerifierKey:
        """Read ``<name>+<key id>+<base64>``. Raises AuditError if any part does not fit the others."""
        name, _, rest = line.strip("\r\n").partition("+")
        key_id, _, encoded = rest.partition("+")
        made = cls(name=name, public=_typed(encoded))
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != made.key_id:
            _bad_key("the key id does not belong to this name and key: a character was changed or lost")
        return made

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_b64(bytes((ED25519,)) + self.public)}"

    def __repr__(self) -> str:
        return f"<VerifierKey {self.name}+{self.key_id.hex()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifierKey) and (self.name, self.public) == (other.name, other.public)

    def __hash__(self) -> int:
        return hash((self.name, self.public))

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made this signature over this text."""
        try:
            self._key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class SignerKey:
    """A private key with its name. It prints as its public half only; ``line`` is what a key file holds."""

    __slots__ = ("_key", "verifier")

    def __init__(self, *, name: str, seed: bytes) -> None:
        """``seed`` is 32 bytes of the operating system's randomness."""
        if len(seed) != SEED_SIZE:
            _bad_key("a seed is 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name=name, public=self._key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, line: str) -> SignerKey:
        """Read the one line of a key file. Raises AuditError without repeating it."""
        text = line.strip("\r\n")
        name, _, rest = text.removeprefix(_PRIVATE).partition("+")
        key_id, _, encoded = rest.partition("+")
        if not text.startswith(_PRIVATE):
            _bad_key("a signer key begins with PRIVATE+KEY+")
        made = cls(name=name, seed=_typed(encoded))
        if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != made.verifier.key_id:
            _bad_key("the key id does not belong to this name and key: a character was changed or lost")
        return made

    def line(self) -> str:
        """The secret, as one line without its newline. Only for the key file."""
        seed = self._key.private_bytes_raw()
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.key_id.hex()}+{_b64(bytes((ED25519,)) + seed)}"

    def sign(self, text: str) -> Signature:
        """Sign the text as it stands; ``text`` ends in a newline."""
        return Signature(name=self.verifier.name, key_id=self.verifier.key_id, value=self._key.sign(text.encode()))

    def __repr__(self) -> str:
        return f"<SignerKey {self.verifier.name}+{self.verifier.key_id.hex()}>"


def sign(text: str, signers: Iterable[SignerKey]) -> str:
    """The note: ``text`` and one signature line for each signer."""
    _check_text(text)
    signatures = [signer.sign(text) for signer in signers]
    if not signatures:
        _bad_note("a note carries at least one signature")
    return assemble(text, signatures)


def assemble(text: str, signatures: Iterable[Signature]) -> str:
    """Write a note from its parts; a witness adds its line this way."""
    lines = [f"— {signature.name} {_b64(signature.key_id + signature.value)}\n" for signature in signatures]
    return f"{text}\n{''.join(lines)}"


def parse(note: str | bytes) -> tuple[str, tuple[Signature, ...]]:
    """The text and its signature lines, none of them verified: nothing may be believed of it yet."""
    raw = note.encode("utf-8", "surrogatepass") if isinstance(note, str) else note
    if len(raw) > MAX_NOTE:
        _bad_note("the note is larger than any note of ours")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        _bad_note("the note is not UTF-8")
    if not whole.endswith("\n"):
        _bad_note("the note does not end in a newline: its end is missing")
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail or not text:
        _bad_note("no blank line separates a text from signatures: the note is cut, or was never signed")
    text += "\n"
    _check_text(whole)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        _bad_note(f"the note carries more than {MAX_SIGNATURES} signatures")
    return text, tuple(_signature(line) for line in lines)


def verify(note: str | bytes, keys: Sequence[VerifierKey]) -> str:
    """The text, if at least one known key signed it and every known key's signature is right. Raises AuditError.

    ``unknown_key`` means another key made it; ``bad_signature`` means it was changed after signing, or was never signed.
    """
    text, signatures = parse(note)
    verify_signatures(text, signatures, keys)
    return text


def verify_signatures(text: str, signatures: Iterable[Signature], keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The known keys that signed ``text``, at least one. Raises AuditError as ``verify`` does."""
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) != len(set(keys)):
        _bad_key("two verifier keys share a name and a key id; which of them is meant cannot be told")
    signed: dict[VerifierKey, None] = {}
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(text, signature.value):
            raise AuditError("bad_signature", "a known key's signature does not fit the text", field=key.name)
        signed[key] = None
    if not signed:
        raise AuditError("unknown_key", "none of the known keys signed this note", field="signature")
    return tuple(signed)


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not name or _FORBIDDEN_IN_NAME.search(name):
        _bad_note("a signature line is not '— name base64'")
    raw = _unb64(encoded)
    if raw is None or len(raw) <= _KEY_ID_SIZE:
        _bad_note("a signature is not base64 of a key id and a signature: the line is cut or was changed")
    return Signature(name=name, key_id=raw[:_KEY_ID_SIZE], value=raw[_KEY_ID_SIZE:])


def _key_id(name: str, public: bytes) -> bytes:
    """SHA-256(key name || 0x0A || type || public key)[:4]."""
    return sha256(name.encode() + b"\n" + bytes((ED25519,)) + public).digest()[:_KEY_ID_SIZE]


def _typed(encoded: str) -> bytes:
    """The 32 bytes after the type byte of either key format."""
    raw = _unb64(encoded)
    if raw is None or len(raw) < 1:
        _bad_key("the key is not base64: a character was changed or lost")
    if raw[0] != ED25519:
        _bad_key("this version knows keys of type 0x01 (Ed25519) only")
    if len(raw) != 1 + _PUBLIC_SIZE:
        _bad_key("an Ed25519 key is 32 bytes")
    return raw[1:]


def _check_name(name: str) -> None:
    if not name or _FORBIDDEN_IN_NAME.search(name) or not name.isprintable():
        _bad_key("a key name is not empty and holds no space, plus or control character")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        _bad_note("the text of a note ends in a newline")
    if _CONTROL.search(text):
        _bad_note("a note holds no control character but the newline")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unb64(text: str) -> bytes | None:
    """Standard base64 in its one canonical spelling (RFC 4648, sections 3.5 and 4), else None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _b64(raw) == text else None


def _bad_note(message: str) -> NoReturn:
    raise AuditError("bad_note", message, field="note") from None


def _bad_key(message: str) -> NoReturn:
    raise AuditError("bad_key", message, field="key") from None
