"""The memory of who took consent back, for when nothing else is left of them. It refuses to remember without an end.

A person who was erased cannot be recognised any more, and a lead with an older consent may still arrive: from a file that was
left lying, say. It must not be called. So a digest under a key of its own is kept with the moment, as long as an older consent
could carry: a duty of its own, to stop on demand (152-FZ Art. 15; GDPR Art. 21(3)), and nothing else is done with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from consent.blind_index import BlindIndex, IndexKind
from leadgate.pipeline.recognition import Candidate
from leadgate.storage import suppression
from leadgate.storage.clock import LATEST, to_micros
from leadgate.storage.engine import Transaction
from schemas.policy import BrandPolicy

_KINDS = tuple(kind.value for kind in IndexKind)


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
