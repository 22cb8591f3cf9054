"""Dispatch: claim, ask the gate again, open the minimum, send, write down what became of it.

Argument for exactly one effect, in the numbers the code carries:

1. A delivery is claimed, with a lease, in a committed transaction before a byte is sent; so whoever dies leaves a claim behind.
2. Nothing is sent unless the lease outlasts the longest call; so while we send, nobody else believes the claim is orphaned.
3. An answer decides a record only if it speaks of it; silence, a cut answer and an expired lease make it uncertain.
4. An uncertain delivery is read back before it is sent again; where nothing can be read back it is repeated only if a
   repetition is one record (upsert), and is otherwise handed to a person.
5. Outcome, vendor reference and leaf are committed together, and only by the worker that still holds the claim.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent.vault import Vault
from integrations.contract.destination import Destination
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.doubt import Doubts
from leadgate.pipeline.opening import Opener
from leadgate.pipeline.outcome import Outcomes
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, outbox, throttle
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.outbox import Claimed
from schemas.delivery import DeliveryReceipt, Disclosure
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError
from schemas.policy import BrandPolicy, DeliveryRules

#: Seconds a call may take beyond its own timeouts before we call the lease too short.
_CALL_MARGIN = 5.0


@dataclass(slots=True)
class _Round:
    """What one claim of a few batches came to."""

    settled: Outcomes
    failures: int
    code: str | None = None
    stop: DeliveryError | None = None
    pause_until: datetime | None = None
    succeeded: bool = False
    count: DispatchCount = field(default_factory=DispatchCount)


class Dispatcher:
    """Sends what is due at one destination. Several may run at once, in any number of processes."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        policies: Mapping[str, BrandPolicy],
        connector: Destination,
        rules: DeliveryRules,
        worker: str,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._connector = connector
        self._rules = rules
        self._worker = worker
        self._clock = clock
        self._sleep = sleep
        self.destination = connector.endpoint.destination
        self._opener = Opener(vault=vault, policies=policies, destination=self.destination)
        self._doubts = Doubts(ledger=ledger, connector=connector, rules=rules, worker=worker, clock=clock)
        limits = connector.limits
        self._call_budget = timedelta(seconds=limits.connect_timeout + limits.read_timeout + _CALL_MARGIN)
        if rules.lease <= self._call_budget:
            raise TerminalError("lease_too_short", "the lease must outlast the destination's timeouts", field=self.destination)

    def run(self, *, seconds: float, progress: Callable[[DispatchCount], None] | None = None) -> DispatchCount:
        """Send until nothing is due, the destination asks for rest, or ``seconds`` have passed.

        Raises TerminalError after writing everything down, if the destination needs a person.
        """
        deadline = time.monotonic() + seconds
        total = DispatchCount()
        while True:
            with self._ledger.transaction() as tx:
                standing = throttle.read(tx, self.destination)
            now = self._clock()
            if standing.open_until is not None and standing.open_until > to_micros(now):
                return total
            total += self._doubts.resolve()
            turn = self._round(probe=standing.open_until is not None, failures=standing.failures)
            if turn is None:
                return total
            total += turn.count
            if progress:
                progress(total)
            if isinstance(turn.stop, TerminalError):
                raise turn.stop
            if turn.stop is not None or time.monotonic() >= deadline:
                return total

    # -- one round ---------------------------------------------------------------------------------------------------------

    def _round(self, *, probe: bool, failures: int) -> _Round | None:
        now = self._clock()
        size = self._connector.manifest.capabilities.batch_size
        limit = size if probe else size * self._rules.batches_per_claim
        lease_until = now + self._rules.lease
        with self._ledger.transaction() as tx:
            claimed = outbox.claim(
                tx,
                destination=self.destination,
                worker=self._worker,
                limit=limit,
                now=to_micros(now),
                lease_until=to_micros(lease_until),
            )
            withdrawn = self._opener.standing(tx, claimed)
        if not claimed:
            return None
        outcomes = Outcomes(destination=self.destination, rules=self._rules, now=self._clock)
        ready: list[tuple[Claimed, Disclosure]] = []
        for one in claimed:
            opened = self._opener.open(one, withdrawn.get(one.person_id, {}), now)
            if isinstance(opened, Disclosure):
                ready.append((one, opened))
            else:
                outcomes.refuse(one, opened)
        turn = _Round(settled=outcomes, failures=failures)
        for start in range(0, len(ready), size):
            batch = ready[start : start + size]
            if turn.stop is not None or self._clock() + self._call_budget >= lease_until:
                outcomes.give_back([one for one, _ in batch])
                continue
            self._send(batch, turn, lease_until)
        self._settle(turn)
        return turn

    def _send(self, batch: Sequence[tuple[Claimed, Disclosure]], turn: _Round, lease_until: datetime) -> None:
        if not self._wait_for_turn(lease_until):
            turn.settled.give_back([one for one, _ in batch])
            return
        claimed = [one for one, _ in batch]
        try:
            receipts: Sequence[DeliveryReceipt] = self._connector.deliver([disclosure for _, disclosure in batch])
        except TransientError as error:
            turn.settled.put_off(claimed, error)
            turn.stop, turn.code = error, error.code
            turn.failures += 0 if error.throttled else 1
            if error.throttled and error.retry_after:
                turn.pause_until = self._clock() + timedelta(seconds=error.retry_after)
        except UncertainError as error:
            turn.settled.doubt(claimed, error.code)
            turn.code = error.code
            turn.failures += 1
            turn.stop = error if turn.failures >= self._rules.breaker_failures else None
        except TerminalError as error:
            turn.settled.give_back(claimed, reason=error.code)
            turn.stop, turn.code, turn.failures = error, error.code, self._rules.breaker_failures
        else:
            turn.failures, turn.code, turn.succeeded = 0, None, True
            for one, disclosure, receipt in zip(claimed, (pair[1] for pair in batch), receipts, strict=True):
                turn.settled.read(one, receipt, fields=disclosure.fields.reveal())

    def _wait_for_turn(self, lease_until: datetime) -> bool:
        """Keep the rate limit; False if our turn comes too late for the lease."""
        limits = self._connector.limits
        if not limits.calls_per_second:
            return True
        now = self._clock()
        with self._ledger.transaction() as tx:
            begins = throttle.reserve(
                tx,
                destination=self.destination,
                now=to_micros(now),
                interval=round(1e6 / limits.calls_per_second),
                burst=limits.burst,
            )
        wait = (begins - to_micros(now)) / 1e6
        if now + timedelta(seconds=wait) + self._call_budget >= lease_until:
            return False
        if wait > 0:
            self._sleep(wait)
        return True

    def _settle(self, turn: _Round) -> None:
        """Argument 5: outcomes and leaves in one transaction, of those that are still ours."""
        outcomes = turn.settled
        now = self._clock()
        recorder = Recorder(at=now)
        with self._ledger.transaction() as tx:
            mine = outbox.settle(tx, self._worker, outcomes.rows)
            for delivery_id, note in outcomes.notes:
                if delivery_id in mine:
                    note(recorder)
            log.append(tx, recorder.leaves)
            open_until = turn.pause_until
            if turn.failures >= self._rules.breaker_failures:
                doubled = self._rules.breaker_pause * 2 ** min(turn.failures - self._rules.breaker_failures, 20)
                open_until = now + min(doubled, self._rules.backoff_cap)
            throttle.record(
                tx,
                destination=self.destination,
                code=turn.code,
                failures=turn.failures,
                open_until=to_micros(open_until) if open_until else None,
                success_at=to_micros(now) if turn.succeeded else None,
            )
        turn.count = outcomes.count(mine)
