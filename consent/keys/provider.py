"""Refuses a key without a context, and one tenant's work with another's roots. The wall behind which keys live.

Everything above asks a ``KeyProvider`` for three things and never sees a root: to wrap a data key, to unwrap it, and to derive
a key for one named use. A file keyring is one provider; a key-management service or certified (GOST) hardware can be another,
because a wrapped key is an opaque blob that names its own construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from schemas.errors import VaultError

#: Keys derived under this "version" never rotate: names that recipients keep (pseudonyms) and digests of files seen.
STABLE_VERSION: Final = 0

#: leadgate/v1|tenant|table|field|purpose: every part present and free of the separator, so two contexts never read alike.
_INFO = re.compile(r"leadgate/v1(?:\|[A-Za-z0-9_.:/-]{1,128}){4}", re.ASCII)


class Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    """A data key as it may be stored, and the version of the key that wrapped it (a column, so that it can be queried)."""

    bytes: bytes
    version: int

    def __repr__(self) -> str:
        return f"<wrapped key, version {self.version}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("version", self.version)]


class KeyProvider(Protocol):
    """What wraps and derives. No error MAY hold key bytes.

    MUST raise VaultError only if this one wrapped key can never be opened. A provider that is unreachable, stale or locked MUST
    raise ConfigurationError: the operator acts, everything stops loudly and nothing is given up.
    """

    @property
    def tenant(self) -> str:
        """The one tenant whose roots these are."""
        ...

    @property
    def current_version(self) -> int:
        """The version that new keys are wrapped and derived under."""
        ...

    @property
    def versions(self) -> tuple[int, ...]:
        """All live versions, newest first."""
        ...

    @property
    def kept_versions(self) -> tuple[int, ...]:
        """Versions that wrap and unwrap nothing any more, and of which some derived keys were kept."""
        ...

    def refresh(self) -> None:
        """Read anew what may have been rotated by another process. MUST refuse to become another keyring."""
        ...

    def wrap(self, dek: bytes) -> Wrapped:
        """Wrap a data key under the current version."""
        ...

    def wrap_many(self, deks: Sequence[bytes]) -> list[Wrapped]:
        """Wrap several: one round trip where a provider is remote."""
        ...

    def unwrap(self, wrapped: Wrapped) -> bytes:
        """Return the data key. Raises VaultError if its version was dropped or the bytes were changed."""
        ...

    def unwrap_many(self, wrapped: Sequence[Wrapped]) -> list[bytes | None]:
        """The data keys, one round trip where a provider is remote; None for one that ``unwrap`` says VaultError of."""
        ...

    def unwrap_ahead(self, wrapped: Sequence[Wrapped]) -> None:
        """Say which will be asked for in a moment: one round trip where a provider is remote. Reports nothing wrong."""
        ...

    def rewrap_many(self, wrapped: Sequence[Wrapped]) -> list[Wrapped | None]:
        """Wrap the same data keys under the current version; None for one that can never be opened."""
        ...

    def derive(self, info: str, length: int, version: int | None = None) -> bytes:
        """Derive ``length`` bytes for one use by HKDF-SHA-256 with ``info|version``; None means the current version."""
        ...


class KeyRotation(Protocol):
    """What changes the roots. Each step is done once, whoever says it twice; a crash leaves the keyring before or after it."""

    def announce(self, *, now: datetime) -> int:
        """Make one more version that opens and is looked up; answer it. An announced one that waits is answered again."""
        ...

    def promote(self, version: int) -> None:
        """Make an announced version the current one."""
        ...

    def drop(self, version: int, *, keep: Sequence[str] = ()) -> None:
        """Destroy the oldest version. ``keep`` names contexts whose derived keys of 32 bytes outlive it.

        Without ``keep`` what earlier versions left goes too.
        """
        ...


def unwrapped(provider: KeyProvider, wrapped: Iterable[Wrapped]) -> Iterator[bytes | None]:
    """What ``unwrap`` says of each, in order; None for one that can never be opened, which costs the others nothing.

    For providers: one key is in memory at a time, and none is asked for ahead.
    """
    unwrap = provider.unwrap
    for each in wrapped:
        try:
            found = unwrap(each)
        except VaultError:
            found = None
        yield found


def key_context(*, tenant: str, table: str, field: str, purpose: str) -> str:
    """Name one use of a key. A missing part is refused: a key without a context is one key for everything."""
    return require_context(f"leadgate/v1|{tenant}|{table}|{field}|{purpose}")


def require_context(info: str) -> str:
    """Refuse what ``key_context`` would not have made; providers call it before they derive."""
    if not _INFO.fullmatch(info):
        raise VaultError("context_missing", "a key needs tenant, table, field and purpose, each named and without separators")
    return info


def require_tenant(provider: KeyProvider, tenant: str) -> str:
    """Refuse to work for one tenant with another's roots."""
    if not tenant or tenant != provider.tenant:
        raise VaultError("wrong_tenant", "the key provider holds the roots of another tenant", field="tenant")
    return tenant


def keyring_identity(provider: KeyProvider) -> str:
    """32 hex digits that are the same for all versions of one keyring and say nothing about its roots.

    To be stored beside the data when they are first sealed, and compared at every start: under another keyring, a new one made
    by mistake say, no seal opens, and that must stop the house instead of looking like ten thousand broken rows.
    """
    context = key_context(tenant=provider.tenant, table="keys", field="keyring", purpose="identity")
    return provider.derive(context, 16, STABLE_VERSION).hex()
