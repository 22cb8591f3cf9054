"""What an act of destruction and its log extract say (Roskomnadzor's Order 179 of 28.10.2022, as third parties read it).

Everything comes from the ledger and from leadgate.yaml but two things that no ledger may know after a destruction: who the
person was, if the officer knows it from the request, and who signs. They are given for this act and kept nowhere in clear.

Refused: an act about somebody whose data are not destroyed, and one that would lack a field of the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from consent.audit.leaf import decode
from consent.audit.merkle import leaf_hash
from leadgate.pipeline.proofs import LeafProof
from leadgate.storage import destruction, recipients
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from schemas.audit import AuditEntry, LeafValue
from schemas.controller import Controller, Party
from schemas.errors import ConfigurationError
from schemas.vocabulary import Event, TellingState
from schemas.words import Said
from schemas.words.destruction import CATEGORIES, COPIES, METHODS, REASONS

#: Events that stand on the extract: what was destroyed here, and what recipients say of their copies.
_EXTRACTED: Final = frozenset(
    {Event.SUBJECT_ERASED, Event.RETENTION_APPLIED, Event.RECIPIENT_ERASED, Event.RECIPIENT_NOT_HELD, Event.RECIPIENT_TOLD}
)
_EVENTS: Final[Mapping[str, Said]] = {
    Event.SUBJECT_ERASED: Said("destroyed", "уничтожение персональных данных"),
    Event.RETENTION_APPLIED: Said("a record destroyed", "уничтожение отдельной записи"),
    Event.RECIPIENT_ERASED: Said("destroyed by the recipient", "уничтожение у получателя"),
    Event.RECIPIENT_NOT_HELD: Said("the recipient holds none", "у получателя записи нет"),
    Event.RECIPIENT_TOLD: Said("the recipient was told by hand", "получатель уведомлён вручную"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """The facts of leadgate.yaml that stand on an act."""

    controller: Controller
    system: str
    position: str
    place: str
    processors: tuple[Party, ...]
    parties: Mapping[str, Party | None]  # by destination
    zone: str  # IANA; the act's days end there
    witnesses: int  # of the log, that are asked to cosign it


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientCopy:
    """One recipient that held a copy: how far its destruction has come."""

    name: str
    state: Said
    open: bool  # it has not destroyed its copy, as far as anybody knows
    since: datetime | None = None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractLine:
    """One line of the log: its place, its exact words, and what they mean."""

    index: int
    at: datetime
    event: Said
    reason: Said
    categories: tuple[Said, ...]
    actor: str
    leaf: str
    leaf_hash: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFacts:
    """Every field of the act and of the extract. ``subject`` and ``destroyer`` were given by hand."""

    act_id: str
    operator: Party
    processors: tuple[Party, ...]
    person_id: str
    subject: str
    leads: tuple[str, ...]
    destroyer: str
    position: str
    place: str
    categories: tuple[Said, ...]
    system: str
    tenant: str
    method: Said
    reason: Said
    destroyed_at: datetime
    made_at: datetime
    keep_until: datetime
    counts: Mapping[str, int]
    key_sha256: str
    shred_number: int
    copies: tuple[RecipientCopy, ...]
    lines: tuple[ExtractLine, ...]
    log_size: int
    checkpoint: str
    quorum: str  # of witnesses: none, met, missing
    earlier: tuple[datetime, ...] = field(default=())  # of the same person, before a backup brought them back


def brand_of(tx: Transaction, person_id: str) -> str:
    """The brand the person wrote to. Raises ConfigurationError for an id nobody ever had, and for data that still exist."""
    rows = tx.rows("select brand, wrapped_key from person where person_id = :person", person=person_id)
    if not rows:
        raise ConfigurationError("unknown_person", "nobody ever had this id; `find` prints ids", field="--person")
    if rows[0][1] is not None:
        raise ConfigurationError(
            "not_destroyed", "an act says what was done: destroy first, with `leadgate erase`", field="--person"
        )
    return str(rows[0][0])


def gather(
    tx: Transaction,
    person_id: str,
    *,
    act_id: str,
    operator: Operator,
    proofs: Sequence[LeafProof],
    checkpoint: str,
    log_size: int,
    tenant: str,
    subject: str,
    destroyer: str,
    made_at: datetime,
    keep_until: datetime,
) -> ActFacts:
    """Every fact of one person's destruction. Raises ConfigurationError if it was never recorded."""
    zone = ZoneInfo(operator.zone)
    done = destruction.of_person(tx, person_id)
    if not done:
        raise ConfigurationError(
            "no_record_of_it",
            "this person was erased before acts existed: `leadgate trace` and `leadgate evidence` show the log",
            field="--person",
        )
    last = done[-1]
    lines = tuple(_lines(proofs, zone))
    named = sorted({name for each in done for name in each.categories})
    return ActFacts(
        act_id=act_id,
        operator=Party(
            name=operator.controller.name,
            address=operator.controller.address,
            contact=operator.controller.contact,
            register_number=operator.controller.register_number,
        ),
        processors=operator.processors,
        person_id=person_id,
        subject=subject,
        leads=tuple(row[0] for row in tx.rows("select lead_id from lead where person_id = :p order by lead_id", p=person_id)),
        destroyer=destroyer,
        position=operator.position,
        place=operator.place,
        categories=tuple(_category(name) for name in named) or (_NO_LEAD,),
        system=operator.system,
        tenant=tenant,
        method=METHODS.get(last.method or "", Said(last.method or "", last.method or "")),
        reason=_reason(last.reason),
        destroyed_at=from_micros(last.done_at or 0).astimezone(zone),
        made_at=made_at.astimezone(zone),
        keep_until=keep_until.astimezone(zone),
        counts=last.counts,
        key_sha256=last.key_sha256 or "",
        shred_number=last.shred_number or 0,
        copies=tuple(_copies(tx, person_id, last.recipients, operator, zone)),
        lines=lines,
        log_size=log_size,
        checkpoint=checkpoint,
        quorum=("met" if all(each.quorum for each in proofs) else "missing") if operator.witnesses else "none",
        earlier=tuple(from_micros(each.done_at or 0).astimezone(zone) for each in done[:-1]),
    )


