"""Takes CSV text apart into rows. It refuses to guess: the delimiter is the one under which the header holds the most of our
columns, and a quotation mark that never closes costs one row, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from integrations.sources.moderation_export.lines import Line, Lines
from schemas.errors import IntakeError

DELIMITERS = (",", ";", "\t", "|")
#: A quoted cell may hold line breaks; a row of more lines is a quotation mark that was never closed.
_MOST_LINES = 500
_EXCEL_HINT = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row by the number of its first line; ``problem`` says why its cells are not to be used, ``head`` holds its text.

    ``cell`` is the place of the problem, counted from 0, if it has one.
    """

    number: int
    cells: list[str]
    problem: str | None = None
    head: str = ""
    cell: int | None = None


def choose_delimiter(lines: Lines, known: Callable[[list[str]], int], *, limit: int) -> str:
    """Find the delimiter by the header, which stays the next row. Raises IntakeError if the file holds no row."""
    first = _first_text(lines)
    if first is None:
        raise IntakeError("file_empty", "the file holds no row")
    told = _EXCEL_HINT.fullmatch(first.text)
    if told is not None:  # Excel's own first line: "sep=;"
        return told[1]
    lines.put_back([first])
    best = (0, 0, ",")
    for delimiter in DELIMITERS:
        taken: list[Line] = []
        row = _one_row(lines, delimiter, limit, taken)
        lines.put_back(taken)
        if row is not None and row.problem is None:
            best = max(best, (known(row.cells), len(row.cells), delimiter), key=lambda score: score[:2])
    return best[2]


def rows(lines: Lines, delimiter: str, *, limit: int) -> Iterator[Row]:
    """Yield every row that is not blank; ``limit`` is the most characters of one row."""
    while (row := _one_row(lines, delimiter, limit)) is not None:
        if row.problem is not None or any(cell and not cell.isspace() for cell in row.cells):
            yield row


def _first_text(lines: Lines) -> Line | None:
    while (line := lines.take()) is not None:
        if line.cut or line.text.strip():
            return line
    return None


def _one_row(lines: Lines, delimiter: str, limit: int, taken: list[Line] | None = None) -> Row | None:
    line = lines.take()
    if line is None:
        return None
    if taken is not None:
        taken.append(line)
    if line.cut:
        return Row(number=line.number, cells=[], problem="row_too_long", head=line.text)
    if '"' not in line.text:
        return Row(number=line.number, cells=line.text.rstrip("\r\n").split(delimiter))
    pulled = [line]
    try:
        cells = next(csv.reader(_pull(lines, pulled, limit), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        lines.put_back(pulled[1:])  # the rows the mark swallowed are read again, each for itself
        return Row(number=line.number, cells=[], problem="quoting", head=line.text)
    if taken is not None:
        taken.extend(pulled[1:])
    return Row(number=line.number, cells=cells)


def _pull(lines: Lines, pulled: list[Line], limit: int) -> Iterator[str]:
    yield pulled[0].text
    size = len(pulled[0].text)
    while len(pulled) < _MOST_LINES and size < limit and (line := lines.take()) is not None:
        if line.cut:
            lines.put_back([line])
            return
        pulled.append(line)
        size += len(line.text)
        yield line.text
