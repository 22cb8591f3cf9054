"""Files that others read while they are written. Refuses to show half a file: each appears whole, or stays what it was.

``put`` writes beside the name, flushes, and renames; ``flush`` makes the names themselves survive a power cut. Whoever
publishes puts what is referred to first, flushes, and then what refers to it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from schemas.errors import StorageUnavailableError

_LOCK: Final = ".publishing"
_PART: Final = ".part"


class Shelf:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._touched: set[Path] = set()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time; a process that dies lets go. Raises StorageUnavailableError if the folder cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unavailable(error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise _unavailable(error) from None
        finally:
            os.close(handle)

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None if it is not there."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def size(self, path: str) -> int | None:
        """A file's size in bytes; None if it is not there."""
        try:
            return (self.folder / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, path: str, content: bytes) -> None:
        """Write a file that everybody may read."""
        target = self.folder / path
        self._folders(target.parent)
        part = target.with_name(target.name + _PART)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        self._touched.add(target.parent)

    def flush(self) -> None:
        """Everything put until now survives a power cut."""
        for folder in sorted(self._touched, reverse=True):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._touched.clear()

    def remove(self, path: str) -> bool:
        """Take a file, or a folder with its files, away; say whether there was one."""
        target = self.folder / path
        if target.is_dir():
            for file in target.iterdir():
                file.unlink(missing_ok=True)
            target.rmdir()
            return True
        with suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()
            return True
        return False

    def _folders(self, folder: Path) -> None:
        """Make a folder and whatever is missing above it; the names made are flushed with the rest."""
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        while folder != self.folder:
            folder = folder.parent
            self._touched.add(folder)


def _unavailable(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(
        "log_not_published", f"the folder of the published log cannot be used ({type(error).__name__})", field="log.publish_to"
    )
