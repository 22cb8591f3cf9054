"""Records of an evidence package: each names the leaf that commits to it, or is left out where no sealed leaf knows it yet.

The verifier holds every value that a record shares with its leaf against the leaf, and the digests of leads and consents
against theirs; so a record repeats the names that leaves use (``destination``, ``purpose``, ``sent_sha256`` ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from consent.audit import leaf as leaves
from leadgate.storage import consents as consent_events
from leadgate.storage import evidence, recipients, withdrawals
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.leads import CONSENT_COLUMNS
from leadgate.storage.notices import Published
from schemas.audit import AuditEntry
from schemas.errors import AuditError
from schemas.policy import Notice
from schemas.vocabulary import FINAL_OUTCOMES, Event, Outcome

_RESEALED: Final = frozenset({Event.LEAD_ADMITTED, Event.SUBJECT_RECTIFIED})
_LISTS: Final = frozenset({"purposes", "evidence"})
_OUTCOME: Final = {
    Event.DELIVERY_ACCEPTED: Outcome.ACCEPTED,
    Event.DELIVERY_REJECTED: Outcome.REJECTED,
    Event.DELIVERY_DEAD: Outcome.DEAD,
    Event.DELIVERY_SUPPRESSED: Outcome.SUPPRESSED,
}

_NOTICE: Final = ("brand", "notice_id", "notice_version", "language", "text_sha256")

Record = dict[str, Any]


class Walk:
    """Where the leaves of a package say what; fed with every leaf that goes into it, asked by every record."""

    def __init__(self) -> None:
        self.leads: dict[str, int] = {}  # lead -> the leaf whose record digest holds
        self.consents: dict[str, int] = {}
        self.persons: set[str] = set()
        self._deliveries: dict[str, tuple[int, str | None]] = {}  # last leaf, outcome if it says one
        self._recipients: dict[tuple[str, str], int] = {}
        self._erased: dict[str, int] = {}  # lead or person
        self._notices: dict[tuple[object, ...], int] = {}
        self._events: dict[tuple[str, str, str], int] = {}  # event, person, moment

    def take(self, index: int, body: bytes) -> AuditEntry | None:
        """Take in one leaf; None if it is none that this version knows."""
        try:
            entry = leaves.decode(body)
        except AuditError:
            return None
        if entry.person_id:
            self.persons.add(entry.person_id)
        lead = entry.lead_id
        if lead and entry.event in _RESEALED and "record_sha256" in entry.facts:
            self.leads[lead] = index
        if lead and entry.event is Event.LEAD_ADMITTED and isinstance(consent := entry.facts.get("consent_id"), str):
            self.consents[consent] = index
        if entry.event is Event.SUBJECT_ERASED:
            self._erased |= dict.fromkeys((each for each in (lead, entry.person_id) if each), index)
        if entry.delivery_id and entry.event.startswith("delivery."):
            self._deliveries[entry.delivery_id] = (index, _outcome(entry))
        elif entry.delivery_id and entry.event.startswith("recipient."):
            self._recipients[entry.delivery_id, entry.event.partition(".")[2]] = index
        if entry.person_id and entry.event.startswith(("consent.", "subject.")):
            self._events.setdefault((entry.event, entry.person_id, entry.at.isoformat()), index)
        if entry.event is Event.NOTICE_PUBLISHED:
            self._notices[tuple(entry.facts.get(each) for each in _NOTICE)] = index
        return entry

    def notice(self, brand: str, notice: Notice) -> int | None:
        """The leaf of a notice's publication."""
        return self._notices.get((brand, notice.notice_id, notice.version, notice.language.value, notice.text_sha256))

    def delivery(self, row: evidence.DeliveryRow) -> tuple[str, int | None]:
        """(state as far as a sealed leaf says it, its leaf)."""
        index, outcome = self._deliveries.get(row.delivery_id, (None, None))
        if row.state == Outcome.SUPPRESSED and outcome != Outcome.SUPPRESSED and row.lead_id in self._erased:
            return row.state, self._erased[row.lead_id]
        if Outcome(row.state) not in FINAL_OUTCOMES:
            return (row.state, None) if outcome is None else (outcome, index)
        return (outcome, index) if outcome is not None else (Outcome.QUEUED.value, None)

    def recipient(self, delivery_id: str, state: str) -> int | None:
        """The leaf that says that a recipient came so far."""
        return self._recipients.get((delivery_id, state))

    def event(self, event: Event, person_id: str, moment: str) -> int | None:
        """The leaf that says that this happened to a person at that moment."""
        return self._events.get((event, person_id, moment))


def _outcome(entry: AuditEntry) -> str | None:
    if entry.event is Event.DELIVERY_RESOLVED:
        said = entry.facts.get("outcome")
        return said if isinstance(said, str) else None
    return _OUTCOME.get(entry.event)


