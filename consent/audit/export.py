"""The audit export: the folder an auditor receives. Refuses to overwrite one, and to repeat a value that has no safe shape.

    checkpoint          the latest signed checkpoint as it stands (the name C2SP tlog-tiles gives it)
    checkpoints.jsonl   {"note": "..."}                                 every checkpoint kept, by size
    leaves.jsonl        {"index": 0, "hash": "<hex>", "leaf": "{...}"}  every leaf, by index, as stored
    records.jsonl       {"kind": "lead" | "delivery" | "consent", ...}  what the database holds now, ids and digests only
    manifest.json       format, moment, counts, size and SHA-256 of each file; written last

Index, hash and bytes of a leaf are three columns of the database and all three are exported as they are, right or wrong: where
they disagree is the evidence. A leaf that is no UTF-8 any more goes out as ``leaf_base64``. Tiles join this folder as ``tile/``
without moving anything.

The folder appears whole or not at all: it is written beside its name, synced, then renamed. A process that dies leaves
``.<name>.*.partial`` behind, which nobody takes for an export.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from consent.audit.facts import CODE, DIGEST, ID
from schemas.errors import AuditError, StorageUnavailableError

FORMAT: Final = "leadgate-audit-export"
VERSION: Final = 1
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints.jsonl"
LEAVES: Final = "leaves.jsonl"
RECORDS: Final = "records.jsonl"
MANIFEST: Final = "manifest.json"

#: Stands for a sealed envelope or record that the database does not hold.
ABSENT: Final = "absent"
#: Stands for a stored value that has not the shape it must have; it is not repeated, because it could be anything.
MALFORMED: Final = "malformed"

_CHUNK: Final = 2000  # lines a write
_write: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRow:
    """One leaf as the database holds it."""

    index: int
    leaf: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRow:
    """One stored lead: digest of its sealed envelope as it stands now, None if it is not there any more.

    ``record_sha256`` is ``digest.lead_digest`` over the other columns, if ``lead.admitted`` leaves carry that fact.
    """

    lead_id: str
    sealed_sha256: str | None
    record_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One outbox row."""

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """One consent record: ``digest.consent_digest`` of it as it stands now."""

    consent_id: str
    consent_sha256: str


Row = LeadRow | DeliveryRow | ConsentRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, for the log line of whoever asked."""

    path: Path
    leaves: int
    checkpoints: int
    records: int


def write(
    target: Path,
    *,
    origin: str,
    created_at: datetime,
    leaves: Iterable[LeafRow],
    checkpoints: Iterable[str],
    records: Iterable[Row],
) -> Exported:
    """Write the export at ``target``. The iterables are read once, in this order, each from one snapshot of the database.

    ``leaves`` come by index, ``checkpoints`` (the notes) by size. Leaves that are not sealed yet are exported too, under the
    indexes they will get. Raises AuditError if ``target`` exists, StorageUnavailableError if it cannot be written.
    """
    if target.exists():
        raise AuditError("export_exists", "an export is never overwritten: choose another name", field="target")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise _not_written(error) from None
    try:
        files = _Files(folder)
        last = _Last(checkpoints)
        leaf_count = files.write(LEAVES, (_leaf_line(row) for row in leaves))
        checkpoint_count = files.write(CHECKPOINTS, (_write({"note": note}) for note in last))
        record_count = files.write(RECORDS, (_write(_record(row)) for row in records))
        files.write(CHECKPOINT, [last.note.encode("utf-8", "replace")], end=b"")
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "origin": origin,
            "created_at": created_at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z",
            "leaves": leaf_count,
            "checkpoints": checkpoint_count,
            "records": record_count,
            "files": files.written,
        }
        files.write(MANIFEST, [msgspec.json.format(_write(manifest), indent=2)])
        _sync(folder)
        folder.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise _not_written(error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # gone already if it was renamed
    return Exported(path=target, leaves=leaf_count, checkpoints=checkpoint_count, records=record_count)


class _Last:
    """Passes notes on and remembers the last."""

    def __init__(self, notes: Iterable[str]) -> None:
        self.note = ""
        self._notes = notes

    def __iter__(self) -> Iterator[str]:
        for note in self._notes:
            self.note = note
            yield note


class _Files:
    """Writes files of lines, in bounded memory, and keeps what the manifest says of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written: dict[str, dict[str, int | str]] = {}

    def write(self, name: str, lines: Iterable[bytes], *, end: bytes = b"\n") -> int:
        count, size, digest = 0, 0, sha256()
        with (self._folder / name).open("xb") as file:
            source = iter(lines)
            while chunk := list(islice(source, _CHUNK)):
                block = end.join(chunk) + end
                file.write(block)
                digest.update(block)
                count += len(chunk)
                size += len(block)
            file.flush()
            os.fsync(file.fileno())
        self.written[name] = {"bytes": size, "sha256": digest.hexdigest()}
        return count


def _leaf_line(row: LeafRow) -> bytes:
    line: dict[str, int | str] = {"index": row.index, "hash": row.hash.hex()}
    try:
        line["leaf"] = row.leaf.decode()
    except UnicodeDecodeError:
        line["leaf_base64"] = base64.b64encode(row.leaf).decode("ascii")
    return _write(line)


def _record(row: Row) -> dict[str, str]:
    match row:
        case LeadRow():
            line = {"kind": "lead", "lead_id": _id(row.lead_id), "sealed_sha256": _digest(row.sealed_sha256)}
            if row.record_sha256 is not None:
                line["record_sha256"] = _digest(row.record_sha256)
            return line
        case DeliveryRow():
            return {
                "kind": "delivery",
                "delivery_id": _id(row.delivery_id),
                "lead_id": _id(row.lead_id),
                "destination": _word(row.destination),
                "purpose": _word(row.purpose),
                "state": _word(row.state),
            }
        case ConsentRow():
            return {"kind": "consent", "consent_id": _id(row.consent_id), "consent_sha256": _digest(row.consent_sha256)}


def _id(value: str) -> str:
    return value if ID.fullmatch(value) else MALFORMED


def _word(value: str) -> str:
    return str(value) if CODE.fullmatch(value) else MALFORMED


def _digest(value: str | None) -> str:
    if value is None:
        return ABSENT
    return value if DIGEST.fullmatch(value) else MALFORMED


def _sync(folder: Path) -> None:
    """Make names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _not_written(error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(
        "export_not_written", f"the export cannot be written ({type(error).__name__})", field="target"
    )
