"""The compiled mapping against its words read one after the other, as ``docs/adding-a-destination.md`` explains them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integrations.mapping import KEY, compile_mapping

FIELDS = ("given_name", "phone", "text", "country")
OPTIONS = {"list": 17, "flag": False}
OUR_KEY = "mfzwizltoqqgc3tmmfzwizltoq"


def _field(name: str, fields: Mapping[str, str]) -> str | None:
    return OUR_KEY if name == KEY else fields.get(name) or None


def _said(node: Any, fields: Mapping[str, str]) -> Any:
    """What one value of the YAML amounts to, None for nothing."""
    if isinstance(node, list):
        return [value for each in node if (value := _said(each, fields)) is not None] or None
    if not {"from", "const", "format"} & node.keys():
        record = {name: value for name, each in node.items() if (value := _said(each, fields)) is not None}
        return record if any(not _constant(node[name]) for name in record) or all(map(_constant, node.values())) else None
    for name, wanted in node.get("when", {}).items():
        value = OUR_KEY if name == KEY and isinstance(wanted, bool) else fields.get(name)
        if bool(value) is not wanted if isinstance(wanted, bool) else value not in wanted:
            return None
    if "const" in node:
        found = node["const"]
    elif "format" in node:
        found = _formatted(node["format"], fields)
    else:
        name = node["from"]
        found = OPTIONS[name.removeprefix("options.")] if name.startswith("options.") else _field(name, fields)
    if "lookup" in node:
        found = node["lookup"].get(found)
    return node.get("default") if found is None else found


def _constant(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(_constant, node))
    return "const" in node or (not {"from", "format"} & node.keys() and all(map(_constant, node.values())))


def _formatted(template: str, fields: Mapping[str, str]) -> str | None:
    parts = list(Formatter().parse(template))
    values = {name: _field(name, fields) or "" for _, name, _, _ in parts if name}
    if not any(values.values()):
        return None
    text = "".join(text + values.get(name or "", "") for text, name, _, _ in parts)
    return text if all(values.values()) else re.sub(" {2,}", " ", text).strip()


WORDS = st.sampled_from(["", "RU", "KZ", " two  spaces ", "100 %s", "{phone}", "ё"])
SCALARS = st.one_of(WORDS, st.integers(-1, 2), st.booleans(), st.just(0.0))
NAMES = st.sampled_from([*FIELDS, KEY])
LITERALS = st.sampled_from(["", " ", "  ", "%", "%s", "{{", "}}", "a"])


@st.composite
def _templates(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(LITERALS, NAMES), min_size=1, max_size=3))
    return "".join(f"{text}{{{name}}}" for text, name in pairs) + draw(LITERALS)


ORIGINS = st.one_of(
    st.fixed_dictionaries({"from": st.one_of(NAMES, NAMES, st.sampled_from(["options.list", "options.flag"]))}),
    st.fixed_dictionaries({"const": SCALARS}),
    st.fixed_dictionaries({"format": _templates()}),
)
OTHERS = st.fixed_dictionaries(
    {},
    optional={
        "lookup": st.dictionaries(WORDS, SCALARS, min_size=1, max_size=3),
        "default": SCALARS,
        "when": st.dictionaries(NAMES, st.one_of(st.booleans(), st.lists(WORDS, min_size=1)), min_size=1, max_size=2),
    },
)
RULES = st.builds(lambda origin, others: {**origin, **others}, ORIGINS, st.one_of(st.just({}), OTHERS))
NODES = st.recursive(
    RULES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("xyz"), inner, min_size=1), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from("abcde"), NODES), st.lists(st.dictionaries(st.sampled_from(FIELDS), WORDS), max_size=4))
def test_a_compiled_mapping_says_what_its_words_say(mapping: dict[str, Any], people: list[dict[str, str]]) -> None:
    compiled = compile_mapping(mapping, disclosed=FIELDS, options=OPTIONS, place="x")
    for fields in people:
        expected = {target: value for target, node in mapping.items() if (value := _said(node, fields)) is not None}
        record = compiled.apply(OUR_KEY, fields)
        assert record == expected
        assert repr(record) == repr(expected), "the same order, and 1 is not true"
