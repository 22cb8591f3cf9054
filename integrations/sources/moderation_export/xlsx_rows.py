"""Reads the rows of an XLSX workbook that passed the guard. It refuses a workbook in which no sheet has our columns.

Values are read, formulas are not run. A cell without a value where one belongs makes its row unreadable, and says so.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import BinaryIO, TypeVar

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from integrations.sources.moderation_export.csv_rows import Row
from integrations.sources.moderation_export.xlsx_guard import MAX_PACKED, Sheet, inspect_workbook
from schemas.errors import IntakeError

T = TypeVar("T")
Cell = int | float | str | bool | date | datetime | time | object


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSheet:
    """One visible sheet, counted from 1 among the visible ones; ``rows`` are read once."""

    number: int
    rows: Iterator[Row]


def open_sheets(stream: BinaryIO) -> list[OpenSheet]:
    """Return the visible sheets of a workbook in their order. Raises IntakeError."""
    stream.seek(0)
    data = stream.read(MAX_PACKED + 1)
    if len(data) > MAX_PACKED:
        raise IntakeError("xlsx_too_large", "the workbook is larger than it may be; save it as CSV", status=413)
    packed = io.BytesIO(data)
    sheets = inspect_workbook(packed)
    packed.seek(0)
    book = _calamine(lambda: CalamineWorkbook.from_filelike(packed))
    return [OpenSheet(number=number, rows=_rows(book, sheet)) for number, sheet in enumerate(sheets, start=1)]


def _rows(book: CalamineWorkbook, sheet: Sheet) -> Iterator[Row]:
    found: CalamineSheet = _calamine(lambda: book.get_sheet_by_name(sheet.name))
    first = found.start[1] if found.start else 0  # rows come from the sheet's first one on, cells from its first used one
    troubled: dict[int, tuple[int, str]] = {}
    for (row, cell), why in sheet.trouble.items():
        troubled[row] = min((cell - first, why), troubled.get(row, (cell - first, why)))
    for number, values in enumerate(found.iter_rows(), start=1):
        cells = [_text(value) for value in values]
        if number in troubled:
            at, problem = troubled[number]
            yield Row(number=number, cells=cells, problem=problem, head="\t".join(cells), cell=at)
        elif any(cells):
            yield Row(number=number, cells=cells)


def _text(value: Cell) -> str:
    if isinstance(value, str):
        return "" if value.isspace() else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # Excel keeps a phone number as 79000000001.0
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def _calamine(call: Callable[[], T]) -> T:
    try:
        return call()
    except CalamineError:
        raise IntakeError("xlsx_broken", "the file is not a whole XLSX workbook; save it again") from None
    except BaseException as error:
        # A panic of the Rust reader is no Exception; anything else is none of ours.
        if type(error).__name__ != "PanicException":
            raise
        raise IntakeError("xlsx_broken", "the workbook cannot be read; save it again") from None
