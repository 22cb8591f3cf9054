"""The board of clocks: which are missed, which soon will be, which are flagged. No wrong clock makes it say that all is well.

A machine's clock that was moved back would show time that is over. So the board compares it with the latest moment the ledger
was written at: a clock behind that is said, and nobody trusts the time left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent.clocks import CLOCK_SKEW, state_at
from leadgate.storage import clocks
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger
from schemas.clocks import Clock, ClockState

#: Ids of urgent clocks that go into an alert.
_URGENT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Every running clock, the most urgent first; ``met`` are the newest that were met. ``behind``: now cannot be right."""

    taken_at: datetime
    running: Sequence[Clock]
    met: Sequence[Clock]
    counts: dict[str, int]
    behind: bool

    def state(self, clock: Clock) -> ClockState:
        """How one clock stands."""
        return state_at(now=self.taken_at, due_at=clock.due_at, warn_at=clock.warn_at, met_at=clock.met_at)

    @property
    def worst(self) -> str:
        """``kept``, ``at_risk`` or ``overdue``: a clock at risk, a flag or a wrong time is nothing to sleep over."""
        if self.counts["overdue"]:
            return "overdue"
        return "at_risk" if self.behind or self.counts["at_risk"] or self.counts["flagged"] else "kept"

    def as_dict(self) -> dict[str, Any]:
        """Counts and ids only; for XCom and alerts."""
        urgent = [
            each.clock_id
            for each in self.running
            if self.state(each) in {ClockState.OVERDUE, ClockState.AT_RISK} or each.flag is not None
        ]
        return {**self.counts, "behind": self.behind, "worst": self.worst, "clocks": urgent[:_URGENT]}


def take(ledger: Ledger, *, now: datetime, met: int = 0) -> Board:
    """The board at this moment."""
    with ledger.snapshot() as tx:
        running = clocks.open_(tx)
        counts = clocks.counts(tx, to_micros(now))
        newest = from_micros(clocks.newest_record(tx))
        done = clocks.met(tx, since=0, limit=met) if met else []
    return Board(taken_at=now, running=running, met=done, counts=counts, behind=newest > now + CLOCK_SKEW)
