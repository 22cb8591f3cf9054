"""JSON Lines files: each line for itself, whatever the others are."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.contract.source import FileOrigin, SourceSettings
from integrations.sources.moderation_export import ModerationExport
from schemas.errors import IntakeError
from schemas.submission import LeadDocument, Submission, Unparsable, Withdrawal

ORIGIN = FileOrigin(name="leads.jsonl", digest="f" * 32)
LEAD = {"kind": "lead", "brand": "lada", "given_name": "Мария", "text": "Хочу «Весту» 🚗"}


def source(**options: Any) -> ModerationExport:
    return ModerationExport(SourceSettings(name="export", connector="moderation_export", options=options))


def read(data: bytes) -> list[Submission]:
    return list(source().read(io.BytesIO(data), ORIGIN))


def line(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def test_one_document_a_line() -> None:
    submissions = read(line(LEAD) + b"\r\n\n" + line({"kind": "withdrawal", "brand": "lada", "email": "a.b@example.org"}))
    assert [each.event_id for each in submissions] == ["f" * 24 + ":1", "f" * 24 + ":4"]
    first, second = (source().parse(each) for each in submissions)
    assert isinstance(first, LeadDocument)
    assert first.data.reveal() == LEAD
    assert isinstance(second, Withdrawal)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read(encoding: str) -> None:
    (submission,) = read(line(LEAD).decode().encode(encoding))
    parsed = source().parse(submission)
    assert isinstance(parsed, LeadDocument)
    assert parsed.data.reveal() == LEAD


def test_a_broken_line_is_kept_and_the_rest_goes_on() -> None:
    broken = [b'{"brand": "lada"', b"nonsense", b'{"given_name": "\xcc\xe0\xf0\xe8\xff"}', b'"text"', b'{"a": 1} {"b": 2}']
    submissions = read(b"".join(line(LEAD) + each + b"\n" for each in broken) + line(LEAD)[:-1])
    parsed = [source().parse(each) for each in submissions]
    assert len(submissions) == 11
    assert [isinstance(each, Unparsable) for each in parsed] == [False, True] * 5 + [False]
    assert submissions[1].body.reveal() == broken[0]


def test_a_line_of_ten_megabytes_is_bounded() -> None:
    submissions = read(line(LEAD) + line({"text": "x" * 10_000_000}) + line(LEAD))
    assert [type(source().parse(each)) for each in submissions] == [LeadDocument, Unparsable, LeadDocument]
    assert len(submissions[1].body.reveal()) < 50_000


def test_one_json_array_is_refused_with_the_mend() -> None:
    with pytest.raises(IntakeError, match="one document a line"):
        read(json.dumps([LEAD, LEAD], indent=1).encode())


def test_a_half_character_of_utf_16_is_refused() -> None:
    with pytest.raises(IntakeError, match="encoding_broken"):
        read(line(LEAD).decode().encode("utf-16")[:-1])


def test_memory_stays_flat_over_a_large_file() -> None:
    class Endless(io.RawIOBase):
        """A hundred megabytes nobody ever holds."""

        size = 100 * 1024 * 1024

        def __init__(self) -> None:
            self.at = 0
            self.block = line(LEAD | {"text": "x" * 10_000})

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = self.size + offset if whence == io.SEEK_END else offset
            return self.at

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.size - self.at)
            start = self.at % len(self.block)
            self.at += size
            return (self.block * (2 + size // len(self.block)))[start : start + size]

    tracemalloc.start()
    found: Iterator[Submission] = source().read(Endless(), ORIGIN)  # type: ignore[arg-type] # a stream in all that is used
    count = sum(1 for _ in found)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count > 9_000
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("leads.jsonl", True),
        ("Leads 22.11.CSV", True),
        ("выгрузка.xlsx", True),
        ("leads.tsv", True),
        ("leads.ndjson", True),
        (".leads.csv", False),
        ("~$leads.xlsx", False),
        ("_tmp.csv", False),
        ("leads.csv.part", False),
        ("leads.csv.tmp", False),
        ("leads.csv.done", False),
        ("leads.pdf", False),
        ("leads", False),
    ],
)
def test_which_files_are_ours(name: str, ours: bool) -> None:  # noqa: FBT001 - a table of expectations
    assert source().accepts(name) is ours
