"""Express: whoever admitted a batch sends it at once, while its fields are still in hand (docs/adr/0028-express.md).

The transaction that queues a delivery claims it too; then it is sent as dispatch sends, the gate is asked again, and the
argument of leadgate.pipeline.dispatch holds. What is saved is the wait for dispatch, and claiming, reading and opening what was
sealed a moment ago.

Admission waits for no destination. One takes part as long as it is well: no outage since its last success, no rate limit to
queue for. The first call that fails or takes long ends its part in this run; what was not sent is queued for dispatch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.dispatch import Dispatcher
from leadgate.pipeline.opening import HandOver
from leadgate.storage import throttle
from leadgate.storage.engine import Transaction

#: Seconds that a destination may take for what one batch of admission sends it. A call that has begun is waited for.
PATIENCE: Final = 2.0


class Express:
    """The way at once to some destinations, for one run of admission."""

    def __init__(self, dispatchers: Mapping[str, Dispatcher], *, patience: float = PATIENCE) -> None:
        """``patience`` in seconds."""
        self._dispatchers = {name: each for name, each in dispatchers.items() if not each.limited}
        self._patience = patience
        self._left: set[str] = set()  # destinations that take no more part in this run
        #: What was sent, by destination.
        self.counts: dict[str, DispatchCount] = {}

    def open(self, tx: Transaction) -> dict[str, HandOver]:
        """By destination, the claim under which the batch that ``tx`` writes is queued, and room for what is to be sent."""
        handed: dict[str, HandOver] = {}
        for name, dispatcher in self._dispatchers.items():
            if name in self._left:
                continue
            if throttle.read(tx, name).well:
                handed[name] = dispatcher.hand_over()
            else:
                self._left.add(name)
        return handed

    def send(self, handed: Mapping[str, HandOver]) -> int:
        """Send what was committed, and answer how many records were accepted.

        Raises what dispatch raises of ledger and keys; the troubles of a destination are written down, and raise nothing.
        """
        accepted = 0
        for name, batch in handed.items():
            if not batch.records:
                continue
            count, well = self._dispatchers[name].send(batch, seconds=self._patience)
            self.counts[name] = self.counts.get(name, DispatchCount()) + count
            accepted += count.accepted
            if not well:
                self._left.add(name)
        return accepted
