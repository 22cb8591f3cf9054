"""Takes finished files out of an inbox folder, each exactly once by content. It refuses to touch a file that is still being
written, and moves none before every row of it is committed.

The order, and what a crash after each step leaves:

1. look: nothing changed.
2. digest of the whole file: nothing changed.
3. rows committed in chunks, under ids made of digest and row number: the file is still in the inbox; the next run commits
   the same ids, which changes nothing, and goes on.
4. for a refused file, the reason is written beside the place it will have: written again by the next run, with the same name.
5. the file is moved; its name then carries the beginning of its digest, so no other file can have taken the place.
6. its ``.done`` marker is removed: a marker left behind is older than any file that comes later, and does not count for it.

Works on ``pathlib.Path`` and on Airflow's ``ObjectStoragePath``: only methods both have are used. Two runs over one folder are
harmless: the second finds the ids committed and the file gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import BinaryIO

from integrations.contract.source import FileOrigin, FileSource
from integrations.sources.moderation_export.folders import MARKER, REASON, FilePath, PickupRules, sweep
from integrations.sources.moderation_export.rejection import reason_text
from schemas.errors import IntakeError
from schemas.personal import Personal
from schemas.submission import Received, Submission

__all__ = ["Candidate", "Collection", "FileOutcome", "FilePath", "FileReport", "Look", "PickupRules", "collect", "look", "take"]

#: Bytes of bodies after which a chunk is committed even if it has few rows.
_CHUNK_BYTES = 8 * 1024 * 1024

Commit = Callable[[list[Submission]], Received]
Digest = Callable[[BinaryIO], str]


class FileOutcome(StrEnum):
    PROCESSED = "processed"  # every row is in the inbox of the ledger
    REJECTED = "rejected"  # the file cannot be read; ``code`` says why, and its rows so far are in the ledger
    CHANGED = "changed"  # somebody wrote to it while it was read; it stays
    GONE = "gone"  # another run took it
    FAILED = "failed"  # the folder or our reader failed; it stays, and a person looks


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one file. ``ref`` is the beginning of its digest; the name is from outside and stays wrapped."""

    outcome: FileOutcome
    name: Personal[str]
    ref: str = ""
    rows: int = 0
    new: int = 0
    repeated: int = 0
    code: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A finished file as it was seen."""

    path: FilePath
    size: int
    mtime: float
    marker: FilePath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What stands in the inbox: finished files, oldest first; files not finished yet; files that are not ours."""

    ready: tuple[Candidate, ...]
    waiting: int
    foreign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One run over an inbox. ``swept`` is how many files were removed because their time was over."""

    reports: tuple[FileReport, ...]
    waiting: int
    foreign: int
    swept: int = 0


@dataclass(slots=True)
class _Count:
    rows: int = 0
    new: int = 0
    repeated: int = 0
    notes: list[str] = field(default_factory=list)


def look(inbox: FilePath, source: FileSource, *, now: datetime, rules: PickupRules) -> Look:
    """Say which files are finished: a ``.done`` marker that is not older, or no change for the settle time."""
    files = {path.name: path for path in inbox.iterdir() if path.is_file()}
    ready: list[Candidate] = []
    waiting = foreign = 0
    for name, path in files.items():
        if not source.accepts(name):
            foreign += not name.endswith(MARKER)
            continue
        try:
            seen = path.stat()
            marker = files.get(name + MARKER)
            marked = marker is not None and marker.stat().st_mtime >= seen.st_mtime
        except FileNotFoundError:
            continue
        # A time in the future is another machine's clock: it settles like any other.
        settled = not rules.require_marker and abs(now.timestamp() - seen.st_mtime) >= rules.settle.total_seconds()
        if marked or settled:
            ready.append(Candidate(path=path, size=seen.st_size, mtime=seen.st_mtime, marker=marker))
        else:
            waiting += 1
    ready.sort(key=lambda candidate: (candidate.mtime, candidate.path.name))
    return Look(ready=tuple(ready), waiting=waiting, foreign=foreign)


def collect(
    inbox: FilePath, source: FileSource, *, commit: Commit, digest: Digest, now: datetime, rules: PickupRules | None = None
) -> Collection:
    """Take every finished file. One bad file does not hold up the others; only what ``commit`` raises ends the run."""
    rules = rules or PickupRules()
    seen = look(inbox, source, now=now, rules=rules)
    reports = tuple(take(each, source, commit=commit, digest=digest, rules=rules) for each in seen.ready)
    return Collection(reports=reports, waiting=seen.waiting, foreign=seen.foreign, swept=sweep(inbox, now=now, rules=rules))


def take(candidate: Candidate, source: FileSource, *, commit: Commit, digest: Digest, rules: PickupRules) -> FileReport:
    """Commit the rows of one file and move it. Raises only what ``commit`` raises."""
    path = candidate.path
    name = Personal(path.name)
    count = _Count()
    identity = ""
    refusal: IntakeError | None = None
    try:
        with path.open("rb") as stream:
            identity = digest(stream)
            if _changed(candidate):
                return FileReport(outcome=FileOutcome.CHANGED, name=name)
            origin = FileOrigin(name=path.name, digest=identity)
            refusal = _commit_rows(_chunks(source, stream, origin, rules.chunk, count.notes), commit, count)
        if _changed(candidate):
            outcome, code = FileOutcome.CHANGED, None
        elif refusal is not None:
            outcome, code = FileOutcome.REJECTED, refusal.code
            _reject(candidate, identity, rules, refusal, count.rows)
        else:
            outcome, code = FileOutcome.PROCESSED, None
            _move(candidate, identity, rules.processed)
    except FileNotFoundError:
        outcome, code = FileOutcome.GONE, None
    except _ReaderFaultError as error:
        outcome, code = FileOutcome.FAILED, str(error)
    except OSError as error:
        outcome, code = FileOutcome.FAILED, type(error).__name__
    return FileReport(
        outcome=outcome,
        name=name,
        ref=identity[:24],
        rows=count.rows,
        new=count.new,
        repeated=count.repeated,
        code=code,
        notes=tuple(count.notes),
    )


class _ReaderFaultError(Exception):
    """Our reader has a bug; holds the type's name only."""


