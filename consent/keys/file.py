"""Refuses a keyring file that anybody but its owner can read, or that is no plain file. Keeps a keyring on one machine's disk.

Crashes: a new document is written beside the old one, flushed to disk and put in its place in one step, under a lock; whoever
reads sees the old keyring or the new one, never a part. A keyring is never overwritten by ``create``.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from consent.keys.keyring import Keyring, keyring_from_json, new_keyring
from schemas.errors import ConfigurationError

#: The keyring document itself, for containers whose secrets arrive as environment variables.
ENVIRONMENT: Final = "LEADGATE_KEYRING_JSON"
_LARGEST: Final = 1024 * 1024  # bytes; a keyring of a thousand versions is a tenth of it


class FileKeyProvider(Keyring):
    """The keyring of one file. Rotation returns a new provider; this one keeps what it read."""

    __slots__ = ("path",)

    def __init__(self, path: Path, keyring: Keyring) -> None:
        super().__init__(keyring._document, where=str(path))  # noqa: SLF001 - the same class
        self.path = path

    @classmethod
    def open(cls, path: Path) -> FileKeyProvider:
        """Read a keyring file. Raises ConfigurationError that names the file and the mend."""
        return cls(path, keyring_from_json(_read_private(path), where=str(path)))

    @classmethod
    def create(
        cls, path: Path, *, tenant: str, now: datetime, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> FileKeyProvider:
        """Write a new keyring with one version. Refuses to touch an existing file: its keys may be the only ones."""
        keyring = new_keyring(tenant=tenant, now=now, random_bytes=random_bytes)
        with _locked(path):
            if path.exists() or path.is_symlink():
                raise ConfigurationError("keyring_exists", "a keyring is never overwritten", field=str(path))
            _write(path, keyring.to_json())
        return cls(path, keyring)

    @classmethod
    def add_version(
        cls, path: Path, *, now: datetime, random_bytes: Callable[[int], bytes] = os.urandom, announce: bool = False
    ) -> FileKeyProvider:
        """Rotate: one more version, current from now on. Old versions go on opening what they sealed.

        While several processes run: ``announce`` first, have all of them read the keyring again, then ``promote``. Otherwise
        one that started earlier cannot open or find what another already writes under the new version.
        """
        with _locked(path):
            keyring = cls.open(path).with_new_version(now=now, random_bytes=random_bytes, announce=announce)
            _write(path, keyring.to_json())
        return cls(path, keyring)

    @classmethod
    def promote(cls, path: Path, version: int) -> FileKeyProvider:
        """Make an announced version the current one."""
        with _locked(path):
            keyring = cls.open(path).with_current(version)
            _write(path, keyring.to_json())
        return cls(path, keyring)

    @classmethod
    def drop_version(cls, path: Path, version: int, *, keep: Sequence[str] = ()) -> FileKeyProvider:
        """Destroy one old version, after every row was re-wrapped. What still hangs on it will never open again."""
        with _locked(path):
            keyring = cls.open(path).without_version(version, keep=keep)
            _write(path, keyring.to_json())
        return cls(path, keyring)


class FileKeyRotation:
    """Rotates the keyring of one file: ``consent.keys.provider.KeyRotation``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def announce(self, *, now: datetime) -> int:
        """One more version; an announced one that nobody promoted yet is answered again."""
        keyring = FileKeyProvider.open(self._path)
        if keyring.versions[0] == keyring.current_version:
            keyring = FileKeyProvider.add_version(self._path, now=now, announce=True)
        return keyring.versions[0]

    def promote(self, version: int) -> None:
        """Make it current, if it is not."""
        if FileKeyProvider.open(self._path).current_version < version:
            FileKeyProvider.promote(self._path, version)

    def drop(self, version: int, *, keep: Sequence[str] = ()) -> None:
        """Destroy it, if it is still there."""
        if version in FileKeyProvider.open(self._path).versions:
            FileKeyProvider.drop_version(self._path, version, keep=keep)


def provider_from_environment(environ: Mapping[str, str]) -> Keyring | None:
    """The keyring in ``LEADGATE_KEYRING_JSON``, or None if the variable is not set."""
    text = environ.get(ENVIRONMENT, "")
    return keyring_from_json(text, where=ENVIRONMENT) if text.strip() else None


def _read_private(path: Path) -> bytes:
    fault = ""
    try:
        # O_NOFOLLOW: a link could point where somebody else writes. O_NONBLOCK: a pipe must not hang us.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError("keyring_not_a_file", "the keyring is not a plain file", field=str(path))
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    "keyring_open_to_others", "others than the owner may read the keyring: chmod 600", field=str(path)
                )
            return file.read(_LARGEST)
    except OSError as error:
        fault = os.strerror(error.errno or 0)
    raise ConfigurationError("keyring_unreadable", f"the keyring cannot be read: {fault}", field=str(path))


def _write(path: Path, document: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)  # left by a crash; we hold the lock
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)  # the rename itself must survive a power cut
        finally:
            os.close(directory)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise ConfigurationError(
            "keyring_unwritable", f"the keyring cannot be written: {os.strerror(error.errno or 0)}", field=str(path)
        ) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One writer at a time, over processes; the lock is the kernel's and dies with us. Its file is never removed."""
    try:
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            "keyring_unwritable", f"the keyring's folder cannot be written: {os.strerror(error.errno or 0)}", field=str(path)
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
