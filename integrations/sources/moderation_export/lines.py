"""Takes a stream apart into lines without ever holding more than one longer than allowed. It refuses nothing: a line beyond
the limit is handed on as its beginning and a mark, and the next line is whole again.
"""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

#: Read ahead of the decoder; object stores answer few large reads better than many small ones.
_BUFFER = 1024 * 1024
#: What is skipped at a time of a line that is too long.
_SKIP = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line with its end, numbered from 1. ``cut`` means only the beginning is here."""

    number: int
    text: str
    cut: bool = False


class _Unclosable(io.RawIOBase):
    """Reads from a stream that belongs to somebody else; object-store files are not always io objects."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer protocol's name in 3.11
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Lines:
    """Lines of a text stream, with the possibility to put some back."""

    def __init__(self, stream: BinaryIO, *, encoding: str, limit: int, newline: str = "") -> None:
        stream.seek(0)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        raw = io.BufferedReader(_Unclosable(stream), _BUFFER)
        self._text = io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline=newline)
        self._limit = limit
        self._number = 0
        self._waiting: deque[Line] = deque()

    def take(self) -> Line | None:
        """Return the next line, or None at the end."""
        if self._waiting:
            return self._waiting.popleft()
        text = self._text.readline(self._limit + 1)
        if not text:
            return None
        self._number += 1
        if len(text) <= self._limit or text.endswith(("\n", "\r")):
            return Line(self._number, text)
        while (rest := self._text.readline(_SKIP)) and not rest.endswith(("\n", "\r")):
            pass
        return Line(self._number, text, cut=True)

    def put_back(self, lines: list[Line]) -> None:
        """Make ``lines`` the next ones, in their order."""
        self._waiting.extendleft(reversed(lines))
