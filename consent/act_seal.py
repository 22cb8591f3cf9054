"""Refuses to open an act whose key was destroyed, or that was moved. Seals what an act of destruction says of a person.

An act must be kept for years after the person's own key is gone, so it cannot be sealed under that. It has a key of its own,
wrapped like a person's, with a term of its own: deleting it ends the evidence and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.envelope import KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES, head, names, seal, unseal
from consent.keys.provider import KeyProvider, Wrapped, require_tenant
from schemas.errors import VaultError
from schemas.personal import Personal

_SECRET_BYTES: Final = KEY_BYTES + KEY_ID_BYTES
_DIGEST_CONTEXT: Final = b"leadgate/v1/act-digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAct:
    """What is stored of an act. ``keyed_sha256`` is over its documents, under a key that goes with the act's own: it proves a
    document while the act is kept, and can be tested against no guess afterwards.
    """

    wrapped_key: bytes = field(repr=False)
    key_version: int
    envelope: bytes = field(repr=False)
    keyed_sha256: str


class ActSeal:
    """Built once a process."""

    def __init__(self, provider: KeyProvider, tenant: str, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._provider = provider
        self._random = random_bytes
        self._row = names(require_tenant(provider, tenant), "acts", "content")

    def seal(self, act_id: str, content: Personal[bytes], documents: Sequence[bytes]) -> SealedAct:
        """Seal what the act says; ``documents`` are its pages, which are given away and not stored."""
        fresh = self._random(_SECRET_BYTES + NONCE_BYTES)
        secret = fresh[:_SECRET_BYTES]
        wrapped = self._provider.wrap(secret)
        header = head(wrapped.version, secret[KEY_BYTES:])
        row = self._row + names(act_id)
        return SealedAct(
            wrapped_key=wrapped.bytes,
            key_version=wrapped.version,
            envelope=seal(secret[:KEY_BYTES], header, fresh[_SECRET_BYTES:], content.reveal(), row),
            keyed_sha256=_digest(secret[:KEY_BYTES], documents),
        )

    def open(self, act_id: str, wrapped_key: bytes | None, key_version: int, envelope: bytes) -> Personal[bytes]:
        """What the act says. Raises VaultError ``key_destroyed`` once its term is over."""
        secret = self._secret(wrapped_key, key_version)
        return Personal(unseal(secret[:KEY_BYTES], secret[KEY_BYTES:], envelope, self._row + names(act_id)))

    def digest(self, wrapped_key: bytes | None, key_version: int, documents: Sequence[bytes]) -> str:
        """The keyed digest of these documents: equal to the stored one if they are the act's."""
        return _digest(self._secret(wrapped_key, key_version)[:KEY_BYTES], documents)

    def _secret(self, wrapped_key: bytes | None, key_version: int) -> bytes:
        if not wrapped_key:
            raise VaultError("key_destroyed", "the act was kept as long as it had to be; its content is destroyed")
        return self._provider.unwrap(Wrapped(bytes=wrapped_key, version=key_version))


def _digest(dek: bytes, documents: Sequence[bytes]) -> str:
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_DIGEST_CONTEXT).derive(dek)
    mac = HMAC(key, SHA256())
    for document in documents:
        mac.update(sha256(document).digest())
    return mac.finalize().hex()
