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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from consent.audit.policy import Judged, Policy
from consent.audit.tiles import WIDTH, tile_path
from leadgate.documents.archive import Archive, lines
from leadgate.pipeline import evidence_records as records
from leadgate.pipeline import notices as notice_leaves
from leadgate.pipeline import proofs
from leadgate.pipeline.evidence_records import Record, Walk
from leadgate.pipeline.hashes import Hashes
from leadgate.storage import evidence, log, notices, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import ConfigurationError

FORMAT: Final = "leadgate-evidence"
VERSION: Final = 1
_HEIGHT: Final = 8
_PAGE: Final = 2_000
#: Leaves of a log whose every hash goes into each package: 32 bytes a leaf, and any checkpoint ever kept can be compared.
ALL_TILES: Final = 1 << 20

_Make = Callable[[Transaction, Sequence[str], Walk], Iterator[Record]]
_OF_LEADS: Final[Mapping[str, _Make]] = {"deliveries": records.delivery_records}
_OF_PERSONS: Final[Mapping[str, _Make]] = {
    "events": records.event_records,
    "withdrawals": records.withdrawal_records,
    "recipients": records.recipient_records,
    "destructions": records.destruction_records,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked for: one person by random id, or a period of time."""

    person_id: str | None = None
    begin: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What every package of an installation carries. ``texts`` maps SHA-256 -> text of notices that leadgate.yaml knows."""

    origin: str
    vkeys: Sequence[str]
    policy: Policy
    policy_text: str
    texts: Mapping[str, str]
    files: Mapping[str, bytes]  # README, verifier
    identity: Callable[[Transaction, str], Mapping[str, bytes]] | None = None  # person -> name of a file -> bytes


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The checkpoint a package stands on, and the leaves it is about."""

    judged: Judged
    note: str
    begin: int = 0
    end: int = 0
    indexes: tuple[int, ...] = ()
    lead_ids: tuple[str, ...] = ()


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
                writer = _Writer(tx, archive, self._around, place, progress)
                leaves = writer.proofs()
                writer.records(scope)
                if with_identity and scope.person_id is not None:
                    writer.identity(scope.person_id)
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

    def _packed(self, place: _Place, walk: Walk, *, leaves: int, identity: bool, **more: Any) -> Packed:
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

    def _place(self, tx: Transaction, scope: Scope, *, without_quorum: bool) -> _Place:
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
        return _Place(note=note, judged=judged, begin=begin, end=end)

    def _of_person(self, tx: Transaction, person_id: str, note: str, judged: Judged) -> _Place:
        lead_ids = people.leads_of(tx, person_id)
        abouts = {person_id, *lead_ids, *evidence.submissions(tx, lead_ids)}
        abouts |= {*evidence.submissions_of_person(tx, person_id), *evidence.cases_of_person(tx, person_id)}
        abouts |= _notice_references(tx)
        found = [index for index, _ in log.indexed_leaves(tx, sorted(abouts))]
        size = judged.checkpoint.size
        late = sum(index >= size for index in found) + evidence.pending_about(tx, sorted(abouts))
        if late:
            raise ConfigurationError(
                "not_sealed",
                f"{late} entries about this person are not under a checkpoint that the quorum cosigned: seal, let the witnesses"
                " cosign, and ask again",
                field="--subject",
            )
        if not found:
            raise ConfigurationError("unknown_person", "the log knows nobody of this id", field="--subject")
        return _Place(note=note, judged=judged, indexes=tuple(sorted(set(found))), lead_ids=tuple(lead_ids))

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


def _scope(scope: Scope, place: _Place) -> dict[str, Any]:
    if scope.person_id is not None:
        return {"kind": "subject", "person_id": scope.person_id}
    begin, end = (each.isoformat() if each else None for each in (scope.begin, scope.end))
    return {"kind": "period", "begin": begin, "until": end, "first": place.begin, "end": place.end}


def _size_of(place: _Place) -> int:
    return len(place.indexes) or place.end - place.begin


class _Writer:
    """Writes one package, part by part."""

    def __init__(
        self, tx: Transaction, archive: Archive, around: Around, place: _Place, progress: Callable[[str], object]
    ) -> None:
        self._tx = tx
        self._archive = archive
        self._around = around
        self._place = place
        self._progress = progress
        self._size = place.judged.checkpoint.size
        self.walk = Walk()
        self.counts: dict[str, int] = {}

    # -- proofs ------------------------------------------------------------------------------------------------------------

    def proofs(self) -> int:
        """Everything a record is proven with; answers how many leaves there are."""
        for name, content in sorted(self._around.files.items()):
            self._archive.write(name, [content])
        self._archive.write("keys/log.vkey", [f"{each}\n".encode() for each in self._around.vkeys])
        self._archive.write("keys/policy", [self._around.policy_text.encode()])
        self._archive.write("checkpoint", [self._place.note.encode()])
        earlier = self._earlier()
        self._archive.write("checkpoints.jsonl", lines({"note": each} for each in earlier.values()))
        leads: set[str] = set()
        indexes: set[int] = set()
        self._archive.write("leaves.jsonl", lines(self._leaves(leads, indexes)))
        if not self._place.indexes:
            self._archive.write("context.jsonl", lines(self._context(sorted(leads), indexes)))
        self._tiles(indexes, earlier)
        return self.counts["leaves"] + self.counts.get("context", 0)

    def _earlier(self) -> dict[int, str]:
        """Checkpoints that bound a period, and the last of each day: what an auditor may have kept."""
        begin, end = (self._place.begin, self._place.end) if not self._place.indexes else (0, self._size)
        sizes = {begin, end, *evidence.last_of_each_day(self._tx, begin=begin, end=end)} - {0}
        return {each.size: each.note for each in evidence.checkpoints(self._tx, sizes)}

    def _leaves(self, leads: set[str], indexes: set[int]) -> Iterator[Record]:
        self._progress("leaves")
        spans = _spans(self._place.indexes) if self._place.indexes else [(self._place.begin, self._place.end)]
        for begin, end in spans:
            for first in range(begin, end, _PAGE):
                bodies = log.bodies(self._tx, first, min(first + _PAGE, end))
                if len(bodies) != min(first + _PAGE, end) - first:
                    raise ConfigurationError(
                        "leaves_missing",
                        f"leaves {first} and on are not in the ledger any more: they were pruned, or lost",
                        field="audit_leaf",
                    )
                for index, body in enumerate(bodies, first):
                    self._note(index, body, leads)
                    yield {"index": index, "leaf": body.decode("utf-8", "surrogateescape")}
                    self.counts["leaves"] = self.counts.get("leaves", 0) + 1
        indexes.update(self._place.indexes)

    def _context(self, leads: Sequence[str], indexes: set[int]) -> Iterator[Record]:
        """The other leaves about the leads of a period."""
        self._progress("context")
        batches = ([*chunk, *evidence.submissions(self._tx, chunk)] for chunk in _chunks(leads))
        for abouts in chain([sorted(_notice_references(self._tx))], batches):
            for index, body in log.indexed_leaves(self._tx, abouts):
                if index < self._size and not self._place.begin <= index < self._place.end:
                    self._note(index, body, set())
                    indexes.add(index)
                    yield {"index": index, "leaf": body.decode("utf-8", "surrogateescape")}
                    self.counts["context"] = self.counts.get("context", 0) + 1

    def _note(self, index: int, body: bytes, leads: set[str]) -> None:
        entry = self.walk.take(index, body)
        if entry is not None and entry.lead_id is not None:
            leads.add(entry.lead_id)

    def _tiles(self, indexes: Iterable[int], earlier: Iterable[int]) -> None:
        """The hashes that lead from each leaf, and from each earlier checkpoint, to the signed root."""
        self._progress("hashes")
        hashes = Hashes(self._tx)
        for level, number in _shapes(self._size, None if self._size <= ALL_TILES else self._wanted(indexes, earlier)):
            width = min(WIDTH, (self._size >> _HEIGHT * level) - number * WIDTH)
            found = hashes.span(level, number * WIDTH, number * WIDTH + width)
            self._archive.write(tile_path(level, number, width), [b"".join(found)])

    def _wanted(self, indexes: Iterable[int], earlier: Iterable[int]) -> set[int]:
        """Numbers of the lowest tiles that are needed."""
        period = range(self._place.begin // WIDTH, -(-self._place.end // WIDTH))
        return {*period, *(index // WIDTH for index in indexes), *(size // WIDTH for size in earlier)}

    # -- records -----------------------------------------------------------------------------------------------------------

    def records(self, scope: Scope) -> None:
        """What the ledger holds of the leads and people the leaves speak of; only those whose admission is among them."""
        leads, persons = sorted(self.walk.leads), sorted(self.walk.persons)
        if scope.person_id is not None:
            persons = [scope.person_id]
        self._write("leads", leads, records.lead_records)
        self._write("consents", sorted(self.walk.consents), records.consent_records)
        for name, make in _OF_LEADS.items():
            self._write(name, leads, make)
        for name, make in _OF_PERSONS.items():
            self._write(name, persons, make)
        self._notices()

    def _write(self, name: str, ids: Sequence[str], make: _Make) -> None:
        self._progress(name)
        self.counts[name] = 0

        def each() -> Iterator[Record]:
            for chunk in _chunks(ids):
                for record in make(self._tx, chunk, self.walk):
                    self.counts[name] += 1
                    yield record

        self._archive.write(f"records/{name}.jsonl", lines(each()))

    def _notices(self) -> None:
        """The texts under which the consents of this package were given, as they were published."""
        shown: set[str] = set()
        for chunk in _chunks(sorted(self.walk.consents)):
            shown.update(row[7] for row in evidence.consents(self._tx, chunk))
        published = {each.notice.text_sha256: each for each in notices.published(self._tx)}
        told = [published[digest] for digest in sorted(shown & published.keys())]
        self._archive.write("records/notices.jsonl", lines(records.notice_records(told, self.walk)))
        for digest in sorted(shown):
            text = published[digest].notice.text if digest in published else self._around.texts.get(digest)
            if text is not None:
                self._archive.write(f"notices/{digest}.txt", [text.encode()])
        self.counts["notices"] = len(shown)

    def identity(self, person_id: str) -> None:
        """Who the person is, in one folder with a name of its own."""
        if self._around.identity is not None:
            for name, content in sorted(self._around.identity(self._tx, person_id).items()):
                self._archive.write(f"identity/{name}", [content])


def _notice_references(tx: Transaction) -> set[str]:
    """What the leaves about notices are found by. Notices are few."""
    return {notice_leaves.reference(each.brand, each.notice) for each in notices.published(tx)}


def _chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    source = iter(ids)
    while chunk := list(islice(source, _PAGE)):
        yield chunk


def _spans(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Indexes in order as ranges."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def _shapes(size: int, wanted: set[int] | None) -> Iterator[tuple[int, int]]:
    """(level, number) of the tiles of a log that stand above the wanted lowest ones, the right edge included; None: all."""
    level = 0
    while hashes := size >> _HEIGHT * level:
        edge = {hashes // WIDTH} if hashes % WIDTH else set()
        numbers = range(-(-hashes // WIDTH)) if wanted is None else sorted({*wanted, *edge})
        for number in numbers:
            if number * WIDTH < hashes:
                yield level, number
        wanted = None if wanted is None else {number // WIDTH for number in (*wanted, *edge)}
        level += 1
