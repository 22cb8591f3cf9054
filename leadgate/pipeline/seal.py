"""Seal: give the pending leaves their place, extend the tree, sign a checkpoint.

It refuses to sign what does not follow from the last checkpoint: a frontier that does not give the stored root stops
everything, and so does a ledger that is shorter than the log that was already shown to others (``published``): after the
restore of an older backup, whatever were signed next would be a second history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from consent.audit import checkpoint as checkpoints
from consent.audit.merkle import CompactRange, leaf_hashes
from consent.audit.note import SignerKey
from leadgate.pipeline.hashes import nodes_to_add
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

    def __init__(
        self, *, ledger: Ledger, signers: Sequence[SignerKey], clock: Callable[[], datetime], published: int = 0
    ) -> None:
        """``signers``: the log's own key first. ``published``: size of the checkpoint others have seen."""
        self._ledger = ledger
        self._signers = signers
        self._clock = clock
        self._published = published

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
        if tree.size < self._published:
            raise rolled_back()
        pending = log.take_pending(tx, _BATCH)
        if not pending and last is not None:
            log.add_nodes(tx, nodes_to_add(tx, tree.size, {}))  # of a ledger that an older version wrote; else none
            return 0, last
        hashes = leaf_hashes(body for _, body in pending)
        rows = [
            (tree.size + place, lead_id, digest, body)
            for place, ((lead_id, body), digest) in enumerate(zip(pending, hashes, strict=True))
        ]
        log.add_leaves(tx, rows)
        begin = tree.size
        tree.extend(hashes)
        log.add_nodes(tx, nodes_to_add(tx, tree.size, dict(enumerate(hashes, begin))))
        signed = checkpoints.sign(size=tree.size, root=tree.root(), signers=self._signers)
        stored = log.StoredCheckpoint(
            tree_size=tree.size,
            root=tree.root(),
            frontier=tree.to_bytes(),
            note=signed.note,
            signed_at=to_micros(self._clock()),
        )
        log.add_checkpoint(tx, stored)
        return len(rows), stored


def rolled_back() -> AuditError:
    """The ledger is older than what others have seen of its log."""
    return AuditError(
        "log_rolled_back",
        "the ledger is older than the log that was published: a backup was restored. Nothing is signed until the missing leaves"
        " are taken back from the published folder: 'leadgate log recover'",
        field="checkpoint",
    )
