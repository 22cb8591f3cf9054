"""Plan: what a dispatch would send right now, and what the gate would stop, without claiming, opening or sending anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from integrations.contract.manifest import Manifest
from leadgate.pipeline.opening import Opener
from leadgate.storage import outbox, throttle
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPlan:
    """``stopped`` maps a reason of the gate to how many; ``fields`` are the names that would be disclosed, by purpose."""

    destination: str
    sends: int
    calls: int
    stopped: Mapping[str, int]
    fields: Mapping[str, Sequence[str]]
    waiting: Mapping[str, int]  # state -> how many are not due yet, in doubt or with a worker
    paused_until: datetime | None


class Planner:
    """Makes plans for destinations of one ledger."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        opener: Callable[[str], Opener],
        manifest: Callable[[str], Manifest],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._opener = opener
        self._manifest = manifest
        self._clock = clock

    def plan(self, destination: str) -> DestinationPlan:
        """What would happen at one destination."""
        now = self._clock()
        opener = self._opener(destination)
        sends, stopped, fields = 0, Counter[str](), dict[str, tuple[str, ...]]()
        with self._ledger.snapshot() as tx:
            after = ""
            while due := outbox.peek(tx, destination=destination, now=to_micros(now), after=after, limit=_PAGE):
                withdrawn = opener.standing(tx, due)
                for one in due:
                    reason = opener.refuses(one, withdrawn.get(one.person_id, {}), now)
                    if reason:
                        stopped[reason] += 1
                    else:
                        sends += 1
                        fields.setdefault(f"{one.brand}:{one.purpose}", opener.names(one))
                after = due[-1].delivery_id
            standing = throttle.read(tx, destination)
            counts = [row for row in outbox.due_counts(tx, to_micros(now)) if row[0] == destination]
        waiting = Counter[str]()
        for _, _, _, state, total, ready in counts:
            waiting[state] += total - (ready if state in {"queued", "deferred"} else 0)
        paused = from_micros(standing.open_until) if standing.open_until and standing.open_until > to_micros(now) else None
        return DestinationPlan(
            destination=destination,
            sends=sends,
            calls=math.ceil(sends / self._manifest(destination).capabilities.batch_size),
            stopped=dict(stopped),
            fields=fields,
            waiting={state: count for state, count in waiting.items() if count},
            paused_until=paused,
        )
