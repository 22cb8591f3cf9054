"""VK's Callback API: the handshake, the secret in the body, ``ok``; and what lead forms and refusals of messages mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.contract.source import Reception, Request, SourceSettings
from integrations.sources.vk import VK
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import LeadDocument, Unparsable, Withdrawal

SECRET = "aaQ13axAPQEcczQa"
AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FORM = {
    "topic": "test_drive",
    "notice_id": "lada-callback",
    "notice_version": "3",
    "notice_language": "ru",
    "text_sha256": "ab" * 32,
    "purposes": ["callback"],
    "questions": {"custom_0": "topic.fields.car_model", "custom_1": "text"},
    "constants": {"topic.fields.dealer": "Тольятти-Авто"},
}
ANSWERS = [
    {"key": "first_name", "question": "Имя", "answer": "Мария"},
    {"key": "last_name", "question": "Фамилия", "answer": "Орлова"},
    {"key": "phone_number", "question": "Телефон", "answer": "+7 900 000-00-01"},
    {"key": "custom_0", "question": "Модель?", "answer": "Vesta"},
    {"key": "age", "question": "Возраст", "answer": "30"},
]
LEAD = {"lead_id": 77, "group_id": 5, "user_id": 1001, "form_id": 42, "form_name": "Тест-драйв", "ad_id": 0, "answers": ANSWERS}


def source(secrets: tuple[str, ...] = (SECRET, "older"), brand: str | None = "lada", **options: Any) -> VK:
    given_options = {"group_id": 5, "confirmation": "f00d", "forms": {"42": FORM}} | options
    return VK(
        SourceSettings(
            name="vk-lada", connector="vk", brand=brand, options=given_options, secrets=tuple(map(Personal, secrets))
        )
    )


def ask(event: object, which: VK | None = None) -> Reception:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return (which or source()).receive(Request(headers={}, body=Personal(body), received_at=AT))


def event(kind: str, content: object = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "object": content, "group_id": 5, "event_id": "e" * 40, "v": "5.199", "secret": SECRET} | more


def refusal(asked: object) -> tuple[int, str]:
    with pytest.raises(IntakeError) as caught:
        ask(asked)
    assert SECRET not in str(caught.value)
    return caught.value.status, caught.value.code


def parse(asked: dict[str, Any], which: VK | None = None) -> Any:
    (submission,) = ask(asked, which).submissions
    return (which or source()).parse(submission)


@pytest.mark.parametrize("more", [{}, {"secret": SECRET}])
def test_the_handshake_is_answered_with_the_configured_string(more: dict[str, str]) -> None:
    reception = ask({"type": "confirmation", "group_id": 5} | more)
    assert reception.submissions == ()
    assert (reception.reply.status, reception.reply.media_type, reception.reply.body) == (200, "text/plain", b"f00d")


def test_the_handshake_of_another_group_or_with_another_secret_is_not() -> None:
    assert refusal({"type": "confirmation", "group_id": 6}) == (403, "group_unknown")
    assert refusal({"type": "confirmation", "group_id": 5, "secret": "wrong"}) == (401, "secret_invalid")


def test_a_lead_is_kept_without_the_secret_and_answered_ok() -> None:
    reception = ask(event("lead_forms_new", LEAD))
    (submission,) = reception.submissions
    assert submission.event_id == "5:" + "e" * 40
    assert SECRET.encode() not in submission.body.reveal()
    assert (reception.reply.media_type, reception.reply.body) == ("text/plain", b"ok")


def test_either_secret_is_accepted_while_one_is_rotated() -> None:
    assert ask(event("lead_forms_new", LEAD, secret="older")).submissions


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], "ы"])
def test_any_other_secret_is_refused(secret: str | None) -> None:
    assert refusal(event("lead_forms_new", LEAD, secret=secret)) == (401, "secret_invalid")


def test_another_group_is_refused() -> None:
    assert refusal(event("lead_forms_new", LEAD, group_id=6)) == (403, "group_unknown")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"type": 5}', b'{"group_id": {}}'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    assert refusal(body) == (400, "body_not_event")


@pytest.mark.parametrize("kind", ["message_new", "message_allow", "wall_reply_new", "something_of_next_year", ""])
def test_events_we_have_no_use_for_are_answered_ok(kind: str) -> None:
    reception = ask(event(kind, {"anything": [1]}))
    assert (reception.submissions, reception.reply.body) == ((), b"ok")


def test_a_lead_form_becomes_a_lead_document() -> None:
    parsed = parse(event("lead_forms_new", LEAD))
    assert isinstance(parsed, LeadDocument)
    assert parsed.data.reveal() == {
        "kind": "lead",
        "brand": "lada",
        "channel": "vk",
        "account": "club5",
        "language": "ru",
        "given_name": "Мария",
        "family_name": "Орлова",
        "phone": "+7 900 000-00-01",
        "topic": {"code": "test_drive", "fields": {"car_model": "Vesta", "dealer": "Тольятти-Авто"}},
        "user": "1001",
        "thread_id": "42",
        "message_ids": ["77"],
        "consent": {
            "purposes": ["callback"],
            "notice_id": "lada-callback",
            "notice_version": "3",
            "notice_language": "ru",
            "text_sha256": "ab" * 32,
            "given_at": "2026-11-22T09:00:00+00:00",
            "indication": "lead_form",
        },
    }


def test_a_polled_lead_has_another_shape_and_the_same_meaning() -> None:
    polled = [
        {"key": "first_name", "answer": {"key": "x", "value": "Мария"}},
        {"key": "custom_0", "answer": [{"key": "a", "value": "Vesta"}, {"key": "b", "value": "Niva"}]},
    ]
    parsed = parse(event("lead_forms_new", LEAD | {"answers": polled, "date": 1795300000}))
    document = parsed.data.reveal()
    assert document["given_name"] == "Мария"
    assert document["topic"]["fields"]["car_model"] == "Vesta, Niva"
    assert document["consent"]["given_at"] == "2026-11-21T22:26:40+00:00"


@pytest.mark.parametrize(
    ("answer", "purposes"), [("Согласен", ["callback"]), ("СОГЛАСЕН", ["callback"]), ("Нет", []), (None, [])]
)
def test_where_a_form_asks_only_the_configured_answer_is_consent(answer: str | None, purposes: list[str]) -> None:
    asks = source(forms={"42": FORM | {"agreement": {"question": "custom_9", "yes": ["согласен"]}}})
    answers = [*ANSWERS, {"key": "custom_9", "answer": answer}] if answer else ANSWERS
    parsed = parse(event("lead_forms_new", LEAD | {"answers": answers}), asks)
    assert parsed.data.reveal()["consent"]["purposes"] == purposes


def test_a_form_nobody_configured_is_kept_and_named() -> None:
    parsed = parse(event("lead_forms_new", LEAD | {"form_id": 43}))
    assert isinstance(parsed, Unparsable)
    assert parsed.field == "form_id"


def test_forbidding_messages_withdraws_what_is_configured() -> None:
    parsed = parse(event("message_deny", {"user_id": 1001}), source(deny_purposes=["callback"]))
    assert isinstance(parsed, Withdrawal)
    assert (parsed.brand, parsed.user, parsed.purposes) == ("lada", Personal("vk:1001"), ("callback",))


@pytest.mark.parametrize("content", [None, 5, [], {}, {"user_id": "x"}, {"user_id": True}, {"user_id": -5}])
def test_odd_refusals_of_messages_are_unparsable(content: object) -> None:
    assert isinstance(parse(event("message_deny", content)), Unparsable)


def test_the_same_event_again_is_the_same_submission() -> None:
    first, again = ask(event("lead_forms_new", LEAD)), ask(event("lead_forms_new", LEAD))
    assert first.submissions[0].event_id == again.submissions[0].event_id


@pytest.mark.parametrize("event_id", [None, "", "odd id", "x" * 500, "мария"])
def test_without_a_usable_event_id_a_keyed_digest_of_the_event_stands_in(event_id: str | None) -> None:
    first, again = (ask(event("lead_forms_new", LEAD, event_id=event_id)).submissions[0] for _ in range(2))
    other = ask(event("lead_forms_new", LEAD | {"lead_id": 78}, event_id=event_id)).submissions[0]
    assert first.event_id == again.event_id != other.event_id
    assert first.event_id.startswith("5:h-")


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"group_id": "five"}, "options.group_id"),
        ({"forms": {"42": FORM | {"topic": 5}}}, "options.forms[...].topic"),
        ({"forms": {"42": {"topic": "x"}}}, "options.forms[...]"),
        ({"conformation": "x"}, "options"),
    ],
)
def test_wrong_options_name_their_place(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(**options)
    assert caught.value.field == f"leadgate.yaml: sources.vk-lada.{where}"


def test_a_brand_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="brand_missing"):
        source(brand=None)


def test_without_a_secret_it_parses_what_was_stored_and_receives_nothing() -> None:
    (submission,) = ask(event("lead_forms_new", LEAD)).submissions
    without = source(secrets=())
    assert isinstance(without.parse(submission), LeadDocument)
    for secret in (None, "", SECRET):
        with pytest.raises(IntakeError, match="secret_invalid"):
            ask(event("lead_forms_new", LEAD, secret=secret), without)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["key", "answer", "value", "x"]), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["lead_forms_new", "message_deny"]),
    JSON
    | st.fixed_dictionaries({"form_id": st.just(42)}, optional=dict.fromkeys(("answers", "user_id", "lead_id", "date"), JSON)),
)
def test_no_shape_makes_it_raise(kind: str, content: object) -> None:
    body = json.dumps(event(kind, content)).encode()
    (submission,) = ask(body).submissions
    source().parse(submission)
