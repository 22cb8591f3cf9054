"""Outcomes: one row and one leaf for every claimed delivery of a round, whatever the vendor said or did not say."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from consent.audit.facts import code_word
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.recorder import Recorder
from leadgate.storage.clock import to_micros
from leadgate.storage.outbox import Claimed
from schemas.audit import LeafValue
from schemas.delivery import DeliveryReceipt
from schemas.errors import TransientError
from schemas.policy import DeliveryRules
from schemas.vocabulary import Event, Outcome

#: What the ledger keeps of a vendor's words, in characters.
_REF_LENGTH = 200
_REASON_LENGTH = 64

_EVENT = {
    Outcome.ACCEPTED: Event.DELIVERY_ACCEPTED,
    Outcome.REJECTED: Event.DELIVERY_REJECTED,
    Outcome.DEFERRED: Event.DELIVERY_DEFERRED,
    Outcome.UNCERTAIN: Event.DELIVERY_UNCERTAIN,
    Outcome.DEAD: Event.DELIVERY_DEAD,
    Outcome.SUPPRESSED: Event.DELIVERY_SUPPRESSED,
}


class Outcomes:
    """Collects (delivery_id, state, reason, vendor_ref, sent_sha256, not_before, decided_at, attempt) rows and their leaves."""

    def __init__(self, *, destination: str, rules: DeliveryRules, now: Callable[[], datetime]) -> None:
        self._destination = destination
        self._rules = rules
        self._now = now
        self.rows: list[tuple[str, str, str | None, str | None, str | None, int | None, int | None, int]] = []
        self.notes: list[tuple[str, Callable[[Recorder], None]]] = []

    def refuse(self, one: Claimed, reason: str) -> None:
        """The gate's second look, or the vault, said no: suppressed; what cannot be opened or read needs a person: dead."""
        state = Outcome.DEAD if reason.startswith(("seal_", "record_")) else Outcome.SUPPRESSED
        self._add(one, state, reason=reason, attempt=one.attempt - 1)

    def give_back(self, claimed: Sequence[Claimed], *, reason: str | None = None) -> None:
        """Not sent, and nothing of it may have been stored: back into the queue as if it had not been claimed."""
        now = to_micros(self._now())
        for one in claimed:
            self.rows.append((one.delivery_id, Outcome.QUEUED.value, reason, None, None, now, None, one.attempt - 1))

    def put_off(self, claimed: Sequence[Claimed], error: TransientError) -> None:
        """Nothing was stored; try again later. A throttle is not held against the delivery."""
        for one in claimed:
            self._defer(one, code=error.code, retry_after=error.retry_after, counts=not error.throttled)

    def doubt(self, claimed: Sequence[Claimed], code: str) -> None:
        """Nobody knows: read back after the vendor had time to finish."""
        for one in claimed:
            self._add(one, Outcome.UNCERTAIN, reason=code, later=self._rules.settle)

    def read(self, one: Claimed, receipt: DeliveryReceipt, *, fields: Mapping[str, str]) -> None:
        """What the vendor's answer says about this one record."""
        if receipt.outcome is Outcome.DEFERRED:
            self._defer(one, code=receipt.code or "deferred", retry_after=receipt.retry_after, counts=True)
        elif receipt.outcome is Outcome.UNCERTAIN:
            self._add(one, Outcome.UNCERTAIN, reason=receipt.code, later=self._rules.settle)
        else:
            self._add(one, receipt.outcome, reason=receipt.code, receipt=receipt, fields=sorted(fields))

    def count(self, mine: set[str]) -> DispatchCount:
        """Outcomes that were written; the rest is late."""
        states = Counter(row[1] for row in self.rows if row[0] in mine)
        return DispatchCount(
            late=len(self.rows) - len(mine),
            **{str(state): states[str(state)] for state in Outcome if state is not Outcome.CLAIMED},
        )

    def _defer(self, one: Claimed, *, code: str, retry_after: float | None, counts: bool) -> None:
        attempt = one.attempt if counts else one.attempt - 1
        if attempt >= self._rules.attempts:
            self._add(one, Outcome.DEAD, reason=code)
            return
        ceiling = min(self._rules.backoff_cap, self._rules.backoff_base * 2 ** min(attempt, 20))
        jittered = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        later = max(jittered, timedelta(seconds=retry_after)) if retry_after else jittered
        self._add(one, Outcome.DEFERRED, reason=code, later=later, attempt=attempt)

    def _add(
        self,
        one: Claimed,
        state: Outcome,
        *,
        reason: str | None,
        later: timedelta | None = None,
        attempt: int | None = None,
        receipt: DeliveryReceipt | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        now = self._now()
        due = to_micros(now + later) if later is not None else None
        decided = to_micros(now) if later is None else None
        vendor_ref = receipt.vendor_ref[:_REF_LENGTH] if receipt and receipt.vendor_ref else None
        reason = reason[:_REASON_LENGTH] if reason else None
        sent = receipt.sent_sha256 if receipt else None
        self.rows.append(
            (
                one.delivery_id,
                state.value,
                reason,
                vendor_ref,
                sent,
                due,
                decided,
                one.attempt if attempt is None else attempt,
            )
        )
        facts: dict[str, LeafValue] = {"destination": self._destination, "purpose": one.purpose, "attempt": one.attempt}
        if reason:
            facts["code"] = code_word(reason) or "none"
        if sent:
            facts["sent_sha256"] = sent
        if vendor_ref:
            facts["vendor_ref_sha256"] = hashlib.sha256(vendor_ref.encode()).hexdigest()
        if state is Outcome.ACCEPTED:
            facts["fields"] = list(fields)
            facts["consent_id"] = one.consent_id
        self.notes.append(
            (
                one.delivery_id,
                lambda recorder: recorder.note(
                    _EVENT[state], delivery_id=one.delivery_id, lead_id=one.lead_id, person_id=one.person_id, facts=facts
                ),
            )
        )
