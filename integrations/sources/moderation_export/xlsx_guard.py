"""Looks at an XLSX file before anything unpacks it. It refuses archives that grow beyond measure, sheets whose corners are far
apart, and workbooks that are damaged or locked; and it finds the cells whose value the file does not hold.

Sizes written in an archive are claims. Every part is therefore inflated here for real, in pieces, and counted: the reader
behind us believes the archive, unpacks whole sheets into memory, and aborts the process on a cell at XFD1048576.
A formula without a saved result and an Excel error both read as an empty cell; here they get their name.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO

from lxml import etree

from schemas.errors import IntakeError

MAX_PACKED = 32 * 1024 * 1024
MAX_UNPACKED = 192 * 1024 * 1024
MAX_PARTS = 2_000
#: Rows times columns; the reader holds about 40 bytes for each.
MAX_CELLS = 2_000_000
MAX_COLUMNS = 16_384
#: Cells without a value that are remembered; more of them is a file no program has ever calculated.
MAX_TROUBLE = 50_000

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_PIECE = 64 * 1024
_LOCAL_HEADER = 30  # bytes before the name; APPNOTE.TXT 4.3.7
_STORED, _DEFLATED, _LOCKED = 0, 8, 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A visible sheet: its name, and what stands in cells without a value, by (row from 1, cell from 0)."""

    name: str
    trouble: Mapping[tuple[int, int], str]


@dataclass(slots=True)
class _Budget:
    left: int = MAX_UNPACKED

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise IntakeError("xlsx_too_large", "the workbook unpacks to more than it may; save it as CSV", status=413)


@dataclass(slots=True)
class _Extent:
    rows: int = 0
    cells: int = 0
    trouble: dict[tuple[int, int], str] = field(default_factory=dict)


def inspect_workbook(stream: BinaryIO) -> list[Sheet]:
    """Return the visible sheets in their order. Raises IntakeError for a workbook that is not safe or not whole."""
    try:
        return _inspect(stream)
    except IntakeError:
        raise
    except Exception as error:  # damaged archives provoke whatever their parsers raise: struct, zlib, XML, offsets
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the storage failed, not the file
        raise IntakeError("xlsx_broken", "the file is not a whole XLSX workbook; save it again") from None


def _inspect(stream: BinaryIO) -> list[Sheet]:
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        parts = {info.filename: info for info in archive.infolist()}
        if len(archive.infolist()) > MAX_PARTS or len(parts) != len(archive.infolist()):
            raise IntakeError("xlsx_broken", "the workbook has too many parts, or one part twice")
    budget = _Budget()
    paths = _sheet_paths(stream, parts, budget)
    extents: dict[str, _Extent] = {}
    for name, info in parts.items():
        part = _Part(stream, info, budget)
        if name in paths.values():
            extents[name] = _measure(part)
        else:
            part.exhaust()
    if sum(extent.rows * extent.cells for extent in extents.values()) > MAX_CELLS:
        raise IntakeError("xlsx_too_large", "the sheets reach over too many cells; save the rows as CSV", status=413)
    return [Sheet(name=name, trouble=extents[path].trouble) for name, path in paths.items()]


class _Part:
    """One part of the archive, inflated as it is read."""

    def __init__(self, stream: BinaryIO, info: zipfile.ZipInfo, budget: _Budget) -> None:
        if info.flag_bits & _LOCKED or info.compress_type not in (_STORED, _DEFLATED):
            raise IntakeError("xlsx_locked", "the workbook is locked or packed in an unusual way; save it without a password")
        stream.seek(info.header_offset)
        header = stream.read(_LOCAL_HEADER)
        self._stream = stream
        self._at = info.header_offset + _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + _length(header, 28)
        self._packed = info.compress_size
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == _DEFLATED else None
        self._rest = b""
        self._budget = budget

    def read(self, size: int = _PIECE) -> bytes:
        """Return up to ``size`` real bytes; b"" at the end."""
        while True:
            if not self._rest:
                self._stream.seek(self._at)
                self._rest = self._stream.read(min(_PIECE, self._packed))
                self._at += len(self._rest)
                self._packed -= len(self._rest)
                if not self._rest:
                    return b""
            if self._inflate is None:
                piece, self._rest = self._rest[:size], self._rest[size:]
            else:
                piece = self._inflate.decompress(self._rest, size)
                self._rest = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    self._packed = 0
            if piece:
                self._budget.spend(len(piece))
                return piece

    def exhaust(self) -> None:
        while self.read():
            pass


