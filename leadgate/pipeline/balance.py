"""The balance: all that came in and all that is to go out, accounted for. It refuses to call open books closed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leadgate.storage import reports
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger
from schemas.vocabulary import FINAL_OUTCOMES, Outcome, SubmissionState

#: Share of accepted deliveries whose waiting time we report besides the median.
_P99 = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """``closes`` means: received = admitted + quarantined + refused, and every delivery has exactly one final outcome."""

    taken_at: datetime
    received: int
    waiting: int
    admitted: int
    quarantined: int
    refused: int
    reasons: Mapping[str, int]
    deliveries: Mapping[str, Mapping[str, int]]  # destination -> state -> count
    why: Sequence[tuple[str, str, str, int]] = ()  # destination, state, reason, count: what did not simply arrive
    held: Mapping[str, int] = field(default_factory=dict)  # destination -> records it says it holds, where we could ask
    median_seconds: float | None = None  # from receipt to acceptance
    p99_seconds: float | None = None
    longest_seconds: float | None = None
    late: int = 0  # accepted after the promised time
    promise: timedelta = timedelta(hours=4)
    leaves: int = 0
    pending_leaves: int = 0
    tree_size: int = 0

    @property
    def decided(self) -> bool:
        """Whether every submission was decided."""
        return self.waiting == 0 and self.received == self.admitted + self.quarantined + self.refused

    @property
    def settled(self) -> bool:
        """Whether every delivery has a final outcome."""
        return not any(
            count
            for states in self.deliveries.values()
            for state, count in states.items()
            if Outcome(state) not in FINAL_OUTCOMES
        )

    @property
    def closes(self) -> bool:
        """Whether the books close."""
        return self.decided and self.settled

    def as_dict(self) -> dict[str, Any]:
        """Counts only; what is stored and put into XCom."""
        return {
            "received": self.received,
            "waiting": self.waiting,
            "admitted": self.admitted,
            "quarantined": self.quarantined,
            "refused": self.refused,
            "reasons": dict(self.reasons),
            "deliveries": {name: dict(states) for name, states in self.deliveries.items()},
            "late": self.late,
            "leaves": self.leaves,
            "closes": self.closes,
        }


def take(ledger: Ledger, *, clock: Callable[[], datetime], promise: timedelta, keep: bool = True) -> Balance:
    """Read the balance at one moment, and keep it in the ledger unless ``keep`` is false (a progress display)."""
    now = clock()
    with ledger.snapshot() as tx:
        states = reports.submissions_by_state(tx)
        waits = sorted(micros / 1e6 for micros in reports.waiting_times(tx))
        leaves, pending, size = reports.log_size(tx)
        balance = Balance(
            taken_at=now,
            received=sum(states.values()),
            waiting=states.get(SubmissionState.RECEIVED, 0),
            admitted=states.get(SubmissionState.ADMITTED, 0),
            quarantined=states.get(SubmissionState.QUARANTINED, 0),
            refused=states.get(SubmissionState.REFUSED, 0),
            reasons=reports.reasons(tx),
            deliveries=reports.deliveries_by_state(tx),
            why=reports.delivery_reasons(tx),
            median_seconds=statistics.median(waits) if waits else None,
            p99_seconds=waits[min(len(waits) - 1, len(waits) * _P99 // 100)] if waits else None,
            longest_seconds=waits[-1] if waits else None,
            late=sum(wait > promise.total_seconds() for wait in waits),
            promise=promise,
            leaves=leaves,
            pending_leaves=pending,
            tree_size=size,
        )
    if not keep:
        return balance
    with ledger.transaction() as tx:
        reports.keep_balance(tx, taken_at=to_micros(now), tree_size=size, counts=balance.as_dict())
    return balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The oldest thing that still waits, against the promised time."""

    kind: str | None
    waiting_id: str | None
    since: datetime | None
    age: timedelta
    warn_after: timedelta
    answer_within: timedelta

    @property
    def state(self) -> str:
        """``kept``, ``at_risk`` or ``broken``."""
        if self.age >= self.answer_within:
            return "broken"
        return "at_risk" if self.age >= self.warn_after else "kept"

    def as_dict(self) -> dict[str, Any]:
        """Ids and numbers only."""
        return {"state": self.state, "kind": self.kind, "id": self.waiting_id, "age_seconds": int(self.age.total_seconds())}


def promise(ledger: Ledger, *, now: datetime, warn_after: timedelta, answer_within: timedelta) -> Promise:
    """How the four-hour promise stands right now."""
    with ledger.snapshot() as tx:
        oldest = reports.oldest_unanswered(tx)
    since = from_micros(oldest[2]) if oldest else None
    return Promise(
        kind=oldest[0] if oldest else None,
        waiting_id=oldest[1] if oldest else None,
        since=since,
        age=now - since if since else timedelta(0),
        warn_after=warn_after,
        answer_within=answer_within,
    )
