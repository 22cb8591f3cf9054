"""Reads an audit export line by line. Refuses nothing silently: a line that cannot be read is a finding and the rest goes on.

Everything in the folder is untrusted. Lines are bounded, unknown keys are refused, and the manifest is believed only where it
accuses: its digests show a file that was cut or edited after the export, they prove nothing about who wrote it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from consent.audit import export
from consent.audit.findings import Collector
from consent.audit.leaf import MAX_LEAF
from consent.audit.note import MAX_NOTE

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: Bytes. Every byte of a leaf may be escaped as six characters.
MAX_LINE: Final = 6 * max(MAX_LEAF, MAX_NOTE) + 1024
_ASK_AGAIN: Final = "Ask for the export again; if it stands so in the database, restore the log from a backup and compare"


class _LeafLine(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    hash: str
    leaf: str | None = None
    leaf_base64: str | None = None


class _NoteLine(msgspec.Struct, forbid_unknown_fields=True):
    note: str


class LeadLine(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="lead"):
    """A stored lead as exported."""

    lead_id: str
    sealed_sha256: str
    record_sha256: str | None = None


class DeliveryLine(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="delivery"):
    """An outbox row as exported."""

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str
    state: str


class ConsentLine(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="consent"):
    """A consent record as exported."""

    consent_id: str
    consent_sha256: str


Line = LeadLine | DeliveryLine | ConsentLine


class _FileLine(msgspec.Struct, forbid_unknown_fields=True):
    bytes: int
    sha256: str


class Manifest(msgspec.Struct):
    """What the export says about itself."""

    format: str
    version: int
    origin: str
    created_at: str
    leaves: int
    checkpoints: int
    records: int
    files: dict[str, _FileLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLeaf:
    """One line of leaves.jsonl; ``claimed`` is the stored hash, whatever it is worth."""

    index: int
    leaf: bytes
    claimed: bytes


T = TypeVar("T")


class Folder:
    """One export. Every reader yields what it can and reports what it cannot."""

    def __init__(self, path: Path, found: Collector) -> None:
        self.path = path
        self._found = found
        self.manifest = self._manifest()

    def checkpoint(self) -> str | None:
        """The file ``checkpoint`` as it stands."""
        try:
            with (self.path / export.CHECKPOINT).open("rb") as file:
                return file.read(MAX_NOTE + 1).decode("utf-8", "replace")
        except OSError:
            self._missing(export.CHECKPOINT)
            return None

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Line number and note of each kept checkpoint."""
        decode = msgspec.json.Decoder(_NoteLine).decode
        for number, raw in self._lines(export.CHECKPOINTS):
            line = self._decoded(decode, raw, export.CHECKPOINTS, number)
            if line is not None:
                yield number, line.note

    def leaves(self) -> Iterator[ReadLeaf]:
        """Every readable leaf, in the order of the file."""
        decode = msgspec.json.Decoder(_LeafLine).decode
        for number, raw in self._lines(export.LEAVES):
            line = self._decoded(decode, raw, export.LEAVES, number)
            if line is None:
                continue
            leaf = _bytes_of(line)
            if leaf is None or line.index < 0:
                self._unreadable(export.LEAVES, number)
                continue
            try:
                claimed = bytes.fromhex(line.hash)
            except ValueError:
                claimed = b""
            yield ReadLeaf(index=line.index, leaf=leaf, claimed=claimed)

    def records(self) -> Iterator[Line]:
        """Every readable record."""
        decode = msgspec.json.Decoder(Line).decode
        for number, raw in self._lines(export.RECORDS):
            line = self._decoded(decode, raw, export.RECORDS, number)
            if line is not None:
                yield line

    def _lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Numbered lines, from 1; afterwards the file as a whole is compared with the manifest."""
        digest, size = sha256(), 0
        try:
            with (self.path / name).open("rb") as file:
                for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
                    digest.update(raw)
                    size += len(raw)
                    if raw.endswith(b"\n"):
                        yield number, raw
                    else:
                        self._unreadable(name, number)
        except OSError:
            self._missing(name)
            return
        said = self.manifest.files.get(name) if self.manifest else None
        if said is not None and (said.bytes != size or said.sha256 != digest.hexdigest()):
            self._found.add(
                "file_changed",
                place=name,
                problem="the file is not the one that was exported (size or SHA-256 differ from the manifest)",
                advice="It was cut or edited on the way: ask for the export again",
            )

    def _manifest(self) -> Manifest | None:
        try:
            with (self.path / export.MANIFEST).open("rb") as file:
                manifest = msgspec.json.decode(file.read(MAX_LINE), type=Manifest)
        except OSError:
            self._missing(export.MANIFEST)
            return None
        except _UNREADABLE:
            self._unreadable(export.MANIFEST, 1)
            return None
        if (manifest.format, manifest.version) != (export.FORMAT, export.VERSION):
            self._found.add(
                "format_unknown",
                place=export.MANIFEST,
                problem="the export is of a format or version that this verifier does not know",
                advice="Verify it with the version of the program that wrote it, or a later one",
            )
            return None
        return manifest

    def _decoded(self, decode: Callable[[bytes], T], raw: bytes, name: str, number: int) -> T | None:
        try:
            return decode(raw)
        except _UNREADABLE:
            self._unreadable(name, number)
            return None

    def _missing(self, name: str) -> None:
        self._found.add("file_missing", place=name, problem="the file is missing or cannot be opened", advice=_ASK_AGAIN)

    def _unreadable(self, name: str, number: int) -> None:
        self._found.add("line_unreadable", place=f"{name}, line {number}", problem="it cannot be read", advice=_ASK_AGAIN)


def _bytes_of(line: _LeafLine) -> bytes | None:
    if line.leaf is not None:
        return line.leaf.encode()
    if line.leaf_base64 is None:
        return None
    try:
        return base64.b64decode(line.leaf_base64, validate=True)
    except (binascii.Error, ValueError):
        return None
