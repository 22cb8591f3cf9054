"""Holds what the leaves say against what the database holds. Refuses a record that no leaf admits and a send that none allows.

A leaf under a signed root cannot be changed, so it is the measure: a record that differs from its leaf was changed after it was
committed. Memory: one entry a lead and a delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent.audit.export import ABSENT, MALFORMED
from consent.audit.findings import Collector
from consent.audit.leaf import decode
from consent.audit.reading import ConsentLine, DeliveryLine, LeadLine, Line
from schemas.audit import AuditEntry
from schemas.errors import AuditError
from schemas.vocabulary import FINAL_OUTCOMES, Event, Outcome

#: Clocks of two machines may differ by this much.
SKEW: Final = timedelta(minutes=5)

_STATE_AFTER: Final = {
    Event.DELIVERY_ACCEPTED: Outcome.ACCEPTED,
    Event.DELIVERY_REJECTED: Outcome.REJECTED,
    Event.DELIVERY_DEFERRED: Outcome.DEFERRED,
    Event.DELIVERY_UNCERTAIN: Outcome.UNCERTAIN,
    Event.DELIVERY_DEAD: Outcome.DEAD,
    Event.DELIVERY_SUPPRESSED: Outcome.SUPPRESSED,
    Event.DELIVERY_REPLAYED: Outcome.QUEUED,
}
_STOPPED_BY_ERASURE: Final = frozenset({Outcome.QUEUED, Outcome.DEFERRED, Outcome.UNCERTAIN, Outcome.DEAD})
_OUTCOMES: Final = frozenset(Outcome)
_COMPARE: Final = "Keep the database as it is and compare this row with a backup"
_WHO: Final = "Find out who wrote it: the program writes both in one transaction"


@dataclass(slots=True, kw_only=True)
class _Admission:
    """What one ``lead.admitted`` leaf commits to."""

    leaf: int
    person_id: str | None
    sealed: str | None
    record: str | None
    routes: list[str] | None
    seen: bool = False


@dataclass(slots=True, kw_only=True)
class _Sent:
    """What the last leaf about one delivery says."""

    leaf: int
    lead_id: str | None
    state: str
    seen: bool = False


class Claims:
    """Fed with every leaf in order, then with every record."""

    def __init__(self, found: Collector, *, signed: int) -> None:
        """``signed`` is the largest size under a signature: leaves from there on are not under any yet."""
        self._found = found
        self._signed = signed
        self.first_unsigned: tuple[datetime, int] | None = None
        self.events: Counter[str] = Counter()
        self.leads = self.deliveries = self.consents = 0
        self._latest: tuple[datetime, int] | None = None
        self._seconds = 0.0
        self._admitted: dict[str, _Admission] = {}
        self._sent: dict[str, _Sent] = {}
        self._consents: dict[str, tuple[int, str | None]] = {}
        self._erased: dict[str, int] = {}  # person or lead -> leaf
        self._retired: set[str] = set()  # person or lead whose record retention may have removed

    @property
    def latest(self) -> tuple[datetime, int] | None:
        """The latest time a leaf names, and its index."""
        return self._latest

    @property
    def erased(self) -> int:
        """Admitted leads whose erasure, or that of their person, is logged after them."""
        return sum(self._is_erased(lead_id) for lead_id in self._admitted)

    # -- leaves -------------------------------------------------------------------------------------------------------

    def leaf(self, index: int, body: bytes) -> float:
        """Take in one leaf; the time it says, in seconds, or that of the one before if it cannot be read."""
        try:
            entry = decode(body)
        except AuditError as error:
            self._found.add(
                "leaf_unreadable", place=f"leaf {index}", problem=error.message, advice="Verify with the version that wrote it"
            )
            return self._seconds
        self.events[entry.event] += 1
        if self._latest is None or entry.at > self._latest[0]:
            self._latest = (entry.at, index)
        if index >= self._signed and self.first_unsigned is None:
            self.first_unsigned = (entry.at, index)
        match entry.event:
            case Event.LEAD_ADMITTED:
                self._admit(index, entry)
            case Event.SUBJECT_ERASED:
                for ident in (entry.person_id, entry.lead_id):
                    if ident is not None:
                        self._erased[ident] = index
            case Event.RETENTION_APPLIED:
                self._retired.update(ident for ident in (entry.person_id, entry.lead_id) if ident is not None)
            case Event.KEYS_REWRAPPED | Event.SUBJECT_RECTIFIED:
                self._reseal(entry)
            case _:
                self._deliver(index, entry)
        self._seconds = entry.at.timestamp()
        return self._seconds

    def _admit(self, index: int, entry: AuditEntry) -> None:
        facts = entry.facts
        if entry.lead_id is None or "sealed_sha256" not in facts:
            self._found.add(
                "leaf_incomplete",
                place=f"leaf {index}",
                problem="it admits a lead without naming it or its digest, so no record can be held against it",
                advice="Report this: the program always writes both",
            )
            return
        if (earlier := self._admitted.get(entry.lead_id)) is not None:
            self._found.add(
                "lead_admitted_twice",
                place=f"lead {entry.lead_id}, leaves {earlier.leaf} and {index}",
                problem="one lead was admitted twice",
                advice=_WHO,
            )
            return
        routes = facts.get("routes")
        self._admitted[entry.lead_id] = _Admission(
            leaf=index,
            person_id=entry.person_id,
            sealed=_text(facts.get("sealed_sha256")),
            record=_text(facts.get("record_sha256")),
            routes=routes if isinstance(routes, list) else None,
        )
        if (consent_id := _text(facts.get("consent_id"))) is not None:
            self._consents.setdefault(consent_id, (index, _text(facts.get("consent_sha256"))))

    def _reseal(self, entry: AuditEntry) -> None:
        """A lead sealed anew, under another key or put right: from here on the new digest is the committed one."""
        admission = self._admitted.get(entry.lead_id or "")
        if admission is not None and (sealed := _text(entry.facts.get("sealed_sha256"))) is not None:
            admission.sealed = sealed
            admission.record = _text(entry.facts.get("record_sha256"))

    def _deliver(self, index: int, entry: AuditEntry) -> None:
        state: str | None = _STATE_AFTER.get(entry.event)
        if entry.event is Event.DELIVERY_RESOLVED:
            state = _text(entry.facts.get("outcome"))
        if entry.delivery_id is None or state is None:
            return
        self._sent[entry.delivery_id] = _Sent(leaf=index, lead_id=entry.lead_id, state=state)
        if state == Outcome.ACCEPTED and (entry.lead_id or "") not in self._admitted:
            self._found.add(
                "sent_without_admission",
                place=f"delivery {entry.delivery_id}, accepted at leaf {index}",
                problem="no leaf before it admits the lead under a consent: no consent, no call",
                advice="Treat it as a disclosure without consent until the admitting leaf is found",
            )

    def moments(self, now: datetime) -> None:
        """Report a leaf that says it was written after ``now``."""
        if self._latest is not None and self._latest[0] > now + SKEW:
            self._found.add(
                "clock",
                place=f"leaf {self._latest[1]}",
                problem="it says it was written in the future",
                advice="Compare the clocks of both machines; if they are right, the leaf's time is invented",
            )

    # -- records ------------------------------------------------------------------------------------------------------

    def compare(self, lines: Iterable[Line]) -> None:
        """Hold every record against the leaves, then ask for the records that leaves speak of and nobody brought."""
        for line in lines:
            match line:
                case LeadLine():
                    self.leads += 1
                    self._lead(line)
                case DeliveryLine():
                    self.deliveries += 1
                    self._delivery(line)
                case ConsentLine():
                    self.consents += 1
                    self._consent(line)
        for lead_id, admission in self._admitted.items():
            if not admission.seen:
                self._lead_absent(lead_id, admission)
        for delivery_id, sent in self._sent.items():
            if not sent.seen and not self._may_be_absent(sent.lead_id):
                self._add(
                    "delivery_missing",
                    f"delivery {delivery_id}, last at leaf {sent.leaf}",
                    "the log knows this delivery and the database does not",
                )

    def _lead(self, line: LeadLine) -> None:
        admission = self._admitted.get(line.lead_id)
        if line.lead_id == MALFORMED or admission is None:
            self._add("lead_without_leaf", f"lead {line.lead_id}", "it is stored and no leaf admits it", advice=_WHO)
            return
        place = f"lead {line.lead_id}, committed at leaf {admission.leaf}"
        if admission.seen:
            self._add("lead_twice", place, "it is stored twice")
        admission.seen = True
        if line.sealed_sha256 == ABSENT:
            self._lead_absent(line.lead_id, admission)
        elif (erasure := self._erasure(line.lead_id, admission)) is not None:
            self._add(
                "erased_but_stored",
                place,
                f"its erasure is logged at leaf {erasure} and its sealed identity is still stored",
                advice="Destroy it now and record the delay: a restored backup is the usual cause",
            )
        elif line.sealed_sha256 != admission.sealed:
            self._add("lead_changed", place, "its sealed identity is not the one that was committed")
        elif line.record_sha256 is not None and admission.record is not None and line.record_sha256 != admission.record:
            self._add("lead_changed", place, "a column beside its sealed identity is not what was committed")

    def _lead_absent(self, lead_id: str, admission: _Admission) -> None:
        if not self._may_be_absent(lead_id):
            self._add(
                "lead_missing",
                f"lead {lead_id}, committed at leaf {admission.leaf}",
                "its sealed identity is absent and no erasure is logged",
            )

    def _delivery(self, line: DeliveryLine) -> None:
        sent = self._sent.get(line.delivery_id)
        place = f"delivery {line.delivery_id}"
        if sent is not None:
            place += f", last at leaf {sent.leaf}"
            if sent.seen:
                self._add("delivery_twice", place, "it is stored twice")
            sent.seen = True
            if sent.lead_id is not None and sent.lead_id != line.lead_id:
                self._add("delivery_changed", place, "it is stored for another lead than the log says")
        if MALFORMED in {line.delivery_id, line.lead_id, line.destination, line.purpose, line.state}:
            self._add("record_malformed", place, "a value has not the shape it must have")
            return
        admission = self._admitted.get(line.lead_id)
        if admission is None:
            self._add("delivery_without_admission", place, "no leaf admits its lead: no consent, no call", advice=_WHO)
        elif admission.routes is not None and f"{line.destination}:{line.purpose}" not in admission.routes:
            self._add(
                "delivery_off_route",
                f"{place}, lead admitted at leaf {admission.leaf}",
                "the admission does not allow this destination and purpose",
                advice=_WHO,
            )
        logged = sent.state if sent is not None else Outcome.QUEUED
        if line.state == Outcome.SUPPRESSED and logged in _STOPPED_BY_ERASURE and self._is_erased(line.lead_id):
            return  # the erasing leaf says so for every delivery that still waited
        if line.state != logged and (line.state in FINAL_OUTCOMES or logged in FINAL_OUTCOMES):
            known = line.state if line.state in _OUTCOMES else MALFORMED
            self._add("delivery_state_differs", place, f"the database says {known}, the log says {logged}")

    def _consent(self, line: ConsentLine) -> None:
        known = self._consents.get(line.consent_id)
        if known is None:
            self._add("consent_without_leaf", f"consent {line.consent_id}", "it is stored and no leaf names it", advice=_WHO)
        elif known[1] is not None and line.consent_sha256 != known[1]:
            self._add(
                "consent_changed",
                f"consent {line.consent_id}, committed at leaf {known[0]}",
                "what is stored about the agreement is not what was committed",
            )

    def _erasure(self, lead_id: str, admission: _Admission) -> int | None:
        """Leaf that erases this lead; an erasure before the admission was of an earlier lead of the same person."""
        leaf = max(self._erased.get(lead_id, -1), self._erased.get(admission.person_id or "", -1))
        return leaf if leaf > admission.leaf else None

    def _may_be_absent(self, lead_id: str | None) -> bool:
        admission = self._admitted.get(lead_id or "")
        if admission is None or lead_id is None:
            return False
        return self._erasure(lead_id, admission) is not None or not self._retired.isdisjoint(
            {lead_id, admission.person_id or lead_id}
        )

    def _is_erased(self, lead_id: str) -> bool:
        admission = self._admitted.get(lead_id)
        return admission is not None and self._erasure(lead_id, admission) is not None

    def _add(self, code: str, place: str, problem: str, *, advice: str = _COMPARE) -> None:
        self._found.add(code, place=place, problem=problem, advice=advice)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
