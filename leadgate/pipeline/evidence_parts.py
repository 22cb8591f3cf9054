"""The parts of an evidence package, written one after the other: proofs first, then what they prove. It holds nothing in
memory but ids and places in the log; every value comes from the one snapshot the package is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Final

from consent.audit.policy import Judged, Policy
from consent.audit.tiles import WIDTH, tile_path
from leadgate.documents.archive import Archive, lines
from leadgate.pipeline import evidence_records as records
from leadgate.pipeline import notices as notice_leaves
from leadgate.pipeline.evidence_records import Record, Walk
from leadgate.pipeline.hashes import Hashes
from leadgate.storage import evidence, log, notices
from leadgate.storage.engine import Transaction
from schemas.errors import ConfigurationError

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
    identity: Callable[[Transaction, Mapping[str, int]], Iterable[Record]]  # leads with their leaves -> who they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The checkpoint a package stands on, and the leaves it is about."""

    judged: Judged
    note: str
    begin: int = 0
    end: int = 0
    indexes: tuple[int, ...] = ()
    lead_ids: tuple[str, ...] = ()


class PartsOfPackage:
    """Writes one package, part by part."""

    def __init__(
        self, tx: Transaction, archive: Archive, around: Around, place: Place, progress: Callable[[str], object]
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
        for abouts in chain([sorted(notice_references(self._tx))], batches):
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

    def identity(self) -> None:
        """Who the person is, in one folder with a name of its own."""
        found = list(self._around.identity(self._tx, self.walk.leads))
        self._archive.write("identity/leads.jsonl", lines(found))
        self.counts["identity"] = len(found)


def notice_references(tx: Transaction) -> set[str]:
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
