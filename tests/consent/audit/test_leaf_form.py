"""A leaf of a form is the leaf that the plain writer makes, and what may not stand in a leaf stands in none of a form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.audit.facts import CODE, DIGEST, FIELD, ID, MAX_INT, MOMENT, VERSION
from consent.audit.leaf import ALLOWED_FACTS, MAX_LEAF, encode_parts, moment
from consent.audit.leaf_form import LeafForm
from leadgate.pipeline.recorder import Recorder
from schemas.errors import AuditError
from schemas.vocabulary import Event

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
IDS = {"delivery_id", "lead_id", "person_id", "submission_id"}
UUID, SHA256, SECOND = "01940000-0000-7000-8000-000000000001", "0a" * 32, "2026-01-15T09:30:00Z"
EVERY_HOLE = [*IDS, *(name for name, shape in ALLOWED_FACTS.items() if shape in (DIGEST, ID, MOMENT))]
GOOD = {DIGEST: SHA256, ID: UUID, MOMENT: SECOND}


def shape_of(name: str) -> re.Pattern[str]:
    shape = ID if name in IDS else ALLOWED_FACTS[name]
    assert isinstance(shape, re.Pattern)
    return shape


def in_order(names: set[str]) -> tuple[str, ...]:
    """As the keys of a leaf stand: delivery_id, facts, lead_id, person_id, submission_id."""
    facts = sorted(names - IDS)
    return (*sorted(names & {"delivery_id"}), *facts, *sorted(names & IDS - {"delivery_id"}))


def value_for(shape: object) -> st.SearchStrategy[Any]:
    if shape is int:
        return st.integers(0, MAX_INT)
    if shape is bool:
        return st.booleans()
    if isinstance(shape, tuple):
        return st.lists(st.from_regex(shape[0], fullmatch=True), max_size=5)
    assert isinstance(shape, re.Pattern)
    return st.from_regex(shape, fullmatch=True)


def filled(form: LeafForm, *rows: tuple[str, ...]) -> list[bytes]:
    recorder = Recorder(at=AT)
    for row in rows:
        recorder.fill(form, UUID, row)
    return [leaf for _, leaf in recorder.leaves]


def plain(event: Event, fixed: Mapping[str, Any], named: Mapping[str, Any]) -> bytes:
    ids = {name: value for name, value in named.items() if name in IDS}
    return encode_parts(event, AT, "system", {**fixed, **{k: v for k, v in named.items() if k not in IDS}}, **ids)


some_holes = st.sets(st.sampled_from(sorted(EVERY_HOLE)), max_size=9).map(in_order)
some_fixed = st.sets(st.sampled_from(sorted(ALLOWED_FACTS)), max_size=9)


@given(st.sampled_from(Event), some_holes, some_fixed, st.data())
def test_a_leaf_of_a_form_is_the_leaf(event: Event, holes: tuple[str, ...], names: set[str], data: st.DataObject) -> None:
    fixed = data.draw(st.fixed_dictionaries({name: value_for(ALLOWED_FACTS[name]) for name in names - {*holes}}))
    rows = data.draw(st.lists(st.tuples(*(value_for(shape_of(name)) for name in holes)), min_size=1, max_size=4))
    written = filled(LeafForm(event, fixed, holes), *rows)
    assert written == [plain(event, fixed, dict(zip(holes, row, strict=True))) for row in rows]


#: Right, almost right, and hostile: a value of another shape, cut, lengthened, of another alphabet, with what JSON escapes.
HOSTILE = [
    *(
        UUID,
        SHA256,
        SECOND,
        "a" * 26,
        "0" * 32,
        "0" * 31,
        SHA256.upper(),
        SHA256[:-1],
        SHA256 + "0",
        f"{UUID}\n",
        f"\n{UUID}",
        "",
    ),
    *(UUID.replace("-", "_"), UUID[::-1], UUID[:-1], f"{UUID}\n{UUID}", f"{SHA256}\n{SHA256}", "h" * 64, "+79000000001"),
    *("anna@example.org", "Анна" * 16, "\ud800", '"', "%", "%s", "2026-13-45T25:61:61Z", SECOND[:-1], f"{SECOND}\n", "\0" * 64),
    *(SHA256[:-1] + last for last in "\u0661\0-\nGg\x80"),
    f"{SECOND[:-1]}.1Z",
]
some_values = st.sampled_from(HOSTILE) | st.text(max_size=70)


def refusal_of(fixed: Mapping[str, Any], holes: tuple[str, ...], rows: list[tuple[str, ...]]) -> str | None:
    try:
        for row in rows:
            plain(Event.LEAD_ADMITTED, fixed, dict(zip(holes, row, strict=True)))
    except AuditError as refused:
        return str(refused)
    return None


@given(some_holes.filter(bool), st.data())
def test_a_value_no_leaf_may_say_is_refused_in_the_same_words(holes: tuple[str, ...], data: st.DataObject) -> None:
    right = st.sampled_from([tuple(GOOD[shape_of(name)] for name in holes)])
    rows = data.draw(st.lists(right | st.tuples(*(some_values for _ in holes)), min_size=1, max_size=3))
    form, fixed = LeafForm(Event.LEAD_ADMITTED, {"brand": "s7"}, holes), {"brand": "s7"}
    refusal = refusal_of(fixed, holes, rows)
    if refusal is None:
        assert filled(form, *rows) == [plain(Event.LEAD_ADMITTED, fixed, dict(zip(holes, row, strict=True))) for row in rows]
        return
    with pytest.raises(AuditError) as caught:
        filled(form, *rows)
    assert str(caught.value) == refusal
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("name", sorted(EVERY_HOLE))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_wrong_value_among_right_ones_is_named(name: str, place: int) -> None:
    form = LeafForm(Event.LEAD_ADMITTED, {}, (name,))
    rows = [(GOOD[shape_of(name)],)] * 3
    rows[place] = ("+79000000001",)
    with pytest.raises(AuditError) as caught:
        filled(form, *rows)
    assert caught.value.field == name
    assert "7900" not in str(caught.value)


def test_the_leaves_of_a_batch_are_refused_however_often_they_are_asked_for() -> None:
    recorder = Recorder(at=AT)
    recorder.fill(LeafForm(Event.LEAD_ADMITTED, {}, ("lead_id",)), UUID, ("79000000001",))
    for _ in range(2):
        with pytest.raises(AuditError):
            _ = recorder.leaves


@pytest.mark.parametrize("values", [(None,), (7,), (b"x",), (UUID, UUID), (), ([UUID],)])
def test_what_is_no_string_for_each_hole_is_refused(values: Any) -> None:
    with pytest.raises(AuditError):
        filled(LeafForm(Event.LEAD_ADMITTED, {}, ("lead_id",)), values)


@pytest.mark.parametrize(
    ("fixed", "holes"),
    [
        ({"phone": "x"}, ()),
        ({"reason": "please call me back"}, ()),
        ({"brand": "%lead_id"}, ("lead_id",)),
        ({}, ("brand",)),
        ({}, ("fields",)),
        ({}, ("attempt",)),
        ({}, ("phone",)),
        ({}, ("at",)),
        ({}, ("lead_id", "lead_id")),
        ({}, ("person_id", "lead_id")),
        ({}, ("lead_id", "commitment")),
        ({}, ("lead_id", "delivery_id")),
        ({}, ("consent_sha256", "consent_id")),
        ({"commitment": SHA256}, ("commitment", "commitment")),
        ({"fields": ["x" * 64] * (MAX_LEAF // 64)}, ()),
    ],
)
def test_no_form_is_made_of_what_no_leaf_may_say_nor_with_holes_out_of_order(fixed: Any, holes: tuple[str, ...]) -> None:
    with pytest.raises(AuditError):
        LeafForm(Event.LEAD_ADMITTED, fixed, holes)


def test_no_shape_admits_what_marks_a_hole_or_what_json_escapes() -> None:
    for shape in (CODE, VERSION, FIELD, DIGEST, ID, MOMENT):
        for each in map(chr, range(0x180)):
            if each in '%"\\' or not each.isprintable():
                assert not any(
                    shape.fullmatch(f"{before}{each}{after}") for before in ("", "a", "a" * 40) for after in ("", "a")
                )


def test_the_time_of_a_form_is_in_utc() -> None:
    with pytest.raises(AuditError):
        moment(AT.replace(tzinfo=None))
