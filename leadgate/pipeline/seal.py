"""Seal: give the pending leaves their place, extend the tree, sign a checkpoint.

It refuses to sign what does not follow from the last checkpoint: a frontier that does not give the stored root stops
everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import CompactRange, leaf_hashes
from consent.audit.note import SignerKey
from leadgate.storage import log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import AuditError

#: Leaves ordered in one transaction.
_BATCH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCount:
    """``integrated`` leaves were ordered now; ``tree_size`` is what the newest checkpoint covers."""

    integrated: int
    tree_size: int
    root: str  # hex

    def as_dict(self) -> dict[str, int | str]:
        """Counts for XCom and the console."""
        return asdict(self)


class Sealer:
    """The integrator. Several may run; an advisory lock lets one at a time give out indexes."""

    def __init__(self, *, ledger: Ledger, signer: SignerKey, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._signer = signer
        self._clock = clock

    def run(self) -> SealCount:
        """Integrate everything that was pending when we looked. Raises AuditError if the stored state is not consistent."""
        integrated = 0
        while True:
            with self._ledger.transaction() as tx:
                done, last = self._batch(tx)
            integrated += done
            if done < _BATCH:
                return SealCount(integrated=integrated, tree_size=last.tree_size, root=last.root.hex())

    def _batch(self, tx: Transaction) -> tuple[int, log.StoredCheckpoint]:
        tx.lock(log.INTEGRATOR_LOCK)
        last = log.last_checkpoint(tx)
        tree = CompactRange.from_bytes(last.frontier) if last else CompactRange()
        if last is not None and (tree.size != last.tree_size or tree.root() != last.root):
            raise AuditError("frontier_damaged", "the stored tree does not give the root that was signed", field="checkpoint")
        pending = log.take_pending(tx, _BATCH)
        if not pending and last is not None:
            return 0, last
        hashes = leaf_hashes(body for _, body in pending)
        rows = [
            (tree.size + place, lead_id, digest, body)
            for place, ((lead_id, body), digest) in enumerate(zip(pending, hashes, strict=True))
        ]
        log.add_leaves(tx, rows)
        tree.extend(hashes)
        signed = checkpoints.sign(size=tree.size, root=tree.root(), signers=[self._signer])
        stored = log.StoredCheckpoint(
            tree_size=tree.size,
            root=tree.root(),
            frontier=tree.to_bytes(),
            note=signed.note,
            signed_at=to_micros(self._clock()),
        )
        log.add_checkpoint(tx, stored)
        return len(rows), stored
