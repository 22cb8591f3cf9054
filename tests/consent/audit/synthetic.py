"""A small database with its log, made up: tests tamper with it the way somebody with write access would, then export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from consent.audit import checkpoint, export
from consent.audit.export import ConsentRow, DeliveryRow, LeadRow, LeafRow
from consent.audit.leaf import encode
from consent.audit.merkle import leaf_hash, root_of
from consent.audit.note import SignerKey
from consent.audit.verify import Report, verify
from schemas.audit import AuditEntry, Checkpoint, LeafValue
from schemas.vocabulary import Event

ORIGIN = "audit.example.org/leadgate"
SIGNER = SignerKey(name=ORIGIN, seed=b"\x01" * 32)
STRANGER = SignerKey(name=ORIGIN, seed=b"\x02" * 32)
START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
NOW = START + timedelta(hours=6)


def ident(kind: int, number: int) -> str:
    return str(UUID(int=(kind << 64) + number, version=4))


def digest(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()


@dataclass
class World:
    """What the database holds. ``seal`` signs what stands; everything else is plain columns, as an attacker sees them."""

    leaves: list[LeafRow] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    leads: dict[str, LeadRow] = field(default_factory=dict)
    deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    consents: dict[str, ConsentRow] = field(default_factory=dict)

    def log(self, event: Event, facts: dict[str, LeafValue] | None = None, **ids: str) -> int:
        index = len(self.leaves)
        entry = AuditEntry(event=event, at=START + timedelta(seconds=index), actor="system", facts=facts or {}, **ids)
        body = encode(entry)
        self.leaves.append(LeafRow(index=index, leaf=body, hash=leaf_hash(body)))
        return index

    def admit(self, number: int) -> int:
        lead, person, consent = ident(1, number), ident(2, number), ident(3, number)
        sealed = digest("sealed", number)
        agreed = digest("agreed", number)
        self.log(Event.SUBMISSION_RECEIVED, {"source": "moderation"}, submission_id=ident(4, number))
        self.leads[lead] = LeadRow(lead_id=lead, sealed_sha256=sealed, record_sha256=digest("record", number))
        self.consents[consent] = ConsentRow(consent_id=consent, consent_sha256=agreed)
        facts: dict[str, LeafValue] = {
            "sealed_sha256": sealed,
            "record_sha256": digest("record", number),
            "consent_id": consent,
            "consent_sha256": agreed,
            "routes": ["crm:callback", "center:callback"],
        }
        return self.log(Event.LEAD_ADMITTED, facts, submission_id=ident(4, number), lead_id=lead, person_id=person)

    def deliver(self, number: int, event: Event = Event.DELIVERY_ACCEPTED, destination: str = "crm") -> int:
        delivery, lead = ident(5, number), ident(1, number)
        row = DeliveryRow(
            delivery_id=delivery,
            lead_id=lead,
            destination=destination,
            purpose="callback",
            state=event.value.removeprefix("delivery."),
        )
        self.deliveries[delivery] = row
        facts: dict[str, LeafValue] = {"destination": destination, "purpose": "callback", "attempt": 1}
        return self.log(event, facts, delivery_id=delivery, lead_id=lead, person_id=ident(2, number))

    def erase(self, number: int) -> int:
        lead = ident(1, number)
        self.leads[lead] = replace(self.leads[lead], sealed_sha256=None, record_sha256=None)
        return self.log(Event.SUBJECT_ERASED, {"reason": "request"}, person_id=ident(2, number))

    def seal(self, signer: SignerKey = SIGNER) -> Checkpoint:
        made = checkpoint.sign(
            size=len(self.leaves), root=root_of(leaf_hash(row.leaf) for row in self.leaves), signers=[signer]
        )
        self.checkpoints.append(made)
        return made

    def export(self, path: Path, *, notes: Iterable[str] | None = None) -> Path:
        export.write(
            path,
            origin=ORIGIN,
            created_at=NOW,
            leaves=self.leaves,
            checkpoints=notes if notes is not None else [each.note for each in self.checkpoints],
            records=[*self.leads.values(), *self.deliveries.values(), *self.consents.values()],
        )
        return path

    def verify(self, folder: Path, *, trusted: Checkpoint | None = None) -> Report:
        return verify(self.export(folder / "export"), [SIGNER.verifier], trusted=trusted, now=NOW)

    # -- what an attacker with write access does ------------------------------------------------------------------------

    def rewrite(self, index: int, body: bytes) -> None:
        """Change a leaf and its hash."""
        self.leaves[index] = LeafRow(index=index, leaf=body, hash=leaf_hash(body))

    def renumber(self) -> None:
        """Make the indexes count again."""
        self.leaves = [replace(row, index=index) for index, row in enumerate(self.leaves)]


def busy_world(leads: int = 30) -> World:
    """``leads`` leads, each with a delivery; some refused, one erased; sealed every ten leads."""
    world = World()
    for number in range(leads):
        world.admit(number)
        event = Event.DELIVERY_REJECTED if number % 7 == 3 else Event.DELIVERY_ACCEPTED
        world.deliver(number, event)
        if number == 5:
            world.erase(4)
        if number % 10 == 9:
            world.seal()
    return world
