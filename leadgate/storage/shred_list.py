"""The shred list on disk. It refuses to grow from a line that does not prove itself, and answers only after fsync.

Beside the keyring and not in the database: a restored database must not forget who was destroyed. Lines are only ever added
(``consent.shredding`` says what stands in one). A process that dies while it writes leaves a part of a line: nothing was
destroyed for it yet, and whoever writes next takes it away. Whole lines are never taken away.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from consent.shredding import FIRST, LINE_BYTES, Shredded, ShredListKey, parse
from schemas.errors import AuditError, ConfigurationError, StorageUnavailableError

#: Lines read at once.
_PAGE = 5_000


class ShredList:
    """One file. Several processes may hold it; the kernel's lock lets one at a time write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def length(self) -> int | None:
        """How many whole lines there are; None if there is no list."""
        try:
            return self.path.stat().st_size // LINE_BYTES
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None

    def since(self, number: int) -> list[Shredded]:
        """The lines after the ``number``-th, read without proof."""
        return [parse(line, at) for at, line in enumerate(self._lines(number), number + 1)]

    def proven(self, key: ShredListKey) -> Iterator[list[Shredded]]:
        """Every line, proven from the first on, in pages. Raises AuditError naming the line that does not hold."""
        page: list[Shredded] = []
        for each in key.read(self._lines(0)):
            page.append(each)
            if len(page) == _PAGE:
                yield page
                page = []
        yield page

    def append(self, key: ShredListKey, entries: Sequence[tuple[str, str]], *, at: datetime, known: int) -> int:
        """Add a line for each (person id, digest of the key's id) and force them to disk; answer how many lines there are now.

        ``known`` is how many lines the ledger has carried out: a list that is shorter has lost some, and is not written to.
        """
        with self._locked() as file:
            size = os.fstat(file).st_size
            whole = size // LINE_BYTES
            if whole < known:
                raise truncated()
            end = whole * LINE_BYTES
            if size != end:
                os.ftruncate(file, end)  # a part of a line, of a process that died before anything was destroyed for it
            before = self._last(file, whole, key)
            lines = []
            for number, (person_id, digest) in enumerate(entries, whole + 1):
                lines.append(key.line(number=number, at=at, person_id=person_id, key_sha256=digest, before=before))
                before = parse(lines[-1], number).mac
            self._write(file, b"".join(lines), end)
            return whole + len(lines)

    def _last(self, file: int, whole: int, key: ShredListKey) -> str:
        """The mac of the last line, after it has proven itself."""
        if whole == 0:
            return FIRST
        start = max(0, whole - 2)
        raw = os.pread(file, LINE_BYTES * (whole - start), LINE_BYTES * start)
        before = parse(raw[:LINE_BYTES], whole - 1).mac if whole > 1 else FIRST
        return key.proven(raw[-LINE_BYTES:], number=whole, before=before).mac

    def _write(self, file: int, data: bytes, end: int) -> None:
        fault: OSError | None = None
        try:
            written = os.pwrite(file, data, end)
            os.fsync(file)
        except OSError as error:
            written, fault = -1, error
        if written != len(data):  # a full disk may take a part of it and say so, or refuse
            os.ftruncate(file, end)
            raise self._unusable(fault)

    def _lines(self, skip: int) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(skip * LINE_BYTES)
                while len(line := file.read(LINE_BYTES)) == LINE_BYTES:
                    yield line
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            made = not self.path.exists()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self.path, flags, stat.S_IRUSR | stat.S_IWUSR)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            if made:
                directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(directory)  # the name itself must survive a power cut
                finally:
                    os.close(directory)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _unusable(self, error: OSError | None) -> StorageUnavailableError:
        fault = type(error).__name__ if error else "no space"
        return StorageUnavailableError(
            "shred_list_unusable",
            f"the shred list cannot be read or written ({fault}): nothing was destroyed",
            field="LEADGATE_SHRED_LIST",
        )


def truncated() -> AuditError:
    """The list is shorter than what was carried out."""
    return AuditError(
        "shred_list_truncated",
        "the shred list has fewer lines than this ledger has carried out: restore the list from its copy",
        field="LEADGATE_SHRED_LIST",
    )


def missing() -> ConfigurationError:
    """The ledger knows of a list and there is none."""
    return ConfigurationError(
        "shred_list_missing",
        "people were destroyed and the list of them is not where it must be: say where it is, or restore its copy",
        field="LEADGATE_SHRED_LIST",
    )
