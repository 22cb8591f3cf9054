"""Refuses a wrapped key of another construction, and never takes an unreachable service for a broken row: keys live elsewhere.

A service that wraps (HashiCorp Vault's Transit engine, or certified hardware) holds the key-encryption keys and never gives
them out. Asking it for every person would cost a round trip each, so a process wraps under a *holder*: a random key that the
service wrapped once, and under which data keys are wrapped here, by AES-KWP. A wrapped key names its holder in full:

    offset  bytes  what
    0       9      the common prefix: magic "LGE", format 1, algorithm 3, version of the service's key
    9       2      length of the wrapped holder, n
    11      n      the holder as the service wrapped it
    11 + n  48     RFC 5649 wrap of data key and id, under the holder

Derived keys are HKDF-SHA-256 over what the service's keyed function (HMAC) answers for the context and version; so no root is
ever here, and two contexts never share one (docs/adr/0023-vault-transit.md).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from consent.envelope import FORMAT, KEY_BYTES, MAGIC
from consent.keys.provider import STABLE_VERSION, Wrapped, require_context, unwrapped
from schemas.errors import ConfigurationError, LeadgateError, VaultError

#: The construction above, in the table of consent.envelope.
REMOTE_KWP: Final = 3
#: Data keys wrapped under one holder before another is made: what one process's memory could give away is bounded.
HOLDER_USES: Final = 50_000
#: Holders remembered; a page of rows seldom hangs on more.
_HOLDERS: Final = 4096
_FRONT: Final = struct.Struct(">3sBBIH")
_KWP_BYTES: Final = 48


class Standing(NamedTuple):
    """Versions of the service's key: the live ones with the newest first, the current one, and those with lookups only."""

    versions: tuple[int, ...]
    current: int
    kept: tuple[int, ...] = ()


class KeyService(Protocol):
    """What a service must do. It MUST raise ConfigurationError if it cannot be asked, and MUST NOT repeat what it was given."""

    def standing(self) -> Standing:
        """Which versions there are."""
        ...

    def wrap(self, version: int, key: bytes) -> bytes:
        """Wrap a key under one version; an opaque blob."""
        ...

    def unwrap(self, wrapped: Sequence[tuple[int, bytes]]) -> list[bytes | None]:
        """The keys of (version, blob), in order; None for one that is not authentic."""
        ...

    def keyed(self, version: int, message: bytes) -> bytes:
        """32 bytes that only the service can make of a message; version 0 is a key that never rotates."""
        ...


