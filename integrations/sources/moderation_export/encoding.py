"""Decides in which encoding a CSV file is written. It refuses to guess: a file is UTF-8, carries a byte order mark, or is
legacy text that reads as CP1251 beyond doubt; everything else is sent back, because a name in mojibake is a wrong name.

The argument, numbered as in the code:

1. A byte order mark decides.
2. Text with many NUL bytes is UTF-16 without its mark; the side the NULs stand on tells which.
3. Valid UTF-8 is UTF-8. A file with a few broken bytes among many good multi-byte letters is *damaged* UTF-8: its damaged
   rows are set apart one by one, the others are good.
4. What is left is legacy. If its header holds our own Russian column names in CP1251, it is CP1251; else the
   charset-normalizer library must find CP1251 the best of the code pages used for Russian and Western names.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from charset_normalizer import from_bytes

from schemas.errors import IntakeError

_CHUNK = 256 * 1024
_SAMPLE = 64 * 1024
_BROKEN = re.compile("[\udc80-\udcff]+")
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Code pages a legacy export can be in; CP1251 has to win against all of them.
_RIVALS = ["cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5", "cp1252"]
#: Share of NUL bytes above which bytes are no one-byte text.
_NUL_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoding:
    """A codec name; whether single rows are damaged; and what was assumed without being told, for a person to read."""

    name: str
    damaged: bool = False
    assumed: str | None = None


@dataclass(slots=True)
class _Census:
    letters: int = 0  # non-ASCII characters that are good UTF-8
    broken: int = 0  # bytes that are not
    sample: bytes = b""  # lines that hold non-ASCII bytes


def decide_encoding(stream: BinaryIO, *, forced: str | None, knows_header: Callable[[str], bool]) -> TextEncoding:
    """Read ``stream`` once from its beginning. Raises IntakeError if no encoding is certain."""
    stream.seek(0)
    head = stream.read(_CHUNK)
    if forced:
        _must_decode(stream, forced)
        return TextEncoding(name=forced)
    for mark, name in _MARKS:  # 1
        if head.startswith(mark):
            if name == "utf-8-sig":
                return TextEncoding(name=name, damaged=_count(stream).broken > 0)
            _must_decode(stream, name)
            return TextEncoding(name=name)
    if head.count(0) > len(head) * _NUL_SHARE:  # 2
        name = "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"
        _must_decode(stream, name)
        return TextEncoding(name=name, assumed=f"{name.upper()} without a byte order mark")
    census = _count(stream)
    if not census.broken or census.letters > census.broken:  # 3
        return TextEncoding(name="utf-8", damaged=census.broken > 0)
    return _legacy(stream, head, census.sample, knows_header)  # 4


def _legacy(stream: BinaryIO, head: bytes, sample: bytes, knows_header: Callable[[str], bool]) -> TextEncoding:
    header = head.split(b"\n", 1)[0]
    ours = not header.isascii() and knows_header(header.decode("cp1251", errors="replace"))
    best = None if ours else from_bytes(sample, cp_isolation=_RIVALS).best()
    if not ours and (best is None or best.encoding != "cp1251"):
        guess = f"; it looks most like {best.encoding.upper()}" if best is not None else ""
        raise IntakeError("encoding_unknown", f"the file is neither UTF-8 nor CP1251{guess}; save it as UTF-8")
    _must_decode(stream, "cp1251")
    return TextEncoding(name="cp1251", assumed="CP1251, because the bytes are no UTF-8")


def _must_decode(stream: BinaryIO, name: str) -> None:
    try:
        decoder = codecs.getincrementaldecoder(name)()
        stream.seek(0)
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except (UnicodeError, LookupError):
        raise IntakeError("encoding_broken", f"the file is not valid {name.upper()}; save it as UTF-8") from None


def _count(stream: BinaryIO) -> _Census:
    census = _Census()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    stream.seek(0)
    more = True
    while more:
        chunk = stream.read(_CHUNK)
        more = bool(chunk)
        text = decoder.decode(chunk, final=not more)
        if text.isascii():
            continue
        broken = sum(map(len, _BROKEN.findall(text)))
        census.broken += broken
        census.letters += len(text) - len(text.encode("ascii", "ignore")) - broken
        if broken and len(census.sample) < _SAMPLE:
            census.sample += b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())[:_SAMPLE]
    return census
