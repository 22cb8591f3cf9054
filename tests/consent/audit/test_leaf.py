"""A leaf has one spelling, RFC 8785's, and no room for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit import facts
from consent.audit.leaf import ALLOWED_FACTS, MAX_LEAF, _write, decode, encode
from schemas.audit import AuditEntry
from schemas.errors import AuditError
from schemas.vocabulary import Event, Outcome

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
LEAD = "01940000-0000-7000-8000-000000000001"
ENTRY = AuditEntry(event=Event.LEAD_ADMITTED, at=AT, actor="system", lead_id=LEAD)


def slow_jcs(value: object) -> str:
    """RFC 8785 by its rules, for what a leaf may hold: section 3.2.2.2 (strings), 3.2.3 (order by UTF-16 code units)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(slow_character(each) for each in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(slow_jcs(each) for each in value) + "]"
    assert isinstance(value, Mapping)
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{slow_jcs(key)}:{slow_jcs(value[key])}" for key in keys) + "}"


def slow_character(character: str) -> str:
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    if character in short:
        return short[character]
    return f"\\u{ord(character):04x}" if ord(character) < 0x20 else character


def as_document(entry: AuditEntry) -> dict[str, object]:
    document: dict[str, object] = {"v": 1, "event": str(entry.event), "actor": entry.actor}
    document["at"] = entry.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{entry.at.microsecond:06d}Z"
    for name in ("submission_id", "lead_id", "person_id", "delivery_id"):
        if (value := getattr(entry, name)) is not None:
            document[name] = value
    if entry.facts:
        document["facts"] = dict(entry.facts)
    return document


def value_for(shape: facts.Shape) -> st.SearchStrategy[Any]:
    if isinstance(shape, tuple):
        return st.lists(st.from_regex(shape[0], fullmatch=True), max_size=5)
    if shape is bool:
        return st.booleans()
    if isinstance(shape, re.Pattern):
        return st.from_regex(shape, fullmatch=True)
    return st.integers(0, facts.MAX_INT)


some_facts = st.lists(st.sampled_from(sorted(ALLOWED_FACTS)), unique=True, max_size=8).flatmap(
    lambda names: st.fixed_dictionaries({name: value_for(ALLOWED_FACTS[name]) for name in names})
)
some_entry = st.builds(
    AuditEntry,
    event=st.sampled_from(Event),
    at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive here
    actor=st.from_regex(facts.CODE, fullmatch=True),
    submission_id=st.none() | st.uuids().map(str),
    lead_id=st.none() | st.uuids().map(str),
    person_id=st.none() | st.uuids().map(str),
    delivery_id=st.none() | st.from_regex(r"[a-z2-7]{26}", fullmatch=True),
    facts=some_facts,
)


@given(some_entry)
def test_leaf_is_rfc_8785_and_reads_back(entry: AuditEntry) -> None:
    leaf = encode(entry)
    assert leaf.decode() == slow_jcs(as_document(entry))
    assert decode(leaf) == entry


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.dictionaries(st.text(st.characters(max_codepoint=0x7F), max_size=8), text | st.booleans() | st.lists(text), max_size=8)
)
def test_the_writer_equals_rfc_8785_beyond_what_a_leaf_may_hold(document: dict[str, object]) -> None:
    assert _write(document).decode() == slow_jcs(document)


@given(st.binary(max_size=400))
def test_strange_bytes_are_refused_and_never_crash(leaf: bytes) -> None:
    with pytest.raises(AuditError):
        decode(leaf)


GOOD = encode(replace(ENTRY, facts={"country": "RU", "fields": ["phone", "given_name"], "attempt": 1, "created": True}))


