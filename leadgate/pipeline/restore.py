"""Destroys again whoever a restored backup brought back, and says what else is missing. It believes no list that is unproven.

1. The whole list is proven first, line by line; a list that lost, gained or changed a line destroys nobody and says so.
2. Whoever of it lives in this ledger is destroyed again, a page in one transaction, each with the leaf ``subject.erased`` and
   the reason ``restored_backup``; what waited for them is suppressed. A legal hold keeps nobody whom it did not keep then.
3. Only after the last page does the ledger count the lines: a replay that dies is begun anew and finds fewer left.
4. A log that is shorter than what was published is no matter of people, and is not mended here: it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from consent.audit.checkpoint import verify
from consent.audit.note import MAX_NOTE, VerifierKey
from consent.shredding import Shredded
from leadgate.pipeline.erase import Eraser
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.shred import Shredder
from leadgate.storage import destruction, log, people
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.shred_list import missing, truncated
from schemas.errors import AuditError
from schemas.vocabulary import Event

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """How a ledger stands to what is kept outside of it.

    ``listed`` lines are proven, ``carried_out`` of them are counted here, ``alive`` people of the list still have a key, and
    ``destroyed`` were destroyed now. ``log_size`` against ``kept_size``: leaves under a signature here, and in the newest
    checkpoint that was kept outside.
    """

    listed: int
    carried_out: int
    alive: int
    destroyed: int
    suppressed: int
    log_size: int
    kept_size: int

    @property
    def behind(self) -> bool:
        """Whether people who were destroyed are back, or may be."""
        return self.carried_out < self.listed or self.alive > self.destroyed

    @property
    def log_went_back(self) -> bool:
        """Whether leaves that were signed and given away are missing here."""
        return self.log_size < self.kept_size

    def as_dict(self) -> dict[str, object]:
        """For the console."""
        return {**asdict(self), "behind": self.behind, "log_went_back": self.log_went_back}


def size_shown(path: Path, key: VerifierKey) -> int:
    """The size of the checkpoint that others see in the published folder; 0 if there is none, or its file is damaged."""
    try:
        return verify(path.read_bytes()[:MAX_NOTE], [key]).size
    except (OSError, AuditError):
        return 0


class Restorer:
    """Holds a ledger that may come from a backup against the shred list."""

    def __init__(
        self, *, ledger: Ledger, shredder: Shredder, eraser: Eraser, clock: Callable[[], datetime], kept_size: int = 0
    ) -> None:
        """``kept_size`` is the size of the newest checkpoint that was kept outside of the ledger."""
        self._ledger = ledger
        self._shredder = shredder
        self._eraser = eraser
        self._clock = clock
        self._kept_size = kept_size

    def check(self) -> RestoreReport:
        """Prove the list and count who of it is alive; change nothing. Raises AuditError if the list does not hold."""
        known, signed = self._standing()
        listed = alive = 0
        for page in self._shredder.list.proven(self._shredder.key):
            listed += len(page)
            alive += self._alive(page)
        self._require_whole(listed, known)
        return RestoreReport(
            listed=listed,
            carried_out=known,
            alive=alive,
            destroyed=0,
            suppressed=0,
            log_size=signed,
            kept_size=self._kept_size,
        )

    def replay(self, *, actor: str) -> RestoreReport:
        """Destroy again whoever is alive. Running it twice destroys nobody twice."""
        before = self.check()
        destroyed = suppressed = listed = 0
        for page in self._shredder.list.proven(self._shredder.key):
            listed += len(page)
            for start in range(0, len(page), _PAGE):
                for done in self._eraser.again(page[start : start + _PAGE], actor=actor):
                    destroyed += done.keys
                    suppressed += done.suppressed
        if before.behind or destroyed:
            self._ledger.retrying(partial(self._count, listed=listed, destroyed=destroyed, actor=actor))
        return RestoreReport(
            listed=listed,
            carried_out=max(listed, before.carried_out),
            alive=before.alive,
            destroyed=destroyed,
            suppressed=suppressed,
            log_size=before.log_size,
            kept_size=self._kept_size,
        )

    def _standing(self) -> tuple[int, int]:
        with self._ledger.snapshot() as tx:
            newest = log.last_checkpoint(tx)
            return destruction.carried_out(tx) or 0, newest.tree_size if newest else 0

    def _alive(self, page: list[Shredded]) -> int:
        with self._ledger.snapshot() as tx:
            return len(destruction.living(tx, [line.person_id for line in page]))

    def _require_whole(self, listed: int, known: int) -> None:
        if self._shredder.list.length() is None and known:
            raise missing()
        if listed < known:
            raise truncated()

    def _count(self, tx: Transaction, *, listed: int, destroyed: int, actor: str) -> None:
        people.lock(tx)
        destruction.carry_out(tx, max(listed, destruction.carried_out(tx) or 0))
        recorder = Recorder(at=self._clock(), actor=actor)
        recorder.note(Event.BACKUP_REPLAYED, facts={"count": listed, "erased": destroyed})
        log.append(tx, recorder.leaves)
