"""Offline proofs for leaves: C2SP tlog-proof files. Refuses to prove under a checkpoint that the quorum has not seen.

A proof that only the log's owner signed convinces nobody who does not trust the owner: they could show somebody else another
log. So the checkpoint is the newest that a quorum of witnesses cosigned; leaves beyond it have no proof yet, and asking for one
raises ``missing_quorum`` (fail closed). ``alone`` takes the newest checkpoint as it is: for those who want to see, not to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from consent.audit import proof as formats
from consent.audit.merkle import inclusion_proof
from consent.audit.policy import Policy
from leadgate.pipeline.hashes import Hashes
from leadgate.storage import leads, log, witness
from leadgate.storage.engine import Transaction
from schemas.errors import AuditError

#: Checkpoints looked at before it is said that no quorum was reached lately.
_LOOKED_AT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafProof:
    """One leaf, where it stands, and the file that proves it. ``quorum`` says whether enough witnesses vouch for it."""

    index: int
    leaf: bytes
    proof: bytes
    quorum: bool

    @property
    def file_name(self) -> str:
        """Under which name to keep the file."""
        return f"leaf-{self.index}{formats.SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A checkpoint to prove under."""

    size: int
    note: str
    quorum: bool


def of(tx: Transaction, word: str, *, policy: Policy, alone: bool = False) -> list[LeafProof]:
    """Proofs for every ordered leaf about a lead, submission, delivery, person, case or external id, in the log's order.

    Raises AuditError ``missing_quorum`` if one of them is not under a checkpoint that the policy's quorum cosigned.
    """
    return of_leaves(tx, log.indexed_leaves(tx, subjects(tx, word)), policy=policy, alone=alone)


def of_leaves(tx: Transaction, found: Sequence[tuple[int, bytes]], *, policy: Policy, alone: bool = False) -> list[LeafProof]:
    """As ``of``, for (index, leaf) that the caller has read already."""
    if not found:
        return []
    under = vouched(tx, policy, alone=alone)
    if under is None or found[-1][0] >= under.size:
        raise AuditError(
            "missing_quorum",
            "the witnesses have not cosigned a checkpoint over these leaves yet: 'leadgate log status' says who is missing",
            field="log.quorum",
        )
    hashes = Hashes(tx)
    hashes.gather(*(partial(inclusion_proof, index=index, size=under.size) for index, _ in found))
    return [
        LeafProof(
            index=index,
            leaf=leaf,
            proof=formats.make(hashes.read, index=index, note=under.note).encode(),
            quorum=under.quorum,
        )
        for index, leaf in found
    ]


def subjects(tx: Transaction, word: str) -> list[str]:
    """What leaves are found by: the id itself, and the ids that belong to the same lead or person."""
    lead = leads.named_by(tx, word) or word
    rows = tx.rows("select lead_id, submission_id from lead where lead_id = :word or person_id = :word", word=lead)
    rows += tx.rows("select submission_id, submission_id from submission where person_id = :word", word=lead)
    return list(dict.fromkeys([word, lead, *(each for row in rows for each in row)]))


def vouched(tx: Transaction, policy: Policy, *, alone: bool = False) -> Vouched | None:
    """The newest checkpoint that the quorum cosigned; with ``alone`` the newest of all. None if there is none."""
    newest = log.last_checkpoint(tx)
    if newest is None or newest.tree_size == 0:
        return None
    lines = witness.cosignatures(tx, limit=_LOOKED_AT)
    by_size = {size: [each.line for each in some] for size, some in groupby(lines, key=lambda each: each.tree_size)}
    if alone or policy.met_by(()):
        note = newest.note + "".join(by_size.get(newest.tree_size, []))
        return Vouched(size=newest.tree_size, note=note, quorum=_quorum(policy, note))
    notes = log.notes(tx, list(by_size))
    for size in sorted(notes, reverse=True):
        note = notes[size] + "".join(by_size[size])
        if _quorum(policy, note):
            return Vouched(size=size, note=note, quorum=True)
    return None


def _quorum(policy: Policy, note: str) -> bool:
    try:
        return policy.judge(note).ok
    except AuditError:  # a witness's key was exchanged in the settings, or somebody changed the stored line: it does not count
        return False
