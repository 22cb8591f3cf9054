"""Documents, as the doors say it: receipts for people, evidence for auditors. What holds a person goes to files people name.

A package or receipt that left the house has a leaf: that it was made, for whom, with which digest. A digest of what holds a
person has a random salt inside the file, so that nobody learns from the log what the file says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from leadgate.pipeline.evidence import Around, Packed, Packer, Scope
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log
from leadgate.wiring.log import Logbook
from leadgate.wiring.parts import Parts
from schemas.audit import LeafValue
from schemas.vocabulary import Event

_AUDITOR: Final = Path(__file__).parents[1] / "documents" / "auditor"
#: What an auditor reads and runs.
AUDITOR_FILES: Final = ("README.md", "README.ru.md", "verify_evidence.py")


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
        return packed

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
            files={name: _AUDITOR.joinpath(name).read_bytes() for name in AUDITOR_FILES},
        )
