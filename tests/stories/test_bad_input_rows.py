"""One bad row among good ones, in a file: it is put aside with its field and a hint, the good ones are called, nobody is named.

Everything goes through the inbox folder, as the moderation tool's export does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from integrations.testing.invented_leads import Invented
from schemas.vocabulary import Channel, SubmissionState
from tests.houses.house import document, renamed
from tests.stories.outside import Office, json_lines

Spoil = Callable[[Office, Invented], Invented | bytes]


def changed(**fields: Any) -> Spoil:
    return lambda _office, lead: document(lead, **fields)


def consent(**fields: Any) -> Spoil:
    return lambda _office, lead: document(lead, consent={**lead.document["consent"], **fields})


def given(**distance: float) -> Spoil:
    """Consent given so far from now."""

    def spoil(office: Office, lead: Invented) -> Invented:
        at = (office.clock.now + timedelta(**distance)).isoformat()
        return document(lead, consent={**lead.document["consent"], "given_at": at})

    return spoil


#: what -> (how it comes about, reason, field, a piece of the hint).
PUT_ASIDE: dict[str, tuple[Spoil, str, str | None, str]] = {
    "broken JSON": (lambda _, lead: lead.body[: len(lead.body) // 2], "unparsable", None, "not one JSON document"),
    "JSON, but a list": (lambda _, lead: b"[" + lead.body + b"]", "unparsable", None, "not a JSON object"),
    "JSON, but a word": (lambda _, lead: json.dumps(lead.document["phone"]).encode(), "unparsable", None, "not a JSON object"),
    "JSON nested without end": (lambda _, __: b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "unparsable", None, "not one JSON"),
    "bytes that are no UTF-8": (
        lambda _, lead: json.dumps(lead.document, ensure_ascii=False).encode("cp1251", "replace"),
        "unparsable",
        None,
        "bytes that are no text",
    ),
    "NUL bytes in the line": (lambda _, lead: lead.body.replace(b'"brand"', b'\x00"brand"'), "unparsable", None, "not one JSON"),
    "NUL in a name": (changed(given_name="Ник\x00то"), "invalid_field", "given_name", "control character"),
    "unknown brand": (changed(brand="trabant"), "unknown_brand", "brand", "not a brand"),
    "no brand": (changed(brand=""), "invalid_field", "brand", "required"),
    "unknown topic": (changed(topic={"code": "astrology", "fields": {}}), "unknown_topic", "topic.code", "not a topic"),
    "unknown notice": (consent(notice_id="hearsay"), "unknown_notice", "consent.notice_id", "no notice of that id"),
    "unknown version of a notice": (consent(notice_version="99"), "unknown_notice", "consent.notice_id", "version"),
    "unknown purpose": (
        consent(purposes=["callback", "astrology"]),
        "unknown_purpose",
        "consent.purposes[1]",
        "no purpose of this brand",
    ),
    "consent of tomorrow": (given(hours=24), "consent_in_future", "consent.given_at", "future"),
    "a moderator's clock six minutes ahead": (given(minutes=6), "consent_in_future", "consent.given_at", "future"),
    "consent before the notice existed": (given(days=-21), "consent_before_notice", "consent.given_at", "before the notice"),
    "another text than the notice's": (
        consent(text_sha256=sha256("Вам позвонят.".encode()).hexdigest()),
        "notice_text_mismatch",
        "consent.text_sha256",
        "not the text of this notice",
    ),
    "a digest that is none": (consent(text_sha256="beef"), "invalid_field", "consent.text_sha256", "64 hexadecimal"),
    "consent at no certain time": (consent(given_at="2026-05-20T10:00:00"), "invalid_field", "consent.given_at", "offset"),
    "a day that does not exist": (consent(given_at="2026-02-31T10:00:00Z"), "invalid_field", "consent.given_at", "RFC 3339"),
    "impossible phone": (changed(phone="+7 900 00"), "invalid_field", "phone", "digits"),
    "phone in words": (changed(phone="позвоните соседке"), "invalid_field", "phone", "phone number"),
    "phone with an extension": (changed(phone="+7 900 000-00-70 доб. 5"), "invalid_field", "phone", "extension"),
    "a number valid only abroad": (changed(phone="030 23125070"), "invalid_field", "phone", "country code"),
    "300 letters of a name": (changed(given_name="Ы" * 300), "invalid_field", "given_name", "longer"),
    "a megabyte of a name": (changed(family_name="Ъ" * 500_000), "invalid_field", "family_name", "longer"),
    "a name of emoji alone": (changed(given_name="🙂🙂"), "invalid_field", "given_name", "no letter"),
    "a name of punctuation": (changed(given_name="---"), "invalid_field", "given_name", "no letter"),
    "an e-mail that is none": (changed(email="nikto at example"), "invalid_field", "email", "e-mail"),
    "a key nobody knows": (changed(shoe_size="43"), "invalid_field", "shoe_size", "not a key"),
    "a person's value as a key": (lambda _, lead: document(lead, **{lead.document["phone"]: 1}), "invalid_field", "?", "not a key"),
    "a number where text belongs": (changed(text=5), "invalid_field", "text", "text"),
    "neither phone nor e-mail": (changed(phone="", email="", country="RU"), "no_way_to_reach", "phone", "neither"),
    "no country to be known": (changed(phone=""), "invalid_field", "country", "not known"),
    "a row of ten megabytes": (
        lambda _, lead: document(lead, text="Ж" * 5_000_000),
        "unparsable",
        None,
        "longer than one lead may be",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PUT_ASIDE)
def test_a_bad_row_is_put_aside_with_its_field_and_the_others_go_on(
    office: Office, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, reason, field, hint = PUT_ASIDE[what]
    first, last = office.invented.lead(1, brand="lada"), office.invented.lead(2, brand="lada")
    bad = office.russian(70)
    with caplog.at_level("DEBUG"):
        count = office.take("ночь.jsonl", json_lines(first, spoil(office, bad), last))
        assert (count.processed, count.rows, count.new) == (1, 3, 3)
        ((found,),) = office.findings()
        assert found[:2] == (reason, field)
        assert hint in found[2]
        listing = office.listing()
        assert reason in listing
        assert hint in listing
        assert f"{count.reports[0].ref}:2" in listing, "the row is named as the file counts it"
        balance = office.settled(good=2)
    assert (balance.received, balance.quarantined, dict(balance.reasons)) == (3, 1, {reason: 1})
    office.names_nobody(first, bad, last, log=caplog.records)
