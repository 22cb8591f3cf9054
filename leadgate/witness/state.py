"""What the witness remembers: the last checkpoint it signed of each log. Refuses to forget, and to begin anew by itself.

One SQLite file, ``synchronous=FULL``: when ``advance`` returns, what it wrote survives a power cut. Looking at the last
checkpoint and writing the next one are one exclusive transaction, so that two requests at once cannot take the witness back.
A file that is missing is not made here: a witness without memory signs anything once, so only ``create`` makes one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consent.audit.merkle import EMPTY_ROOT
from schemas.errors import ConfigurationError, StorageUnavailableError

#: "LGWT": tells our file from any other SQLite database.
_APPLICATION: Final = 0x4C47_5754
_TABLE: Final = (
    "create table signed (origin text primary key, tree_size integer not null, root blob not null, note text not null,"
    " cosigned_at integer not null) strict"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The last checkpoint the witness signed of a log. ``note`` carries the log's signature and the witness's."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    cosigned_at: int = 0  # POSIX seconds


class State:
    """The file. One at a time writes; a second process waits for the first."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(
                "no_witness_state",
                "the witness's memory is missing. Restore it from a backup. Without it nobody may sign under this name:"
                " make a new witness with a new name instead ('leadgate witness init')",
                field=path.name,
            )
        self._lock = threading.Lock()
        try:
            self._file = _open(path)
            (found,) = self._file.execute("pragma application_id").fetchone()
            (sound,) = self._file.execute("pragma quick_check(1)").fetchone()
        except sqlite3.Error:
            found, sound = 0, ""
        if found != _APPLICATION or sound != "ok":
            raise ConfigurationError(
                "witness_state_damaged",
                "this is not the memory of a witness, or it is damaged: restore it from a backup",
                field=path.name,
            )

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty memory. Raises ConfigurationError if there is one."""
        if path.exists():
            raise ConfigurationError("witness_exists", "there is a witness in this folder already", field=path.name)
        path.touch(mode=0o600)
        file = _open(path)
        file.execute("begin immediate")
        file.execute(_TABLE)
        file.execute(f"pragma application_id = {_APPLICATION}")
        file.execute("commit")
        file.close()

    def last(self, origin: str) -> Signed | None:
        """The last checkpoint signed of this log; None if it never signed one."""
        with self._guarded():
            return self._last(origin)

    def all(self) -> dict[str, Signed]:
        """The last one of every log."""
        with self._guarded():
            rows = self._file.execute(
                "select origin, tree_size, root, note, cosigned_at from signed order by origin"
            ).fetchall()
        return {row[0]: _signed(row[1:]) for row in rows}

    def advance(self, origin: str, judge: Callable[[Signed], Signed]) -> Signed:
        """Give ``judge`` the last checkpoint, keep the one it answers, and return when that is on disk.

        Whatever ``judge`` raises leaves everything as it was.
        """
        with self._guarded():
            self._file.execute("begin immediate")
            try:
                following = judge(self._last(origin) or Signed())
                self._file.execute(
                    "insert into signed values (?, ?, ?, ?, ?) on conflict (origin) do update set tree_size ="
                    " excluded.tree_size, root = excluded.root, note = excluded.note, cosigned_at = excluded.cosigned_at",
                    (origin, following.size, following.root, following.note, following.cosigned_at),
                )
                self._file.execute("commit")
            finally:
                if self._file.in_transaction:
                    self._file.execute("rollback")
            return following

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def _last(self, origin: str) -> Signed | None:
        row = self._file.execute("select tree_size, root, note, cosigned_at from signed where origin = ?", (origin,)).fetchone()
        return _signed(row) if row else None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error:
                raise StorageUnavailableError(
                    "witness_state_unavailable", "the witness's memory cannot be read or written; nothing was signed"
                ) from None


def _signed(row: tuple[int, bytes, str, int]) -> Signed:
    return Signed(size=row[0], root=row[1], note=row[2], cosigned_at=row[3])


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
    # a journal that is deleted is one file to back up and copy; FULL flushes it before and after the commit
    file.execute("pragma journal_mode = delete")
    file.execute("pragma synchronous = full")
    return file
