r"""Rows and arrays as Postgres takes them in binary. It refuses values that are not of their column's own type: a guess at how
to write them would be stored.

Postgres reads text character by character, three times over for an envelope in hex; in binary it copies bytes. Columns are
looked at once: what is the same in every row, or of the same length, becomes part of one template for all rows.
Formats: Postgres manual, COPY, "Binary Format": big-endian, each value after an int32 of its length, -1 for null; arrays as
array_recv (arrayfuncs.c) reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Final

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

#: Signature, flags, length of the header's extension; and the trailer.
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_LENGTH: Final = struct.Struct(">i").pack
_FIELDS: Final = struct.Struct(">h").pack
#: One dimension, whether it has nulls, the elements' type, how many, counted from 1.
_ARRAY: Final = struct.Struct(">iiIii").pack
_EMPTY: Final = struct.Struct(">iiI").pack
_NULL: Final = b"\xff\xff\xff\xff"
#: Rows of a piece; a lead is about a kilobyte and a half.
_PIECE: Final = 50


_BYTEA: Final = 17
#: How a value is written, by the number of its type in Postgres (pg_type.dat): bytea, bigint, integer, text, varchar.
_WRITERS: Final[dict[int, Callable[[Any], bytes]]] = {
    _BYTEA: bytes.__bytes__,  # refuses what is no bytes
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
        _column(_WRITERS[kind], values, template, columns)
    row = b"".join(template)
    # Without a place for anything it is the same row again and again.
    lines = list(map(row.__mod__, zip(*columns, strict=True))) if columns else [row % ()] * len(rows)
    yield _HEAD
    for start in range(0, len(lines), _PIECE):
        yield b"".join(lines[start : start + _PIECE])
    yield _TAIL


def _column(
    write: Callable[[Any], bytes], values: Sequence[Any], template: list[bytes], columns: list[Sequence[bytes]]
) -> None:
    """Add what is fixed of a column to the template, and to ``columns`` what is not."""
    if same(values):
        template.append(_framed(write, values[0]).replace(b"%", b"%%"))
        return
    if None in values:
        template.append(b"%b")
        columns.append([_framed(write, value) for value in values])
        return
    written = list(map(write, values))
    lengths = list(map(len, written))
    if lengths.count(lengths[0]) == len(lengths):
        template.append(_LENGTH(lengths[0]).replace(b"%", b"%%") + b"%b")
    else:
        template.append(b"%b%b")
        columns.append(list(map(_LENGTH, lengths)))
    columns.append(written)


def same(values: Sequence[Any]) -> bool:
    """Whether a column holds one value, of one type."""
    first = values[0]
    return first == values[-1] and values.count(first) == len(values) and len(set(map(type, values))) == 1


def _framed(write: Callable[[Any], bytes], value: object) -> bytes:
    if value is None:
        return _NULL
    written = write(value)
    return _LENGTH(len(written)) + written


# -- arrays -------------------------------------------------------------------------------------------------------------------


class Array:
    """A column of values to be bound to a parameter of a statement; written when the statement is sent."""

    __slots__ = ("values",)
    element: ClassVar[int]
    number: ClassVar[int]

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values

    def written(self) -> bytes:
        """Raises as ``copy_binary`` does."""
        values, write = self.values, _WRITERS[self.element]
        if not values:
            return _EMPTY(0, 0, self.element)
        nulls = None in values
        head = _ARRAY(1, nulls, self.element, len(values), 1)
        if nulls:
            return head + b"".join([_framed(write, value) for value in values])
        written = list(map(write, values))
        lengths = list(map(len, written))
        if lengths.count(lengths[0]) == len(lengths):
            length = _LENGTH(lengths[0])
            return head + length + length.join(written)
        return head + b"".join(chain.from_iterable(zip(map(_LENGTH, lengths), written, strict=True)))


class _Bytes(Array):
    element, number = 17, 1001


class _Bigints(Array):
    element, number = 20, 1016


class _Integers(Array):
    element, number = 23, 1007


class _Texts(Array):
    element, number = 25, 1009


#: By the name of the elements' type.
ARRAYS: Final[dict[str, type[Array]]] = {"bytea": _Bytes, "bigint": _Bigints, "integer": _Integers, "text": _Texts}


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Buffer:
        return obj.written()


def teach(connection: Connection[Any]) -> None:
    """Let this connection take arrays of ours as parameters."""
    for kind in ARRAYS.values():
        dumper = type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": kind.number})
        connection.adapters.register_dumper(kind, dumper)
