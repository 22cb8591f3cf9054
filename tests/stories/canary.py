"""Looks for people where no person may be: known invented values, in every writing a leak could take, in any bytes.

    scanner = Scanner(telling(leads))
    scanner.bytes("the log", captured)      # each find is (where, which value, in which writing)
    scanner.tree(tmp_path / "state")        # every file below

The values are invented and unlike anything else, so a find is a leak and never a chance.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from integrations.testing.invented_leads import Invented

#: Shorter pieces would be found by chance.
_SHORTEST: Final = 6
#: Between two digits of a phone as people and programs write it.
_BETWEEN_DIGITS: Final = re.compile(
    rb"(?<=[0-9])(?:[ ().+/_-]|\xc2\xa0|\xe2\x80[\x90-\x94]){1,4}(?=[0-9(])|(?<=\()|(?<=[0-9])\) ?"
)
_NOTHING: Final = re.compile(rb"\x00{64,}")
_CHUNK: Final = 8 * 1024 * 1024
_OVERLAP: Final = 4 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One leak. ``value`` is invented, so it may be printed."""

    where: str
    value: str
    writing: str


def telling(leads: Iterable[Invented]) -> list[str]:
    """Every value of these leads that says who somebody is, and the pieces of a text that do."""
    values: dict[str, None] = {}
    for lead in leads:
        for value in lead.telling():
            values[value] = None
    return list(values)


class Scanner:
    """Knows every writing of the values. Each place is looked at once: the first bytes say whether to look closer."""

    def __init__(self, values: Iterable[str]) -> None:
        self._known: dict[bytes, list[tuple[bytes, str, str]]] = {}
        self._numbers: dict[bytes, str] = {}
        known: set[bytes] = set()
        for value in values:
            digits = _digits(value)
            if digits is not None:
                self._numbers[digits.encode()] = value
            for writings in (*map(_writings, _texts(value, digits)), _enumerable(value, digits)):
                for name, writing in writings:
                    if len(writing) >= _SHORTEST and writing not in known:
                        known.add(writing)
                        self._known.setdefault(writing[:_SHORTEST], []).append((writing, value, name))
        self.count = len(known) + len(self._numbers)

    def bytes(self, where: str, data: bytes) -> list[Find]:
        """Every value found in ``data``, once for each writing."""
        data = _NOTHING.sub(b"\0" * 8, data)
        known = self._known
        places = [at for at in range(len(data) - _SHORTEST + 1) if data[at : at + _SHORTEST] in known]
        finds = {
            Find(where=where, value=value, writing=name)
            for at in places
            for writing, value, name in known[data[at : at + _SHORTEST]]
            if data.startswith(writing, at)
        }
        joined = _BETWEEN_DIGITS.sub(b"", data)
        finds |= {
            Find(where=where, value=value, writing="digits") for digits, value in self._numbers.items() if digits in joined
        }
        return sorted(finds, key=lambda find: (find.value, find.writing))

    def text(self, where: str, said: str) -> list[Find]:
        return self.bytes(where, said.encode("utf-8", "surrogatepass"))

    def file(self, path: Path) -> list[Find]:
        """As ``bytes``, in bounded memory."""
        finds: list[Find] = []
        with path.open("rb") as stream:
            tail = b""
            while chunk := stream.read(_CHUNK):
                finds += self.bytes(str(path), tail + chunk)
                tail = chunk[-_OVERLAP:]
        return finds

    def tree(self, folder: Path, *, since: float = 0.0) -> tuple[int, list[Find]]:
        """(bytes looked at, finds) of every file below ``folder`` written at or after ``since``; names of files count too."""
        size, finds = 0, list[Find]()
        for path in sorted(folder.rglob("*")):
            finds += self.text(f"name of {path}", path.name)
            try:
                if not path.is_file() or path.stat().st_mtime < since:
                    continue
                size += path.stat().st_size
                finds += self.file(path)
            except FileNotFoundError:  # a server's file that came and went
                continue
        return size, finds


def _digits(value: str) -> str | None:
    """The national digits of a phone: they stand in every writing of it, with or without +7 or 8 before."""
    digits = "".join(character for character in value if character.isdigit())
    shape = re.fullmatch(r"[+0-9 ()-]{10,20}", value)
    return digits[-10:] if shape and len(digits) >= 10 else None


def _texts(value: str, digits: str | None) -> Iterator[str]:
    yield value
    if digits is not None:
        yield digits
        return
    yield value.casefold()
    yield value.upper()
    yield from value.splitlines()
    yield "".join(reversed(value))


def _writings(text: str) -> Iterator[tuple[str, bytes]]:
    raw = text.encode()
    yield "UTF-8", raw
    for name, encoding in (("UTF-16LE", "utf-16-le"), ("UTF-16BE", "utf-16-be"), ("UTF-32", "utf-32-le"), ("CP1251", "cp1251")):
        try:
            encoded = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        yield name, encoded
        yield f"hex of {name}", encoded.hex().encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield from (("base64", piece) for piece in _base64(raw))
    yield from (("base64 of UTF-16", piece) for piece in _base64(text.encode("utf-16-le")))
    yield "percent", quote(text, safe="").encode()
    yield "percent, lower", quote(text, safe="").lower().encode()
    yield "form", quote_plus(text).encode()
    escaped = json.dumps(text)[1:-1]
    yield "JSON escapes", escaped.encode()
    yield "JSON escapes, upper", re.sub(r"\\u([0-9a-f]{4})", lambda found: f"\\u{found[1].upper()}", escaped).encode()
    yield "JSON in JSON", json.dumps(escaped)[1:-1].encode()
    yield "repr", repr(raw)[2:-1].encode()
    yield "Python escapes", text.encode("unicode_escape")
    yield "HTML", html.escape(text).encode()
    yield "HTML numbers", "".join(f"&#{ord(character)};" for character in text).encode()
    yield "quoted printable", quopri.encodestring(raw).rstrip(b"=\n")


def _base64(raw: bytes) -> Iterator[bytes]:
    """The part of the base64 that does not depend on what stands before and after, at each of the three alignments."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        first = -(-shift * 8 // 6)
        inner = encoded[first : (shift + len(raw)) * 8 // 6]
        if len(inner) > _SHORTEST:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _enumerable(value: str, digits: str | None) -> Iterator[tuple[str, bytes]]:
    """A digest without a key is no pseudonym: all phones of a country are hashed in an afternoon. Nor is a number's binary."""
    forms = {value, f"+7{digits}", f"7{digits}", f"8{digits}", digits} if digits else {value, value.casefold()}
    for form in forms:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, str(form).encode()).digest()
            yield from ((f"{name} without a key", each) for each in (digest, digest.hex().encode(), *_base64(digest)))
    for number in (int(f"7{digits}"), int(digits)) if digits else ():
        yield from (("eight bytes", number.to_bytes(8, order)) for order in ("big", "little"))
