"""Catch up: what no event of the day announces. Recipients of what was taken back whom nobody was asked to tell, clocks that
were met by a destruction, people who came back, and memories that have no use any more. Each look is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from leadgate.pipeline import telling, withdrawal_clocks
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import clocks, log, people, recipients, suppression, withdrawals
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.clocks import ClockSubject

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpCount:
    """How many recipients were found untold, clocks met, people known again, memories let go."""

    asked: int = 0
    clocks_met: int = 0
    returned: int = 0
    forgotten: int = 0

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)


def run(ledger: Ledger, *, clock: Callable[[], datetime]) -> CatchUpCount:
    """Look once through everything."""
    asked = 0
    while found := ledger.retrying(lambda tx: _ask(tx, clock())):
        asked += found
    now = clock()
    return CatchUpCount(
        asked=asked,
        clocks_met=ledger.retrying(lambda tx: _meet(tx, now)),
        returned=ledger.retrying(withdrawals.mark_returned),
        forgotten=ledger.retrying(lambda tx: suppression.forget(tx, to_micros(now))),
    )


def _ask(tx: Transaction, now: datetime) -> int:
    people.lock(tx)
    recorder = Recorder(at=now)
    fresh = telling.ask(tx, recorder, recipients.untold(tx, limit=_PAGE), cause=telling.WITHDRAWAL, now=now)
    log.append(tx, recorder.leaves)
    return len(fresh)


def _meet(tx: Transaction, now: datetime) -> int:
    recorder = Recorder(at=now)
    ids = dict.fromkeys(each.about for each in clocks.open_(tx) if each.subject is ClockSubject.WITHDRAWAL)
    met = withdrawal_clocks.meet(tx, recorder, list(ids), now=now)
    log.append(tx, recorder.leaves)
    return met