def _length(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 2], "little")


def _sheet_paths(stream: BinaryIO, parts: Mapping[str, zipfile.ZipInfo], budget: _Budget) -> dict[str, str]:
    book = _tree(_Part(stream, parts["xl/workbook.xml"], budget))
    relations = _tree(_Part(stream, parts["xl/_rels/workbook.xml.rels"], budget))
    targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
    paths: dict[str, str] = {}
    for space in (_MAIN, _STRICT):
        for sheet in book.iter(f"{space}sheet"):
            if sheet.get("state", "visible") != "visible":
                continue
            target = targets[sheet.get(_RELATION) or sheet.get(_STRICT_RELATION)] or ""
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
            if "worksheets/" in path and path in parts:  # chart and dialog sheets hold no rows
                paths[sheet.get("name", "")] = path
    if not paths:
        raise IntakeError("file_empty", "the workbook has no visible sheet with rows")
    return paths


def _tree(part: _Part) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    while piece := part.read():
        parser.feed(piece)
    root = parser.close()
    if not isinstance(root, etree._Element):  # noqa: SLF001 - lxml has no public name for it
        raise TypeError("no root")
    return root


def _measure(part: _Part) -> _Extent:
    """Find how far a sheet reaches, and its cells without a value. Cells and rows may leave their number out."""
    extent = _Extent()
    row = cell = cells = 0
    used = False
    waiting: list[tuple[int | None, int, str]] = []  # the number of a row is known at its end
    for element in _elements(part):
        if element.tag.endswith("}row"):
            row = int(element.get("r", row + 1))
            extent.rows = max(extent.rows, row if used else 0)
            extent.trouble.update({(at_row or row, at_cell): why for at_row, at_cell, why in waiting})
            _forget(element)
            cell = cells = 0
            used, waiting = False, []
            continue
        place = _REFERENCE.fullmatch(element.get("r", ""))
        at_row = int(place[2]) if place else None
        cell = _column(place[1]) + 1 if place else cell + 1
        cells += 1
        formula, value, empty = _content(element)
        if not empty:
            used = True
            extent.rows, extent.cells = max(extent.rows, at_row or 0), max(extent.cells, cell)
        if element.get("t") == "e":
            waiting.append((at_row, cell - 1, "cell_error"))
        elif formula and not value:
            waiting.append((at_row, cell - 1, "formula_without_value"))
        if len(extent.trouble) + len(waiting) > MAX_TROUBLE:
            raise IntakeError("formulas_without_values", "the formulas were never calculated; save the file in Excel")
        if cells > MAX_COLUMNS:
            raise IntakeError("xlsx_broken", "a row has more cells than a sheet can hold")
        element.clear()
    return extent


def _content(cell: etree._Element) -> tuple[bool, bool, bool]:
    """Whether a cell holds a formula, a saved value, nothing at all."""
    formula = value = False
    empty = True
    for child in cell:
        empty = False
        formula = formula or child.tag.endswith("}f")
        value = value or child.tag.endswith("}v")
    return formula, value, empty


def _forget(row: etree._Element) -> None:
    """Free what was read: a sheet is larger as a tree than as text."""
    row.clear()
    sheet = row.getparent()
    while sheet is not None and sheet[0] is not row:
        del sheet[0]


def _elements(part: _Part) -> Iterator[etree._Element]:
    events = etree.iterparse(
        part, events=("end",), tag=("{*}c", "{*}row"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    for _event, element in events:
        yield element


@lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
