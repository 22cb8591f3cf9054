"""Outcomes: one row and one leaf for every claimed delivery of a round, whatever the vendor said or did not say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from consent.audit.facts import code_word
from consent.audit.leaf_form import LeafForm
from consent.vault import Vault
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.opening import Opened
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
#: Asked of every record: what a vocabulary's member is costs as much as reading three fields.
_ACCEPTED, _DEFERRED, _UNCERTAIN = Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.UNCERTAIN
_STATE = {outcome: outcome.value for outcome in Outcome}
_NOTHING: Mapping[str, str] = MappingProxyType({})


#: What repeats in the leaves of a round: event, destination, purpose, attempt, version of the policy, code, names of the fields
#: that were told, names of the ids and digests that each leaf says beside its three ids.
_Kind = tuple[Event, str, str, int, str | None, str | None, tuple[str, ...] | None, tuple[str, ...]]


@lru_cache(maxsize=1024)
def _form(kind: _Kind) -> LeafForm:
    event, destination, purpose, attempt, version, code, fields, told = kind
    fixed: dict[str, LeafValue] = {"destination": destination, "purpose": purpose, "attempt": attempt}
    if version:
        fixed["policy_version"] = version
    if code:
        fixed["code"] = code
    if fields is not None:
        fixed["fields"] = list(fields)
    return LeafForm(event, fixed, ("delivery_id", *told, "lead_id", "person_id"))


class Outcomes:
    """Collects (delivery_id, state, reason, vendor_ref, sent_sha256, not_before, decided_at, attempt) rows and their leaves."""

    def __init__(
        self,
        *,
        destination: str,
        vault: Vault,
        rules: DeliveryRules,
        versions: Mapping[str, str],
        now: Callable[[], datetime],
    ) -> None:
        """``versions`` maps a brand to the version of the policy that the gate's second look is taken under."""
        self._destination = destination
        self._vault = vault
        self._rules = rules
        self._versions = versions
        self._now = now
        self._notes: list[tuple[_Kind, str, tuple[str, ...]]] = []  # kind of leaf, lead, the leaf's own values
        self.rows: list[tuple[str, str, str | None, str | None, str | None, int | None, int | None, int]] = []

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

    def doubt(self, batch: Sequence[Opened], code: str | None) -> None:
        """Nobody knows: read back after the vendor had time to finish. The leaf says what may have been told."""
        for opened in batch:
            fields = tuple(opened.names)
            self._add(opened.claimed, Outcome.UNCERTAIN, reason=code, later=self._rules.settle, fields=fields)

    def read(self, batch: Sequence[Opened], receipts: Sequence[DeliveryReceipt]) -> None:
        """What the vendor's answer says about each record of a batch."""
        decided = to_micros(self._now())
        for opened, receipt in zip(batch, receipts, strict=True):
            one, outcome = opened.claimed, receipt.outcome
            if outcome is _DEFERRED:
                self._defer(one, code=receipt.code or "deferred", retry_after=receipt.retry_after, counts=True)
            elif outcome is _UNCERTAIN:
                self.doubt([opened], receipt.code)
            else:
                self._decide(opened, receipt, decided)

    def count(self, mine: set[str]) -> DispatchCount:
        """Outcomes that were written; the rest is late."""
        states = Counter(row[1] for row in self.rows if row[0] in mine)
        return DispatchCount(
            late=len(self.rows) - len(mine),
            **{str(state): states[str(state)] for state in Outcome if state is not Outcome.CLAIMED},
        )

    def leaves(self, mine: set[str], *, at: datetime) -> list[tuple[str | None, bytes]]:
        """The leaves of deliveries that are still ours."""
        recorder = Recorder(at=at)
        for kind, lead_id, values in self._notes:
            if values[0] in mine:
                recorder.fill(_form(kind), lead_id, values)
        return recorder.leaves

    def _defer(self, one: Claimed, *, code: str, retry_after: float | None, counts: bool) -> None:
        attempt = one.attempt if counts else one.attempt - 1
        if attempt >= self._rules.attempts:
            self._add(one, Outcome.DEAD, reason=code)
            return
        ceiling = min(self._rules.backoff_cap, self._rules.backoff_base * 2 ** min(attempt, 20))
        jittered = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        later = max(jittered, timedelta(seconds=retry_after)) if retry_after else jittered
        self._add(one, Outcome.DEFERRED, reason=code, later=later, attempt=attempt)

    def _decide(self, opened: Opened, receipt: DeliveryReceipt, decided: int) -> None:
        """The vendor took the record, or refused it."""
        one, state, sent, vendor_ref = opened.claimed, receipt.outcome, receipt.sent_sha256, receipt.vendor_ref
        reason = receipt.code[:_REASON_LENGTH] if receipt.code else None
        told = {"consent_id": one.consent_id} if state is _ACCEPTED else {}
        if sent:
            sent = told["sent_sha256"] = self._vault.bind_digest(opened.key, sent)
        if vendor_ref:
            vendor_ref = vendor_ref[:_REF_LENGTH]
            told["vendor_ref_sha256"] = sha256(vendor_ref.encode()).hexdigest()
        self.rows.append((one.delivery_id, _STATE[state], reason, vendor_ref or None, sent, None, decided, one.attempt))
        self._note(one, state, reason, told, fields=tuple(opened.names))

    def _add(
        self,
        one: Claimed,
        state: Outcome,
        *,
        reason: str | None,
        later: timedelta | None = None,
        attempt: int | None = None,
        fields: tuple[str, ...] | None = None,
    ) -> None:
        """An outcome that no vendor's word about this record stands behind."""
        now = self._now()
        due = to_micros(now + later) if later is not None else None
        decided = to_micros(now) if later is None else None
        reason = reason[:_REASON_LENGTH] if reason else None
        tries = one.attempt if attempt is None else attempt
        self.rows.append((one.delivery_id, state.value, reason, None, None, due, decided, tries))
        self._note(one, state, reason, _NOTHING, fields=fields)

    def _note(
        self,
        one: Claimed,
        state: Outcome,
        reason: str | None,
        told: Mapping[str, str],
        *,
        fields: tuple[str, ...] | None = None,
    ) -> None:
        """A leaf that is written if the delivery turns out to be still ours. ``told`` stands in the order of a leaf."""
        version = self._versions.get(one.brand)
        code = code_word(reason) or "none" if reason else None
        kind = _EVENT[state], self._destination, one.purpose, one.attempt, version, code, fields, tuple(told)
        self._notes.append((kind, one.lead_id, (one.delivery_id, *told.values(), one.lead_id, one.person_id)))
