"""Refuses to become another keyring, or to go back to an older one. A key provider that takes up a rotation without a restart.

A process reads its keyring once. When it meets a version it does not know, another process has rotated meanwhile: it reads the
keyring again, once, and goes on; if the version is not there even then, the operator must act (``keyring_stale``). Whoever
writes asks the ledger which versions there are (leadgate.pipeline.in_step) and calls ``refresh``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from consent.keys.provider import KeyProvider, Wrapped, keyring_identity
from schemas.errors import ConfigurationError

T = TypeVar("T")


class LiveKeys:
    """A ``KeyProvider`` over whatever ``read`` answers now. Safe to share between threads: what is held is exchanged whole."""

    __slots__ = ("_held", "_identity", "_read")

    def __init__(self, read: Callable[[], KeyProvider]) -> None:
        self._read = read
        self._held = read()
        self._identity = keyring_identity(self._held)

    def __repr__(self) -> str:
        return f"<live keys of {self.tenant}, current version {self.current_version}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is never pickled")

    @property
    def tenant(self) -> str:
        return self._held.tenant

    @property
    def current_version(self) -> int:
        return self._held.current_version

    @property
    def versions(self) -> tuple[int, ...]:
        return self._held.versions

    @property
    def kept_versions(self) -> tuple[int, ...]:
        return self._held.kept_versions

    def refresh(self) -> None:
        """Read the keyring again. Raises ConfigurationError if it is another one, or was put back to an older one."""
        fresh = self._read()
        if keyring_identity(fresh) != self._identity:
            raise ConfigurationError(
                "wrong_keyring", "the keyring was exchanged for another one while this process runs", field="keyring"
            )
        if fresh.versions[0] < self._held.versions[0] or fresh.current_version < self._held.current_version:
            raise ConfigurationError(
                "keyring_stale", "the keyring is older than the one this process began with; restore it", field="keyring"
            )
        self._held = fresh

    def wrap(self, dek: bytes) -> Wrapped:
        return self._again(lambda: self._held.wrap(dek))

    def wrap_many(self, deks: Sequence[bytes]) -> list[Wrapped]:
        return self._again(lambda: self._held.wrap_many(deks))

    def unwrap(self, wrapped: Wrapped) -> bytes:
        try:
            return self._held.unwrap(wrapped)  # asked for every lead that is sent
        except ConfigurationError as error:
            self._take_up(error)
        return self._held.unwrap(wrapped)

    def unwrap_many(self, wrapped: Sequence[Wrapped]) -> list[bytes | None]:
        return self._again(lambda: self._held.unwrap_many(wrapped))

    def unwrap_ahead(self, wrapped: Sequence[Wrapped]) -> None:
        self._again(lambda: self._held.unwrap_ahead(wrapped))

    def rewrap_many(self, wrapped: Sequence[Wrapped]) -> list[Wrapped | None]:
        return self._again(lambda: self._held.rewrap_many(wrapped))

    def derive(self, info: str, length: int, version: int | None = None) -> bytes:
        return self._again(lambda: self._held.derive(info, length, version))

    def _again(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except ConfigurationError as error:
            self._take_up(error)
        return work()

    def _take_up(self, error: ConfigurationError) -> None:
        """Read the keyring again if that may mend the error; else raise it."""
        if error.code != "keyring_stale":
            raise error
        self.refresh()
