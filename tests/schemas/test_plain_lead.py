"""What is taken at a glance is what the fields' own rules answer; everything else goes the long way."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.fields import text
from schemas.fields.text import LINE_LIMIT, NAME_LIMIT, Identifier, Line, Name, plain_identifiers, plain_lines
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.lead_schema import LeadSchema
from schemas.plain_lead import _REMEMBERED, PlainLeads
from tests.schemas.documents import NASTY_TEXTS, VALUES, brand, consent, document

POLICIES = {"lada": brand()}
FAST = LeadReader(POLICIES)
PLAIN = LeadReader(POLICIES, fast=False)
GLANCE = PlainLeads(LeadSchema(brand()))

#: Characters at which a rule for lines may fail: composing, invisible, white, control, halves of pairs, beyond the BMP.
TROUBLE = (
    "aZйЙёяİßﬁ가ᄀ-'.1 \u0301\u0308\u0306\u093c\u05b7\u00a0\u2003\u3000\t\n\x0b\x00\x1c\x7f\x85"
    "\u200b\u200d\u200e\u202e\ufeff\u00ad\ud83d\U0001f697\u2028"
)
LINES = st.lists(st.text(alphabet=TROUBLE, max_size=5) | st.text(max_size=5), min_size=1, max_size=4)


def read_or_refused(field: Any, value: str) -> str | None:
    try:
        answer: str | None = field.read(value)
    except ValidationError:
        return None
    return answer


@settings(max_examples=1500, deadline=None)
@given(LINES, st.integers(0, 4))
@example(["a", ""], 0)
@example(["", "a"], 0)
@example([""], 0)
@example(["a ", "b"], 0)
@example(["a", " b"], 0)
@example([" a"], 0)
@example(["e", "\u0301"], 0)
@example(["1", "a"], 1)
def test_lines_that_are_plain_together_are_plain_each(values: list[str], names: int) -> None:
    if plain_lines(values, NAME_LIMIT, names):
        assert [Line(limit=NAME_LIMIT).read(value) for value in values] == values
        assert [Name().read(value) for value in values[:names]] == values[:names]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.text(alphabet="ab 1_~\x7f\n\x00é\u00a0", max_size=4) | st.text(max_size=4), min_size=1, max_size=4))
@example(["", "a b"])
@example(["a ", "", "b"])
@example([""])
def test_identifiers_that_are_plain_together_are_plain_each(values: list[str]) -> None:
    plain = plain_identifiers(values)
    if plain:
        assert [Identifier().read(value) for value in values] == values
    else:
        assert [read_or_refused(Identifier(), value) for value in values] != values


@pytest.mark.parametrize("length", [NAME_LIMIT, NAME_LIMIT + 1, LINE_LIMIT])
def test_no_line_of_many_is_longer_than_the_shortest_may_be(length: int) -> None:
    assert plain_lines(["a" * length, "b" * NAME_LIMIT], NAME_LIMIT, 0) is (length == NAME_LIMIT)
    assert not plain_identifiers(["a" * (text.IDENTIFIER_LIMIT + 1)])


def test_of_what_a_line_may_not_hold_nothing_is_printable() -> None:
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        if character.isprintable() and character != " ":
            assert not character.isspace(), hex(point)
            assert not text._CONTROL.search(character), hex(point)
            assert not text._INVISIBLE.search(character), hex(point)
            assert not text._TEXT_TO_CLEAN.search(character), hex(point)
            assert unicodedata.normalize("NFC", f" {character}")[0] == " ", hex(point)


def agree(made: dict[str, Any]) -> None:
    """All ways of reading answer the same, the order of the sealed fields included."""
    plain = PLAIN.read(made)
    assert FAST.read(made) == plain
    seen = GLANCE.read(made) if made.get("brand") == "lada" else None
    if seen is not None:
        assert isinstance(plain, Lead)
        assert seen == plain
        assert list(seen.fields.reveal()) == list(plain.fields.reveal())
        assert type(seen.channel) is type(plain.channel)
        assert all(type(value) is str for value in seen.fields.reveal().values())


#: One value is changed at a time, so that a glance at all the others never hides what it makes of this one.
PLACES = [
    *((name,) for name in document()),
    *(("consent", name) for name in consent()),
    ("topic", "code"),
    ("topic", "fields"),
    ("topic", "fields", "car_model"),
    ("topic", "fields", "dealer"),
    ("topic", "fields", "colour"),
    ("topic", "more"),
    ("consent", "more"),
    ("more",),
    ("message_ids", 0),
    ("consent", "purposes", 0),
    ("consent", "evidence", 0),
]
WORDS = st.sampled_from(
    ["VK", "vk ", "facebook", "RU", "En", "lead", "LEAD", "2", "3", 3, 1, True, 1.0, "1", "callback ", "form_checkbox"]
)


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = document(user="900100")
    within: Any = made
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    return made


@pytest.mark.parametrize("place", PLACES)
def test_every_place_with_every_nasty_value(place: tuple[Any, ...]) -> None:
    for value in (*NASTY_TEXTS, None, True, 0, 1, 2.5, [], {}, [None], [[]], ["a", "b"], ["a", "a"], {"a": "b"}, (), ("a",)):
        agree(changed(place, value))


@settings(max_examples=2000, deadline=None)
@given(st.sampled_from(PLACES), VALUES | WORDS | st.text(alphabet=TROUBLE, max_size=6) | st.lists(WORDS, max_size=3))
@example(("message_ids",), "101")
@example(("message_ids",), {"101": 1})
@example(("message_ids",), ["101"] * 2)
@example(("message_ids",), [str(number) for number in range(101)])
@example(("consent", "purposes"), "callback")
@example(("consent", "purposes"), ["callback", "callback"])
@example(("consent", "purposes"), [str(number) for number in range(21)])
@example(("consent", "evidence"), "cd" * 32)
@example(("consent", "evidence"), {0: "cd" * 32})
@example(("consent", "evidence"), ["cd" * 32, "cd" * 32])
@example(("consent", "evidence"), [f"{number:064x}" for number in range(21)])
@example(("consent", "given_at"), "2026-W47-5T10:00:00Z")
@example(("consent", "given_at"), "2026-11-20T24:00:00Z")
@example(("consent", "given_at"), "٢026-11-20T10:00:00Z")
@example(("consent", "given_at"), "2026-11-20t10:00:00.123456789z")
@example(("consent", "notice_version"), [True])
@example(("consent", "notice_version"), 2)
@example(("topic", "fields"), {"dealer": "a", "car_model": "b"})
@example(("topic", "fields"), {"dealer": "a"})
@example(("topic", "fields"), ["car_model", "dealer"])
@example(("topic", "fields"), "car_model")
@example(("permalink",), "https://vk.com/" + "a" * 2048)
@example(("moderator",), "m" * 101)
@example(("thread_id",), "t" * 199)
@example(("given_name",), "'Анна")
@example(("given_name",), "١٢")
def test_one_value_changed(place: tuple[Any, ...], value: Any) -> None:
    agree(changed(place, value))


@settings(max_examples=600, deadline=None)
@given(st.permutations(list(document())), st.sets(st.sampled_from(list(document()))))
def test_any_order_and_any_choice_of_keys(order: list[str], gone: set[str]) -> None:
    made = document()
    agree({name: made[name] for name in order if name not in gone})
    agree({name: None if name in gone else made[name] for name in order})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"city": ...},
        {"city": None, "region": None},
        {"user": 900100},
        {"thread_id": 10**39, "user": None},
        {"given_name": "Анна-Мария"},
        {"text": "a\nb"},
        {"phone": "+375 29 100-00-00"},
    ],
)
def test_the_usual_documents_are_taken_at_a_glance(changes: dict[str, Any]) -> None:
    assert GLANCE.read(document(**{"user": "900100"} | changes)) is not None


def test_a_null_hides_no_unknown_key_and_no_missing_one() -> None:
    for changes in ({"more": None}, {"more": None, "city": None}, {"topic": None}, {"consent": None}, {"language": None}):
        made = document(**{"user": "900100"} | changes)
        assert GLANCE.read(made) is None
        agree(made)


def test_whole_numbers_are_identifiers_within_bounds() -> None:
    for number in (0, 1, -1, 10**40 - 1, 10**40, True, False, 1.0):
        for name in ("user", "thread_id", "account"):
            agree(document(**{"user": "900100", name: number}))


def test_a_kind_of_field_it_does_not_know_is_refused() -> None:
    class Wider(LeadSchema):
        note = text.FreeText()

    with pytest.raises(TypeError, match="note"):
        PlainLeads(Wider(brand()))


def test_memories_are_bounded_and_hold_no_person() -> None:
    glance = PlainLeads(LeadSchema(brand()))
    for number in range(3 * _REMEMBERED):
        made = document(user=f"u{number}", script_version=f"v{number}", consent=consent(notice_version=str(number)))
        names = list(made)
        names.insert(number % 20, names.pop(number % len(names)))
        assert glance.read({name: made[name] for name in names}) is not None
    shapes = glance._shapes
    assert len(shapes) <= _REMEMBERED
    assert all(len(shape.met) <= _REMEMBERED for shape in shapes.values())
    assert len(glance._claims) <= _REMEMBERED
    held = repr((shapes, glance._claims, glance._topics_met))
    for word in ("Анна", "Пробная", "900100", "0000001", "example.org", "Тольятти", "lada_primer", "mod-7", "Vesta", "звоните"):
        assert word not in held
