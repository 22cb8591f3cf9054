"""Takes up withdrawals that a restored ledger has forgotten and its recovered log remembers. Nobody is called who said stop.

The leaf of a withdrawal says who (a random id), which purposes, and when it was recorded. Recorded is never earlier than said,
so that moment is the stricter one. What the leaf cannot say is who a stranger was: a person made after the backup is not in
this ledger, and their withdrawal must come again from the source. Such ones are counted, never passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from consent.audit.leaf import decode
from consent.withdrawal import plan
from leadgate.pipeline import telling
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import consents, destruction, leads, log, outbox, people, recipients, withdrawals
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import AuditEntry, LeafValue
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState
from schemas.vocabulary import Event

_MARK: Final = f'"{Event.CONSENT_WITHDRAWN.value}"'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """``missing`` withdrawals of people who are here, ``unknown`` of people who are not; how many were taken up."""

    missing: int
    unknown: int
    taken_up: int
    suppressed: int

    def as_dict(self) -> dict[str, int]:
        """Counts for the console."""
        return {
            "missing": self.missing,
            "unknown": self.unknown,
            "taken_up": self.taken_up,
            "suppressed": self.suppressed,
        }


class Withdrawals:
    """Holds the log's withdrawals against the ledger's."""

    def __init__(self, *, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock

    def run(self, *, apply: bool, actor: str) -> TakenUp:
        """Say what is missing, or take it up. Safe to say twice."""
        found = self._forgotten()
        with self._ledger.snapshot() as tx:
            here = destruction.living(tx, [entry.person_id for entry in found if entry.person_id])
        known = [entry for entry in found if entry.person_id in here]
        suppressed = 0
        for entry in known if apply else ():
            suppressed += self._ledger.retrying(partial(self._take_up, entry=entry, actor=actor))
        return TakenUp(
            missing=len(known),
            unknown=sum(not self._is_gone(entry) for entry in found if entry.person_id not in here),
            taken_up=len(known) if apply else 0,
            suppressed=suppressed,
        )

    def _forgotten(self) -> list[AuditEntry]:
        """One leaf of each withdrawal and person of which the ledger has no row."""
        by_request: dict[tuple[str, str], AuditEntry] = {}
        with self._ledger.snapshot() as tx:
            for _, _, body in log.all_leaves(tx):
                if _MARK in body:
                    entry = decode(body)
                    request = entry.facts.get("withdrawal_id")
                    if entry.event is Event.CONSENT_WITHDRAWN and isinstance(request, str) and entry.person_id:
                        by_request.setdefault((request, entry.person_id), entry)
            stored = withdrawals.by_ids(tx, [request for request, _ in by_request])
        have = {(each.withdrawal_id, person) for each in stored for person in each.person_ids}
        return [entry for key, entry in by_request.items() if key not in have]

    def _is_gone(self, entry: AuditEntry) -> bool:
        """Whether the person is here and was destroyed: nothing of theirs is left that could be used."""
        with self._ledger.snapshot() as tx:
            return people.state_of(tx, entry.person_id or "") is not None

    def _take_up(self, tx: Transaction, *, entry: AuditEntry, actor: str) -> int:
        people.lock(tx)
        now, person_id = self._clock(), entry.person_id or ""
        purposes = _words(entry.facts.get("purposes"))
        request, brand = str(entry.facts["withdrawal_id"]), str(entry.facts.get("brand", ""))
        if any(each.withdrawal_id == request for each in withdrawals.of_persons(tx, [person_id])):
            return 0
        records, consent_of = leads.consents_of(tx, person_id)
        effect = plan(
            records=records,
            deliveries=outbox.of_person(tx, person_id),
            consent_of=consent_of,
            purposes=purposes,
            withdrawn_at=entry.at,
        )
        said, recorded = to_micros(entry.at), to_micros(now)
        people.withdraw(tx, [(person_id, purpose, said, entry.submission_id) for purpose in purposes])
        row = (request, person_id, brand, " ".join(purposes), said, recorded, actor, entry.submission_id)
        withdrawals.add(tx, [row], [(request, each.delivery_id, each.effect.value) for each in effect.deliveries])
        events = [
            ConsentEvent(
                event_id=event_id,
                person_id=person_id,
                purpose=purpose,
                state=ConsentState.WITHDRAWN,
                event_time=entry.at,
                recorded_at=now,
                origin=ConsentOrigin.RULE,
                actor=actor,
                facts={"withdrawal_id": request},
            )
            for event_id, purpose in zip(new_ids(len(purposes), recorded), purposes, strict=True)
        ]
        consents.add_events(tx, events)
        outbox.suppress(tx, effect.suppress_now, reason="withdrawn", now=recorded)
        recorder = Recorder(at=now, actor=actor)
        for each in effect.deliveries:
            if each.delivery_id in effect.suppress_now:
                facts: dict[str, LeafValue] = {"destination": each.destination, "reason": "withdrawn"}
                recorder.note(Event.DELIVERY_SUPPRESSED, delivery_id=each.delivery_id, lead_id=each.lead_id, facts=facts)
        holders = recipients.holders(tx, [each.delivery_id for each in effect.deliveries])
        telling.ask(tx, recorder, holders, cause=telling.WITHDRAWAL, now=now, withdrawal_id=request)
        if effect.ends_everything:
            withdrawals.mark_withdrawn(tx, [person_id])
        log.append(tx, recorder.leaves)
        return len(effect.suppress_now)


def _words(value: LeafValue | None) -> list[str]:
    return value if isinstance(value, list) else []
