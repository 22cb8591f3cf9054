"""An archive whose bytes depend on nothing but what was put in. Refuses to overwrite a file, and to leave half of one behind.

A zip file with one fixed moment for every entry, entries in the order they were written, one way of compressing, and a manifest
at its end that names the size and SHA-256 of each. It is written in a stream: no entry is ever whole in memory. It may hold a
person, so its mode is 0600 from its first byte on.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from schemas.errors import ConfigurationError, StorageUnavailableError

MANIFEST: Final = "manifest.json"
_PRIVATE: Final = 0o600
_REGULAR_FILE: Final = 0o100644
_LEVEL: Final = 6
_write: Final = msgspec.json.Encoder().encode


def lines(documents: Iterable[Mapping[str, Any]]) -> Iterable[bytes]:
    """Documents as lines of JSON."""
    return (_write(each) + b"\n" for each in documents)


class Archive:
    """A zip file at ``target``, complete once ``finish`` returned; nothing stands there if it never did."""

    def __init__(self, target: Path, *, made_at: datetime) -> None:
        self._target = target
        self._partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        self._stamp = (made_at.year, made_at.month, made_at.day, made_at.hour, made_at.minute, made_at.second)
        self._files: dict[str, dict[str, int | str]] = {}

    def __enter__(self) -> Self:
        if self._target.exists():
            raise _taken()
        try:
            handle = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except OSError as error:
            raise _not_written(error) from None
        self._file = os.fdopen(handle, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError, ValueError):
            self._file.close()
        with suppress(OSError):
            self._partial.unlink()

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """One entry, from a stream."""
        entry = zipfile.ZipInfo(name, self._stamp)
        entry.external_attr = _REGULAR_FILE << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # the same bytes on every system
        size, digest = 0, hashlib.sha256()
        try:
            with self._zip.open(entry, "w", force_zip64=True) as file:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise _not_written(error) from None
        self._files[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def finish(self, manifest: Mapping[str, Any]) -> tuple[int, str]:
        """Write the manifest with the list of files, and give the archive its name. Answers its size and SHA-256."""
        document = {**manifest, "files": dict(sorted(self._files.items()))}
        self.write(MANIFEST, [msgspec.json.format(_write(document), indent=2) + b"\n"])
        try:
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256").hexdigest()
            size = self._file.tell()
            os.link(self._partial, self._target)  # unlike a rename it fails if somebody took the name meanwhile
        except FileExistsError:
            raise _taken() from None
        except OSError as error:
            raise _not_written(error) from None
        return size, digest


def _taken() -> ConfigurationError:
    return ConfigurationError("file_exists", "evidence is never overwritten: choose another name", field="target")


def _not_written(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError("not_written", f"the file cannot be written ({type(error).__name__})", field="target")
