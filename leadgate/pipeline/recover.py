"""Takes back from the published log what a restored ledger has lost. Refuses leaves that do not give the signed roots.

After the restore of a backup the ledger is older than the log that others have seen; whatever it signed next would be a second
history, so nothing is sealed (``seal.rolled_back``). The leaves in between stand in the published folder:

    1. the folder's checkpoint is signed by our key, and the ledger's own last root is the root of its beginning
    2. the leaves of its bundles have the root that it signed
    3. they take their old places; of those that wait in the restored ledger, the ones among them wait no more

Leads, people and deliveries of that time are not in a leaf and do not come back: `leadgate verify` names every one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from consent.audit.leaf import decode
from consent.audit.merkle import CompactRange, leaf_hashes
from consent.audit.tile_reader import Tiles
from leadgate.pipeline.hashes import nodes_to_add
from leadgate.pipeline.publish import Publisher
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.log import StoredCheckpoint
from schemas.errors import AuditError
from schemas.vocabulary import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """``leaves`` come back, or came; the log then has ``tree_size``."""

    leaves: int
    tree_size: int
    done: bool

    def as_dict(self) -> dict[str, int | bool]:
        """Counts for the console."""
        return asdict(self)


class Recovery:
    """One ledger and the folder it published."""

    def __init__(self, *, ledger: Ledger, publisher: Publisher, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._clock = clock

    def run(self, *, apply: bool, actor: str) -> Recovered:
        """Say what is missing, or take it back. Safe to say twice. Raises AuditError if both are not one history."""
        with self._ledger.transaction() as tx:
            tx.lock(log.INTEGRATOR_LOCK)
            last = log.last_checkpoint(tx)
            tree = CompactRange.from_bytes(last.frontier) if last else CompactRange()
            shown = self._publisher.shown()
            if shown is None or shown.size <= tree.size:
                return Recovered(leaves=0, tree_size=tree.size, done=apply)
            tiles = Tiles(self._publisher.read, size=shown.size)
            begin = tree.size
            if begin and tiles.root(begin) != tree.root():
                raise _forked()
            bodies = [body for _, body in tiles.leaves(begin)]
            hashes = leaf_hashes(bodies)
            tree.extend(hashes)
            if tree.root() != shown.root:
                raise _forked()
            if apply:
                rows = [
                    (index, about(body), digest, body)
                    for index, (body, digest) in enumerate(zip(bodies, hashes, strict=True), begin)
                ]
                log.add_leaves(tx, rows)
                log.add_nodes(tx, nodes_to_add(tx, tree.size, dict(enumerate(hashes, begin))))
                log.drop_pending(tx, bodies)
                log.add_checkpoint(tx, self._stored(tree, shown.note))
                self._record(tx, actor, len(rows))
            return Recovered(leaves=len(bodies), tree_size=tree.size, done=apply)

    def _stored(self, tree: CompactRange, note: str) -> StoredCheckpoint:
        return StoredCheckpoint(
            tree_size=tree.size,
            root=tree.root(),
            frontier=tree.to_bytes(),
            note=note,
            signed_at=to_micros(self._clock()),
        )

    def _record(self, tx: Transaction, actor: str, count: int) -> None:
        recorder = Recorder(at=self._clock(), actor=actor)
        recorder.note(Event.LOG_RECOVERED, facts={"count": count})
        log.append(tx, recorder.leaves)


def about(body: bytes) -> str | None:
    """What a leaf is found by, as the recorder would have said it; a leaf of a newer version comes back all the same."""
    try:
        entry = decode(body)
    except AuditError:
        return None
    case = entry.facts.get("case_id")
    return entry.lead_id or entry.submission_id or (case if isinstance(case, str) else None) or entry.person_id


def _forked() -> AuditError:
    return AuditError(
        "published_fork",
        "the published log is not the ledger's log, grown: stop, and compare both with a witness",
        field="checkpoint",
    )
