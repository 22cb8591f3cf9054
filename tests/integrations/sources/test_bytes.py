"""Whatever stands in the bytes of a document, the quick ways of reading it and marshmallow answer the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.sources.document import DocumentRules, parse_document
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.submission import LeadDocument
from tests.schemas.documents import brand, document

POLICIES = {"lada": brand()}
READER = LeadReader(POLICIES)
BY_MARSHMALLOW = LeadReader(POLICIES, fast=False)

#: What JSON can say in place of a value: other types, numbers of every size, escapes, halves of pairs, NUL, deep nesting.
WRITTEN = [
    *(b"null", b"true", b"0", b"2", b"-0", b"1.0", b"1e3", b"1e400", b"9" * 50, b"NaN", b"[]", b"{}", b"[" * 500 + b"]" * 500),
    *(b'""', b'" "', b'"a\0b"', b'"a\tb"', b'"\xff"', b'"lada"', b'"VK"', b'"RU"', b'"callback"', b'["callback"]', b"[2]"),
    *(
        rb'"\u0410\u043d\u043d\u0430"',
        rb'"\ud83d"',
        rb'"\ud83d\ude97"',
        rb'"\ude97\ud83d"',
        rb'"a\u0000b"',
        rb'"a\tb"',
        rb'"\/"',
    ),
    *(rb'"\u202eabc"', rb'"vk:1001"', rb'["101",101]', rb'["101","101"]', rb'["\u0031", "2"]', rb'{"code":"test_drive"}'),
    *(
        text.encode()
        for text in ('"е\u0308"', '"Анна"', '"Анна "', '"Анна  Мария"', '"\u00a0"', '"8 900 000 00 01"', '"+79000000001"')
    ),
]
PLACES = [
    *((name,) for name in document()),
    *(("consent", name) for name in document()["consent"]),
    *(("topic", name) for name in ("code", "fields", "more")),
    *(("topic", "fields", name) for name in ("car_model", "dealer", "more")),
    ("more",),
]
MARK = "@@"


def bytes_of(place: tuple[str, ...], written: bytes, *, kept: str) -> bytes:
    """A document with ``written`` at ``place``, the good value kept before it, behind it, or not at all."""
    made = document(user="900100")
    within: Any = made
    for step in place[:-1]:
        within = within[step]
    good = within.pop(place[-1], "good")
    within[place[-1]] = MARK
    key, value = json.dumps(place[-1]).encode(), json.dumps(good).encode()
    told = key + b": " + written
    pair = {"before": key + b": " + value + b", " + told, "after": told + b", " + key + b": " + value, "no": told}[kept]
    return json.dumps(made).encode().replace(key + b": " + json.dumps(MARK).encode(), pair)


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(WRITTEN), st.sampled_from(["before", "after", "no"]))
def test_all_ways_of_reading_agree(place: tuple[str, ...], written: bytes, kept: str) -> None:
    parsed = parse_document(bytes_of(place, written, kept=kept), DocumentRules())
    if isinstance(parsed, LeadDocument):
        told = parsed.data.reveal()
        assert READER.read(told) == BY_MARSHMALLOW.read(told)


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    for kept, city in (("before", "Анна"), ("after", "Тольятти")):
        parsed = parse_document(bytes_of(("city",), '"Анна"'.encode(), kept=kept), DocumentRules())
        assert isinstance(parsed, LeadDocument)
        lead = READER.read(parsed.data.reveal())
        assert isinstance(lead, Lead)
        assert lead.fields.reveal()["city"] == city
