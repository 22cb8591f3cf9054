"""The moderation tool's files as submissions. It refuses a file it cannot read as a whole (encoding, header, damaged archive)
and no single row: a row that is no document is kept as it stood, bounded, and parses to ``Unparsable`` with the reason.

A row's event id is ``<first 24 characters of the file's digest>:<line>`` (XLSX: the row's number as Excel shows it, with the
sheet before it from the second on). It depends on the bytes alone, so reading a file again is reading the same submissions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from integrations.contract.source import FileOrigin, FileSource, SourceSettings
from integrations.sources.document import DOCUMENT, UNREADABLE, DocumentRules, Problem, parse_submission
from integrations.sources.moderation_export.columns import (
    REQUIRED,
    Table,
    Vocabulary,
    is_field,
    read_header,
    vocabulary,
)
from integrations.sources.moderation_export.csv_rows import Row, choose_delimiter, rows
from integrations.sources.moderation_export.encoding import decide_encoding
from integrations.sources.moderation_export.lines import Line, Lines
from integrations.sources.moderation_export.moments import with_zone
from integrations.sources.moderation_export.xlsx_rows import open_sheets
from integrations.sources.options import place, read_options
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import Parsed, Submission

#: Characters kept of a row that cannot be read: enough to recognise it, too little to fill a disk with.
HEAD = 16 * 1024
_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".xlsx")
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", ".done")
_BROKEN = re.compile("[\udc80-\udcff]")
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``options`` of a moderation_export source in leadgate.yaml."""

    columns: dict[str, str] = {}  # header as written -> field, beside the built-in names
    defaults: dict[str, str] = {}  # field -> value where the file says nothing
    required: tuple[str, ...] | None = None
    encoding: str | None = None  # instead of finding it out
    delimiter: str | None = None
    timezone: str | None = None  # IANA name, for times written without an offset
    default_region: str | None = None  # ISO 3166-1, for phones of withdrawals written without a country
    default_regions: dict[str, str] = {}  # brand -> region
    max_file_bytes: int = 256 * 1024 * 1024
    max_row_chars: int = 1024 * 1024


class Rows(Iterator[Submission]):
    """The submissions of one file, and ``notes``: what was assumed or left out, in words without values."""

    def __init__(self, submissions: Iterator[Submission], notes: list[str]) -> None:
        self._submissions = submissions
        self.notes = notes

    def __next__(self) -> Submission:
        return next(self._submissions)