@pytest.mark.parametrize(
    "leaf",
    [
        GOOD.replace(b'"v":1', b'"v":2'),
        GOOD.replace(b'"v":1', b'"v":1.0'),
        GOOD.replace(b'"v":1', b'"v":true'),
        GOOD.replace(b'"v":1', b'"v":1,"x":1'),
        GOOD.replace(b'"v":1', b'"v":1,"v":1'),
        GOOD.replace(b":", b": ", 1),
        GOOD + b"\n",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"RU", b"\\u0052U"),
        GOOD.replace(b'"country":"RU"', b'"country":"Russia"'),
        GOOD.replace(b'"country":"RU"', b'"country":{"a":"RU"}'),
        GOOD.replace(b'"country":"RU"', b'"country":null'),
        GOOD.replace(b'"country":"RU"', b'"county":"RU"'),
        GOOD.replace(b"lead.admitted", b"lead.unheard"),
        GOOD.replace(b".000000Z", b".000000+00:00"),
        GOOD.replace(b".000000Z", b"Z"),
        GOOD.replace(b"-01-15T", b"-02-30T"),
        GOOD.replace(b'"lead_id"', b'"delivery_id":null,"lead_id"'),
        GOOD[:-1],
        GOOD.replace(b'"attempt":1', b'"attempt":' + b"[" * 60_000),
        GOOD.replace(b'"v":1', b'"w":' + b"[" * 60_000),
        b"",
        b"null",
        b"[]",
        b"{}",
    ],
)
def test_a_second_spelling_or_a_foreign_shape_is_refused(leaf: bytes) -> None:
    assert leaf != GOOD
    with pytest.raises(AuditError):
        decode(leaf)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reason", "please call me back"),
        ("reason", "+79000000001"),
        ("reason", "79000000001"),
        ("reason", "8-900-000-00-01"),
        ("reason", "anna@example.org"),
        ("reason", "Анна"),
        ("reason", ""),
        ("reason", "x" * 81),
        ("reason", None),
        ("reason", 1),
        ("reason", b"x"),
        ("reason", ["x"]),
        ("country", "ru"),
        ("sealed_sha256", "A" * 64),
        ("sealed_sha256", "a" * 63),
        ("sealed_sha256", "a" * 64 + "\n"),
        ("count", 1.0),
        ("count", True),
        ("count", -1),
        ("count", 2**53),
        ("count", "1"),
        ("created", 1),
        ("fields", "phone"),
        ("fields", ("phone",)),
        ("fields", ["phone", ["email"]]),
        ("fields", ["phone", 1]),
        ("fields", ["Телефон"]),
        ("given_at", "yesterday"),
        ("phone", "x"),
        ("text", "x"),
        (7, "x"),
    ],
)
def test_a_fact_off_the_list_or_out_of_shape_is_refused_without_repeating_it(name: Any, value: Any) -> None:
    with pytest.raises(AuditError) as caught:
        encode(replace(ENTRY, facts={name: value}))
    assert caught.value.field in {name, "?"}
    assert "call me" not in str(caught.value)
    assert "900" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "anna@example.org"},
        {"actor": "Анна"},
        {"actor": ""},
        {"actor": None},
        {"lead_id": "79000000001"},
        {"lead_id": "lead-1"},
        {"person_id": 7},
        {"at": datetime(2026, 1, 15, 9, 30)},  # noqa: DTZ001 - the naive time is the point
        {"at": AT.astimezone(timezone(timedelta(hours=3)))},
    ],
)
def test_actor_ids_and_time_are_held_to_their_shapes(change: dict[str, Any]) -> None:
    with pytest.raises(AuditError):
        encode(replace(ENTRY, **change))


def test_another_clock_that_says_utc_is_utc() -> None:
    assert encode(replace(ENTRY, at=AT.astimezone(timezone(timedelta(0))))) == encode(ENTRY)


def test_words_of_our_vocabularies_are_written_as_their_values() -> None:
    assert b'"outcome":"accepted"' in encode(replace(ENTRY, facts={"outcome": Outcome.ACCEPTED}))


def test_a_leaf_fits_into_a_tile_entry() -> None:
    fields = [f"f{'x' * 60}{number}" for number in range(10)]
    assert encode(replace(ENTRY, facts={"fields": fields * 90}))
    with pytest.raises(AuditError) as caught:
        encode(replace(ENTRY, facts={"fields": fields * 110}))
    assert caught.value.code == "leaf_too_large"
    assert MAX_LEAF == 65_535


def test_a_vendors_strange_code_is_withheld_and_never_stops_the_recording() -> None:
    assert facts.code_word("INVALID_FIELD") == "INVALID_FIELD"
    assert facts.code_word("0x80040217") == "0x80040217"
    assert facts.code_word(None) is None
    assert facts.code_word("79000000001 is taken") == facts.WITHHELD
    words = facts.code_words(["crm:callback", "ты"])
    assert words == ["crm:callback", facts.WITHHELD]
    assert encode(replace(ENTRY, facts={"routes": words}))
