"""What a dispatch came to, in numbers that add up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchCount:
    """``resolved`` counts doubts that a read-back ended; ``late`` outcomes came after somebody else took the claim over."""

    accepted: int = 0
    rejected: int = 0
    deferred: int = 0
    uncertain: int = 0
    dead: int = 0
    suppressed: int = 0
    queued: int = 0  # given back unsent
    resolved: int = 0
    late: int = 0

    def __add__(self, other: DispatchCount) -> DispatchCount:
        mine, theirs = asdict(self), asdict(other)
        return DispatchCount(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)


class Tally:
    """What the lanes of one run have done so far, and whether they go on."""

    def __init__(self, *, deadline: float, progress: Callable[[DispatchCount], None] | None) -> None:
        self.total = DispatchCount()
        self._deadline = deadline  # of time.monotonic
        self.failed = False
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, count: DispatchCount) -> None:
        """Count, and say so."""
        with self._lock:
            self.total += count
            if self._progress:
                self._progress(self.total)

    def over(self) -> bool:
        """Whether the time is up, or the other lane failed."""
        return self.failed or time.monotonic() >= self._deadline

    @contextmanager
    def ending(self) -> Iterator[None]:
        """What breaks one lane stops the other; each error is raised by its own."""
        try:
            yield
        except BaseException:
            self.failed = True
            raise
