"""Looks for invented people where nobody may be: in any bytes, files or tables, in every writing we could think of.

It refuses to name what it found by its value: a hit says where, which canary and in which writing. What it cannot see: text
that was compressed or encrypted on the way, so look before that happens (``tables`` reads past Postgres' compression).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

#: A writing shorter than this is found in noise.
_SHORTEST = 6
_CHUNK = 32 * 1024 * 1024
#: What people and programs put between the digits of a phone.
_BETWEEN = rb"[\s().\-\xa0\xc2/_+]{0,4}"
_DIGESTS = ("md5", "sha1", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Somebody was found. ``canary`` is the name the caller gave the value."""

    where: str
    canary: str
    writing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was looked through, and what was found."""

    hits: frozenset[Hit]
    places: int
    read: int  # bytes

    def __add__(self, other: Looked) -> Looked:
        return Looked(hits=self.hits | other.hits, places=self.places + other.places, read=self.read + other.read)


class Canaries:
    """``named``: name -> value. A value of at least seven digits and nothing else but signs is a phone."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._needles: dict[bytes, tuple[str, str]] = {}
        self._patterns: list[tuple[re.Pattern[bytes], str]] = []
        for name, value in named.items():
            digits = _digits(value)
            if digits:
                self._patterns.append((re.compile(_BETWEEN.join(b"%c" % digit for digit in digits.encode())), name))
            for writing, needle in _phone_writings(value, digits) if digits else text_writings(value):
                if len(needle) >= _SHORTEST:
                    self._needles.setdefault(needle, (name, writing))
        self._overlap = max(map(len, self._needles)) + 64

    def writings(self) -> Iterator[tuple[str, str, bytes]]:
        """(name, writing, bytes) of everything that is looked for literally."""
        for needle, (name, writing) in self._needles.items():
            yield name, writing, needle

    def find(self, content: bytes, where: str) -> set[Hit]:
        """Everybody in ``content``."""
        hits = {Hit(where=where, canary=found[0], writing=found[1]) for each, found in self._needles.items() if each in content}
        return hits | {Hit(where=where, canary=name, writing="digits") for form, name in self._patterns if form.search(content)}

    def text(self, content: str | bytes, where: str) -> Looked:
        """Look through one text."""
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        return Looked(hits=frozenset(self.find(raw, where)), places=1, read=len(raw))

    def file(self, path: Path, where: str) -> Looked:
        """Look through a file, however long."""
        hits: set[Hit] = set()
        read, kept = 0, b""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                read += len(chunk)
                # a Postgres segment is mostly zeros, and nobody is written in zeros
                hits |= self.find(kept + chunk.rstrip(b"\0") + bytes(8), where)
                kept = chunk[-self._overlap :]
        return Looked(hits=frozenset(hits), places=1, read=read)

    def folder(self, folder: Path, *, leave_out: Iterable[Path] = ()) -> Looked:
        """Look through every file below ``folder``, and at the names of files and folders."""
        left_out = tuple(leave_out)
        looked = Looked(hits=frozenset(), places=0, read=0)
        for path in sorted(folder.rglob("*")):
            if any(path.is_relative_to(each) for each in left_out):
                continue
            where = path.relative_to(folder).as_posix()
            hits = self.find(where.encode("utf-8", "surrogateescape"), "the name of a file")
            looked += Looked(hits=frozenset(hits), places=0, read=0)
            if path.is_file() and not path.is_symlink():
                try:
                    looked += self.file(path, where)
                except FileNotFoundError:  # a server removes files while we look
                    continue
        return looked

    def tables(self, url: str) -> Looked:
        """Look through every row of every table of a Postgres database, as text, the way pg_dump sees it."""
        looked = Looked(hits=frozenset(), places=0, read=0)
        with psycopg.connect(url) as connection:
            names = connection.execute(
                "select format('%I.%I', schemaname, tablename) from pg_tables"
                " where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (name,) in names:
                with connection.cursor().copy(f"copy (select t::text from {name} t) to stdout".encode()) as rows:  # noqa: S608 - quoted by format('%I')
                    looked += self.text(b"\n".join(bytes(row) for row in rows), f"table {name}")
        return looked


def text_writings(value: str) -> Iterator[tuple[str, bytes]]:
    """A name, an address or a sentence as it could turn up."""
    for form in dict.fromkeys((value, value.lower(), value.upper(), unicodedata.normalize("NFD", value))):
        raw = form.encode()
        yield "as text", raw
        yield "in CP1251", form.encode("cp1251", "ignore")
        # Little and big endian alike: what follows the first byte is common to both, for one script.
        yield "in UTF-16", form.encode("utf-16-le")[:-1]
        escaped = json.dumps(form)[1:-1]
        yield "JSON escapes", escaped.encode()
        yield "JSON escapes", re.sub(r"\\u(....)", lambda found: f"\\u{found[1].upper()}", escaped).encode()
        yield "JSON in JSON", json.dumps(escaped)[1:-1].encode()
        yield "escaped bytes", repr(raw)[2:-1].encode()
        yield "percent signs", quote(form, safe="").encode()
        yield "percent signs", quote(form, safe="").lower().encode()
        yield "quoted-printable", quote(form, safe="@.-_ ").replace("%", "=").encode()
        yield "HTML entities", "".join(f"&#{ord(each)};" for each in form).encode()
        yield "HTML entities", "".join(f"&#x{ord(each):x};" for each in form).encode()
        yield "HTML entities", html.escape(form).encode()
        yield "hex", raw.hex().encode()
        yield "hex", raw.hex().upper().encode()
        yield from (("base64", each) for each in _base64(raw))
    if "@" in value:
        yield from _unkeyed(value, value.lower())


def _phone_writings(value: str, national: str) -> Iterator[tuple[str, bytes]]:
    raw = national.encode()
    yield "in UTF-16", national.encode("utf-16-le")[:-1]
    yield "hex", raw.hex().encode()
    for form in (raw, value.encode()):
        yield from (("base64", each) for each in _base64(form))
    for number in (int(f"7{national}"), int(national)):
        yield "a number of eight bytes", struct.pack(">q", number)
        yield "a number of eight bytes", struct.pack("<q", number)
    yield from _unkeyed(f"+7{national}", f"7{national}", f"8{national}", national, value)


def _unkeyed(*forms: str) -> Iterator[tuple[str, bytes]]:
    """Digests without a key are no pseudonyms: all phones of a country are hashed in an afternoon."""
    for form in dict.fromkeys(forms):
        for name in _DIGESTS:
            digest = hashlib.new(name, form.encode()).digest()
            yield f"{name} without a key", digest
            yield f"{name} without a key", digest.hex().encode()


def _base64(raw: bytes) -> set[bytes]:
    """The characters that stand for ``raw`` wherever it begins in a longer text: three alignments, both alphabets."""
    found: set[bytes] = set()
    for before, skipped in ((0, 0), (1, 2), (2, 3)):  # characters that also depend on what stands before
        bits = (before + len(raw)) * 8
        whole = base64.b64encode(b"\0" * before + raw)[skipped : bits // 6]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def _digits(value: str) -> str:
    """The national number of a Russian phone; empty if ``value`` is none."""
    digits = re.sub(r"[\s().+\-]", "", value)
    return digits[-10:] if digits.isascii() and digits.isdigit() and len(digits) >= 10 else ""
