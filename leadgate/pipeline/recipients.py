"""Tell recipients: first to stop using a record, then to destroy it, as far as each vendor can. It gives nobody up by itself.

1. Only our key goes out, unless the manifest declares that its vendor needs more to stop (``suppress_fields``): so a recipient
   is told also after the person was erased.
2. To suppress and to erase can be repeated. An answer that never came, or that nobody can read, is no doubt to be resolved: the
   recipient is asked again, with growing pauses, for as long as it takes. A legal clock runs beside it and alarms.
3. Only a receipt that speaks of a record settles it. A refusal of one record waits for a person and stops no other.
4. Rate limit and circuit breaker are the destination's own, shared with deliveries.
5. Outcome, leaf and the clocks it meets are committed together, and only by the worker that still holds the claim.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from consent.vault import Vault
from integrations.contract.destination import Destination
from leadgate.pipeline import telling, withdrawal_clocks
from leadgate.pipeline import turn as turns
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.told import TellCount, Told
from leadgate.storage import log, recipients, throttle
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.recipients import Opening, Telling
from schemas.delivery import DeliveryReceipt, Disclosure
from schemas.errors import DeliveryError, TerminalError, VaultError
from schemas.personal import Personal
from schemas.policy import DeliveryRules
from schemas.vocabulary import Ask, TellingState

_NO_FIELDS: Final = Personal[Mapping[str, str]]({})


class Teller:
    """Tells what is due at one destination. Several may run at once, in any number of processes."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        connector: Destination,
        rules: DeliveryRules,
        worker: str,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._connector = connector
        self._can = connector.manifest.capabilities
        self._rules = rules
        self._worker = worker
        self._clock = clock
        self._sleep = sleep
        self.destination = connector.endpoint.destination
        limits = connector.limits
        self._call_budget = timedelta(seconds=limits.connect_timeout + limits.read_timeout) + rules.call_margin

    def run(self, *, seconds: float, insist: bool = False, progress: Callable[[TellCount], None] | None = None) -> TellCount:
        """Tell until nothing is due, the destination asks for rest, or ``seconds`` have passed.

        ``insist``: somebody mended something and asks, so one batch is tried although the circuit breaker rests. Raises
        TerminalError after writing everything down, if the destination needs a person.
        """
        if not self._can.suppress and not self._can.erase:
            return TellCount(by_hand=self._hand_over())
        deadline = time.monotonic() + seconds
        total = TellCount()
        while True:
            with self._ledger.snapshot() as tx:
                standing = throttle.read(tx, self.destination)
            if standing.open_until is not None and standing.open_until > to_micros(self._clock()) and not insist:
                return total
            insist = False
            lease_until = self._clock() + self._rules.lease
            claimed = self._claim(lease_until)
            if not claimed:
                return total
            told = Told(rules=self._rules, can_erase=self._can.erase, failures=standing.failures, clock=self._clock)
            self._tell(claimed, told, lease_until)
            total += self._settle(told)
            if progress:
                progress(total)
            if isinstance(told.stop, TerminalError):
                raise told.stop
            if told.stop is not None or told.rest or time.monotonic() >= deadline:
                return total

    # -- one round ---------------------------------------------------------------------------------------------------------

    def _hand_over(self) -> int:
        return self._ledger.retrying(
            lambda tx: telling.hand_over(tx, [self.destination], code="cannot_be_told", now=self._clock())
        )

    def _claim(self, lease_until: datetime) -> list[Telling]:
        return self._ledger.retrying(
            lambda tx: recipients.claim(
                tx,
                destination=self.destination,
                worker=self._worker,
                limit=self._can.batch_size,
                now=to_micros(self._clock()),
                lease_until=to_micros(lease_until),
            )
        )

    def _tell(self, claimed: Sequence[Telling], told: Told, lease_until: datetime) -> None:
        """Stop what is not stopped yet, destroy what is; whoever can be neither is a person's."""
        to_stop = [each for each in claimed if self._can.suppress and each.suppressed_at is None]
        ready = self._disclosures(to_stop)
        stopping = [each for each in to_stop if each.delivery_id in ready]
        to_erase: list[Telling] = []
        for each in claimed:
            if each.delivery_id in ready:
                continue
            if each.wants == Ask.ERASE and self._can.erase:
                to_erase.append(each)
            elif each.suppressed_at is not None:
                told.end(each, TellingState.SUPPRESSED, code="cannot_erase")
            else:  # it stops only by what we have destroyed, or can only erase where erasing is not wanted
                told.end(each, TellingState.BY_HAND, code="cannot_suppress")
        batch = [ready[each.delivery_id] for each in stopping]
        self._call(stopping, told, lease_until, Ask.SUPPRESS, lambda: self._connector.suppress(batch))
        keys = [each.key for each in to_erase]
        self._call(to_erase, told, lease_until, Ask.ERASE, lambda: self._connector.erase(keys))

    def _disclosures(self, rows: Sequence[Telling]) -> dict[str, Disclosure]:
        """By delivery, what goes out to stop it: our key, and what the vendor needs. Who cannot be opened is absent."""
        needed = self._can.suppress_fields
        if not needed:
            return {each.delivery_id: _disclosure(each, _NO_FIELDS) for each in rows}
        with self._ledger.snapshot() as tx:
            leads = recipients.openings(tx, [each.lead_id for each in rows])
        opened = {each.delivery_id: self._open(leads.get(each.lead_id), needed) for each in rows}
        return {
            each.delivery_id: _disclosure(each, fields) for each in rows if (fields := opened[each.delivery_id]) is not None
        }

    def _open(self, lead: Opening | None, needed: frozenset[str]) -> Personal[Mapping[str, str]] | None:
        if lead is None or lead.sealed is None or lead.key_version is None:
            return None
        try:
            key = self._vault.unwrap_person_key(lead.person_id, lead.wrapped_key, lead.key_version)
            return self._vault.open_lead(key, lead.lead_id, lead.sealed, needed)  # type: ignore[return-value] # a dict is a Mapping
        except VaultError:
            return None

    def _call(
        self,
        rows: Sequence[Telling],
        told: Told,
        lease_until: datetime,
        what: Ask,
        call: Callable[[], list[DeliveryReceipt]],
    ) -> None:
        if not rows:
            return
        if told.stop is not None or told.rest or not self._wait_for_turn(lease_until):
            told.rest = True
            told.give_back(rows)
            return
        try:
            receipts = call()
        except DeliveryError as error:
            told.failed(rows, error)
        else:
            told.answered(rows, receipts, what)

    def _wait_for_turn(self, lease_until: datetime) -> bool:
        """Keep the rate limit; False if our turn comes too late for the lease."""
        latest = lease_until - self._call_budget
        if not self._connector.limits.calls_per_second and self._clock() >= latest:
            return False
        return turns.wait(self._ledger, self._connector, latest=latest, clock=self._clock, sleep=self._sleep)

    def _settle(self, told: Told) -> TellCount:
        """Argument 5."""
        now = self._clock()
        open_until = told.open_until(now)

        def work(tx: Transaction) -> set[str]:
            mine = recipients.settle(tx, told.rows, worker=self._worker)
            recorder = Recorder(at=now)
            told.leaves(mine, recorder)
            withdrawal_clocks.meet_of_deliveries(tx, recorder, sorted(mine), now=now)
            log.append(tx, recorder.leaves)
            if told.called:
                throttle.record(
                    tx,
                    destination=self.destination,
                    code=told.code,
                    failures=told.failures,
                    open_until=to_micros(open_until) if open_until else None,
                    success_at=to_micros(now) if told.succeeded else None,
                )
            return mine

        return told.count(self._ledger.retrying(work))


def _disclosure(each: Telling, opened: Personal[Mapping[str, str]]) -> Disclosure:
    return Disclosure(delivery_id=each.delivery_id, key=each.key, purpose=each.purpose, fields=opened)
