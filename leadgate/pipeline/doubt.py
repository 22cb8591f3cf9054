"""Doubts: deliveries of which nobody knows whether they arrived, and how each is ended without sending blindly.

Found at the destination: accepted. Certainly not there: queued again. Cannot be read back: repeated where a repetition is one
record (upsert), else a dead letter flagged to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from integrations.contract.destination import Destination
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, outbox
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.outbox import Doubtful
from schemas.delivery import Found
from schemas.errors import DeliveryError
from schemas.policy import DeliveryRules
from schemas.vocabulary import Event, Outcome, WriteMode


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

    def resolve(self) -> DispatchCount:
        """Turn expired leases into doubts, then end every doubt that is due."""
        count = self._orphans()
        while due := self._claim():
            try:
                found = self._read_back(due)
            except DeliveryError:
                return count  # the destination does not answer: they stay in doubt and are due again after the lease
            count += self._end(due, found)
        return count

    def _orphans(self) -> DispatchCount:
        now = self._clock()
        recorder = Recorder(at=now)
        with self._ledger.transaction() as tx:
            look_at = to_micros(now + self._rules.settle)
            orphans = outbox.expire_leases(tx, destination=self._destination, now=to_micros(now), look_at=look_at)
            for one in orphans:
                recorder.note(
                    Event.DELIVERY_UNCERTAIN,
                    delivery_id=one.delivery_id,
                    lead_id=one.lead_id,
                    facts={"destination": self._destination, "code": "lease_expired", "attempt": one.attempt},
                )
            log.append(tx, recorder.leaves)
        return DispatchCount(uncertain=len(orphans))

    def _claim(self) -> list[Doubtful]:
        now = self._clock()
        with self._ledger.transaction() as tx:
            return outbox.claim_doubtful(
                tx,
                destination=self._destination,
                worker=self._worker,
                limit=self._connector.manifest.capabilities.batch_size,
                now=to_micros(now),
                look_again=to_micros(now + self._rules.lease),
            )

    def _read_back(self, due: Sequence[Doubtful]) -> Mapping[str, Found] | None:
        if not self._connector.manifest.capabilities.lookup:
            return None
        return self._connector.lookup([one.key for one in due])

    def _end(self, due: Sequence[Doubtful], found: Mapping[str, Found] | None) -> DispatchCount:
        now = self._clock()
        recorder = Recorder(at=now)
        rows, accepted, dead, queued = [], 0, 0, 0
        repeatable = self._connector.manifest.capabilities.write_mode is WriteMode.UPSERT
        for one in due:
            hit = found.get(one.key) if found is not None else None
            if hit is not None:
                state, code, ref, doubles = Outcome.ACCEPTED, "read_back_found", hit.vendor_ref, hit.count
                accepted += 1
            elif found is not None or repeatable:
                code = "read_back_absent" if found is not None else "repeatable"
                state, ref, doubles = Outcome.QUEUED, None, 0
                queued += 1
            else:
                state, code, ref, doubles = Outcome.DEAD, "in_doubt", None, 0
                dead += 1
            moment = to_micros(now)
            due, decided = (moment, None) if state is Outcome.QUEUED else (None, moment)
            rows.append((one.delivery_id, state.value, code, ref, None, due, decided, one.attempt))
            facts = {"destination": self._destination, "outcome": state.value, "resolved_by": code, "count": doubles}
            recorder.note(Event.DELIVERY_RESOLVED, delivery_id=one.delivery_id, lead_id=one.lead_id, facts=facts)
        with self._ledger.transaction() as tx:
            mine = outbox.settle(tx, self._worker, rows)
            log.append(tx, [leaf for row, leaf in zip(rows, recorder.leaves, strict=True) if row[0] in mine])
        return DispatchCount(resolved=len(mine), accepted=accepted, dead=dead, queued=queued, late=len(rows) - len(mine))