class ModerationExport(FileSource):
    """JSON Lines, CSV and XLSX files of the moderation tool."""

    name: ClassVar[str] = "moderation_export"

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(settings)
        self._options = options = read_options(settings, Options)
        for key, names in (
            ("columns", options.columns.values()),
            ("defaults", options.defaults),
            ("required", options.required),
        ):
            _check_fields(settings, key, names or ())
        self._zone = _zone(settings, options.timezone)
        self._words: Vocabulary = vocabulary(options.columns)
        self._defaults = dict(options.defaults)
        if settings.brand is not None:
            self._defaults.setdefault("brand", settings.brand)
        self._required = REQUIRED if options.required is None else options.required
        self._rules = DocumentRules(
            brand=settings.brand, default_region=options.default_region, regions=options.default_regions
        )
        self._encode = msgspec.json.Encoder().encode

    def accepts(self, file_name: str) -> bool:
        name = file_name.lower()
        return name.endswith(_SUFFIXES) and not name.startswith((".", "~", "_")) and not name.endswith(_UNFINISHED)

    def read(self, stream: BinaryIO, origin: FileOrigin) -> Rows:
        """Yield one submission a row. ``stream`` must be seekable: it is looked through before its first row is yielded."""
        size = stream.seek(0, 2)
        if size > self._options.max_file_bytes:
            raise IntakeError("file_too_large", "the file is larger than this source accepts; cut it in parts", status=413)
        stream.seek(0)
        magic = stream.read(4)
        if not magic:
            raise IntakeError("file_empty", "the file holds no byte")
        if magic.startswith(_OLE):
            raise IntakeError(
                "xlsx_locked", "the workbook has a password or is of the old .xls kind; save it as .xlsx without one"
            )
        notes: list[str] = []
        identity = origin.digest[:24]
        if magic == _ZIP:
            return Rows(self._workbook(stream, identity, notes), notes)
        name = origin.name.lower()
        if name.endswith(".xlsx"):
            raise IntakeError("xlsx_broken", "the file is not a whole XLSX workbook; save it again")
        if name.endswith((".csv", ".tsv")):
            return Rows(self._table(stream, identity, notes), notes)
        return Rows(self._json_lines(stream, identity, notes), notes)

    def parse(self, submission: Submission) -> Parsed:
        return parse_submission(submission, self._rules)

    # -- the three forms ------------------------------------------------------------------------------------------------

    def _json_lines(self, stream: BinaryIO, identity: str, notes: list[str]) -> Iterator[Submission]:
        # RFC 8259, 8.1: JSON between systems is UTF-8. A mark may say otherwise, nothing else does.
        stream.seek(0)
        head = stream.read(4)
        encoding = self._options.encoding or ("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        if encoding == "utf-16":
            decide_encoding(stream, forced=encoding, knows_header=lambda _header: False)
            notes.append("read as UTF-16")
        lines = Lines(stream, encoding=encoding, limit=self._options.max_row_chars, newline="\n")
        opened = False
        while (line := lines.take()) is not None:
            text = line.text.strip()
            if not text:
                continue
            if not opened and text.startswith("["):
                raise IntakeError("json_array", "the file is one JSON array; write one document a line instead")
            opened = True
            problem = _line_problem(line)
            if problem:
                yield self._unreadable(
                    identity, str(line.number), Row(number=line.number, cells=[], problem=problem, head=text)
                )
            else:
                yield self._submission(identity, str(line.number), text.encode())

    def _table(self, stream: BinaryIO, identity: str, notes: list[str]) -> Iterator[Submission]:
        encoding = decide_encoding(stream, forced=self._options.encoding, knows_header=self._knows)
        if encoding.assumed:
            notes.append(f"read as {encoding.assumed}")
        limit = self._options.max_row_chars
        lines = Lines(stream, encoding=encoding.name, limit=limit)
        delimiter = self._options.delimiter or choose_delimiter(lines, self._words.known, limit=limit)
        found = rows(lines, delimiter, limit=limit)
        header = next(found, None)
        if header is None:
            raise IntakeError("file_empty", "the file holds no row")
        if header.problem:
            raise IntakeError("header_unreadable", "the first row cannot be read as a header")
        table = self._header(header.cells, notes)
        yield from self._documents(identity, "", table, _set_damaged_apart(found) if encoding.damaged else found)

    def _workbook(self, stream: BinaryIO, identity: str, notes: list[str]) -> Iterator[Submission]:
        refusal: IntakeError | None = None
        read = 0
        for sheet in open_sheets(stream):
            header = next(sheet.rows, None)
            if header is None:
                continue
            try:
                table = self._header(header.cells, notes)
            except IntakeError as error:
                refusal = refusal or error
                notes.append(f"sheet {sheet.number} was not read: its first row is not a header of ours")
                continue
            read += 1
            yield from self._documents(identity, "" if sheet.number == 1 else f"{sheet.number}.", table, sheet.rows)
        if not read:
            raise refusal or IntakeError("file_empty", "the workbook holds no row")

    # -- rows -----------------------------------------------------------------------------------------------------------

    def _header(self, cells: list[str], notes: list[str]) -> Table:
        while cells and not cells[-1].strip():
            cells.pop()
        table = read_header(cells, self._words, defaults=self._defaults, required=self._required)
        if table.foreign:
            notes.append(f"columns {', '.join(map(str, table.foreign))} are not known and were not read")
        return table

    def _documents(self, identity: str, sheet: str, table: Table, found: Iterable[Row]) -> Iterator[Submission]:
        encode, width, zone = self._encode, table.width, self._zone
        for row in found:
            number = f"{sheet}{row.number}"
            cells = row.cells
            if row.problem is not None:
                yield self._unreadable(identity, number, row, table)
            elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
                yield self._unreadable(
                    identity, number, Row(number=row.number, cells=[], problem="too_many_cells", head="\t".join(cells))
                )
            else:
                for cell in table.moments:
                    if cell < len(cells):
                        cells[cell] = with_zone(cells[cell], zone)
                yield self._submission(identity, number, encode(table.document(cells)))

    def _submission(self, identity: str, number: str, body: bytes, media_type: str = DOCUMENT) -> Submission:
        return Submission(
            source=self.settings.name, event_id=f"{identity}:{number}", media_type=media_type, body=Personal(body)
        )

    def _unreadable(self, identity: str, number: str, row: Row, table: Table | None = None) -> Submission:
        named = table.fields[row.cell] if table and row.cell is not None and 0 <= row.cell < table.width else None
        head = row.head[:HEAD].encode(errors="replace").decode()
        body = self._encode(Problem(problem=row.problem or "", row=row.number, field=named, head=head))
        return self._submission(identity, number, body, UNREADABLE)

    def _knows(self, header: str) -> bool:
        return any(self._words.known(header.split(delimiter)) for delimiter in (",", ";", "\t", "|"))


def _line_problem(line: Line) -> str | None:
    if line.cut:
        return "row_too_long"
    return "damaged_text" if not line.text.isascii() and _BROKEN.search(line.text) else None


def _set_damaged_apart(found: Iterable[Row]) -> Iterator[Row]:
    for row in found:
        text = "\t".join(row.cells)
        broken = row.problem is None and _BROKEN.search(text)
        yield Row(number=row.number, cells=[], problem="damaged_text", head=text) if broken else row


def _check_fields(settings: SourceSettings, key: str, names: Iterable[str]) -> None:
    for name in names:
        if not is_field(name):
            raise ConfigurationError("bad_option", f"'{name}' is no field of a lead", field=place(settings, f"options.{key}"))


def _zone(settings: SourceSettings, name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError("bad_option", "no such time zone", field=place(settings, "options.timezone")) from None
