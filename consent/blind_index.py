"""Refuses input that was not normalised: a second spelling of one phone would be a second person. Finds whom it never stores.

Everything here is a keyed digest. A bare hash of a phone is no protection: all numbers of a country are tried within minutes.

- An index is ``HMAC-SHA-256(key of the kind and version, brand, value)``, all 32 bytes; brands and kinds never share a digest.
- While keys rotate, rows exist under two versions: look up all ``candidates``, and write those that say ``write``: under the
  current version and any announced one. A version is announced to all processes before it becomes current (docs/keys.md), so
  whoever still writes under the one before writes under this one too, and two that meet one new person at once collide.
- A digest whose value nobody has any more is layered: HMAC under the newer version over the digest of the older. It hangs on
  the new key from then on, and is found by who has the value and both keys (docs/adr/0025-blind-index-rotation.md).
- ``file_digest`` and ``suppression`` hang on the stable root: the same file must be recognised also after a rotation, and who
  was erased must stay uncalled when nothing is left to make a new digest of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import BinaryIO, Final
from unicodedata import is_normalized

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from consent.keys.provider import STABLE_VERSION, KeyProvider, key_context, require_tenant
from schemas.errors import VaultError
from schemas.vocabulary import Channel

_CHUNK: Final = 256 * 1024  # bytes of a file read at once
_LAYER: Final = "layer"

# Whether a value exists is LeadSchema's to judge; here only a second spelling is refused, so all that it lets through is taken
# (tests compare). Numbers in use have from 6 digits (Iran) to 17 (Germany), whatever ITU-T E.164 says of 15.
_phone = re.compile(r"\+[1-9][0-9]{4,18}", re.ASCII).fullmatch
_email = re.compile(r"[^\s@\x00-\x1f\x7f]{1,256}@[^\s@\x00-\x1f\x7f]{1,255}").fullmatch
# The same for an address in ASCII, capitals left out: it is lower case and NFC as it stands.
_plain_email = re.compile(r"[!-?\[-~]{1,256}@[!-?\[-~]{1,255}").fullmatch
_user = re.compile(rf"(?:{'|'.join(Channel)}):[!-~]{{1,200}}", re.ASCII).fullmatch

#: Lengths of what most parts of a fingerprint are.
_LENGTHS: Final = tuple(length.to_bytes(4, "big") for length in range(512))
#: More brands than any installation has.
_MOST_BRANDS: Final = 64


class IndexKind(StrEnum):
    """What people are looked up by."""

    PHONE = "phone"
    EMAIL = "email"
    USER = "user"


class IndexValue(msgspec.Struct, frozen=True):
    """One digest and the version of the key it hangs on; both are stored. ``write``: a new row is written for it too."""

    version: int
    digest: bytes
    write: bool = True


#: (kind, whether a value is normalised, (version, copy of a MAC, whether rows are written for it) of each live version)
_Prepared = tuple[str, Callable[[str], object], list[tuple[int, Callable[[], HMAC], bool]]]


def lookup_contexts(tenant: str) -> tuple[str, ...]:
    """The keys without which layered digests are not found: kept of a version whose root is destroyed, if there are any."""
    return tuple(_context(tenant, field) for field in (*IndexKind, _LAYER))


class BlindIndex:
    """The lookup digests of one tenant. Built once a process; ``refresh`` takes a rotation up."""

    def __init__(self, provider: KeyProvider, tenant: str) -> None:
        self._tenant = require_tenant(provider, tenant)
        self._provider = provider
        self._file = self._keyed("file", STABLE_VERSION)
        self._suppressions = {
            str(kind): HMAC(provider.derive(_context(tenant, kind, table="suppression"), 32, STABLE_VERSION), SHA256())
            for kind in IndexKind
        }
        self._key()

    def refresh(self) -> None:
        """Read the provider anew; from now on the index knows the versions it has."""
        self._provider.refresh()
        self._key()

    def _key(self) -> None:
        provider = self._provider
        self._version = current = provider.current_version
        #: The current one first; a row of an older one waits to be re-indexed.
        self.versions = (current, *(version for version in provider.versions if version != current))
        known = {*self.versions, *provider.kept_versions}
        # Other threads may be in the middle of a lookup: what they hold is exchanged whole, never changed.
        self._macs = {(str(kind), version): self._keyed(kind, version) for kind in IndexKind for version in known}
        self._live = {
            str(kind): [(version, self._macs[kind, version], version >= current) for version in self.versions]
            for kind in IndexKind
        }
        layers = {version: self._keyed(_LAYER, version) for version in sorted(known)[1:]}
        self._layers = layers
        #: (where a layered digest began, the layers over it one after the other, the versions at which rows may stand)
        self._chains = tuple(
            (begun, tuple((version, mac) for version, mac in layers.items() if version > begun))
            for begun in sorted(known)
            if begun < max(known)
        )
        self._phone = self._macs["phone", current]
        self._email = self._macs["email", current]
        self._user = self._macs["user", current]
        self._fingerprints = tuple([self._keyed("fingerprint", version) for version in self.versions])
        self._brands: dict[str, list[_Prepared]] = {}

    def _keyed(self, field: str, version: int) -> HMAC:
        return HMAC(self._provider.derive(_context(self._tenant, field), 32, version), SHA256())

    # -- one kind, current version: what is written -------------------------------------------------------------------

    def phone(self, brand: str, e164: str) -> bytes:
        """The index of a phone in E.164."""
        if not _phone(e164):
            raise _not_normalised("phone")
        return _digest(self._phone, brand, e164)

    def email(self, brand: str, email: str) -> bytes:
        """The index of an e-mail address in lower case and NFC."""
        if not _is_email(email):
            raise _not_normalised("email")
        return _digest(self._email, brand, email)

    def user(self, brand: str, user: str) -> bytes:
        """The index of a platform user, ``<channel>:<platform user id>``."""
        if not _user(user):
            raise _not_normalised("user")
        return _digest(self._user, brand, user)

    # -- any kind, any version: what is read ----------------------------------------------------------------------------

    def accepts(self, kind: str, value: str) -> bool:
        """Whether ``value`` is normalised, so that the methods below will take it: for values nobody has checked yet."""
        return bool(_accepts(kind)(value))

    def current(self, kind: str, brand: str, value: str) -> IndexValue:
        """The index to write, with its version. ``kind`` is an ``IndexKind``."""
        if not _accepts(kind)(value):
            raise _not_normalised(kind)
        return IndexValue(version=self._version, digest=_digest(self._macs[kind, self._version], brand, value))

    def candidates(self, kind: str, brand: str, value: str) -> tuple[IndexValue, ...]:
        """Every digest a row may have, the current first: a lookup during a rotation asks for any of them."""
        if not _accepts(kind)(value):
            raise _not_normalised(kind)
        direct = [IndexValue(version, _digest(mac, brand, value), write) for version, mac, write in self._live[kind]]
        return tuple(direct) if not self._chains else (*direct, *self._layered_candidates(kind, brand, value))

    def identify(self, brand: str, fields: Mapping[str, str]) -> list[tuple[str, tuple[IndexValue, ...]]]:
        """(kind, ``candidates``) of every kind that ``fields`` gives, the strongest first: asked for every lead."""
        identifiers: list[tuple[str, tuple[IndexValue, ...]]] = []
        # What was prepared is read before all else: a rotation that another thread takes up meanwhile exchanges it last.
        for kind, accepts, macs in self._brands.get(brand) or self._prepare(brand):
            value = fields.get(kind)
            if not value:
                continue
            if self._chains:
                identifiers.append((kind, self.candidates(kind, brand, value)))
                continue
            if not accepts(value):
                raise _not_normalised(kind)
            encoded = value.encode()
            values = []
            for version, copy, write in macs:
                mac = copy()
                mac.update(encoded)
                values.append(IndexValue(version, mac.finalize(), write))
            identifiers.append((kind, tuple(values)))
        return identifiers

    def _prepare(self, brand: str) -> list[_Prepared]:
        """What ``identify`` needs of one brand: MACs that have taken its name in already. No person is in it."""
        brands, prefix = self._brands, _brand_prefix(brand)
        prepared = [
            (kind, _accepts(kind), [(version, _begun(mac, prefix).copy, write) for version, mac, write in live])
            for kind, live in self._live.items()
        ]
        if len(brands) >= _MOST_BRANDS:
            brands.clear()
        brands[brand] = prepared
        return prepared

    def _layered_candidates(self, kind: str, brand: str, value: str) -> Iterator[IndexValue]:
        for begun, layers in self._chains:
            digest = _digest(self._macs[kind, begun], brand, value)
            for version, layer in layers:
                digest = _over(layer, digest)
                if version in self.versions:
                    yield IndexValue(version, digest, write=False)

    def layered(self, version: int, digest: bytes) -> IndexValue:
        """A stored digest of an older version brought under the current one, without the value it was made of."""
        for newer, layer in self._layers.items():
            if version < newer <= self._version:
                digest = _over(layer, digest)
        return IndexValue(version=self._version, digest=digest, write=False)

    def suppression(self, kind: str, brand: str, value: str) -> bytes:
        """A digest that survives rotations and erasure, under a key that finds nothing else: who must stay uncalled."""
        if not _accepts(kind)(value):
            raise _not_normalised(kind)
        return _digest(self._suppressions[kind], brand, value)

    # -- duplicates -----------------------------------------------------------------------------------------------------

    def fingerprint(self, *parts: str) -> bytes:
        """A digest over parts in order, under the current version: equal parts, equal digest. An empty part is allowed."""
        return _begun(self._fingerprints[0], _fingerprinted(parts)).finalize()

    def fingerprints(self, parts: Sequence[str]) -> tuple[bytes, ...]:
        """The ``fingerprint`` under every live version, the current first: asked for every lead."""
        message = _fingerprinted(parts)
        return tuple([_begun(mac, message).finalize() for mac in self._fingerprints])

    def file_digest(self, stream: BinaryIO) -> str:
        """A keyed digest of everything in ``stream``, in bounded memory; hex. The stream is left at its end."""
        mac = self._file.copy()
        while chunk := stream.read(_CHUNK):
            mac.update(chunk)
        return mac.finalize().hex()


def _context(tenant: str, field: str, *, table: str = "blind_index") -> str:
    return key_context(tenant=tenant, table=table, field=field, purpose="lookup")


def _begun(keyed: HMAC, message: bytes) -> HMAC:
    mac = keyed.copy()
    mac.update(message)
    return mac


def _over(layer: HMAC, digest: bytes) -> bytes:
    return _begun(layer, digest).finalize()


def _digest(keyed: HMAC, brand: str, value: str) -> bytes:
    mac = keyed.copy()
    mac.update(_brand_prefix(brand) + value.encode())
    return mac.finalize()


@lru_cache(maxsize=64)
def _brand_prefix(brand: str) -> bytes:
    """The brand with its length first: no brand and value can be read as another pair."""
    if not brand:
        raise VaultError("context_missing", "an index needs a brand", field="brand")
    name = brand.encode("utf-8", "surrogatepass")
    return len(name).to_bytes(2, "big") + name


def _fingerprinted(parts: Sequence[str]) -> bytes:
    """Each part after its length: injective for any text, never an error that holds it."""
    if not any(parts):
        raise VaultError("context_missing", "a fingerprint of nothing would make all leads duplicates")
    try:
        return b"".join([_LENGTHS[len(raw)] + raw for raw in map(str.encode, parts)])
    except (IndexError, UnicodeEncodeError):  # longer than usual, or no Unicode: the same in full
        encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join([len(raw).to_bytes(4, "big") + raw for raw in encoded])


def _is_email(email: str) -> bool:
    if _plain_email(email):
        return True
    if not _email(email):
        return False
    return email == email.lower() if email.isascii() else _is_international(email)


def _is_international(email: str) -> bool:
    local, domain = email.split("@")
    # IDNA (UTS 46) writes Cherokee domains in capitals: of a domain only ASCII is required to be lower case.
    lower = local == local.lower() and not any("A" <= character <= "Z" for character in domain)
    return lower and is_normalized("NFC", email) and not any("\ud800" <= character <= "\udfff" for character in email)


def _not_normalised(field: str) -> VaultError:
    return VaultError("not_normalised", "an index takes normalised input only", field=field)


def _accepts(kind: str) -> Callable[[str], object]:
    check = _CHECKS.get(kind)
    if check is None:
        raise VaultError("unknown_kind", "an index is of a phone, an e-mail address or a platform user", field="kind")
    return check


_CHECKS: Mapping[str, Callable[[str], object]] = {
    IndexKind.PHONE: _phone,
    IndexKind.EMAIL: _is_email,
    IndexKind.USER: _user,
}