class RemoteKeys:
    """A ``KeyProvider`` over a service. Holds holders and derived keys in memory, no root."""

    __slots__ = ("_derived", "_holder", "_known", "_random", "_service", "_standing", "_tenant", "_uses")

    def __init__(self, service: KeyService, *, tenant: str, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._service = service
        self._tenant = tenant
        self._random = random_bytes
        self._standing = service.standing()
        self._derived: dict[tuple[str, int, int], bytes] = {}
        self._known: dict[tuple[int, bytes], bytes] = {}  # wrapped holder -> holder
        self._holder: tuple[int, bytes, bytes] | None = None  # (version, front and wrapped holder, holder)
        self._uses = 0

    def __repr__(self) -> str:
        return f"<remote keys of {self._tenant}, current version {self.current_version}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are never pickled")

    @property
    def tenant(self) -> str:
        return self._tenant

    @property
    def current_version(self) -> int:
        return self._standing.current

    @property
    def versions(self) -> tuple[int, ...]:
        return self._standing.versions

    @property
    def kept_versions(self) -> tuple[int, ...]:
        return self._standing.kept

    def refresh(self) -> None:
        """Ask the service again which versions there are."""
        self._standing = self._service.standing()

    # -- wrapping --------------------------------------------------------------------------------------------------------------

    def wrap(self, dek: bytes) -> Wrapped:
        return self.wrap_many([dek])[0]

    def wrap_many(self, deks: Sequence[bytes]) -> list[Wrapped]:
        version = self._standing.current
        _, front, holder = self._current_holder(version, len(deks))
        return [Wrapped(bytes=front + aes_key_wrap_with_padding(holder, dek), version=version) for dek in deks]

    def _current_holder(self, version: int, uses: int) -> tuple[int, bytes, bytes]:
        held = self._holder
        if held is None or held[0] != version or self._uses + uses > HOLDER_USES:
            holder = self._random(KEY_BYTES)
            blob = self._service.wrap(version, holder)
            front = _FRONT.pack(MAGIC, FORMAT, REMOTE_KWP, version, len(blob)) + blob
            held, self._uses = (version, front, holder), 0
            self._holder = held
            self._remember({(version, blob): holder})
        self._uses += uses
        return held

    def unwrap(self, wrapped: Wrapped) -> bytes:
        blob, payload = _parts(wrapped)
        holder = self._known.get((wrapped.version, blob))
        if holder is None:
            self._fetch([(wrapped.version, blob)])
            holder = self._known.get((wrapped.version, blob))
        if holder is None:
            raise VaultError("not_authentic", "a wrapped key was changed, or belongs to another service")
        try:
            return aes_key_unwrap_with_padding(holder, payload)
        except InvalidUnwrap:
            raise VaultError("not_authentic", "a wrapped key was changed, or belongs to another service") from None

    def unwrap_many(self, wrapped: Sequence[Wrapped]) -> list[bytes | None]:
        self.unwrap_ahead(wrapped)
        return list(unwrapped(self, wrapped))

    def unwrap_ahead(self, wrapped: Sequence[Wrapped]) -> None:
        wanted: dict[tuple[int, bytes], None] = {}
        for each in wrapped:
            try:
                holder = (each.version, _parts(each)[0])
            except VaultError:
                continue  # said when it is opened
            if holder not in self._known and holder[0] in self.versions:
                wanted[holder] = None
        if wanted:
            self._fetch(list(wanted))

    def rewrap_many(self, wrapped: Sequence[Wrapped]) -> list[Wrapped | None]:
        self.unwrap_ahead(wrapped)
        return [None if dek is None else self.wrap(dek) for dek in unwrapped(self, wrapped)]

    def _fetch(self, holders: Sequence[tuple[int, bytes]]) -> None:
        for version, _ in holders:
            if version not in self.versions:
                raise self._missing(version)
        found = self._service.unwrap(holders)
        self._remember({at: key for at, key in zip(holders, found, strict=True) if key is not None})

    def _remember(self, found: dict[tuple[int, bytes], bytes]) -> None:
        kept = self._known if len(self._known) + len(found) <= _HOLDERS else {}
        self._known = {**kept, **found}  # exchanged whole: other threads read it

    # -- derived keys ----------------------------------------------------------------------------------------------------------

    def derive(self, info: str, length: int, version: int | None = None) -> bytes:
        chosen = self._standing.current if version is None else version
        derived = self._derived.get((info, length, chosen))
        if derived is None:
            if chosen not in {*self.versions, *self.kept_versions, STABLE_VERSION}:
                raise self._missing(chosen)
            context = f"{require_context(info)}|{chosen}".encode()
            secret = self._service.keyed(chosen, context)
            derived = HKDF(algorithm=SHA256(), length=length, salt=None, info=context).derive(secret)
            self._derived[info, length, chosen] = derived
        return derived

    def _missing(self, version: int) -> LeadgateError:
        if version > self.versions[0]:
            return ConfigurationError(
                "keyring_stale",
                f"version {version} is newer than what the key service had; ask again, or restore it",
                field="keys",
            )
        return VaultError("key_version_missing", f"version {version} is gone from the key service", field="key_version")


def _parts(wrapped: Wrapped) -> tuple[bytes, bytes]:
    """(wrapped holder, wrapped data key). Raises VaultError if it is torn, foreign or of another version."""
    blob = wrapped.bytes
    if len(blob) < _FRONT.size + _KWP_BYTES:
        raise VaultError("truncated", "a wrapped key is too short")
    magic, form, algorithm, version, length = _FRONT.unpack_from(blob)
    if magic != MAGIC:
        raise VaultError("foreign", "the bytes are no wrapped key of ours")
    if form != FORMAT or algorithm != REMOTE_KWP:
        raise VaultError("unknown_algorithm", "the wrapped key is of another key provider")
    if version != wrapped.version:
        raise VaultError("key_version_mismatch", "a wrapped key names another key version than its row", field="key_version")
    if len(blob) != _FRONT.size + length + _KWP_BYTES:
        raise VaultError("truncated", "a wrapped key has the wrong length")
    return blob[_FRONT.size : -_KWP_BYTES], blob[-_KWP_BYTES:]
