"""Standard Webhooks: what is verified before anything is read, and what becomes of the rest."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from integrations.contract.source import Reception, Request, SourceSettings
from integrations.sources.moderation_webhook import ModerationWebhook
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import LeadDocument, Unparsable, Withdrawal


def encoded(secret: bytes) -> str:
    return "whsec_" + base64.b64encode(secret).decode()


NEW, OLD = encoded(b"new-secret-of-an-invented-tool!!"), encoded(b"old-secret-of-an-invented-tool!!")
STRANGE = encoded(b"a-secret-we-have-never-heard-of!")
LEAD = json.dumps({"kind": "lead", "brand": "lada", "given_name": "Мария"}, ensure_ascii=False).encode()


def source(*secrets: str, brand: str | None = None, **options: Any) -> ModerationWebhook:
    return ModerationWebhook(
        SourceSettings(
            name="moderation",
            connector="moderation_webhook",
            brand=brand,
            options=options,
            secrets=tuple(Personal(secret) for secret in secrets or (NEW, OLD)),
        )
    )


def request(
    body: bytes = LEAD, *, secret: str = NEW, event_id: str = "msg_1", age: float = 0, **headers: str | None
) -> Request:
    now = datetime.now(tz=UTC)
    at = now - timedelta(seconds=age)
    sent: dict[str, str | None] = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at.replace(tzinfo=UTC), body.decode("utf-8", "replace")),
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        headers={name: value for name, value in sent.items() if value is not None}, body=Personal(body), received_at=now
    )


def refusal(asked: Request, which: ModerationWebhook | None = None) -> tuple[int, str]:
    with pytest.raises(IntakeError) as caught:
        (which or source()).receive(asked)
    assert "Мария" not in str(caught.value)
    return caught.value.status, caught.value.code


def received(asked: Request, which: ModerationWebhook | None = None) -> Reception:
    return (which or source()).receive(asked)


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_either_secret_signs_while_one_is_rotated(secret: str) -> None:
    reception = received(request(secret=secret))
    (submission,) = reception.submissions
    assert (submission.source, submission.event_id, submission.body.reveal()) == ("moderation", "msg_1", LEAD)
    assert reception.reply.status == 202
    parsed = source().parse(submission)
    assert isinstance(parsed, LeadDocument)
    assert parsed.data.reveal()["given_name"] == "Мария"


def test_the_sender_may_sign_with_several_secrets_too() -> None:
    one, other = request(secret=STRANGE).headers["webhook-signature"], request().headers["webhook-signature"]
    assert received(request(webhook_signature=f"v1a,ZWQyNTUxOQ== {one} {other}")).submissions


def test_a_signature_of_a_stranger_is_refused() -> None:
    assert refusal(request(secret=STRANGE)) == (401, "signature_invalid")


ODD_SIGNATURES = ["v1,", "v1", "v1,AAAA", ",", "v2,AAAA", "v1,\u00e9\u00e9", "v1,AAAA,BBBB", "v1 AAAA", "=", "v1," + "A" * 9999]


@pytest.mark.parametrize("signature", ODD_SIGNATURES)
def test_odd_signatures_are_refused_alike(signature: str) -> None:
    assert refusal(request(webhook_signature=signature)) == (401, "signature_invalid")


def test_a_missing_signature_is_refused() -> None:
    assert refusal(request(webhook_signature=None)) == (401, "signature_missing")
    assert refusal(request(webhook_signature="")) == (401, "signature_missing")


def test_a_changed_body_id_or_time_is_refused() -> None:
    signed = request()
    for changed in (
        Request(headers=signed.headers, body=Personal(LEAD + b" "), received_at=signed.received_at),
        Request(headers={**signed.headers, "webhook-id": "msg_2"}, body=signed.body, received_at=signed.received_at),
        Request(
            headers={**signed.headers, "webhook-timestamp": str(int(signed.headers["webhook-timestamp"]) - 1)},
            body=signed.body,
            received_at=signed.received_at,
        ),
    ):
        assert refusal(changed) == (401, "signature_invalid")


@pytest.mark.parametrize(("age", "code"), [(400, "timestamp_stale"), (86400, "timestamp_stale"), (-400, "timestamp_future")])
def test_stale_and_early_messages_say_so(age: float, code: str) -> None:
    assert refusal(request(age=age)) == (400, code)


@pytest.mark.parametrize("age", [250, -250])
def test_a_clock_a_little_off_is_accepted(age: float) -> None:
    assert received(request(age=age)).submissions


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "-1", "1700000000.5", "nan", "9" * 40, "٣"])
def test_odd_timestamps_are_refused(timestamp: str) -> None:
    assert refusal(request(webhook_timestamp=timestamp)) == (400, "timestamp_invalid")


@pytest.mark.parametrize("event_id", ["", "a.b", "a#1", "a b", "ы", "x" * 129, "a\n"])
def test_odd_ids_are_refused(event_id: str) -> None:
    assert refusal(request(webhook_id=event_id)) == (400, "id_invalid")


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_content_type_is_refused_first(content_type: str | None) -> None:
    assert refusal(request(content_type=content_type, webhook_signature=None)) == (415, "content_type")


def test_parameters_of_the_content_type_do_not_matter() -> None:
    assert received(request(content_type="Application/JSON; charset=utf-8")).submissions


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"null", b'{"events": 5}', b'{"events": {}}'])
def test_signed_bodies_that_are_no_object_are_refused(body: bytes) -> None:
    assert refusal(request(body)) == (400, "body_not_json")


def test_bytes_that_are_no_text_are_refused_as_that_and_not_for_their_signature() -> None:
    assert refusal(request(b'{"a": "\xff"}')) == (400, "body_not_json")


def test_a_batch_is_one_submission_an_event_and_a_bad_one_does_not_hold_up_the_rest() -> None:
    events = [json.loads(LEAD), "nonsense", {"kind": "withdrawal", "brand": "lada", "phone": "+79000000001"}]
    reception = received(request(json.dumps({"events": events}).encode()))
    assert [each.event_id for each in reception.submissions] == ["msg_1#1", "msg_1#2", "msg_1#3"]
    assert [type(source().parse(each)) for each in reception.submissions] == [LeadDocument, Unparsable, Withdrawal]
    assert reception.reply.body == b'{"received":3}'


@pytest.mark.parametrize("count", [0, 4])
def test_a_batch_of_no_or_too_many_events_is_refused(count: int) -> None:
    body = json.dumps({"events": [{}] * count}).encode()
    assert refusal(request(body), source(most_events=3)) == (413, "batch_size")


def test_the_same_message_again_is_the_same_submission() -> None:
    assert received(request()).submissions == received(request()).submissions


@pytest.mark.parametrize("secret", ["", "whsec_", encoded(b"short"), encoded(b"x" * 65), "whsec_ы", "whsec_!!!!"])
def test_a_secret_that_is_none_is_refused_at_the_start_without_being_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(secret)
    assert caught.value.field == "leadgate.yaml: sources.moderation.secrets"
    bare = secret.removeprefix("whsec_")
    assert not bare or bare not in str(caught.value)


def test_without_a_secret_it_parses_what_was_stored_and_receives_nothing() -> None:
    (submission,) = received(request()).submissions
    without = ModerationWebhook(SourceSettings(name="moderation", connector="moderation_webhook"))
    assert isinstance(without.parse(submission), LeadDocument)
    assert refusal(request(), without) == (401, "signature_invalid")


HEADER = st.text(st.characters(max_codepoint=255), max_size=40)


@given(HEADER, HEADER, HEADER, st.binary(max_size=50))
def test_nothing_crafted_makes_it_raise_anything_else(event_id: str, timestamp: str, signature: str, body: bytes) -> None:
    asked = Request(
        headers={
            "content-type": "application/json",
            "webhook-id": event_id or "a",
            "webhook-timestamp": timestamp,
            "webhook-signature": signature,
        },
        body=Personal(body),
        received_at=datetime.now(tz=UTC),
    )
    with pytest.raises(IntakeError):
        source().receive(asked)
