"""Six words, each with what it does and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from integrations.mapping import Mapper, compile_mapping
from schemas.errors import ConfigurationError

DISCLOSED = ("given_name", "family_name", "phone", "language", "country", "text", "topic")
OPTIONS = {"list": 17, "flag": True, "deep": {"no": "scalar"}}
KEY = "mfzwizltoqqgc3tmmfzwizltoq"


def mapper(text: str) -> Mapper:
    return compile_mapping(yaml.safe_load(text), disclosed=DISCLOSED, options=OPTIONS, place="crm/connector.yaml: mapping")


def mapped(text: str, /, **fields: str) -> dict[str, Any]:
    return mapper(text).apply(KEY, fields)


def test_from() -> None:
    assert mapped("{a: {from: phone}, id: {from: key}}", phone="+79000000001") == {"a": "+79000000001", "id": KEY}


def test_what_is_not_there_is_left_out() -> None:
    assert mapped("{a: {from: phone}, b: {from: given_name}}", phone="") == {}


def test_from_options_is_a_constant_of_the_destination() -> None:
    assert mapped("{list_id: {from: options.list}, flag: {from: options.flag}}") == {"list_id": 17, "flag": True}


def test_const() -> None:
    assert mapped("{a: {const: x}, b: {const: 7}, c: {const: true}, d: {const: 1.5}}") == {
        "a": "x",
        "b": 7,
        "c": True,
        "d": 1.5,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"given_name": "Анна", "family_name": "Примерова"}, {"name": "Анна Примерова: тема"}),
        ({"given_name": "Анна"}, {"name": "Анна : тема"}),
        ({"family_name": "Примерова"}, {"name": "Примерова: тема"}),
        ({}, {}),
    ],
)
def test_format_closes_the_gap_of_what_is_missing(fields: Mapping[str, str], expected: dict[str, Any]) -> None:
    assert mapped("{name: {format: '{given_name} {family_name}: тема'}}", **fields) == expected


def test_format_leaves_a_persons_spaces_alone() -> None:
    assert mapped("{a: {format: '<{text}>'}}", text="  two  spaces  ") == {"a": "<  two  spaces  >"}


def test_braces_in_a_value_stay_braces() -> None:
    assert mapped("{a: {format: '{text} {phone}'}}", text="{phone} {0.__class__}", phone="1") == {
        "a": "{phone} {0.__class__} 1"
    }


def test_lookup() -> None:
    table = "{lang: {from: language, lookup: {ru: 1, en: 2}}}"
    assert mapped(table, language="ru") == {"lang": 1}
    assert mapped(table, language="de") == {}
    assert mapped("{lang: {from: language, lookup: {ru: 1}, default: 0}}", language="de") == {"lang": 0}


def test_when() -> None:
    assert mapped("{a: {from: phone, when: {language: ru}}}", phone="1", language="ru") == {"a": "1"}
    assert mapped("{a: {from: phone, when: {language: [en, ru]}}}", phone="1", language="ru") == {"a": "1"}
    assert mapped("{a: {from: phone, when: {language: en}}}", phone="1", language="ru") == {}
    assert mapped("{a: {from: phone, when: {language: ru, topic: x}}}", phone="1", language="ru") == {}
    assert mapped("{a: {const: 1, when: {phone: true}}}", phone="1") == {"a": 1}
    assert mapped("{a: {const: 1, when: {phone: false}}}", phone="1") == {}
    assert mapped("{a: {const: 1, when: {phone: false}}}") == {"a": 1}


def test_default_does_not_overrule_when() -> None:
    assert mapped("{a: {from: phone, default: '-', when: {language: en}}}") == {}
    assert mapped("{a: {from: phone, default: '-'}}") == {"a": "-"}


def test_objects_and_lists() -> None:
    text = "{fm: [{typeId: {const: PHONE}, value: {from: phone}}], home: {city: {from: text}, kind: {const: 1}}}"
    assert mapped(text, phone="1") == {"fm": [{"typeId": "PHONE", "value": "1"}]}
    assert mapped(text) == {}
    assert mapped("{meta: {a: {const: 1}, b: {const: 2}}}") == {"meta": {"a": 1, "b": 2}}


def test_order_is_the_yamls() -> None:
    assert list(mapped("{z: {const: 1}, a: {const: 2}, m: {const: 3}}")) == ["z", "a", "m"]


def test_a_refusal_of_the_vendors_is_told_in_our_name() -> None:
    made = mapper("{Phone__c: {from: phone}, home: {name: {format: '{given_name} {family_name}'}}, x: {const: 1}}")
    assert made.our_name("Phone__c") == "phone"
    assert made.our_name("home.name") == "given_name"
    assert made.our_name("x") is None
    assert made.our_name("unheard of") is None
    assert made.our_name(None) is None
    assert made.used == {"phone", "given_name", "family_name"}


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("{a: {from: email}}", "mapping.a.from", "does not disclose the field 'email'"),
        ("{a: {from: 7}}", "mapping.a.from", "name of one of our fields"),
        ("{a: {from: phone, upper: true}}", "mapping.a", "unknown word 'upper'"),
        ("{a: {from: phone, const: 1}}", "mapping.a", "exactly one"),
        ("{a: {default: x}}", "mapping.a", "needs one of from, const, format"),
        ("{a: phone}", "mapping.a", "a rule"),
        ("{a: {}}", "mapping.a", "a rule"),
        ("{a: null}", "mapping.a", "a rule"),
        ("{a: {b: {c: 1}}}", "mapping.a.b.c", "a rule"),
        ("{a: [1]}", "mapping.a[0]", "a rule"),
        ("{a: {const: [1]}}", "mapping.a.const", "single value"),
        ("{a: {const: null}}", "mapping.a.const", "single value"),
        ("{a: {from: options.campaign}}", "mapping.a.from", "no option 'campaign'"),
        ("{a: {from: options.deep}}", "mapping.a.from", "single value"),
        ("{a: {format: 7}}", "mapping.a.format", "a text"),
        ("{a: {format: 'plain'}}", "mapping.a.format", "is a const"),
        ("{a: {format: '{phone'}}", "mapping.a.format", "braces"),
        ("{a: {format: '{phone!r}'}}", "mapping.a.format", "nothing after the name"),
        ("{a: {format: '{phone:>9}'}}", "mapping.a.format", "nothing after the name"),
        ("{a: {format: '{phone.__class__}'}}", "mapping.a.format", "does not disclose"),
        ("{a: {format: '{}'}}", "mapping.a.format", "name of one of our fields"),
        ("{a: {from: country, lookup: {NO: 1}}}", "mapping.a.lookup", "NO is Norway"),
        ("{a: {from: country, lookup: []}}", "mapping.a.lookup", "a table"),
        ("{a: {from: country, lookup: {}}}", "mapping.a.lookup", "a table"),
        ("{a: {from: country, when: phone}}", "mapping.a.when", "conditions"),
        ("{a: {from: country, when: {email: x}}}", "mapping.a.when", "does not disclose"),
        ("{a: {from: country, when: {phone: [yes]}}}", "mapping.a.when.phone", "NO is Norway"),
        ("{a: {from: country, default: {}}}", "mapping.a.default", "single value"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mapper(text)
    assert caught.value.field == f"crm/connector.yaml: {place}"
    assert says in caught.value.message


@given(st.dictionaries(st.sampled_from(DISCLOSED), st.text(max_size=40)))
def test_no_value_breaks_a_mapping(fields: dict[str, str]) -> None:
    text = (
        "{a: {from: text}, b: {format: '{given_name}-{phone}'}, c: {from: language, lookup: {ru: 1}, default: 2}, "
        "d: {x: {from: topic}, y: [{from: text, when: {phone: true}}]}}"
    )
    record = mapped(text, **fields)
    assert record["c"] == (1 if fields.get("language") == "ru" else 2)
    assert record.get("a", "") == fields.get("text", "")
