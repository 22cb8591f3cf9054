"""Re-index: bring what people are found by under the current key, while leads are admitted, withdrawn and erased.

1. A person's identifiers are read from the person's sealed leads, and digests made of them anew. The person is done in one
   transaction, all digests and fingerprints together: a lookup finds the old ones or the new ones.
2. A digest that no lead explains has lost its value: a withdrawal of somebody without leads, or a lead whose envelope retention
   destroyed. It is layered: HMAC under the newer key over the digest (docs/adr/0025-blind-index-rotation.md). So every digest
   leaves the old version, and nobody who withdrew is forgotten by a rotation.
3. Keys and seals are opened outside the transaction. Inside it, under the people's lock, only what was read is exchanged, and
   only of people who still live: an erasure meanwhile is not undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from consent.blind_index import BlindIndex, IndexKind
from consent.vault import Vault
from leadgate.pipeline import fingerprint, in_step
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, people, rotation
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.rotation import IndexRow, LeadRow
from schemas.errors import VaultError
from schemas.policy import BrandPolicy
from schemas.vocabulary import Event

#: People re-indexed in one transaction: a few milliseconds of the people's lock.
PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexCount:
    """``layered`` are digests whose value nobody has any more; ``unreadable`` leads did not open and explain nothing."""

    people: int = 0
    reindexed: int = 0
    layered: int = 0
    unreadable: int = 0

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return {name: getattr(self, name) for name in ("people", "reindexed", "layered", "unreadable")}

    def __add__(self, other: ReindexCount) -> ReindexCount:
        mine, theirs = self.as_dict(), other.as_dict()
        return ReindexCount(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What one page's transaction exchanges."""

    old: Mapping[bytes, IndexRow]  # what goes
    made: Mapping[bytes, IndexRow]  # by the digest that goes: what comes instead, made of the value or layered
    fingerprints: Mapping[str, tuple[str, bytes]]  # lead -> (person, fingerprint)
    unreadable: int


class Reindexer:
    """Moves the indexes of one ledger. Safe to kill anywhere, to run twice, and beside everything else."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        index: BlindIndex,
        policies: Mapping[str, BrandPolicy],
        clock: Callable[[], datetime],
        page: int = PAGE,
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._policies = policies
        self._page = page
        self._clock = clock

    def run(self, *, actor: str, progress: Callable[[int], None] | None = None) -> ReindexCount:
        """Go through everybody who has a digest under an older version."""
        self._index.refresh()
        total = ReindexCount()
        after = ""
        while True:
            version = self._index.versions[0]
            with self._ledger.snapshot() as tx:
                ids = rotation.people_to_index(tx, below=version, after=after, limit=self._page)
                digests, leads = rotation.digests_of(tx, ids), rotation.leads_of(tx, ids)
            if not ids:
                return total
            page = self._made(digests, leads, version)
            total += self._ledger.retrying(partial(self._exchange, page=page, version=version, actor=actor))
            after = ids[-1]
            if progress:
                progress(total.people)

    # -- outside the transaction -----------------------------------------------------------------------------------------------

    def _made(self, digests: list[IndexRow], leads: list[LeadRow], version: int) -> _Page:
        old = {row.digest: row for row in digests if row.version < version}
        # a layered digest of the current version whose value came back gives way to one made of it
        old |= {row.digest: row for row in digests if row.layered_from is not None}
        made: dict[bytes, IndexRow] = {}
        fingerprints: dict[str, tuple[str, bytes]] = {}
        unreadable = 0
        self._vault.expect([(lead.wrapped, lead.version) for lead in leads])
        for lead in leads:
            try:
                fields = self._opened(lead)
            except VaultError:  # what it explained is layered
                unreadable += 1
                continue
            for kind in IndexKind:
                value = fields.get(kind)
                if value and self._index.accepts(kind, value):
                    made |= self._explained(lead, kind, value, old)
            if (policy := self._policies.get(lead.brand)) is not None:
                parts = fingerprint.parts(
                    policy, person_id=lead.person_id, topic=lead.topic, purposes=lead.purposes.split(), fields=fields
                )
                fingerprints[lead.lead_id] = (lead.person_id, self._index.fingerprint(*parts))
        for digest, row in old.items():
            if digest not in made and row.version < version:
                layered = self._index.layered(row.version, digest)
                begun = row.layered_from if row.layered_from is not None else row.version
                made[digest] = IndexRow(layered.digest, row.person_id, row.kind, layered.version, begun)
        gone = {digest: row for digest, row in old.items() if digest in made}
        return _Page(old=gone, made=made, fingerprints=fingerprints, unreadable=unreadable)

    def _opened(self, lead: LeadRow) -> dict[str, str]:
        key = self._vault.unwrap_person_key(lead.person_id, lead.wrapped, lead.version)
        return self._vault.open_all(key, lead.lead_id, lead.sealed).reveal()

    def _explained(self, lead: LeadRow, kind: IndexKind, value: str, old: Mapping[bytes, IndexRow]) -> dict[bytes, IndexRow]:
        """The person's digests that are of this value, each with the row that comes instead."""
        fresh = self._index.current(kind, lead.brand, value)
        row = IndexRow(fresh.digest, lead.person_id, kind.value, fresh.version, None)
        candidates = {each.digest for each in self._index.candidates(kind, lead.brand, value)} - {fresh.digest}
        return {digest: row for digest in candidates if digest in old and old[digest].person_id == lead.person_id}

    # -- inside it -------------------------------------------------------------------------------------------------------------

    def _exchange(self, tx: Transaction, *, page: _Page, version: int, actor: str) -> ReindexCount:
        people.lock(tx)
        in_step.require(tx, self._index)
        living = rotation.living(tx, sorted({row.person_id for row in page.old.values()}))
        gone = rotation.take_out(tx, [digest for digest, row in page.old.items() if row.person_id in living])
        rows = {made.digest: made for digest, made in page.made.items() if digest in gone}
        rotation.put_in(tx, list(rows.values()))
        fresh = [(lead_id, digest) for lead_id, (person_id, digest) in page.fingerprints.items() if person_id in living]
        rotation.renew_fingerprints(tx, sorted(fresh))
        moved = [page.old[digest] for digest in gone]
        layered = sum(row.layered_from is not None for row in rows.values())
        counts: dict[int, int] = {}
        for row in moved:
            counts[row.version] = counts.get(row.version, 0) + 1
        recorder = Recorder(at=self._clock(), actor=actor)
        for before, count in sorted(counts.items()):
            facts = {"key_version": version, "key_version_from": before, "count": count, "layered": layered}
            recorder.note(Event.KEYS_REINDEXED, facts=facts)
        log.append(tx, recorder.leaves)
        return ReindexCount(people=len(living), reindexed=len(rows) - layered, layered=layered, unreadable=page.unreadable)