def _commit_rows(chunks: Iterator[list[Submission]], commit: Commit, count: _Count) -> IntakeError | None:
    """Commit chunk by chunk; answer the refusal that ended the file early, if one did."""
    try:
        for chunk in chunks:
            received = commit(chunk)
            count.rows += len(chunk)
            count.new += received.new
            count.repeated += received.repeated
    except IntakeError as error:
        return error
    return None


def _chunks(
    source: FileSource, stream: BinaryIO, origin: FileOrigin, most: int, notes: list[str]
) -> Iterator[list[Submission]]:
    chunk: list[Submission] = []
    weight = 0
    try:
        rows = source.read(stream, origin)
        for row in rows:
            chunk.append(row)
            weight += len(row.body.reveal())
            if len(chunk) >= most or weight >= _CHUNK_BYTES:
                yield chunk
                chunk, weight = [], 0
        notes.extend(getattr(rows, "notes", ()))
    except IntakeError:
        if chunk:  # what was read before the file broke is kept
            yield chunk
        raise
    except (OSError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - one file that trips our reader must not hold up the others
        raise _ReaderFaultError(type(error).__name__) from None
    if chunk:
        yield chunk


def _changed(candidate: Candidate) -> bool:
    seen = candidate.path.stat()
    return (seen.st_size, seen.st_mtime) != (candidate.size, candidate.mtime)


def _target(candidate: Candidate, identity: str, folder: str) -> FilePath:
    name = PurePosixPath(candidate.path.name)
    place = candidate.path.parent / folder
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{name.stem}.{identity[:8]}{name.suffix}"


def _move(candidate: Candidate, identity: str, folder: str) -> None:
    candidate.path.rename(_target(candidate, identity, folder))
    if candidate.marker is not None:
        with suppress(FileNotFoundError):
            candidate.marker.unlink()


def _reject(candidate: Candidate, identity: str, rules: PickupRules, refusal: IntakeError, rows: int) -> None:
    target = _target(candidate, identity, rules.rejected)
    with (target.parent / f"{target.name}{REASON}").open("wb") as reason:
        reason.write(reason_text(refusal, rows).encode())
    _move(candidate, identity, rules.rejected)
