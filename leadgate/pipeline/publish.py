"""Publishes the log as C2SP tiles in a folder that any web server can serve. Refuses to take a published checkpoint back.

    1. what stands in the folder is of this log, signed by its key, and not longer than the ledger          else AuditError
    2. tiles and bundles are written first, and flushed
    3. the root over what was written, read from the files again, is the signed root                        else once more, anew
    4. the checkpoint is put in its place by one rename, and flushed
    5. the ledger notes how far the folder has come; partial tiles that became full go

A process that dies anywhere leaves the old checkpoint, and the files that it needs; the next run writes the same bytes again. A
checkpoint file that is cut, or a tile that was lost or changed at the right edge, is written anew. A folder that is *ahead* of
the ledger is not repaired: the ledger is a restored backup (``seal.rolled_back``), and ``recover`` is what a person asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from consent.audit import checkpoint as checkpoints
from consent.audit import note as notes
from consent.audit.note import MAX_NOTE, VerifierKey
from consent.audit.tile_reader import Tiles
from consent.audit.tiles import extend, outgrown, prunable
from leadgate.pipeline.hashes import Hashes
from leadgate.pipeline.seal import rolled_back
from leadgate.pipeline.shelf import Shelf
from leadgate.storage import log, witness
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.log import StoredCheckpoint
from leadgate.storage.witness import Publication
from schemas.audit import Checkpoint
from schemas.errors import AuditError

CHECKPOINT: Final = "checkpoint"
#: Leaves read at once: twenty bundles.
_PAGE: Final = 5_120
#: Codes of a checkpoint file that somebody else's key signed. Every other fault means the file is damaged.
_FOREIGN: Final = ("unknown_key", "wrong_origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCount:
    """``files`` were written, ``removed`` went; the folder now shows the log of ``tree_size`` leaves."""

    tree_size: int
    files: int = 0
    removed: int = 0
    repaired: bool = False

    def as_dict(self) -> dict[str, int | bool]:
        """Counts for XCom and the console."""
        return asdict(self)


class Publisher:
    """One folder. Several processes may publish: they wait for each other."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        shelf: Shelf,
        keys: Sequence[VerifierKey],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._keys = keys
        self._clock = clock
        self._name = folder_name(shelf.folder)

    def shown(self) -> Checkpoint | None:
        """The checkpoint others see; None if there is none, or its file is damaged. Raises AuditError for another log's."""
        raw = self._shelf.read(CHECKPOINT)
        if raw is None or len(raw) > MAX_NOTE:
            return None
        try:
            return checkpoints.verify(raw, self._keys)
        except AuditError as error:
            if error.code in _FOREIGN:
                raise AuditError(
                    "folder_of_another_log",
                    "the folder shows the checkpoint of another log, or one that another key signed; publish elsewhere",
                    field="log.publish_to",
                ) from None
            return None

    def run(self, *, whole: bool = False) -> PublishCount:
        """Bring the folder up to the newest checkpoint. ``whole`` writes every file again, from the ledger."""
        with self._shelf.locked():
            with self._ledger.snapshot() as tx:
                newest = log.last_checkpoint(tx)
                if newest is None:
                    return PublishCount(tree_size=0)
                shown = self.shown()
                before = self._agreed(tx, shown, newest)
                known = witness.publication(tx, self._name)
                minimum = known.minimum_index if known else 0
                anew = whole or (shown is None and known is not None)
                try:
                    files = self._extended(tx, 0 if anew else before, newest, minimum)
                except _EdgeError:
                    anew, files = True, self._extended(tx, 0, newest, minimum)
                note = _cosigned(tx, newest, shown)
            if self._shelf.read(CHECKPOINT) != note:
                self._shelf.put(CHECKPOINT, note)
                self._shelf.flush()
                files += 1
            self._remember(newest.tree_size, minimum)
            removed = sum(self._shelf.remove(path) for path in outgrown(0 if anew else before, newest.tree_size))
        return PublishCount(tree_size=newest.tree_size, files=files, removed=removed, repaired=anew)

    def read(self, path: str) -> bytes | None:
        """A file as others see it."""
        return self._shelf.read(path)

    def published(self) -> Publication | None:
        """What the ledger knows of the folder."""
        with self._ledger.snapshot() as tx:
            return witness.publication(tx, self._name)

    def prune(self, minimum: int, *, apply: bool, record: Callable[[Transaction], None]) -> tuple[int, int]:
        """Give up the leaves before ``minimum``: (files that may go, their bytes). Never beyond what is published.

        First the ledger notes the new minimum, and ``record`` says so in the log, so that no repair writes again what went;
        then the files go.
        """
        with self._shelf.locked():
            known = self.published()
            before = known.minimum_index if known else 0
            if known is None or not before <= minimum <= known.tree_size:
                raise AuditError(
                    "prune_out_of_range", "the minimum index only grows, and not beyond what is published", field="--before"
                )
            sizes = {path: size for path in prunable(0, minimum) if (size := self._shelf.size(path)) is not None}
            if apply:
                self._remember(known.tree_size, minimum, record if minimum > before else None)
                for path in sizes:
                    self._shelf.remove(path)
            return len(sizes), sum(sizes.values())

    def _agreed(self, tx: Transaction, shown: Checkpoint | None, newest: StoredCheckpoint) -> int:
        """The size from which to go on. Raises AuditError if the ledger does not continue what others have seen."""
        if shown is None:
            return 0
        if shown.size > newest.tree_size:
            raise rolled_back()
        if Hashes(tx).root(shown.size) != shown.root:
            raise AuditError(
                "published_fork",
                "the ledger's log is not the one that was published, grown: stop, and compare both with a witness",
                field="checkpoint",
            )
        return shown.size

    def _extended(self, tx: Transaction, before: int, newest: StoredCheckpoint, minimum: int) -> int:
        """Write what the leaves from ``before`` on add. Raises _EdgeError if what stood there was not what it should be."""
        pruned = frozenset(prunable(0, minimum)) if before == 0 else frozenset()
        files = 0
        try:
            for path, content in extend(self._shelf.read, size=before, leaves=_leaves(tx, before, newest.tree_size)):
                if path not in pruned:
                    self._shelf.put(path, content)
                    files += 1
            self._shelf.flush()
            root = Tiles(self._shelf.read, size=newest.tree_size).root()
        except AuditError:
            if before == 0:
                raise
            raise _EdgeError from None
        if root != newest.root:
            if before > 0:
                raise _EdgeError
            raise AuditError(
                "leaves_do_not_give_root", "the ledger's leaves do not have the root that was signed", field="checkpoint"
            )
        return files

    def _remember(self, size: int, minimum: int, record: Callable[[Transaction], None] | None = None) -> None:
        now = to_micros(self._clock())
        with self._ledger.transaction() as tx:
            known = witness.publication(tx, self._name)
            if known is None or (known.tree_size, known.minimum_index) != (size, minimum):
                witness.keep_publication(tx, self._name, Publication(tree_size=size, minimum_index=minimum, published_at=now))
            if record is not None:
                record(tx)


class _EdgeError(Exception):
    """The files at the right edge are damaged."""


def folder_name(folder: Path) -> str:
    """Tells one folder from another in the ledger: a log that is published elsewhere begins anew there."""
    return sha256(str(folder.resolve()).encode()).hexdigest()[:32]


def _leaves(tx: Transaction, begin: int, end: int) -> Iterator[bytes]:
    for at in range(begin, end, _PAGE):
        yield from log.bodies(tx, at, min(at + _PAGE, end))


def _cosigned(tx: Transaction, newest: StoredCheckpoint, shown: Checkpoint | None) -> bytes:
    """The note with every cosignature we know of; what the folder shows of the same size loses none."""
    ours = [each.line for each in witness.cosignatures(tx, least=newest.tree_size) if each.tree_size == newest.tree_size]
    note = newest.note + "".join(ours)
    if shown is not None and shown.size == newest.tree_size:
        note = checkpoints.joined(shown.note, notes.parse(note)[1])
    return note.encode()