def lead_records(tx: Transaction, lead_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """Leads, every column that was committed."""
    for row in evidence.leads(tx, lead_ids):
        columns = dict(zip(evidence.COMMITTED, row, strict=False))
        record: Record = {"record": "lead", "lead_id": row[0], "person_id": row[1], "leaf": walk.leads[row[0]]}
        yield {**record, "columns": columns, "sealed": "destroyed" if row[13] is None else sha256(bytes(row[13])).hexdigest()}


def consent_records(tx: Transaction, consent_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """Consents, every column that was committed."""
    for row in evidence.consents(tx, consent_ids):
        columns = {name: value.split() if name in _LISTS else value for name, value in zip(CONSENT_COLUMNS, row, strict=True)}
        record: Record = {"record": "consent", "consent_id": row[0], "person_id": row[1], "leaf": walk.consents[row[0]]}
        yield {**record, "columns": columns}


def delivery_records(tx: Transaction, lead_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """What was, or was not, disclosed to whom."""
    for row in evidence.deliveries(tx, lead_ids):
        state, index = walk.delivery(row)
        yield {
            "record": "delivery",
            "delivery_id": row.delivery_id,
            "lead_id": row.lead_id,
            "person_id": row.person_id,
            "destination": row.destination,
            "purpose": row.purpose,
            "state": state,
            "attempt": row.attempt,
            "why": row.reason,
            "created_at": _moment(row.created_at),
            "decided_at": _moment(row.decided_at),
            "leaf": index,
            **({"sent_sha256": row.sent_sha256} if row.sent_sha256 else {}),
        }


def withdrawal_records(tx: Transaction, person_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """Requests to take consent back."""
    wanted = set(person_ids)
    for request in withdrawals.of_persons(tx, person_ids):
        for person in wanted.intersection(request.person_ids):
            at = request.recorded_at.isoformat()
            index = walk.event(Event.CONSENT_WITHDRAWN, person, at)
            if index is not None:
                yield {
                    "record": "withdrawal",
                    "id": f"{request.withdrawal_id}/{person}",
                    "withdrawal_id": request.withdrawal_id,
                    "person_id": person,
                    "brand": request.brand,
                    "purposes": list(request.purposes),
                    "withdrawn_at": request.withdrawn_at.isoformat(),
                    "recorded_at": at,
                    "leaf": index,
                }


def recipient_records(tx: Transaction, person_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """Who was told, and what they answered."""
    for telling in recipients.of_persons(tx, person_ids):
        index = walk.recipient(telling.delivery_id, telling.state)
        yield {
            "record": "recipient",
            "delivery_id": telling.delivery_id,
            "lead_id": telling.lead_id,
            "destination": telling.destination,
            "purpose": telling.purpose,
            "cause": telling.cause,
            "wants": telling.wants,
            "state": telling.state if index is not None else "open",
            "leaf": index,
            "suppressed_at": _moment(telling.suppressed_at),
            "erased_at": _moment(telling.erased_at),
            "told_at": _moment(telling.told_at),
        }


def event_records(tx: Transaction, person_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """What became of consents: those events that a leaf of their moment tells of."""
    for person, events in sorted(consent_events.events_of_people(tx, person_ids).items()):
        for each in events:
            index = walk.event(_event_of(each.state.value), person, each.recorded_at.isoformat())
            if index is not None:
                yield {
                    "record": "event",
                    "id": f"{each.event_id}/{person}",
                    "event_id": each.event_id,
                    "person_id": person,
                    "happened": each.state.value,
                    "happened_purpose": each.purpose,
                    "happened_consent": each.consent_id,
                    "event_time": each.event_time.isoformat(),
                    "recorded_at": each.recorded_at.isoformat(),
                    "origin": each.origin.value,
                    "leaf": index,
                }


def notice_records(published: Sequence[Published], walk: Walk) -> Iterator[Record]:
    """Notices, each with the leaf of its publication. Its text is a file of its own."""
    for each in published:
        notice = each.notice
        index = walk.notice(each.brand, notice)
        if index is not None:
            yield {
                "record": "notice",
                "id": "/".join((each.brand, *map(str, notice.key))),
                "brand": each.brand,
                "notice_id": notice.notice_id,
                "notice_version": notice.version,
                "language": notice.language.value,
                "text_sha256": notice.text_sha256,
                "valid_from": f"{notice.valid_from.isoformat()[:19]}Z",  # as the leaf says it
                "leaf": index,
            }


def _event_of(state: str) -> Event:
    try:
        return Event(f"consent.{state}")
    except ValueError:
        return Event.CONSENT_RECORDED


def destruction_records(tx: Transaction, person_ids: Sequence[str], walk: Walk) -> Iterator[Record]:
    """Whom we destroyed, when, why, how much; a person whom a restored backup brought back was destroyed twice."""
    for destruction_id, person, reason, method, counts, done_at in evidence.destructions(tx, person_ids):
        at = from_micros(done_at).isoformat()
        index = walk.event(Event.SUBJECT_ERASED, person, at)
        if index is not None:
            yield {
                "record": "destruction",
                "destruction_id": destruction_id,
                "person_id": person,
                "reason": reason,
                "method": method,
                "destroyed": counts,
                "done_at": at,
                "leaf": index,
            }


def _moment(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros).isoformat()
