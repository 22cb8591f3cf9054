"""Corrections: a lead that was put right, on its way to the recipients that hold it wrong.

1. What waits in the queue needs nothing: whoever sends it opens the new envelope. A recipient that holds the lead is sent it
   again under the same key where that is one record (upsert); where it would be another, a person tells them.
2. A delivery that is with a worker, or in doubt, is looked at again when its outcome is known.
3. The gate is asked before each send, and each send is a leaf like any other disclosure. No send is inside a transaction;
   whoever dies between a send and its record sends again, which is one record there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from consent.audit.facts import code_word
from consent.vault import Vault
from integrations.contract.destination import Destination
from leadgate.pipeline.opening import Opened, Opener
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import cases, log, outbox
from leadgate.storage.cases import Correction
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.audit import LeafValue
from schemas.delivery import DeliveryReceipt
from schemas.errors import ConfigurationError, DeliveryError, TransientError, UncertainError
from schemas.policy import BrandPolicy
from schemas.vocabulary import IN_DOUBT, Event, Outcome, WriteMode

#: What a correction's row may say.
QUEUED, BY_HAND, DONE, REFUSED = "queued", "by_hand", "done", "refused"
_OPEN: Final = frozenset({QUEUED, BY_HAND})
_ON_ITS_WAY: Final = frozenset({Outcome.CLAIMED, Outcome.UNCERTAIN})


class Corrections:
    """Carries what is right to whoever holds what is wrong."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        policies: Mapping[str, BrandPolicy],
        write_mode: Callable[[str], WriteMode],
        connector: Callable[[str], Destination],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._policies = policies
        self._write_mode = write_mode
        self._connector = connector
        self._clock = clock

    def ask(self, tx: Transaction, person_ids: Sequence[str], lead_ids: Sequence[str], *, case_id: str) -> int:
        """Write down who holds, or may hold, these leads; answer how many records that are."""
        concerned = set(lead_ids)
        rows = []
        for person_id in person_ids:
            for each in outbox.of_person(tx, person_id):
                doubtful = each.state in _ON_ITS_WAY or (each.state is Outcome.DEAD and each.reason == IN_DOUBT)
                if each.lead_id in concerned and (each.state is Outcome.ACCEPTED or doubtful):
                    can = self._write_mode(each.destination) is WriteMode.UPSERT and each.state is not Outcome.DEAD
                    state, why = (QUEUED, None) if can else (BY_HAND, "cannot_upsert")
                    rows.append((case_id, each.delivery_id, each.lead_id, each.destination, state, why))
        cases.add_corrections(tx, rows)
        return len(rows)

    def propagate(self, case_id: str) -> list[Correction]:
        """Send what can be sent, outside of any transaction; answer every correction as it stands afterwards."""
        with self._ledger.snapshot() as tx:
            waiting = [each for each in cases.corrections(tx, case_id) if each.state == QUEUED]
            standing = cases.states(tx, [each.delivery_id for each in waiting])
        by_destination: dict[str, list[Correction]] = {}
        for each in waiting:
            state, reason = standing.get(each.delivery_id, (None, None))
            if state == Outcome.ACCEPTED:
                by_destination.setdefault(each.destination, []).append(each)
            elif state == Outcome.DEAD and reason == IN_DOUBT:
                self._settle(each, state=BY_HAND, reason=IN_DOUBT)
            elif state not in _ON_ITS_WAY:  # it never arrived there, or waits in the queue and is opened anew
                self._settle(each, state=DONE, reason="not_held")
        for name, found in by_destination.items():
            self._send(name, found)
        return self.of(case_id)

    def of(self, case_id: str) -> list[Correction]:
        """Every correction of a case, as it stands."""
        with self._ledger.snapshot() as tx:
            return cases.corrections(tx, case_id)

    def told_by_hand(self, case_id: str, destination: str, *, how: str, actor: str) -> int:
        """A person told this recipient; answer how many records that were. ``how`` is one word that the log keeps."""
        if code_word(how) != how:
            raise ConfigurationError("bad_word", "say it in one word of letters and digits, without names", field="--how")

        def work(tx: Transaction) -> int:
            found = [each for each in cases.corrections(tx, case_id) if each.destination == destination and each.state in _OPEN]
            recorder = Recorder(at=self._clock(), actor=actor)
            now = to_micros(self._clock())
            for each in found:
                cases.settle_correction(tx, each, state=DONE, reason=how, now=now)
                facts: dict[str, LeafValue] = {"case_id": case_id, "step": "by_hand", "destination": destination, "reason": how}
                recorder.note(Event.CASE_STEP, lead_id=each.lead_id, delivery_id=each.delivery_id, facts=facts)
            log.append(tx, recorder.leaves)
            return len(found)

        return self._ledger.retrying(work)

    def _send(self, destination: str, found: Sequence[Correction]) -> None:
        connector = self._connector(destination)
        opener = Opener(vault=self._vault, policies=self._policies, destination=destination)
        size = connector.manifest.capabilities.batch_size
        for start in range(0, len(found), size):
            self._send_batch(connector, opener, found[start : start + size])

    def _send_batch(self, connector: Destination, opener: Opener, batch: Sequence[Correction]) -> None:
        now = self._clock()
        with self._ledger.snapshot() as tx:
            claimed = cases.as_claimed(tx, [each.delivery_id for each in batch])
            withdrawn = opener.standing(tx, list(claimed.values()))
        ready: list[tuple[Correction, Opened]] = []
        for each in batch:
            one = claimed.get(each.delivery_id)
            opened = "erased" if one is None else opener.open(one, withdrawn.get(one.person_id, {}), now)
            if isinstance(opened, str):
                self._settle(each, state=REFUSED, reason=opened)
            else:
                ready.append((each, opened))
        if not ready:
            return
        try:
            receipts = connector.deliver([opened.disclosure for _, opened in ready])
        except (TransientError, UncertainError) as error:  # one key is one record there: it is sent again
            for each, _ in ready:
                self._settle(each, state=QUEUED, reason=error.code)
        except DeliveryError as error:
            for each, _ in ready:
                self._settle(each, state=BY_HAND, reason=error.code)
        else:
            for (each, opened), receipt in zip(ready, receipts, strict=True):
                self._take(each, opened, receipt)

    def _take(self, one: Correction, opened: Opened, receipt: DeliveryReceipt) -> None:
        if receipt.outcome is Outcome.ACCEPTED:
            sent = self._vault.bind_digest(opened.key, receipt.sent_sha256) if receipt.sent_sha256 else None
            self._settle(one, state=DONE, reason="sent", opened=opened, sent_sha256=sent)
        elif receipt.outcome is Outcome.REJECTED:
            self._settle(one, state=BY_HAND, reason=receipt.code or "rejected")
        else:
            self._settle(one, state=QUEUED, reason=receipt.code or receipt.outcome.value)

    def _settle(
        self,
        one: Correction,
        *,
        state: str,
        reason: str,
        opened: Opened | None = None,
        sent_sha256: str | None = None,
    ) -> None:
        now = self._clock()
        word = code_word(reason) or "none"

        def work(tx: Transaction) -> None:
            if not cases.settle_correction(tx, one, state=state, reason=word, now=to_micros(now), sent_sha256=sent_sha256):
                return
            recorder = Recorder(at=now)
            if opened is not None:  # what a recipient was told is a disclosure like any other
                facts: dict[str, LeafValue] = {
                    "destination": one.destination,
                    "purpose": opened.claimed.purpose,
                    "attempt": opened.claimed.attempt,
                    "fields": list(opened.names),
                    "consent_id": opened.claimed.consent_id,
                    "case_id": one.case_id,
                }
                if sent_sha256 is not None:
                    facts["sent_sha256"] = sent_sha256
                recorder.note(
                    Event.DELIVERY_ACCEPTED,
                    lead_id=one.lead_id,
                    person_id=opened.claimed.person_id,
                    delivery_id=one.delivery_id,
                    facts=facts,
                )
            elif state != QUEUED:
                facts = {"case_id": one.case_id, "step": state, "destination": one.destination, "reason": word}
                recorder.note(Event.CASE_STEP, lead_id=one.lead_id, delivery_id=one.delivery_id, facts=facts)
            log.append(tx, recorder.leaves)

        self._ledger.retrying(work)


def open_corrections(found: Sequence[Correction]) -> list[Correction]:
    """Those a recipient has not got, and nobody told it."""
    return [each for each in found if each.state in _OPEN]
