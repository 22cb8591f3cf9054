"""Both ways of reading a document answer the same, whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, fields

from schemas.fields.base import Word
from schemas.lead import Lead
from schemas.lead_reader import LeadReader, _Compiled
from schemas.verdict import Finding
from schemas.vocabulary import Language, Reason
from tests.schemas.documents import VALUES, brand, document, documents

POLICIES = {"lada": brand(), "abroad": brand("abroad", default_region=None)}
FAST = LeadReader(POLICIES)
PLAIN = LeadReader(POLICIES, fast=False)


def both(made: object) -> Lead | tuple[Finding, ...]:
    fast, plain = FAST.read(made), PLAIN.read(made)
    assert fast == plain
    if isinstance(fast, Lead) and isinstance(plain, Lead):
        # The order of the fields is the order of the sealed document.
        assert list(fast.fields.reveal()) == list(plain.fields.reveal())
    return fast


@settings(max_examples=600, deadline=None)
@given(documents())
def test_fast_and_plain_agree(made: dict[str, Any]) -> None:
    both(made)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_no_finding_carries_a_value(made: dict[str, Any]) -> None:
    made["given_name"] = "Пробная\x00Канарейка"
    made["phone"] = "+7 (900) 000-99-77 ext 1"
    made["Канарейка"] = "Канарейка"
    found = both(made)
    assert not isinstance(found, Lead)
    said = repr(found)
    assert "Канарейка" not in said
    assert "99-77" not in said


@settings(max_examples=200, deadline=None)
@given(documents())
def test_what_was_read_reads_again_to_the_same(made: dict[str, Any]) -> None:
    lead = both(made)
    if not isinstance(lead, Lead):
        return
    values = dict(lead.fields.reveal())
    topic = {name: values.pop(name) for name in ("car_model", "dealer") if name in values}
    if "message_ids" in values:
        values["message_ids"] = values["message_ids"].split(" ")  # type: ignore[assignment] # back to the document's shape
    if "user" in values:
        values["user"] = values["user"].removeprefix(f"{lead.channel}:")
    again = {
        **values,
        "brand": lead.brand,
        "channel": lead.channel.value,
        "language": lead.language.value,
        "country": None if lead.country == "ZZ" else lead.country,
        "topic": {"code": lead.topic, "fields": topic},
        "consent": {
            "purposes": list(lead.consent.purposes),
            "notice_id": lead.consent.notice_id,
            "notice_version": lead.consent.notice_version,
            "notice_language": lead.consent.notice_language.value,
            "text_sha256": lead.consent.text_sha256,
            "given_at": lead.consent.given_at.isoformat(),
            "indication": lead.consent.indication.value,
            "evidence": list(lead.consent.evidence),
        },
    }
    assert both(again) == lead


@settings(max_examples=150, deadline=None)
@given(st.recursive(VALUES, lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5))
def test_no_value_whatever_raises(value: object) -> None:
    both(value)
    both({"brand": value})
    both({"brand": "lada", "consent": value, "topic": value})


@settings(max_examples=100, deadline=None)
@given(documents())
def test_every_lead_can_be_written_as_utf8_json(made: dict[str, Any]) -> None:
    lead = both(made)
    if isinstance(lead, Lead):
        json.dumps(dict(lead.fields.reveal()), ensure_ascii=False).encode()


def test_a_mapping_that_is_no_dict_is_read_by_marshmallow() -> None:
    class Row(dict[str, Any]):
        pass

    assert isinstance(both(Row(document())), Lead)


@pytest.mark.parametrize(
    ("made", "reason", "field"),
    [
        ({}, Reason.INVALID_FIELD, "brand"),
        ({"brand": "skoda"}, Reason.UNKNOWN_BRAND, "brand"),
        ({"brand": ["lada"]}, Reason.UNKNOWN_BRAND, "brand"),
        ([], Reason.INVALID_FIELD, None),
        (None, Reason.INVALID_FIELD, None),
    ],
)
def test_documents_of_no_brand(made: object, reason: Reason, field: str | None) -> None:
    found = both(made)
    assert isinstance(found, tuple)
    assert [(one.reason, one.field) for one in found] == [(reason, field)]


def test_a_schema_it_does_not_understand_is_refused() -> None:
    class Foreign(Schema):
        anything = fields.String()

    class Renamed(Schema):
        language = Word(Language)

        def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
            field_obj.data_key = f"{field_name}_key"

    for schema in (Foreign(), Renamed()):
        with pytest.raises(TypeError):
            _Compiled(schema, lambda values: values)


def test_every_brand_has_its_own_region() -> None:
    assert isinstance(both(document(brand="lada")), Lead)
    found = both(document(brand="abroad"))
    assert isinstance(found, tuple)
    assert found[0].field == "phone"
    assert "default country" in found[0].hint


def test_the_reader_takes_any_mapping() -> None:
    made: Mapping[str, Any] = document()
    assert isinstance(FAST.read(made), Lead)
