r"""Whole columns as Postgres reads them: lines for COPY and literals of arrays. It refuses values of any type but str, int,
bytes and None, because a guess at how to write them would be stored.

psycopg's own writers are as right, take each value by itself and escape bytes one by one, which costs ten times as much for an
envelope. Here a column is looked at once: a column of plain words needs no escaping at all. Escapes: Postgres 16 manual, COPY
(text format: backslash, tab and line ends; ``\N`` for null), 8.4 (bytes: hex, or ASCII as it stands) and 8.15.2 (arrays:
quotation mark and backslash).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_COPY_SPECIAL = "\\\t\n\r"
_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
#: ASCII that needs no escape in any of these notations.
_PRINTED = bytes(range(0x20, 0x7F)).replace(b"\\", b"")
_ARRAY_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\"})

#: Rows of a piece; a lead is about two kilobytes.
_PIECE = 50

_TEXT, _NUMBERS, _BYTES = {str}, {int}, {bytes}


def copy_text(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """The rows as COPY ... FROM STDIN takes them, in pieces that stay in the processor's cache."""
    lines = list(map("\t".join, zip(*map(_copy_column, zip(*rows, strict=True)), strict=True)))
    for start in range(0, len(lines), _PIECE):
        yield ("\n".join(lines[start : start + _PIECE]) + "\n").encode()


def _copy_column(values: Sequence[Any]) -> Sequence[str]:
    kinds = set(map(type, values))
    if kinds == _TEXT:
        joined = "".join(values)
        # Four searches for one character are a tenth of the price of one search for a class of four.
        plain = not any(special in joined for special in _COPY_SPECIAL)
        return values if plain else [value.translate(_COPY_ESCAPES) for value in values]
    if kinds == _NUMBERS:
        if len(set(values)) == 1:  # one moment for a whole batch
            return [str(values[0])] * len(values)
        return list(map(str, values))
    if kinds == _BYTES:
        printed = b"".join(values)
        # Leaves are ASCII: bytes that are printed as they stand are read as they stand, at half the size.
        if printed.isascii() and not printed.translate(None, _PRINTED):
            return [value.decode("ascii") for value in values]
        return [rf"\\x{value.hex()}" for value in values]
    return list(map(_copy_value, values))


def _copy_value(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return str.__str__(value).translate(_COPY_ESCAPES)
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return _number(value)


def array(values: Sequence[Any]) -> str:
    """One column as the literal of an array."""
    kinds = set(map(type, values))
    if kinds == _TEXT:
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):  # only those between the values
            return f'{{"{joined}"}}'
    elif kinds == _NUMBERS:
        return f"{{{','.join(map(str, values))}}}"
    elif kinds == _BYTES:
        return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'
    return f"{{{','.join(map(_array_value, values))}}}"


def _array_value(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{str.__str__(value).translate(_ARRAY_ESCAPES)}"'
    if isinstance(value, bytes):
        return rf'"\\x{value.hex()}"'
    return _number(value)


def _number(value: Any) -> str:
    if type(value) is not int:
        raise TypeError(f"the ledger stores text, whole numbers and bytes, not {type(value).__name__}")
    return str(value)
