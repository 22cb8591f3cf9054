"""The moderation tool's webhook. It refuses, before a byte of the body is understood: another content type, a missing or odd
id, a time outside five minutes, and every signature that none of our secrets made.

Standard Webhooks: the signature is an HMAC-SHA-256 over ``id.timestamp.body``, so neither the id (our idempotency key) nor
the time can be exchanged. A replay inside the five minutes is the same id and therefore the same submission; later it is
stale. Several secrets are accepted while one is being rotated. The reply says 2xx only after the caller has committed.

A body is one document, or ``{"events": [document, ...]}``; each event is a submission of its own, and one that is no good
does not hold up the others.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from integrations.contract.source import Reception, Reply, Request, SourceSettings, WebhookSource
from integrations.sources.document import DOCUMENT, DocumentRules, parse_submission
from integrations.sources.options import place, read_options
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import Parsed, Submission

#: Seconds a message may be old or early; the library's own figure, checked here too for an answer that says which.
TOLERANCE = 300
#: The specification asks for 24 to 64 bytes of secret.
SECRET_BYTES = range(24, 65)
#: No full stop: it separates the signed parts. No ``#``: it separates the number of an event in a batch.
_ID = re.compile(r"[A-Za-z0-9_:-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``options`` of a moderation_webhook source in leadgate.yaml."""

    most_events: int = 500
    default_region: str | None = None  # ISO 3166-1, for phones of withdrawals written without a country
    default_regions: dict[str, str] = {}  # brand -> region


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class ModerationWebhook(WebhookSource):
    """One moderation tool that signs what it sends."""

    name: ClassVar[str] = "moderation_webhook"

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(settings)
        options = read_options(settings, Options)
        self._most_events = options.most_events
        self._rules = DocumentRules(
            brand=settings.brand, default_region=options.default_region, regions=options.default_regions
        )
        self._verifiers = tuple(_verifier(settings, secret) for secret in settings.secrets)
        self._decode = msgspec.json.Decoder(_Batch).decode

    def receive(self, request: Request) -> Reception:
        """Verify, then take apart. Raises IntakeError 415, 401, 400 or 413; see the code it carries."""
        body = request.body.reveal()
        headers = request.headers
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise IntakeError("content_type", "the content type must be application/json", field="content-type", status=415)
        event_id = headers.get("webhook-id", "")
        if not _ID.fullmatch(event_id):
            raise IntakeError("id_invalid", "1 to 128 letters, digits, '_', '-' or ':' are wanted", field="webhook-id")
        self._verify(
            event_id, headers.get("webhook-timestamp", ""), headers.get("webhook-signature", ""), body, request.received_at
        )
        events = self._events(body)
        submissions = (
            (self._submission(event_id, body),)
            if events is None
            else tuple(self._submission(f"{event_id}#{number}", bytes(event)) for number, event in enumerate(events, start=1))
        )
        return Reception(submissions=submissions, reply=Reply(status=202, body=b'{"received":%d}' % len(submissions)))

    def parse(self, submission: Submission) -> Parsed:
        return parse_submission(submission, self._rules)

    def _verify(self, event_id: str, timestamp: str, signature: str, body: bytes, now: datetime) -> None:
        if not signature:
            raise IntakeError("signature_missing", "the request is not signed", field="webhook-signature", status=401)
        if not _TIMESTAMP.fullmatch(timestamp):
            raise IntakeError("timestamp_invalid", "whole seconds since 1970 are wanted", field="webhook-timestamp")
        age = (now - datetime.fromtimestamp(int(timestamp), tz=UTC)).total_seconds()
        if abs(age) > TOLERANCE:
            code, word = ("timestamp_stale", "old") if age > 0 else ("timestamp_future", "early")
            raise IntakeError(
                code, f"the message is more than five minutes {word}; check the clocks", field="webhook-timestamp"
            )
        signed = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
        if not any([_matches(verifier, body, signed) for verifier in self._verifiers]):  # noqa: C419 - every secret is tried: the time taken must not tell which one it was
            _must_be_utf8(body)  # the library signs text only: whoever sends UTF-16 must not look for a fault in the secret
            raise IntakeError(
                "signature_invalid", "no secret of ours made this signature", field="webhook-signature", status=401
            )

    def _events(self, body: bytes) -> list[msgspec.Raw] | None:
        try:
            events = self._decode(body).events
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise IntakeError("body_not_json", "the body must be one JSON object in UTF-8") from None
        if isinstance(events, msgspec.UnsetType):
            return None
        if not 1 <= len(events) <= self._most_events:
            raise IntakeError("batch_size", f"a batch holds 1 to {self._most_events} events", field="events", status=413)
        return events

    def _submission(self, event_id: str, body: bytes) -> Submission:
        return Submission(source=self.settings.name, event_id=event_id, media_type=DOCUMENT, body=Personal(body))


def _verifier(settings: SourceSettings, secret: Personal[str]) -> Webhook:
    where = place(settings, "secrets")
    try:
        verifier = Webhook(secret.reveal())
        size = len(binascii.a2b_base64(secret.reveal().removeprefix("whsec_") + "=="))
    except (EmptyWebhookSecretError, binascii.Error, ValueError):
        raise ConfigurationError("secret_invalid", "a secret is 'whsec_' and base64", field=where) from None
    if size not in SECRET_BYTES:
        raise ConfigurationError("secret_invalid", "a secret has 24 to 64 bytes", field=where)
    return verifier


def _must_be_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise IntakeError("body_not_json", "the body must be one JSON object in UTF-8") from None


def _matches(verifier: Webhook, body: bytes, signed: dict[str, Any]) -> bool:
    try:
        verifier.verify(body, signed, json_parse=False)
    except Exception:  # noqa: BLE001 - the library lets whatever a crafted header provokes escape: base64, unpacking, UTF-8
        return False
    return True
