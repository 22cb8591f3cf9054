"""Doubts: deliveries of which nobody knows whether they arrived, and how each is ended without sending blindly.

Found at the destination: accepted. Certainly not there: queued again. Cannot be read back: repeated where a repetition is one
record (upsert), else a dead letter flagged to a person. After the last attempt nothing is queued again: to a destination that
loses every answer the same lead would be sent for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from integrations.contract.destination import Destination
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, outbox
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.outbox import Doubtful
from schemas.delivery import Found
from schemas.errors import DeliveryError, TerminalError
from schemas.policy import DeliveryRules
from schemas.vocabulary import IN_DOUBT, Event, Outcome, WriteMode


class Doubts:
    """Ends doubts at one destination."""

    def __init__(
        self, *, ledger: Ledger, connector: Destination, rules: DeliveryRules, worker: str, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._connector = connector
        self._rules = rules
        self._worker = worker
        self._clock = clock
        self._destination = connector.endpoint.destination
        #: Why the last read-back needs a person; the doubts stay, and whoever runs us raises it when the rest is done.
        self.failure: TerminalError | None = None
        self._looked: datetime | None = None

    def resolve(self, *, again: bool = False) -> DispatchCount:
        """Turn expired leases into doubts, then end every doubt that is due.

        ``again`` is for whoever asks before each round: the look reads the whole queue, and a doubt is not due before the
        vendor had time to settle, so two looks in that time are enough.
        """
        now = self._clock()
        if again and self._looked is not None and now - self._looked < self._rules.settle / 2:
            return DispatchCount()
        self._looked = now
        count = self._orphans()
        self.failure = None
        while due := self._claim():
            try:
                found = self._read_back(due)
            except TerminalError as error:
                self.failure = error
                return count
            except DeliveryError:
                return count  # the destination does not answer: they stay in doubt and are due again after the lease
            count += self._end(due, found)
        return count

    def _orphans(self) -> DispatchCount:
        now = self._clock()

        def work(tx: Transaction) -> int:
            look_at = to_micros(now + self._rules.settle)
            orphans = outbox.expire_leases(tx, destination=self._destination, now=to_micros(now), look_at=look_at)
            recorder = Recorder(at=now)
            for one in orphans:
                recorder.note(
                    Event.DELIVERY_UNCERTAIN,
                    delivery_id=one.delivery_id,
                    lead_id=one.lead_id,
                    facts={"destination": self._destination, "code": "lease_expired", "attempt": one.attempt},
                )
            log.append(tx, recorder.leaves)
            return len(orphans)

        return DispatchCount(uncertain=self._ledger.retrying(work))

    def _claim(self) -> list[Doubtful]:
        now = self._clock()
        return self._ledger.retrying(
            lambda tx: outbox.claim_doubtful(
                tx,
                destination=self._destination,
                worker=self._worker,
                limit=self._connector.manifest.capabilities.batch_size,
                now=to_micros(now),
                look_again=to_micros(now + self._rules.lease),
            )
        )

    def _read_back(self, due: Sequence[Doubtful]) -> Mapping[str, Found] | None:
        if not self._connector.manifest.capabilities.lookup:
            return None
        return self._connector.lookup([one.key for one in due])

    def _end(self, due: Sequence[Doubtful], found: Mapping[str, Found] | None) -> DispatchCount:
        now = self._clock()
        moment = to_micros(now)
        recorder = Recorder(at=now)
        rows: list[tuple[str, str, str, str | None, None, int | None, int | None, int]] = []
        states: dict[str, Outcome] = {}
        for one in due:
            hit = found.get(one.key) if found is not None else None
            state, code = self._verdict(one, hit, read_back=found is not None)
            again, decided = (moment, None) if state is Outcome.QUEUED else (None, moment)
            rows.append(
                (one.delivery_id, state.value, code, hit.vendor_ref if hit else None, None, again, decided, one.attempt)
            )
            states[one.delivery_id] = state
            doubles = hit.count if hit else 0
            facts = {"destination": self._destination, "outcome": state.value, "resolved_by": code, "count": doubles}
            recorder.note(Event.DELIVERY_RESOLVED, delivery_id=one.delivery_id, lead_id=one.lead_id, facts=facts)

        def work(tx: Transaction) -> set[str]:
            mine = outbox.settle(tx, self._worker, rows)
            log.append(tx, [leaf for row, leaf in zip(rows, recorder.leaves, strict=True) if row[0] in mine])
            return mine

        mine = self._ledger.retrying(work)
        ended = Counter(states[delivery_id] for delivery_id in mine)
        return DispatchCount(
            resolved=len(mine),
            accepted=ended[Outcome.ACCEPTED],
            dead=ended[Outcome.DEAD],
            queued=ended[Outcome.QUEUED],
            late=len(rows) - len(mine),
        )

    def _verdict(self, one: Doubtful, hit: Found | None, *, read_back: bool) -> tuple[Outcome, str]:
        """What becomes of one doubt, and why."""
        repeatable = self._connector.manifest.capabilities.write_mode is WriteMode.UPSERT
        exhausted = one.attempt >= self._rules.attempts
        if hit is not None:
            return Outcome.ACCEPTED, "read_back_found"
        if read_back:
            return (Outcome.DEAD, "attempts_exhausted") if exhausted else (Outcome.QUEUED, "read_back_absent")
        if repeatable and not exhausted:
            return Outcome.QUEUED, "repeatable"
        return Outcome.DEAD, IN_DOUBT
