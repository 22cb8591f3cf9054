"""Gives up the old end of the published log. Refuses to give up what a later proof needs, and to touch the ledger.

C2SP tlog-tiles prunes by a minimum index: tiles and bundles that end at or before it may go; every proof about the leaves from
there on, and between any two sizes from there on, stays possible from what is left. The ledger keeps every leaf: it makes
proofs for all of them, and writes nothing again that was pruned.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from leadgate.pipeline.publish import Publisher
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.vocabulary import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """``files`` of ``size`` bytes go, or went; leaves from ``minimum_index`` on stay published."""

    minimum_index: int
    files: int
    size: int
    done: bool

    def as_dict(self) -> dict[str, int | bool]:
        """Counts for the console."""
        return asdict(self)


def prune(ledger: Ledger, publisher: Publisher, *, before: datetime, now: datetime, actor: str, apply: bool = False) -> Pruned:
    """Give up the leaves that were under a checkpoint signed before a moment; without ``apply`` only say what would go."""
    with ledger.snapshot() as tx:
        signed = log.checkpoint_before(tx, to_micros(before))
    known = publisher.published()
    minimum = max(min(signed, known.tree_size), known.minimum_index) if known else 0

    def record(tx: Transaction) -> None:
        recorder = Recorder(at=now, actor=actor)
        recorder.note(Event.LOG_PRUNED, facts={"size": minimum})
        log.append(tx, recorder.leaves)

    files, size = publisher.prune(minimum, apply=apply, record=record) if known else (0, 0)
    return Pruned(minimum_index=minimum, files=files, size=size, done=apply)
