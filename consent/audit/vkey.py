"""Keys of signed notes, each one line of text. Refuses a key whose type, name, id and bytes do not belong together.

    verifier key    <name>+<key id>+<base64(type || public key)>                what an auditor is given
    signer key      PRIVATE+KEY+<name>+<key id>+<base64(type || seed)>          what a key file holds

The key id is the first four bytes of SHA-256(name, newline, type, public key): C2SP signed-note. The seed of either algorithm
is 32 bytes (for ML-DSA-44 that is FIPS 204's xi).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from consent.audit import cosignature
from consent.audit.cosignature import TIMED, Kind
from schemas.errors import AuditError

SEED_SIZE: Final = 32
KEY_ID_SIZE: Final = 4

_PUBLIC_SIZE: Final = {Kind.ED25519: 32, Kind.ED25519_COSIGNATURE: 32, Kind.ML_DSA_44: 1312}
_PRIVATE: Final = "PRIVATE+KEY+"
#: Everything str.isspace() calls a space, plus, and control characters are refused in a key name.
FORBIDDEN_IN_NAME: Final = re.compile(r"[\s+\x00-\x1f\x7f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: who says they signed, and with what. For timed kinds ``value`` begins with the time."""

    name: str
    key_id: bytes  # 4 bytes
    value: bytes


class VerifierKey:
    """A public key with its name and kind."""

    __slots__ = ("_key", "key_id", "kind", "name", "public")

    def __init__(self, *, name: str, public: bytes, kind: Kind = Kind.ED25519) -> None:
        _check_name(name)
        self.name = name
        self.public = public
        self.kind = kind
        self.key_id = sha256(name.encode() + b"\n" + bytes((kind,)) + public).digest()[:KEY_ID_SIZE]
        self._key = _public(kind, public)

    @classmethod
    def parse(cls, line: str) -> VerifierKey:
        """Read ``<name>+<key id>+<base64>``. Raises AuditError if any part does not fit the others."""
        name, _, rest = line.strip("\r\n").partition("+")
        key_id, _, encoded = rest.partition("+")
        kind, public = _typed(encoded)
        if len(public) != _PUBLIC_SIZE[kind]:
            _bad("the public key has not the length of its type")
        made = cls(name=name, public=public, kind=kind)
        _check_id(key_id, made)
        return made

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes((self.kind,)) + self.public)}"

    def __repr__(self) -> str:
        return f"<VerifierKey {self.name}+{self.key_id.hex()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifierKey) and (self.name, self.kind, self.public) == (other.name, other.kind, other.public)

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.public))

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made this signature (with its time, for timed kinds) over this text."""
        try:
            time, raw = cosignature.unpack(signature) if self.kind in TIMED else (0, signature)
            self._key.verify(raw, cosignature.message(self.kind, name=self.name, time=time, text=text))
        except (InvalidSignature, AuditError):
            return False
        return True


class SignerKey:
    """A private key with its name. It prints as its public half only; ``line`` is what a key file holds."""

    __slots__ = ("_key", "verifier")

    def __init__(self, *, name: str, seed: bytes, kind: Kind = Kind.ED25519) -> None:
        """``seed`` is 32 bytes of the operating system's randomness."""
        if len(seed) != SEED_SIZE:
            _bad("a seed is 32 bytes")
        self._key = _private(kind, seed)
        self.verifier = VerifierKey(name=name, public=self._key.public_key().public_bytes_raw(), kind=kind)

    @classmethod
    def parse(cls, line: str) -> SignerKey:
        """Read one line of a key file. Raises AuditError without repeating it."""
        text = line.strip("\r\n")
        name, _, rest = text.removeprefix(_PRIVATE).partition("+")
        key_id, _, encoded = rest.partition("+")
        if not text.startswith(_PRIVATE):
            _bad("a signer key begins with PRIVATE+KEY+")
        kind, seed = _typed(encoded)
        made = cls(name=name, seed=seed, kind=kind)
        _check_id(key_id, made.verifier)
        return made

    def line(self) -> str:
        """The secret, as one line without its newline. Only for the key file."""
        secret = b64(bytes((self.verifier.kind,)) + self._key.private_bytes_raw())
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.key_id.hex()}+{secret}"

    def sign(self, text: str, *, time: int = 0) -> Signature:
        """Sign the text as it stands; ``text`` ends in a newline. ``time`` is for timed kinds, in POSIX seconds.

        A witness always states a time; a log's own ML-DSA-44 signature may leave it at zero.
        """
        key = self.verifier
        if key.kind is Kind.ED25519_COSIGNATURE and time == 0:
            _bad("an Ed25519 cosignature states when the witness saw the checkpoint")
        value = self._key.sign(cosignature.message(key.kind, name=key.name, time=time, text=text))
        return Signature(name=key.name, key_id=key.key_id, value=cosignature.pack(time, value) if key.kind in TIMED else value)

    def __repr__(self) -> str:
        return f"<SignerKey {self.verifier.name}+{self.verifier.key_id.hex()}>"


def b64(raw: bytes) -> str:
    """Standard base64, RFC 4648 section 4."""
    return base64.b64encode(raw).decode("ascii")


def unb64(text: str) -> bytes | None:
    """Standard base64 in its one canonical spelling (RFC 4648, sections 3.5 and 4), else None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if b64(raw) == text else None


def _public(kind: Kind, public: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    try:
        if kind is Kind.ML_DSA_44:
            return MLDSA44PublicKey.from_public_bytes(public)
        return Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        _bad("the public key is no key of its type")
    except UnsupportedAlgorithm:
        _unsupported()


def _private(kind: Kind, seed: bytes) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    try:
        if kind is Kind.ML_DSA_44:
            return MLDSA44PrivateKey.from_seed_bytes(seed)
        return Ed25519PrivateKey.from_private_bytes(seed)
    except UnsupportedAlgorithm:
        _unsupported()


def _typed(encoded: str) -> tuple[Kind, bytes]:
    """The type byte of either key format, and what follows it."""
    raw = unb64(encoded)
    if raw is None or len(raw) < 1:
        _bad("the key is not base64: a character was changed or lost")
    try:
        return Kind(raw[0]), raw[1:]
    except ValueError:
        _bad("this version knows keys of types 0x01 (Ed25519), 0x04 (Ed25519 cosignature) and 0x06 (ML-DSA-44)")


def _check_id(key_id: str, key: VerifierKey) -> None:
    if not _KEY_ID.fullmatch(key_id) or bytes.fromhex(key_id) != key.key_id:
        _bad("the key id does not belong to this name and key: a character was changed or lost")


def _check_name(name: str) -> None:
    if not name or FORBIDDEN_IN_NAME.search(name) or not name.isprintable():
        _bad("a key name is not empty and holds no space, plus or control character")


def _unsupported() -> NoReturn:
    _bad("this build of the cryptography library has no ML-DSA-44; a wheel of it has")


def _bad(message: str) -> NoReturn:
    raise AuditError("bad_key", message, field="key") from None
