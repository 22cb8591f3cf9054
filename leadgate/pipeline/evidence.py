"""Evidence: one archive that an auditor can check without us, for one person or for a period.

It fails closed: what is not under a checkpoint that the configured quorum of witnesses cosigned does not go out, unless
somebody says ``without_quorum``, which is written into the package. Everything comes from one snapshot of the ledger, in a
stream: what stays in memory is ids and places in the log, never leads.

A period is bounded by signed checkpoints and not by what leaves say of themselves: from the last one before it begins to the
first one after it ends. So its leaves have no gap that could go unseen, and the time of both ends is what the witnesses saw.

    README.md  README.ru.md     what this is and how to check it
    verify_evidence.py          the check, in one file
    keys/log.vkey  keys/policy  the log's public keys; witnesses and quorum. Get both by another way too
    checkpoint                  the signed and cosigned root; checkpoints.jsonl: earlier ones, all of which it extends
    tile/                       hashes of the log (C2SP tlog-tiles): with them every leaf and every checkpoint is proven
    leaves.jsonl                the leaves; context.jsonl: leaves outside of a period that its records stand on
    records/                    what the ledger holds, each line naming its leaf
    notices/                    the texts people were shown, each named by its SHA-256
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from consent.audit.leaf import decode
from consent.audit.policy import Judged
from leadgate.documents.archive import Archive
from leadgate.pipeline import proofs
from leadgate.pipeline.evidence_parts import Around, PartsOfPackage, Place, Scope, notice_references
from leadgate.pipeline.evidence_records import Walk
from leadgate.storage import evidence, log, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import AuditError, ConfigurationError
from schemas.vocabulary import Event

FORMAT: Final = "leadgate-evidence"
VERSION: Final = 1
_PAPER: Final = frozenset({Event.EVIDENCE_ISSUED, Event.RECEIPT_ISSUED, Event.IDENTITY_OPENED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was, or would be, packed. ``sha256`` and ``size`` are of the archive; empty after a dry run."""

    tree_size: int
    leaves: int
    leads: int
    persons: int
    quorum: str  # "met", or why not
    witnesses: tuple[str, ...]
    identity: bool
    size: int = 0
    sha256: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For the console."""
        return asdict(self)


class Packer:
    """Makes evidence packages of one ledger."""

    def __init__(self, *, ledger: Ledger, around: Around, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._around = around
        self._clock = clock

    def pack(
        self,
        scope: Scope,
        target: Path | None,
        *,
        without_quorum: bool = False,
        with_identity: bool = False,
        progress: Callable[[str], object] = lambda _: None,
    ) -> Packed:
        """Write the package at ``target``; with None only say what would go in. ConfigurationError if it must not go out."""
        made_at = self._clock()
        with self._ledger.snapshot() as tx:
            place = self._place(tx, scope, without_quorum=without_quorum)
            if target is None:
                return self._packed(place, Walk(), leaves=_size_of(place), identity=with_identity)
            with Archive(target, made_at=made_at) as archive:
                writer = PartsOfPackage(tx, archive, self._around, place, progress)
                leaves = writer.proofs()
                writer.records(scope)
                if with_identity and scope.person_id is not None:
                    writer.identity()
                manifest = {
                    "format": FORMAT,
                    "version": VERSION,
                    "origin": self._around.origin,
                    "made_at": made_at.isoformat(timespec="seconds"),
                    "scope": _scope(scope, place),
                    "tree_size": place.judged.checkpoint.size,
                    "without_quorum": not place.judged.ok,
                    "identity": with_identity,
                    "counts": writer.counts,
                }
                size, digest = archive.finish(manifest)
        return self._packed(
            place, writer.walk, leaves=leaves, identity=with_identity, size=size, sha256=digest, counts=writer.counts
        )

    def _packed(self, place: Place, walk: Walk, *, leaves: int, identity: bool, **more: Any) -> Packed:
        return Packed(
            tree_size=place.judged.checkpoint.size,
            leaves=leaves,
            leads=len(walk.leads) or len(place.lead_ids),
            persons=len(walk.persons),
            quorum=place.judged.reason or "met",
            witnesses=tuple(sorted(place.judged.seen)),
            identity=identity,
            **more,
        )

    # -- what the package stands on --------------------------------------------------------------------------------------

    def _place(self, tx: Transaction, scope: Scope, *, without_quorum: bool) -> Place:
        note, judged = self._checkpoint(tx, without_quorum=without_quorum)
        size = judged.checkpoint.size
        if scope.person_id is not None:
            return self._of_person(tx, scope.person_id, note, judged)
        if scope.begin is None or scope.end is None or scope.begin >= scope.end:
            raise ConfigurationError("bad_period", "a period ends after it begins", field="--period")
        begin = log.checkpoint_before(tx, to_micros(scope.begin))
        end = evidence.size_after(tx, to_micros(scope.end))
        end = size if end is None else min(end, size)
        if begin >= end:
            raise ConfigurationError("nothing_happened", "nothing was sealed in this period", field="--period")
        return Place(note=note, judged=judged, begin=begin, end=end)

    def _of_person(self, tx: Transaction, person_id: str, note: str, judged: Judged) -> Place:
        lead_ids = people.leads_of(tx, person_id)
        abouts = {person_id, *lead_ids, *evidence.submissions(tx, lead_ids)}
        abouts |= {*evidence.submissions_of_person(tx, person_id), *evidence.cases_of_person(tx, person_id)}
        abouts |= notice_references(tx)
        leaves = log.indexed_leaves(tx, sorted(abouts))
        size = judged.checkpoint.size
        found = [index for index, _ in leaves if index < size]
        waiting = [body for index, body in leaves if index >= size] + evidence.pending_about(tx, sorted(abouts))
        if late := sum(not _is_paper(body) for body in waiting):
            raise ConfigurationError(
                "not_sealed",
                f"{late} entries about this person are not under a checkpoint that the quorum cosigned: seal, let the witnesses"
                " cosign, and ask again",
                field="--subject",
            )
        if not found:
            raise ConfigurationError("unknown_person", "the log knows nobody of this id", field="--subject")
        return Place(note=note, judged=judged, indexes=tuple(sorted(set(found))), lead_ids=tuple(lead_ids))

    def _checkpoint(self, tx: Transaction, *, without_quorum: bool) -> tuple[str, Judged]:
        """The newest checkpoint that the quorum has seen; the newest of all if nobody is asked or somebody insists."""
        under = proofs.vouched(tx, self._around.policy, alone=without_quorum)
        if under is not None:
            return under.note, self._around.policy.judge(under.note)
        newest = proofs.vouched(tx, self._around.policy, alone=True)
        if newest is None:
            raise ConfigurationError("nothing_sealed", "no checkpoint was signed yet: run 'leadgate seal'", field="log")
        raise ConfigurationError(
            "missing_quorum",
            f"{self._around.policy.judge(newest.note).reason}. Evidence goes out with its witnesses; '--without-quorum' packs"
            " it without them, and says so inside",
            field="log.quorum",
        )


def _scope(scope: Scope, place: Place) -> dict[str, Any]:
    if scope.person_id is not None:
        return {"kind": "subject", "person_id": scope.person_id}
    begin, end = (each.isoformat() if each else None for each in (scope.begin, scope.end))
    return {"kind": "period", "begin": begin, "until": end, "first": place.begin, "end": place.end}


def _size_of(place: Place) -> int:
    return len(place.indexes) or place.end - place.begin


def _is_paper(leaf: bytes) -> bool:
    """Whether a leaf only says that we handed out paper: it changes nothing that the paper tells."""
    try:
        return decode(leaf).event in _PAPER
    except AuditError:
        return False
