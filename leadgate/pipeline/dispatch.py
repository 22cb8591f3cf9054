"""Dispatch: claim, ask the gate again, open the minimum, send, write down what became of it.

The gate is asked, and the vault opened, for one batch right before it is sent: a withdrawal or an erasure that was committed
while the batches before it were under way stops it.

Argument for exactly one effect, in the numbers the code carries:

1. A delivery is claimed, with a lease, in a committed transaction before a byte is sent; so whoever dies leaves a claim behind.
2. Nothing is sent unless the lease outlasts the longest call; so while we send, nobody else believes the claim is orphaned.
3. An answer decides a record only if it speaks of it; silence, a cut answer and an expired lease make it uncertain.
4. An uncertain delivery is read back before it is sent again; where nothing can be read back it is repeated only if a
   repetition is one record (upsert), and is otherwise handed to a person.
5. Outcome, vendor reference and leaf are committed together, and only by the worker that still holds the claim.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consent.vault import Vault
from integrations.contract.destination import Destination
from leadgate.pipeline import turn as turns
from leadgate.pipeline.counts import DispatchCount, Tally
from leadgate.pipeline.doubt import Doubts
from leadgate.pipeline.heap import quiet_heap
from leadgate.pipeline.opening import HandOver, Opened, Opener
from leadgate.pipeline.outcome import Outcomes
from leadgate.storage import log, outbox, throttle
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.outbox import Claim, Claimed
from schemas.errors import ConfigurationError, DeliveryError, TerminalError, TransientError, UncertainError
from schemas.policy import BrandPolicy, DeliveryRules


@dataclass(slots=True)
class _Round:
    """What one claim of a few batches came to."""

    worker: str
    settled: Outcomes
    failures: int
    lease_until: datetime
    full: bool = False  # more may be due
    handed: HandOver | None = None  # by admission, if it was not claimed here
    patience: float = math.inf  # until when (time.monotonic) a call may begin
    code: str | None = None
    stop: DeliveryError | None = None
    rest: bool = False  # the rate limit gives us no turn within this lease
    fault: ConfigurationError | None = None  # the operator's, raised once everything is written down
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
        self._door = threading.Lock()  # one thread at a time opens people and speaks to the destination
        self._vault = vault
        self._versions = {brand: policy.version for brand, policy in policies.items()}
        self._opener = Opener(vault=vault, policies=policies, destination=self.destination)
        self._doubts = Doubts(ledger=ledger, connector=connector, rules=rules, worker=worker, clock=clock)
        limits = connector.limits
        self._call_budget = timedelta(seconds=limits.connect_timeout + limits.read_timeout) + rules.call_margin
        if rules.lease <= self._call_budget:
            raise TerminalError("lease_too_short", "the lease must outlast the destination's timeouts", field=self.destination)

    @quiet_heap()
    def run(
        self, *, seconds: float, progress: Callable[[DispatchCount], None] | None = None, insist: bool = False
    ) -> DispatchCount:
        """Send until nothing is due, the destination asks for rest, or ``seconds`` have passed.

        On Postgres a long queue is worked off in two lanes: while one sends, the other writes down and claims.

        ``insist``: somebody mended something and asks, so one batch is tried although the circuit breaker rests. Raises
        TerminalError after writing everything down, if the destination needs a person: to send, or to read back.
        """
        tally = Tally(deadline=time.monotonic() + seconds, progress=progress)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="dispatch") as pool:
            with tally.ending():
                other = self._first_lane(tally, pool, insist=insist)
            if other is not None:
                other.result()
        if self._doubts.failure is not None:
            raise self._doubts.failure
        return tally.total

    def _first_lane(self, tally: Tally, pool: ThreadPoolExecutor, *, insist: bool) -> Future[None] | None:
        """Answers the second lane, if there was enough to do for one."""
        again = False
        other: Future[None] | None = None
        while True:
            with self._ledger.snapshot() as tx:
                standing = throttle.read(tx, self.destination)
            if standing.open_until is not None and standing.open_until > to_micros(self._clock()) and not insist:
                return other
            insist = False
            with self._door:
                tally.add(self._doubts.resolve(again=again))
            again = True
            turn = self._round(self._worker, probe=standing.open_until is not None, failures=standing.failures)
            if turn is None:
                return other
            tally.add(turn.count)
            if isinstance(turn.stop, TerminalError):
                raise turn.stop
            if turn.stop is not None or turn.rest or tally.over():
                return other
            if other is None and turn.full and self._ledger.postgres and not self._connector.limits.calls_per_second:
                other = pool.submit(self._second_lane, tally)

    def _second_lane(self, tally: Tally) -> None:
        """Claims and settles while the first lane sends, as another process would; one of them is at the door at a time."""
        worker = f"{self._worker}-2"  # a name of its own: what one lane lost to the other must not be settled by it
        with tally.ending():
            while not tally.over():
                with self._ledger.snapshot() as tx:
                    standing = throttle.read(tx, self.destination)
                if standing.open_until is not None:
                    return  # it rests, or is being tried: the first lane's affair
                turn = self._round(worker, probe=False, failures=standing.failures)
                if turn is None:
                    return
                tally.add(turn.count)
                if isinstance(turn.stop, TerminalError):
                    raise turn.stop
                if turn.stop is not None or turn.rest:
                    return

    # -- express -----------------------------------------------------------------------------------------------------------

    @property
    def limited(self) -> bool:
        """Whether calls must wait for their turn."""
        return bool(self._connector.limits.calls_per_second)

    def hand_over(self) -> HandOver:
        """A claim for deliveries that are about to be queued, and room for them."""
        return HandOver(Claim(self._worker, to_micros(self._clock() + self._rules.lease)), {})

    def send(self, handed: HandOver, *, seconds: float) -> tuple[DispatchCount, bool]:
        """Send what was committed under its claim; answer what became of it, and whether the destination is well.

        After ``seconds`` no further call is begun: the rest is queued.
        """
        patience, until = time.monotonic() + seconds, from_micros(handed.claim.until)
        turn = _Round(handed.claim.worker, self._outcomes(), 0, until, handed=handed, patience=patience)
        self._work_off([each.claimed for each in handed.records.values()], turn)
        well = turn.stop is None and not turn.rest and not turn.failures and time.monotonic() < patience
        return turn.count, well

    # -- one round ---------------------------------------------------------------------------------------------------------

    def _round(self, worker: str, *, probe: bool, failures: int) -> _Round | None:
        size = self._connector.manifest.capabilities.batch_size
        lease_until = self._clock() + self._rules.lease
        most = size if probe else size * self._rules.batches_per_claim
        claimed = self._claim(worker, most, lease_until)
        if not claimed:
            return None
        turn = _Round(worker, self._outcomes(), failures, lease_until, full=len(claimed) == most)
        self._work_off(claimed, turn)
        return turn

    def _outcomes(self) -> Outcomes:
        return Outcomes(
            destination=self.destination, vault=self._vault, rules=self._rules, versions=self._versions, now=self._clock
        )

    def _work_off(self, claimed: Sequence[Claimed], turn: _Round) -> None:
        size = self._connector.manifest.capabilities.batch_size
        for start in range(0, len(claimed), size):
            batch = claimed[start : start + size]
            with self._door:
                if self._may_call(turn):
                    self._send(batch, turn)
                else:
                    turn.settled.give_back(batch)
        self._settle(turn)
        if turn.fault is not None:
            raise turn.fault

    def _may_call(self, turn: _Round) -> bool:
        if turn.stop is not None or turn.rest or time.monotonic() >= turn.patience:
            return False
        return self._clock() + self._call_budget < turn.lease_until

    def _claim(self, worker: str, limit: int, lease_until: datetime) -> list[Claimed]:
        return self._ledger.retrying(
            lambda tx: outbox.claim(
                tx,
                destination=self.destination,
                worker=worker,
                limit=limit,
                now=to_micros(self._clock()),
                lease_until=to_micros(lease_until),
            )
        )

    def _send(self, batch: Sequence[Claimed], turn: _Round) -> None:
        if not self._wait_for_turn(turn.lease_until):
            turn.rest = True
            turn.settled.give_back(batch)
            return
        try:
            ready = self._open(batch, turn)
        except ConfigurationError as error:  # keys or ledger cannot be asked: nothing was sent, so nothing is in doubt
            turn.settled.give_back(batch)
            turn.fault, turn.rest = error, True
            return
        if not ready:
            return
        claimed = [opened.claimed for opened in ready]
        try:
            receipts = self._connector.deliver([opened.disclosure for opened in ready])
        except TransientError as error:
            turn.settled.put_off(claimed, error)
            turn.stop, turn.code = error, error.code
            turn.failures += 0 if error.throttled else 1
            if error.throttled and error.retry_after:
                turn.pause_until = self._clock() + timedelta(seconds=error.retry_after)
        except UncertainError as error:
            turn.settled.doubt(ready, error.code)
            turn.code = error.code
            turn.failures += 1
            turn.stop = error if turn.failures >= self._rules.breaker_failures else None
        except TerminalError as error:
            turn.settled.give_back(claimed, reason=error.code)
            # open at once, and longer each time: what needs a person must not turn a run red twice a minute all night
            turn.stop, turn.code, turn.failures = error, error.code, max(self._rules.breaker_failures, turn.failures + 1)
        else:
            turn.failures, turn.code, turn.succeeded = 0, None, True
            turn.settled.read(ready, receipts)

    def _open(self, batch: Sequence[Claimed], turn: _Round) -> list[Opened]:
        """Ask the gate in the moment of sending, and open what may go."""
        now = self._clock()
        with self._ledger.glance() as tx:
            withdrawn, erased = self._opener.second_look(tx, batch)
        if turn.handed is None:
            self._vault.expect([(one.wrapped_key, one.key_version) for one in batch])
        in_hand = turn.handed.records if turn.handed else {}
        every = self._opener.open_batch(batch, withdrawn=withdrawn, erased=erased, now=now, in_hand=in_hand)
        ready: list[Opened] = []
        for one, opened in zip(batch, every, strict=True):
            if isinstance(opened, str):
                turn.settled.refuse(one, opened)
            else:
                ready.append(opened)
        return ready

    def _wait_for_turn(self, lease_until: datetime) -> bool:
        """Keep the rate limit; False if our turn comes too late for the lease."""
        latest = lease_until - self._call_budget
        return turns.wait(self._ledger, self._connector, latest=latest, clock=self._clock, sleep=self._sleep)

    def _settle(self, turn: _Round) -> None:
        """Argument 5: outcomes and leaves in one transaction, of those that are still ours."""
        outcomes = turn.settled
        now = self._clock()
        open_until = turn.pause_until
        if turn.failures >= self._rules.breaker_failures:
            doubled = self._rules.breaker_pause * 2 ** min(turn.failures - self._rules.breaker_failures, 20)
            open_until = now + min(doubled, self._rules.backoff_cap)

        def work(tx: Transaction) -> set[str]:
            mine = outbox.settle(tx, turn.worker, outcomes.rows)
            if turn.handed is not None and len(outcomes.rows) == len(turn.handed.records):
                outbox.end_hand_over(tx, destination=self.destination, first_id=turn.handed.span[0])
            log.append(tx, outcomes.leaves(mine, at=now))
            throttle.record(
                tx,
                destination=self.destination,
                code=turn.code,
                failures=turn.failures,
                open_until=to_micros(open_until) if open_until else None,
                success_at=to_micros(now) if turn.succeeded else None,
            )
            return mine

        turn.count = outcomes.count(self._ledger.retrying(work))
