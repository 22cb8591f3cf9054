"""What a lead document may hold, case by case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.lead import PERSONAL_FIELDS, Lead
from schemas.lead_reader import LeadReader
from schemas.lead_schema import LeadSchema
from schemas.verdict import Finding
from schemas.vocabulary import Channel, Indication, Language, Reason
from tests.schemas.documents import brand, consent, document

READER = LeadReader({"lada": brand()})


def lead(**changes: Any) -> Lead:
    found = READER.read(document(**changes))
    assert isinstance(found, Lead), found
    return found


def findings(**changes: Any) -> list[tuple[Reason, str | None, str]]:
    found = READER.read(document(**changes))
    assert isinstance(found, tuple)
    return [(one.reason, one.field, one.hint) for one in found]


def one(**changes: Any) -> Finding:
    found = READER.read(document(**changes))
    assert isinstance(found, tuple)
    assert len(found) == 1, found
    return found[0]


def test_a_complete_document_becomes_a_lead() -> None:
    made = lead()
    assert (made.brand, made.channel, made.language, made.topic, made.country) == (
        "lada",
        Channel.VK,
        Language.RU,
        "test_drive",
        "RU",
    )
    assert made.fields.reveal() == {
        "given_name": "Анна",
        "family_name": "Пробная-Иванова",
        "phone": "+79000000001",
        "email": "anna@example.org",
        "city": "Тольятти",
        "region": "Самарская область",
        "text": "Хочу на тест-драйв \U0001f697,\nзвоните после 18:00",
        "user": "vk:900100",
        "account": "lada_primer",
        "thread_id": "2000000001",
        "message_ids": "101 102",
        "permalink": "https://vk.com/gim900000001?sel=1",
        "moderator": "mod-7",
        "script_version": "2026-03",
        "car_model": "Vesta SW",
        "dealer": "Тольятти-1",
    }
    claim = made.consent
    assert claim.given_at == datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    assert claim.given_at.tzinfo is UTC
    assert claim.indication is Indication.DIRECT_MESSAGE
    assert claim.evidence == ("cd" * 32,)


def test_fields_stand_in_the_order_of_the_sealed_document() -> None:
    assert tuple(lead().fields.reveal()) == (*PERSONAL_FIELDS, "car_model", "dealer")


def test_the_least_document_is_enough() -> None:
    least = {key: document()[key] for key in ("brand", "channel", "language", "topic", "consent")}
    found = READER.read(least)
    assert isinstance(found, Lead)
    assert found.country == "ZZ"
    assert found.fields.reveal() == {"car_model": "Vesta SW", "dealer": "Тольятти-1"}


def test_null_and_blank_are_absent() -> None:
    made = lead(given_name="  ", family_name=None, phone="", email=" ", text="\n", user=None, message_ids=[""], country="")
    assert not {"given_name", "family_name", "phone", "email", "text", "user", "message_ids"} & made.fields.reveal().keys()


@pytest.mark.parametrize("key", ["brand", "channel", "language", "topic"])
def test_required_fields(key: str) -> None:
    for gone in (..., None):
        assert one(**{key: gone}).field == key


@pytest.mark.parametrize("gone", [..., None])
def test_no_consent_is_its_own_reason(gone: Any) -> None:
    assert (one(consent=gone).reason, one(consent=gone).field) == (Reason.NO_CONSENT, "consent")
    finding = one(consent=consent(purposes=gone))
    assert (finding.reason, finding.field) == (Reason.NO_CONSENT, "consent.purposes")
    assert one(consent=consent(purposes=[])).reason is Reason.NO_CONSENT


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("8 900 000-00-01", "+79000000001"),
        ("+7 (900) 000 00 01", "+79000000001"),
        ("79000000001", "+79000000001"),
        (79000000001, "+79000000001"),
        ("9000000001", "+79000000001"),
        ("\u202a+7\u00a0900\u00a0000\u00a000\u00a001\u202c", "+79000000001"),
        ("٨٩٠٠٠٠٠٠٠٠١", "+79000000001"),
        ("tel:+79000000001", "+79000000001"),
        ("+1 202 555 0143", "+12025550143"),
        ("8~10 44 20 7946 0018", "+442079460018"),
    ],
)
def test_phones_in_any_human_writing(written: Any, read: str) -> None:
    assert lead(phone=written).fields.reveal()["phone"] == read


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("8 900 000-00-01 доб. 12", "extension"),
        ("+79000000001;ext=3", "extension"),
        ("8-900-AUTO-MAX", "letters"),
        ("+7 900 000", "too few or too many"),
        ("+7 900 000-00-01, 900 000-00-02", "not a phone"),
        ("+44 7700 900123", "number range"),  # reserved for fiction: no exchange has it
        ("029 000-00-00", "number range"),
        ("12", "digits"),
        ("+999 12 345 67", "not a phone"),
        ("звоните", "not a phone"),
        ("+7900\x000000001", "control"),
        (True, "not a phone"),
        (79000000001.0, "not a phone"),
        ("1" * 300, "longer"),
    ],
)
def test_phones_nobody_can_call(written: Any, hint: str) -> None:
    finding = one(phone=written)
    assert finding.field == "phone"
    assert hint in finding.hint


def test_the_country_comes_from_the_phone() -> None:
    assert lead(phone="+7 700 000 00 00", country="RU").country == "KZ"
    assert lead(phone=..., country="by").country == "BY"
    assert lead(phone=..., country=...).country == "ZZ"
    assert lead(phone="+800 1234 5678", country="DE").country == "DE"  # a number of no country
    assert one(country="Russia").field == "country"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Anna@Example.ORG", "anna@example.org"),
        ("  anna@example.org ", "anna@example.org"),
        ("анна@пример.рф", "анна@пример.рф"),
        ("anna+leads@mail.example.org", "anna+leads@mail.example.org"),
    ],
)
def test_email_is_lower_case(written: str, read: str) -> None:
    assert lead(email=written).fields.reveal()["email"] == read


@pytest.mark.parametrize(
    "written", ["anna", "anna@", "@example.org", "a..b@example.org", "a@localhost", "a@b.test", "x" * 65 + "@example.org", 1]
)
def test_addresses_no_server_takes(written: Any) -> None:
    assert one(email=written).field == "email"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Жан-Поль", "Жан-Поль"),
        ("O'Нил", "O'Нил"),
        ("D\u2019Arc", "D\u2019Arc"),
        ("И\u0306ван", "Йван"),
        ("Nguyễn Thị", "Nguyễn Thị"),
        ("محمد", "محمد"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a Persian word needs its non-joiner
        ("山田太郎", "山田太郎"),
        ("  Анна \t Мария\n", "Анна Мария"),
        ("\u202eАнна\u202c\ufeff", "Анна"),
        ("Аня \U0001f338", "Аня \U0001f338"),
        ("Я" * 100, "Я" * 100),
    ],
)
def test_names_in_any_script(written: str, read: str) -> None:
    assert lead(given_name=written).fields.reveal()["given_name"] == read


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Я" * 101, "longer"),
        ("Я" * 300, "longer"),
        ("Я" * 10_000, "longer"),
        ("Ан\x00на", "control"),
        ("...", "letter"),
        (5, "text"),
    ],
)
def test_names_that_are_none(written: Any, hint: str) -> None:
    finding = one(family_name=written)
    assert finding.field == "family_name"
    assert hint in finding.hint


def test_a_name_of_invisible_characters_is_absent() -> None:
    assert "given_name" not in lead(given_name="\u200e\u202e").fields.reveal()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Одна\r\nДве\rТри\u2028Четыре", "Одна\nДве\nТри\nЧетыре"),
        ("a\x00b\x1bc\td", "abc\td"),
        ("\ud83dполовина", "\ufffdполовина"),
        (
            "\U0001f1f7\U0001f1fa \U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f1f7\U0001f1fa \U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
        ("\u202eнаоборот", "\u202eнаоборот"),
        ("100 % за", "100 % за"),
    ],
)
def test_free_text_keeps_what_people_say(written: str, read: str) -> None:
    assert lead(text=written).fields.reveal()["text"] == read


def test_free_text_has_a_limit() -> None:
    assert lead(text="я" * 10_000)
    assert one(text="я" * 10_001).field == "text"
    assert one(text="я" * 1_000_000).hint == "is longer than this field allows"


@pytest.mark.parametrize(
    "written", ["http://vk.com/x", "https://u:p@vk.com/x", "javascript:alert(1)", "https://", "https://a b", "vk.com"]
)
def test_permalinks_are_https(written: str) -> None:
    assert one(permalink=written).field == "permalink"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-20T10:00:00+03:00", datetime(2026, 11, 20, 7, tzinfo=UTC)),
        ("2026-11-20t07:00:00z", datetime(2026, 11, 20, 7, tzinfo=UTC)),
        ("2026-11-20 07:00:00.123456789Z", datetime(2026, 11, 20, 7, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_moments_are_utc(written: str, read: datetime) -> None:
    assert lead(consent=consent(given_at=written)).consent.given_at == read


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("2026-11-20T10:00:00", "offset"),
        ("2026-11-20", "RFC 3339"),
        ("2026-W47-5T10:00:00Z", "RFC 3339"),
        ("20.11.2026 10:00", "RFC 3339"),
        ("2026-02-31T10:00:00Z", "RFC 3339"),
        ("0001-01-01T00:00:00+14:00", "RFC 3339"),
        (1763600000, "RFC 3339"),
    ],
)
def test_moments_that_would_have_to_be_guessed(written: Any, hint: str) -> None:
    finding = one(consent=consent(given_at=written))
    assert finding.field == "consent.given_at"
    assert hint in finding.hint


def test_digests_are_lower_case() -> None:
    assert lead(consent=consent(text_sha256="AB" * 32)).consent.text_sha256 == "ab" * 32
    assert one(consent=consent(text_sha256="ab" * 31)).field == "consent.text_sha256"
    assert one(consent=consent(evidence=["cd" * 32, "x"])).field == "consent.evidence[1]"


def test_topics_are_the_brands() -> None:
    assert one(topic={"code": "flight"}).reason is Reason.UNKNOWN_TOPIC
    assert one(topic={"code": "test_drive"}).field == "topic.fields.car_model"
    assert one(topic={"code": "test_drive", "fields": {"car_model": " "}}).field == "topic.fields.car_model"
    assert one(topic={"code": "test_drive", "fields": {"car_model": "X", "flight": "1"}}).field == "topic.fields.flight"
    assert one(topic={"fields": {}}).field == "topic.code"
    assert one(topic="test_drive").hint == "must be an object"


def test_unknown_keys_are_named_only_if_they_look_like_keys() -> None:
    assert one(colour="red").field == "colour"
    assert one(consent=consent(colour="red")).field == "consent.colour"
    for value_as_key in ("Анна", "+79000000001", "anna@example.org", "79000000001"):
        assert one(**{value_as_key: 1}).field == "?"


def test_every_reason_is_given_at_once_and_in_the_same_order() -> None:
    wrong: dict[str, Any] = {
        "phone": "1",
        "email": "x",
        "language": "de",
        "zebra": 1,
        "apple": 2,
        "consent": consent(notice_id="? ?"),
    }
    said = findings(**wrong)
    assert [field for _, field, _ in said] == ["language", "phone", "email", "consent.notice_id", "apple", "zebra"]
    assert said == findings(**dict(reversed(wrong.items())))


def test_a_document_cannot_make_an_endless_verdict() -> None:
    assert len(findings(**{f"key_{chr(97 + n % 26)}{chr(97 + n // 26)}": n for n in range(300)})) == 50


def test_words_in_any_case() -> None:
    made = lead(channel=" VK ", language="RU", kind="LEAD")
    assert (made.channel, made.language) == (Channel.VK, Language.RU)
    assert one(channel="telegram").field == "channel"
    assert one(kind="withdrawal").field == "kind"


def test_identifiers_are_left_as_they_are() -> None:
    assert lead(user="ABC.def", channel="instagram").fields.reveal()["user"] == "instagram:ABC.def"
    for wrong in ("два слова", "a b", "x" * 201, True, 1.5, -1, 10**50, "\u202e1"):
        assert one(thread_id=wrong).field == "thread_id"


def test_doubles_in_lists_fall_away() -> None:
    made = lead(message_ids=[101, "101", "102"], consent=consent(purposes=["callback", "callback"]))
    assert made.fields.reveal()["message_ids"] == "101 102"
    assert made.consent.purposes == ("callback",)
    assert one(message_ids=["1"] * 101).field == "message_ids"
    assert one(message_ids="101").hint == "must be a list"


def test_schemas_of_two_brands_do_not_share_fields() -> None:
    one_schema, other = LeadSchema(brand()), LeadSchema(brand(default_region="KZ"))
    assert one_schema.fields["phone"] is not other.fields["phone"]
