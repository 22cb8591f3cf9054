r"""Rows as COPY ... FROM STDIN (FORMAT binary) takes them. It refuses values that are not of their column's own type: a guess
at how to write them would be stored.

Postgres reads text for COPY character by character, three times over for an envelope in hex; in binary it copies bytes. Columns
are looked at once: what is the same in every row, or of the same length, becomes part of one template for all rows.
Format: Postgres manual, COPY, "Binary Format": big-endian, each value after an int32 of its length, -1 for null.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

#: Signature, flags, length of the header's extension; and the trailer.
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_LENGTH: Final = struct.Struct(">i").pack
_FIELDS: Final = struct.Struct(">h").pack
_NULL: Final = b"\xff\xff\xff\xff"
#: Rows of a piece; a lead is about a kilobyte and a half.
_PIECE: Final = 50


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a column of bytes takes bytes")
    return value


#: How a value of a column is written, by the type's number in Postgres (pg_type.dat): bytea, bigint, integer, text, varchar.
WRITERS: Final[dict[int, Callable[[Any], bytes]]] = {
    17: _bytes,
    20: struct.Struct(">q").pack,
    23: struct.Struct(">i").pack,
    25: str.encode,
    1043: str.encode,
}


def copy_binary(types: Sequence[int], rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """The rows, in pieces that stay in the processor's cache. ``types`` are the columns' types as Postgres numbers them.

    Raises TypeError, KeyError, struct.error or UnicodeError for what cannot be written, with nothing yielded.
    """
    template = [_FIELDS(len(types))]
    columns: list[Sequence[bytes]] = []
    for kind, values in zip(types, zip(*rows, strict=True), strict=True):
        _column(WRITERS[kind], values, template, columns)
    row = b"".join(template)
    # A template without a place is the same row again and again.
    lines = list(map(row.__mod__, zip(*columns, strict=True))) if columns else [row % ()] * len(rows)
    yield _HEAD
    for start in range(0, len(lines), _PIECE):
        yield b"".join(lines[start : start + _PIECE])
    yield _TAIL


def _column(
    write: Callable[[Any], bytes], values: Sequence[Any], template: list[bytes], columns: list[Sequence[bytes]]
) -> None:
    """Add what is fixed of a column to the template, and to ``columns`` what is not."""
    first = values[0]
    if first == values[-1] and values.count(first) == len(values) and len(set(map(type, values))) == 1:
        template.append(_framed(None if first is None else write(first)).replace(b"%", b"%%"))
        return
    if None in values:
        columns.append([_framed(None if value is None else write(value)) for value in values])
        template.append(b"%b")
        return
    written = list(map(write, values))
    lengths = list(map(len, written))
    if lengths.count(lengths[0]) == len(lengths):
        template.append(_LENGTH(lengths[0]).replace(b"%", b"%%") + b"%b")
    else:
        columns.append(list(map(_LENGTH, lengths)))
        template.append(b"%b%b")
    columns.append(written)


def _framed(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value
