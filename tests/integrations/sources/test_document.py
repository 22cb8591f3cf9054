"""A document of the moderation tool: what becomes a lead, a withdrawal, or a named refusal; and nothing raises."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.sources.document import HINTS, UNREADABLE, DocumentRules, Problem, parse_document, parse_submission
from schemas.personal import Personal
from schemas.submission import LeadDocument, Submission, Unparsable, Withdrawal
from schemas.vocabulary import Reason

ANY_BRAND = DocumentRules(regions={"lada": "RU"})


def parse(document: object, rules: DocumentRules = ANY_BRAND) -> object:
    return parse_document(json.dumps(document).encode(), rules)


def test_a_lead_is_handed_on_as_it_is() -> None:
    document = {"kind": "lead", "brand": "lada", "phone": "whatever was typed", "consent": {"purposes": ["callback"]}}
    parsed = parse(document)
    assert isinstance(parsed, LeadDocument)
    assert parsed.data.reveal() == document


def test_without_a_kind_it_is_a_lead() -> None:
    parsed = parse({"brand": "lada"})
    assert isinstance(parsed, LeadDocument)
    assert parsed.data.reveal()["kind"] == "lead"


def test_a_source_of_one_brand_fills_it_in_and_refuses_another() -> None:
    rules = DocumentRules(brand="lada")
    filled = parse({"kind": "lead"}, rules)
    assert isinstance(filled, LeadDocument)
    assert filled.data.reveal()["brand"] == "lada"
    other = parse({"kind": "lead", "brand": "aerosky"}, rules)
    assert isinstance(other, Unparsable)
    assert (other.reason, other.field) == (Reason.INVALID_FIELD, "brand")


@pytest.mark.parametrize("written", ["8 (900) 000-00-01", "+7 900 000 00 01", "79000000001", 79000000001])
def test_a_withdrawal_is_found_however_the_phone_was_typed(written: object) -> None:
    parsed = parse({"kind": "withdrawal", "brand": "lada", "phone": written})
    assert isinstance(parsed, Withdrawal)
    assert parsed.phone == Personal("+79000000001")
    assert parsed.purposes == ()


def test_a_withdrawal_by_address_and_by_user() -> None:
    parsed = parse(
        {
            "kind": "withdrawal",
            "brand": "lada",
            "email": "Maria.Orlova@Example.ORG",
            "user": 1001,
            "channel": "VK",
            "purposes": ["callback"],
        }
    )
    assert isinstance(parsed, Withdrawal)
    assert parsed.email == Personal("maria.orlova@example.org")
    assert parsed.user == Personal("vk:1001")
    assert parsed.purposes == ("callback",)


@pytest.mark.parametrize("written", ["1001", "vk:1001", " vk:1001"])
def test_a_user_is_the_same_with_and_without_its_channel(written: str) -> None:
    lead = parse({"kind": "lead", "brand": "lada", "channel": "VK", "user": written})
    assert isinstance(lead, LeadDocument)
    assert lead.data.reveal()["user"] == "1001"
    withdrawal = parse({"kind": "withdrawal", "brand": "lada", "channel": "vk", "user": written})
    assert isinstance(withdrawal, Withdrawal)
    assert withdrawal.user == Personal("vk:1001")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"phone": "900 000-00-01", "brand": "aerosky"}, "phone"),  # no country and no default region
        ({"phone": "12"}, "phone"),
        ({"phone": ["+79000000001"]}, "phone"),
        ({"email": "maria at example.org"}, "email"),
        ({"user": "1001"}, "channel"),
        ({"user": "1001", "channel": "telegraph"}, "channel"),
        ({"user": "a b", "channel": "vk"}, "user"),
        ({"user": {"id": 5}, "channel": "vk"}, "user"),
        ({"phone": "+79000000001", "purposes": "callback"}, "purposes"),
        ({"phone": "+79000000001", "purposes": [{"a": 1}]}, "purposes"),
        ({"phone": "+79000000001", "brand": ""}, "brand"),
        ({"phone": "+79000000001", "brand": 5}, "brand"),
        ({}, "phone"),
        ({"phone": "", "email": None, "user": ""}, "phone"),
    ],
)
def test_a_withdrawal_that_cannot_be_looked_up_names_the_field(document: dict[str, object], field: str) -> None:
    parsed = parse({"kind": "withdrawal", "brand": "lada"} | document)
    assert isinstance(parsed, Unparsable)
    assert (parsed.reason, parsed.field) == (Reason.INVALID_FIELD, field)
    for value in document.values():
        if isinstance(value, str) and len(value) > 2:
            assert value not in parsed.hint


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{\x00}\x00", '{"имя": "Мария"}'.encode("cp1251")]
)
def test_what_is_no_object_is_unparsable(body: bytes) -> None:
    assert isinstance(parse_document(body, ANY_BRAND), Unparsable)


def test_an_unknown_kind_is_named() -> None:
    parsed = parse({"kind": "order", "brand": "lada"})
    assert isinstance(parsed, Unparsable)
    assert parsed.field == "kind"


@pytest.mark.parametrize("problem", HINTS)
def test_a_stored_row_that_was_unreadable_explains_itself(problem: str) -> None:
    body = msgspec.json.encode(Problem(problem=problem, row=17, field="phone", head="Мария;+79000000001"))
    parsed = parse_submission(Submission(source="s", event_id="e", media_type=UNREADABLE, body=Personal(body)), ANY_BRAND)
    assert isinstance(parsed, Unparsable)
    assert parsed.field == "phone"
    assert parsed.hint.startswith("row 17: ")
    assert "Мария" not in parsed.hint


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    parse_document(body, ANY_BRAND)
    parse_submission(Submission(source="s", event_id="e", media_type=UNREADABLE, body=Personal(body)), ANY_BRAND)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {"kind": st.just("withdrawal")},
        optional=dict.fromkeys(("brand", "phone", "email", "user", "channel", "purposes"), JSON),
    )
)
def test_no_withdrawal_makes_it_raise(document: dict[str, object]) -> None:
    parse(document)


def test_deep_nesting_is_unparsable() -> None:
    assert isinstance(parse_document(b"[" * 100_000, ANY_BRAND), Unparsable)
