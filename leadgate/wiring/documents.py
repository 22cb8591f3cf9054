"""Documents, as the doors say it: receipts for people, evidence for auditors. What holds a person goes to files people name.

A package or receipt that left the house has a leaf: that it was made, for whom, with which digest. A digest of what holds a
person has a random salt inside the file, so that nobody learns from the log what the file says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from consent.commitment_opening import ProvingVault
from leadgate.pipeline import receipt_paper, receipts
from leadgate.pipeline.evidence import Packed, Packer
from leadgate.pipeline.evidence_parts import Around, Scope
from leadgate.pipeline.receipt_paper import Written
from leadgate.pipeline.receipts import ReceiptFacts
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, people, recipients
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from leadgate.wiring.log import Logbook
from leadgate.wiring.parts import Parts
from schemas.audit import LeafValue
from schemas.personal import Personal
from schemas.vocabulary import Event, Language

_AUDITOR: Final = Path(__file__).parents[1] / "documents" / "auditor"
#: What an auditor reads and runs.
AUDITOR_FILES: Final = ("README.md", "README.ru.md", "verify_evidence.py")


#: What a receipt may say of a person, in this order.
_OPENED: Final = ("given_name", "family_name", "phone", "email")
_NOBODY: Final = Personal[Mapping[str, str]]({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A receipt that was made."""

    receipt_id: str
    files: tuple[Path, ...]
    sha256: str
    facts: ReceiptFacts


class DocumentDesk:
    """What makes documents. One a house."""

    def __init__(self, house: Parts, logbook: Logbook) -> None:
        self._house = house
        self._logbook = logbook

    @cached_property
    def packer(self) -> Packer:
        """Makes evidence packages."""
        return Packer(ledger=self._house.ledger, around=self._around(), clock=self._house.clock)

    def pack(
        self,
        scope: Scope,
        target: Path | None,
        *,
        actor: str,
        without_quorum: bool = False,
        with_identity: bool = False,
        progress: Callable[[str], object] = lambda _: None,
    ) -> Packed:
        """An evidence package at ``target``, and its leaf; with None only what would go in."""
        packed = self.packer.pack(scope, target, without_quorum=without_quorum, with_identity=with_identity, progress=progress)
        if target is not None:
            facts: dict[str, LeafValue] = {
                "kind": "subject" if scope.person_id else "period",
                "document_sha256": packed.sha256,
                "size": packed.size,
                "count": packed.leaves,
                "complete": packed.quorum == "met",
            }
            self.record(Event.EVIDENCE_ISSUED, facts, actor=actor, person_id=scope.person_id)
            if packed.identity:
                opened: dict[str, LeafValue] = {"reason": "evidence", "count": packed.counts["identity"]}
                self.record(Event.IDENTITY_OPENED, opened, actor=actor, person_id=scope.person_id)
        return packed

    def receipt(
        self, kind: str, word: str, target: Path, *, actor: str, language: Language | None, with_identity: bool, alone: bool
    ) -> Issued:
        """A consent or withdrawal receipt at ``target``, and its leaf. ``language`` None: the notice's, or the brand's."""
        now = self._house.clock()
        receipt_id, salt = new_ids(1, to_micros(now))[0], secrets.token_hex(32)
        make = receipts.of_consent if kind == "consent" else receipts.of_withdrawal
        with self._house.ledger.snapshot() as tx:
            facts = make(tx, word, self._receipts(), receipt_id=receipt_id, now=now, alone=alone)
            opened = self._opened(tx, facts.person_ids) if with_identity else _NOBODY
        if language is None:
            home = Language.RU if facts.policy.home_country == "RU" else Language.EN
            language = facts.record.notice_language if facts.record else home
        written = receipt_paper.write(facts, target, salt=salt, opened=opened, language=language)
        self._log_receipt(facts, written, actor=actor, opened=bool(opened.reveal()))
        return Issued(receipt_id=receipt_id, files=written.files, sha256=written.sha256, facts=facts)

    def _log_receipt(self, facts: ReceiptFacts, written: Written, *, actor: str, opened: bool) -> None:
        said: dict[str, LeafValue] = {"kind": facts.kind, "document_sha256": written.sha256, "complete": facts.quorum}
        if facts.record is not None:
            said["consent_id"] = facts.record.consent_id
        if facts.withdrawal is not None:
            said["withdrawal_id"] = facts.withdrawal.withdrawal_id
        for person_id in facts.person_ids:
            self.record(Event.RECEIPT_ISSUED, said, actor=actor, person_id=person_id)
            if opened:
                names: dict[str, LeafValue] = {"reason": "receipt", "fields": list(_OPENED)}
                self.record(Event.IDENTITY_OPENED, names, actor=actor, person_id=person_id)

    def _opened(self, tx: Transaction, person_ids: Sequence[str]) -> Personal[Mapping[str, str]]:
        """Name and contacts of one person, from their newest lead whose seal still opens; nothing after an erasure."""
        lead_ids = [each for person in person_ids for each in people.leads_of(tx, person)] if len(person_ids) == 1 else []
        for lead in reversed(list(recipients.openings(tx, lead_ids).values())):
            if lead.sealed is not None and lead.key_version is not None:
                key = self._house.vault.unwrap_person_key(lead.person_id, lead.wrapped_key, lead.key_version)
                found = self._house.vault.open_lead(key, lead.lead_id, bytes(lead.sealed), _OPENED).reveal()
                return Personal({name: found[name] for name in _OPENED if name in found})
        return _NOBODY

    def _identity(self, tx: Transaction, leaves: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """Who each lead is, with the salt that ties it to its leaf; leads whose key is destroyed are absent."""
        vault = ProvingVault(self._house.own_keys, self._house.settings.tenant)
        for lead_id, lead in sorted(recipients.openings(tx, list(leaves)).items()):
            if lead.sealed is not None and lead.key_version is not None:
                key = vault.unwrap_person_key(lead.person_id, lead.wrapped_key, lead.key_version)
                found = vault.open_to_prove(key, lead_id, bytes(lead.sealed)).reveal()
                yield {
                    "record": "identity",
                    "lead_id": lead_id,
                    "leaf": leaves[lead_id],
                    "salt": found.salt,
                    "document": found.fields,
                }

    def _receipts(self) -> receipts.House:
        return receipts.House(
            policies=self._house.policies,
            storage=self._house.settings.storage,
            retention=self._house.settings.retention,
            log_policy=self._logbook.policy,
            vkeys=[str(key) for key in self._logbook.keys],
            origin=self._house.settings.log_origin,
        )

    def record(self, event: Event, facts: Mapping[str, LeafValue], *, actor: str, person_id: str | None) -> datetime:
        """The leaf of a document that was made."""
        now = self._house.clock()
        recorder = Recorder(at=now, actor=actor)
        recorder.note(event, person_id=person_id, facts=facts, about=person_id)
        with self._house.ledger.transaction() as tx:
            log.append(tx, recorder.leaves)
        return now

    def _around(self) -> Around:
        return Around(
            origin=self._house.settings.log_origin,
            vkeys=[str(key) for key in self._logbook.keys],
            policy=self._logbook.policy,
            policy_text=self._logbook.policy_text(),
            texts={
                notice.text_sha256: notice.text
                for policy in self._house.policies.values()
                for notice in policy.notices.values()
            },
            identity=self._identity,
            files={name: _AUDITOR.joinpath(name).read_bytes() for name in AUDITOR_FILES},
        )
