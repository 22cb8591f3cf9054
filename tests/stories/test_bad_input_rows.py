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
from schemas import words
from schemas.vocabulary import Channel, Language, SubmissionState
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
    "NUL bytes": (lambda _, lead: lead.body.replace(b'"brand"', b'\x00"brand"'), "unparsable", None, "not one JSON"),
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
    "a phone for a key": (
        lambda _, lead: document(lead, **{lead.document["phone"]: 1}), "invalid_field", "?", "not a key"
    ),
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
        russian = words.hint(found[2], Language.RU)
        assert russian != found[2], "every hint is said in Russian, too"
        assert russian in office.listing(language="ru")
        balance = office.settled(good=2)
    assert (balance.received, balance.quarantined, dict(balance.reasons)) == (3, 1, {reason: 1})
    office.names_nobody(first, bad, last, log=caplog.records)


#: what -> (how it comes about, reason, a piece of the hint): valid, and not to be used.
REFUSED: dict[str, tuple[Spoil, str, str]] = {
    "no purpose agreed to": (lambda _, lead: document(lead, consent={**lead.document["consent"], "purposes": ["survey"]}),
        "no_destination", "destination"),
    "a purpose the notice does not name": (
        lambda _, lead: document(
            lead,
            consent={
                **lead.document["consent"],
                "notice_id": "form",
                "notice_version": "1",
                "notice_language": "ru",
                "text_sha256": "8605fd7fe489aa3a20afb2a3b5c118ca86b076f289fd74fd7fb1e2c4aeb3dd16",
                "purposes": ["crm_followup"],
            },
        ),
        "no_consent",
        "does not name this purpose",
    ),
    "a number of a country that is not served": (changed(phone="+49 30 23125070"), "country_not_served", "does not serve"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_must_not_be_used_is_refused_and_listed_with_its_reason(
    office: Office, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, reason, hint = REFUSED[what]
    first, last, bad = office.invented.lead(1, brand="lada"), office.invented.lead(2, brand="lada"), office.russian(70)
    with caplog.at_level("DEBUG"):
        office.take("ночь.jsonl", json_lines(first, spoil(office, bad), last))
        ((found,),) = office.findings(SubmissionState.REFUSED)
        assert found[0] == reason
        assert hint in found[2]
        assert hint in office.listing(SubmissionState.REFUSED)
        assert words.hint(found[2], Language.RU) in office.listing(SubmissionState.REFUSED, language="ru")
        assert hint not in office.listing()
        balance = office.settled(good=2)
    assert (balance.received, balance.refused, dict(balance.reasons)) == (3, 1, {reason: 1})
    office.names_nobody(first, bad, last, log=caplog.records)


RTL = "\u202eמִרְיָם \u2066لا أحد\u2069"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
#: what -> (how it comes about, field at the call center, what stands there): odd, and good.
KEPT: dict[str, tuple[Spoil, str, str]] = {
    "a name from right to left": (changed(given_name=RTL), "givenName", "מִרְיָם لا أحد"),
    "a name with an emoji": (changed(given_name="Никто 🙂"), "givenName", "Никто 🙂"),
    "a name in two pieces of one letter": (changed(given_name="Й".encode().decode() + "и\u0306"), "givenName", "Йй"),
    "no name at all": (changed(given_name="", family_name=None), "language", "ru"),
    "a number of another country": (changed(phone="+7 700 000-00-70", country="RU"), "country", "KZ"),
    "a number as a number": (changed(phone=79000000070), "phone", "+79000000070"),
    "NUL, a bell and half a letter in the free text": (changed(text="Алло\x00\x07 \ud83d ок"), "language", "ru"),
    "emoji and both directions in the free text": (changed(text=f"{FAMILY} {RTL} zvonite"), "language", "ru"),
    "a moderator's clock four minutes ahead": (given(minutes=4), "language", "ru"),
}


@pytest.mark.parametrize("what", KEPT)
def test_what_is_only_odd_arrives(office: Office, what: str, caplog: pytest.LogCaptureFixture) -> None:
    spoil, field, value = KEPT[what]
    odd = spoil(office, office.russian(70))
    assert isinstance(odd, Invented)
    body = json.dumps(odd.document).encode()  # escapes carry half a surrogate pair, UTF-8 cannot
    with caplog.at_level("DEBUG"):
        office.take("ночь.jsonl", json_lines(office.invented.lead(1, brand="lada"), body))
        office.settled(good=2)
    held = [record["fields"] for record in office.world("lada_calls").records()]
    assert value in [record.get(field) for record in held]
    also = [text for text in (odd.document["given_name"], "zvonite") if text]
    office.names_nobody(office.invented.lead(70, brand="lada"), also=also, log=caplog.records)


# -- the same again --------------------------------------------------------------------------------------------------------


def test_duplicate_rows_are_one_call(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    lead = office.invented.lead(1, brand="s7")
    with caplog.at_level("DEBUG"):
        count = office.take("twice.jsonl", json_lines(lead, lead, office.invented.lead(2, brand="lada"), lead))
        assert (count.new, count.repeated) == (4, 0), "a row is an event; that two rows are one request is the gate's word"
        for ((reason, _, hint),) in office.findings(SubmissionState.REFUSED):
            assert reason == "duplicate"
            (lead_id,) = office.rows("select lead_id from lead where brand = 's7'")[0]
            assert hint.endswith(lead_id), "the officer is told which lead it is"
        balance = office.settled(good=2)
    assert (balance.refused, dict(balance.reasons)) == (2, {"duplicate": 2})
    office.names_nobody(lead, log=caplog.records)


def test_the_same_lead_from_two_channels_is_one_call(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    leads = (office.invented.lead(number, brand="lada") for number in range(1, 50))
    lead = next(each for each in leads if each.document["channel"] == "vk")
    again = office.invented.again(lead, channel=Channel.INSTAGRAM)
    with caplog.at_level("DEBUG"):
        office.take("vk.jsonl", json_lines(lead))
        office.receive(again, office.invented.lead(60, brand="lada"))  # and over the webhook
        office.house.admit()
        ((found,),) = office.findings(SubmissionState.REFUSED)
        assert found[0] == "duplicate"
        balance = office.settled(good=2)
    assert dict(balance.reasons) == {"duplicate": 1}
    office.names_nobody(lead, again, log=caplog.records)


def test_the_same_file_under_another_name_changes_nothing(office: Office) -> None:
    content = json_lines(*(office.invented.lead(number, brand="lada") for number in (1, 2)))
    office.take("a.jsonl", content)
    again = office.take("b.jsonl", content)
    assert (again.processed, again.new, again.repeated) == (1, 0, 2)
    assert office.settled(good=2).received == 2


def test_a_mended_row_is_taken_from_the_mended_file(office: Office) -> None:
    """Only the bad row was put aside; the whole file is dropped again with it mended, and nobody is called twice."""
    good, bad = office.invented.lead(1, brand="lada"), office.invented.lead(70, brand="lada")
    office.take("night.jsonl", json_lines(good, document(bad, phone="+7 900 00")))
    office.take("night-2.jsonl", json_lines(good, bad))
    balance = office.settled(good=2)
    assert dict(balance.reasons) == {"invalid_field": 1, "duplicate": 1}


def test_a_submission_that_waits_for_our_own_mistake_goes_back_to_the_gate(office: Office) -> None:
    """A notice that was not configured yet: the operator adds it and says readmit; nobody has to send anything again."""
    bad = renamed(office.invented.lead(70, brand="lada"), "n", consent=dict(office.invented.lead(70).document["consent"]))
    office.take("n.jsonl", json_lines(document(bad, consent={**bad.document["consent"], "notice_version": "3"})))
    assert office.findings()[0][0][0] == "unknown_notice"
    text = office.settings.path.read_text(encoding="utf-8")
    mended = text.replace('version: "2"\n        language: ru', 'version: "3"\n        language: ru')
    mended = mended.replace('version: "2"\n        language: en', 'version: "3"\n        language: en')
    office.settings.path.write_text(mended, encoding="utf-8")
    told = office.command("readmit", "--reason", "unknown_notice", "--yes")
    assert (told.code, told.out.strip()) == (0, "1 back before the gate"), told.err
    told = office.command("admit")
    assert "admitted 1" in told.out
    office.names_nobody(bad)
