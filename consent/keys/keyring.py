"""Refuses a keyring with an unknown field, format or key length, two roots alike, or no current one.

    {"format": "leadgate-keyring/1", "tenant": "...", "current": 2, "stable": "<base64>",
     "keys": [{"version": 1, "root": "<base64>", "created_at": "2026-01-01T00:00:00Z"}, ...]}

Each root is 32 random bytes and is never used itself: every key is HKDF-SHA-256 of a root with its context. ``stable`` is the
root that never rotates (docs/adr/0004-sealing-and-keys.md says which names hang on it); it seals nothing. A version newer than
``current`` is announced: it opens and is looked up, and nothing is wrapped under it yet. A dropped version may leave derived
keys behind, ``"kept": [{"version": 1, "context": "leadgate/v1|...", "key": "<base64>"}]``: they find what was layered over it
(consent.blind_index), and open nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NoReturn

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from consent.envelope import KEY_BYTES, WRAPPED_BYTES, pack_wrapped, unpack_wrapped
from consent.keys.provider import STABLE_VERSION, Wrapped, key_context, require_context, unwrapped
from schemas.errors import ConfigurationError, LeadgateError, VaultError

FORMAT: Final = "leadgate-keyring/1"

_tenant = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII).fullmatch


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    root: str
    created_at: str

    def __repr__(self) -> str:
        return f"<key version {self.version}>"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    context: str
    key: str

    def __repr__(self) -> str:
        return f"<kept of version {self.version}>"


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    format: str
    tenant: str
    current: int
    stable: str
    keys: list[_Key]
    kept: tuple[_Kept, ...] = ()

    def __repr__(self) -> str:
        return "<keyring document>"


class Keyring:
    """All roots of one tenant, in memory. Implements ``KeyProvider``."""

    __slots__ = ("_derived", "_document", "_fronts", "_keks", "_roots")

    def __init__(self, document: _Document, *, where: str) -> None:
        self._document = document
        self._roots = _checked_roots(document, where)
        self._derived: dict[tuple[str, int, int], bytes] = _kept_keys(document, where)
        context = key_context(tenant=document.tenant, table="keys", field="dek", purpose="wrap")
        # The stable root is left out: it names things and never seals.
        self._keks = {version: self.derive(context, KEY_BYTES, version) for version in self._roots if version != STABLE_VERSION}
        #: What every key wrapped under a version begins with.
        self._fronts = {version: pack_wrapped(version, b"") for version in self._keks}

    def __repr__(self) -> str:
        return f"<keyring of {self.tenant}, current version {self.current_version}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is never pickled")

    @property
    def tenant(self) -> str:
        return self._document.tenant

    @property
    def current_version(self) -> int:
        return self._document.current

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(sorted((version for version in self._roots if version != STABLE_VERSION), reverse=True))

    @property
    def kept_versions(self) -> tuple[int, ...]:
        return tuple(sorted({kept.version for kept in self._document.kept}))

    def refresh(self) -> None:
        """A document in memory does not change; ``consent.keys.live`` reads it anew."""

    def wrap(self, dek: bytes) -> Wrapped:
        return self.wrap_many([dek])[0]

    def wrap_many(self, deks: Sequence[bytes]) -> list[Wrapped]:
        version = self._document.current
        front, kek = self._fronts[version], self._keks[version]
        return [Wrapped(bytes=front + aes_key_wrap_with_padding(kek, dek), version=version) for dek in deks]

    def unwrap(self, wrapped: Wrapped) -> bytes:
        blob, version = wrapped.bytes, wrapped.version
        front = self._fronts.get(version)
        if front is None or len(blob) != WRAPPED_BYTES or not blob.startswith(front):
            unpack_wrapped(blob, version)  # says what does not fit, unless it is the version alone
            raise self._missing(version)
        try:
            return aes_key_unwrap_with_padding(self._keks[version], blob[len(front) :])
        except InvalidUnwrap:
            raise VaultError("not_authentic", "a wrapped key was changed, or belongs to another keyring") from None

    def unwrap_many(self, wrapped: Sequence[Wrapped]) -> list[bytes | None]:
        return list(unwrapped(self, wrapped))

    def unwrap_ahead(self, wrapped: Sequence[Wrapped]) -> None:
        """Nothing is far away here."""

    def rewrap_many(self, wrapped: Sequence[Wrapped]) -> list[Wrapped | None]:
        return [None if dek is None else self.wrap(dek) for dek in unwrapped(self, wrapped)]

    def derive(self, info: str, length: int, version: int | None = None) -> bytes:
        chosen = self._document.current if version is None else version
        derived = self._derived.get((info, length, chosen))
        if derived is None:
            root = self._roots.get(chosen)
            if root is None:
                raise self._missing(chosen)
            context = f"{require_context(info)}|{chosen}".encode()
            derived = HKDF(algorithm=SHA256(), length=length, salt=None, info=context).derive(root)
            self._derived[info, length, chosen] = derived
        return derived

    def _missing(self, version: int) -> LeadgateError:
        if version > max(self._roots):
            # Not the row is at fault but this process: it read the keyring before a rotation, or an old copy was restored.
            # As a VaultError it would be taken for a dead seal, and every delivery of the night would be given up.
            return ConfigurationError(
                "keyring_stale", f"version {version} is newer than this keyring; read it again, or restore it", field="keyring"
            )
        return VaultError("key_version_missing", f"version {version} is not in the keyring", field="key_version")

    # -- documents ----------------------------------------------------------------------------------------------------

    def to_json(self) -> bytes:
        """The document as it is stored; it holds the roots."""
        return msgspec.json.format(msgspec.json.encode(self._document), indent=2) + b"\n"

    def with_new_version(self, *, now: datetime, random_bytes: Callable[[int], bytes], announce: bool = False) -> Keyring:
        """The same keyring with one more root; it becomes the current one unless it is only announced."""
        version = self.versions[0] + 1
        keys = [*self._document.keys, _new_key(version, now, random_bytes)]
        current = self.current_version if announce else version
        return Keyring(msgspec.structs.replace(self._document, current=current, keys=keys), where="keyring")

    def with_current(self, version: int) -> Keyring:
        """The same keyring with an announced version made current. Going back is refused: it would undo a rotation."""
        if version <= self.current_version or version not in self.versions:
            raise ConfigurationError(
                "keyring_version", "only a newer version that exists can become current", field="keyring: current"
            )
        return Keyring(msgspec.structs.replace(self._document, current=version), where="keyring")

    def without_version(self, version: int, *, keep: Sequence[str] = ()) -> Keyring:
        """The same keyring without one old root: what is still wrapped under it is gone. The current one is refused.

        ``keep`` names contexts whose derived keys of 32 bytes stay; without it those that earlier versions left go too.
        """
        if version == self.current_version or version != self.versions[-1]:  # in order: a layer between two would be missing
            raise ConfigurationError("keyring_version", "only the oldest of several can be dropped", field="keyring: keys")
        keys = [key for key in self._document.keys if key.version != version]
        kept = [
            _Kept(version=version, context=context, key=base64.b64encode(self.derive(context, KEY_BYTES, version)).decode())
            for context in keep
        ]
        document = msgspec.structs.replace(self._document, keys=keys, kept=(*self._document.kept, *kept) if keep else ())
        return Keyring(document, where="keyring")


def new_keyring(*, tenant: str, now: datetime, random_bytes: Callable[[int], bytes]) -> Keyring:
    """A keyring with one root."""
    key = _new_key(1, now, random_bytes)
    stable = base64.b64encode(random_bytes(KEY_BYTES)).decode()
    return Keyring(_Document(format=FORMAT, tenant=tenant, current=1, stable=stable, keys=[key]), where="keyring")


def keyring_from_json(text: bytes | str, *, where: str) -> Keyring:
    """Read a keyring document; ``where`` is the file or variable that errors name."""
    fault = ""
    document = None
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fault = type(error).__name__  # the decoder's own message may quote the document
    if document is None:
        raise ConfigurationError(
            "keyring_unreadable", f"not a keyring document of format {FORMAT}, or it has unknown fields ({fault})", field=where
        )
    return Keyring(document, where=where)


def _new_key(version: int, now: datetime, random_bytes: Callable[[int], bytes]) -> _Key:
    created_at = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return _Key(version=version, root=base64.b64encode(random_bytes(KEY_BYTES)).decode(), created_at=created_at)


def _checked_roots(document: _Document, where: str) -> dict[int, bytes]:
    if document.format != FORMAT:
        raise ConfigurationError("keyring_format", f"this program reads {FORMAT} only", field=f"{where}: format")
    if not _tenant(document.tenant):
        raise ConfigurationError(
            "keyring_tenant", "a tenant is 1 to 64 letters, digits, '_', '.', '-'", field=f"{where}: tenant"
        )
    roots = {STABLE_VERSION: _root(document.stable, f"{where}: stable")}
    for key in document.keys:
        if not 1 <= key.version < 2**32 or key.version in roots:
            raise ConfigurationError("keyring_version", "versions are 1 and up, each once", field=f"{where}: keys.version")
        roots[key.version] = _root(key.root, f"{where}: keys.root")
    if document.current == STABLE_VERSION or document.current not in roots:
        raise ConfigurationError("keyring_current", "the current version is not among the keys", field=f"{where}: current")
    values = list(roots.values())
    if any(hmac.compare_digest(one, other) for at, one in enumerate(values) for other in values[:at]):
        raise ConfigurationError("keyring_root", "two roots are the same", field=f"{where}: keys.root")
    return roots


def _kept_keys(document: _Document, where: str) -> dict[tuple[str, int, int], bytes]:
    live = {key.version for key in document.keys}
    if any(not 1 <= kept.version < document.current or kept.version in live for kept in document.kept):
        raise ConfigurationError("keyring_kept", "only of a dropped version keys are kept", field=f"{where}: kept.version")
    return {(kept.context, KEY_BYTES, kept.version): _root(kept.key, f"{where}: kept.key") for kept in document.kept}


def _root(text: str, where: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != KEY_BYTES:
        raise ConfigurationError("keyring_root", f"a root is {KEY_BYTES} bytes in base64", field=where)
    return root