def extracted(proofs: Sequence[LeafProof]) -> list[LeafProof]:
    """Of a person's leaves those that stand on the extract."""
    return [each for each in proofs if decode(each.leaf).event in _EXTRACTED]


def _lines(proofs: Sequence[LeafProof], zone: ZoneInfo) -> list[ExtractLine]:
    lines = []
    for each in proofs:
        entry = decode(each.leaf)
        lines.append(
            ExtractLine(
                index=each.index,
                at=entry.at.astimezone(zone),
                event=_event(entry),
                reason=_reason(str(entry.facts.get("reason", ""))),
                categories=tuple(_category(name) for name in _words(entry.facts.get("categories"))),
                actor=entry.actor,
                leaf=each.leaf.decode(),
                leaf_hash=leaf_hash(each.leaf).hex(),
                file=each.file_name,
            )
        )
    return lines


def _event(entry: AuditEntry) -> Said:
    known = _EVENTS[entry.event]
    to = entry.facts.get("destination")
    return Said(f"{known.en} ({to})", f"{known.ru} ({to})") if isinstance(to, str) else known


def _words(value: LeafValue | None) -> list[str]:
    return value if isinstance(value, list) else []


def _category(name: str) -> Said:
    return CATEGORIES.get(name, Said(name, name))


def _reason(word: str) -> Said:
    return REASONS.get(word, Said(word, word))


_NO_LEAD: Final = Said(
    "keyed search entries of a withdrawal, nothing else", "ключевые поисковые записи отзыва, иных данных не было"
)


def _copies(tx: Transaction, person_id: str, held_by: Sequence[str], operator: Operator, zone: ZoneInfo) -> list[RecipientCopy]:
    told = recipients.of_persons(tx, [person_id])
    copies = []
    for each in told:
        since = each.erased_at or each.told_at or each.suppressed_at or each.decided_at
        copies.append(
            RecipientCopy(
                name=_name(each.destination, operator),
                state=COPIES.get(each.state, Said(each.state, each.state)),
                open=each.state not in (TellingState.ERASED, TellingState.NOT_HELD),
                since=from_micros(since).astimezone(zone) if since is not None else None,
                code=each.code or "",
            )
        )
    asked = {each.destination for each in told}
    copies += [
        RecipientCopy(name=_name(destination, operator), state=COPIES["not_asked"], open=True)
        for destination in held_by
        if destination not in asked
    ]
    return copies


def _name(destination: str, operator: Operator) -> str:
    party = operator.parties.get(destination)
    return f"{party.name} ({destination})" if party else destination
