"""The folders around an inbox: what a path must be able to do, the rules, the broom. It refuses to remove what may be young.

Files that were dealt with still hold people in clear, where no destroyed key reaches them. ``sweep`` removes them after a
while: processed ones soon, because the ledger has every row; refused ones later, because somebody has to mend them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

MARKER = ".done"
REASON = ".reason.txt"


class FilePath(Protocol):
    """What ``pathlib.Path`` and ``ObjectStoragePath`` have in common, as far as it is needed."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Self: ...
    def __truediv__(self, name: str, /) -> Self: ...
    def iterdir(self) -> Iterable[Self]: ...
    def is_file(self) -> bool: ...
    def stat(self) -> Any: ...
    def open(self, mode: Any, /) -> Any: ...
    def mkdir(self, *, parents: bool, exist_ok: bool) -> None: ...
    def rename(self, target: Any, /) -> Any: ...
    def unlink(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PickupRules:
    """When a file is finished, where it goes, and for how long. ``chunk`` is rows a transaction; None keeps for ever."""

    settle: timedelta = timedelta(seconds=5)
    require_marker: bool = False
    chunk: int = 500
    processed: str = "processed"
    rejected: str = "rejected"
    keep_processed: timedelta | None = timedelta(days=7)
    keep_rejected: timedelta | None = timedelta(days=30)


def sweep(inbox: FilePath, *, now: datetime, rules: PickupRules) -> int:
    """Remove processed and refused files whose time is over; answer how many."""
    removed = 0
    for folder, keep in ((rules.processed, rules.keep_processed), (rules.rejected, rules.keep_rejected)):
        if keep is None:
            continue
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in list((inbox / folder).iterdir()):
                removed += _remove_if_old(path, now, keep)
    return removed


def _remove_if_old(path: FilePath, now: datetime, keep: timedelta) -> bool:
    """A moved file keeps the time its sender wrote it; a refused one counts from its reason, which we wrote."""
    try:
        reason = path.parent / f"{path.name}{REASON}"
        written = (reason if reason.is_file() else path).stat().st_mtime
        # Some object stores tell no time (0): what cannot be known to be old stays.
        if not written or now.timestamp() - written < keep.total_seconds():
            return False
        path.unlink()
    except FileNotFoundError:  # another run was faster
        return False
    return True
