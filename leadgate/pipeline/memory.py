"""The memory of who took consent back, for when nothing else is left of them. It refuses to remember without an end.

A person who was erased cannot be recognised any more, and a lead with an older consent may still arrive: from a file that was
left lying, say. It must not be called. So a digest under a key of its own is kept with the moment, as long as an older consent
could carry: a duty of its own, to stop on demand (152-FZ Art. 15; GDPR Art. 21(3)), and nothing else is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from consent.blind_index import BlindIndex, IndexKind
from consent.retention import Why
from consent.vault import Vault
from leadgate.pipeline.recognition import Candidate
from leadgate.pipeline.telling import RESTORED
from leadgate.storage import people, suppression
from leadgate.storage.clock import LATEST, from_micros, to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.suppression import HeldLead
from schemas.errors import VaultError
from schemas.policy import BrandPolicy

_KINDS: Final = tuple(kind.value for kind in IndexKind)
#: Why retention destroys: nobody asked for it.
_RULES: Final = frozenset(Why)


def remember(
    tx: Transaction,
    index: BlindIndex,
    *,
    policy: BrandPolicy,
    identifiers: Iterable[tuple[str, str]],
    purposes: Collection[str],
    at: datetime,
) -> None:
    """Remember that whoever has these (kind, value) identifiers took these purposes back at ``at``."""
    if not policy.suppression:
        return
    digests = [index.suppression(kind, policy.brand, value) for kind, value in identifiers]
    until = {code: at + _carries(policy, code) for code in purposes}
    suppression.remember(
        tx, [(digest, code, to_micros(at), to_micros(until[code])) for digest in digests for code in sorted(purposes)]
    )


class Memory:
    """Remembers people right before they are destroyed, from their leads: afterwards nobody knows what to remember."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        vault: Vault,
        index: BlindIndex,
        policies: Mapping[str, BrandPolicy],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._policies = policies
        self._clock = clock

    def before_erasure(self, person_ids: Sequence[str], reason: str) -> None:
        """Remember what these people took back; whoever asked to be erased took everything back.

        In a transaction of its own: seals are opened outside of any, and being remembered without being destroyed (a crash, a
        lead that came in) refuses nobody who did not take it back.
        """
        with self._ledger.snapshot() as tx:
            leads = suppression.leads_of(tx, person_ids)
            taken = people.withdrawals(tx, {each.person_id for each in leads})
        asked = reason not in _RULES and reason != RESTORED
        found = [(each, self._identifiers(each)) for each in leads if asked or each.person_id in taken]
        if found:
            self._ledger.retrying(lambda tx: self._write(tx, found, taken, asked=asked))

    def _write(
        self,
        tx: Transaction,
        found: Sequence[tuple[HeldLead, list[tuple[str, str]]]],
        taken: Mapping[str, Mapping[str, int]],
        *,
        asked: bool,
    ) -> None:
        now = self._clock()
        for lead, identifiers in found:
            policy = self._policies.get(lead.brand)
            if policy is None:
                continue
            moments: dict[datetime, list[str]] = {now: list(policy.purposes)} if asked else {}
            for purpose, moment in () if asked else taken.get(lead.person_id, {}).items():
                moments.setdefault(from_micros(min(moment, to_micros(now))), []).append(purpose)
            for at, purposes in moments.items():
                remember(tx, self._index, policy=policy, identifiers=identifiers, purposes=purposes, at=at)

    def _identifiers(self, lead: HeldLead) -> list[tuple[str, str]]:
        """What the person of one lead was known by; nothing of a seal that does not open."""
        try:
            key = self._vault.unwrap_person_key(lead.person_id, lead.wrapped_key, lead.key_version)
            fields = self._vault.open_lead(key, lead.lead_id, lead.sealed, _KINDS).reveal()
        except VaultError:
            return []
        return [(kind, value) for kind, value in fields.items() if self._index.accepts(kind, value)]


def _carries(policy: BrandPolicy, code: str) -> timedelta:
    """How long a consent given at the last moment before could still carry."""
    known = policy.purposes.get(code)
    return known.valid_for if known is not None else timedelta(0)


def recall(
    tx: Transaction, index: BlindIndex, candidates: Sequence[Candidate], withdrawn: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    """Add to ``withdrawn`` (person -> purpose -> micros) what is remembered of people these leads seem to be the first of.

    One look while nobody is remembered; else one more, whatever the batch.
    """
    if not suppression.holds_any(tx):
        return withdrawn
    digests = {id(candidate): _digests(index, candidate) for candidate in candidates}
    known = suppression.recall(tx, [digest for each in digests.values() for digest in each])
    for candidate in candidates if known else ():
        taken = withdrawn.setdefault(candidate.matches[0], {})
        for digest in digests[id(candidate)]:
            for purpose, moment in known.get(digest, {}).items():
                taken[purpose] = max(moment if 0 <= moment <= LATEST else LATEST, taken.get(purpose, 0))
    return withdrawn


def _digests(index: BlindIndex, candidate: Candidate) -> list[bytes]:
    fields: Mapping[str, str] = candidate.fields
    return [index.suppression(kind, candidate.lead.brand, fields[kind]) for kind, _ in candidate.identifiers]
