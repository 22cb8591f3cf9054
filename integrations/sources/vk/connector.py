"""VK's Callback API for one group. It refuses, before anything is stored: a body that is no JSON object, another group, and a
secret that is not ours.

The secret stands in the body, so the body must be read before it can be compared; nothing else of it is used until then.
It is taken out before the submission is made: what is stored holds no credential. VK wants ``ok`` as plain text for
everything but the confirmation, and pauses a server that answers errors; so events we have no use for are answered ``ok`` too.

Deduplication is by ``(group_id, event_id)``, as VK asks for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, ClassVar

import msgspec

from integrations.contract.source import Reception, Reply, Request, SourceSettings, WebhookSource
from integrations.sources.options import place, read_options
from integrations.sources.vk.forms import Form, lead_document
from schemas.errors import ConfigurationError, IntakeError
from schemas.personal import Personal
from schemas.submission import LeadDocument, Parsed, Submission, Unparsable, Withdrawal

MEDIA_TYPE = "application/vnd.leadgate.vk+json"
_KEPT = frozenset({"lead_forms_new", "message_deny"})
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_OK = Reply(status=200, media_type="text/plain", body=b"ok")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``options`` of a vk source in leadgate.yaml."""

    group_id: int
    confirmation: str  # what VK shows in the group's Callback API settings; it changes when servers are edited there
    forms: dict[str, Form] = {}  # form id -> what it means
    account: str | None = None
    deny_purposes: tuple[str, ...] = ()  # what message_deny withdraws; none named: everything


class _Event(msgspec.Struct):
    type: str = ""
    group_id: int | str = 0
    event_id: str | int | None = None
    secret: str | None = None
    object: msgspec.Raw = msgspec.Raw(b"null")


class _Kept(msgspec.Struct):
    """What is stored of an event: never the secret."""

    type: str
    object: msgspec.Raw
    received_at: str


class VK(WebhookSource):
    """One group of VK."""

    name: ClassVar[str] = "vk"
    retry_after_as_date: ClassVar[bool] = True

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(settings)
        self._options = options = read_options(settings, Options)
        if settings.brand is None:
            raise ConfigurationError(
                "brand_missing", "a VK group speaks for one brand; name it", field=place(settings, "brand")
            )
        self._brand = settings.brand
        self._account = options.account or f"club{options.group_id}"
        self._secrets = tuple(secret.reveal().encode() for secret in settings.secrets)
        self._confirmation = Reply(status=200, media_type="text/plain", body=options.confirmation.encode())
        self._decode = msgspec.json.Decoder(_Event).decode
        self._read_kept = msgspec.json.Decoder(_Kept).decode
        self._encode = msgspec.json.Encoder().encode

    def receive(self, request: Request) -> Reception:
        """Verify and keep. Raises IntakeError 400, 401 or 403."""
        try:
            event = self._decode(request.body.reveal())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise IntakeError("body_not_event", "the body is no event of the Callback API") from None
        if str(event.group_id) != str(self._options.group_id):
            raise IntakeError("group_unknown", "this address belongs to another group", field="group_id", status=403)
        if event.type == "confirmation" and event.secret is None:  # VK sends it before the secret is in force
            return Reception(submissions=(), reply=self._confirmation)
        secret = self._secret(event.secret)
        if event.type == "confirmation":
            return Reception(submissions=(), reply=self._confirmation)
        if event.type not in _KEPT:
            return Reception(submissions=(), reply=_OK)
        kept = _Kept(type=event.type, object=event.object, received_at=request.received_at.isoformat())
        submission = Submission(
            source=self.settings.name,
            event_id=f"{self._options.group_id}:{_event_id(event, secret)}",
            media_type=MEDIA_TYPE,
            body=Personal(self._encode(kept)),
        )
        return Reception(submissions=(submission,), reply=_OK)

    def parse(self, submission: Submission) -> Parsed:
        try:
            kept = self._read_kept(submission.body.reveal())
            event = msgspec.json.decode(kept.object)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return Unparsable(hint="the stored event cannot be read")
        if not isinstance(event, dict):
            return Unparsable(field="object", hint="the event holds no object")
        if kept.type == "message_deny":
            return self._deny(event)
        return self._lead(event, kept.received_at)

    def _secret(self, given: str | None) -> bytes:
        offered = (given or "").encode(errors="replace")
        found = [secret for secret in self._secrets if hmac.compare_digest(secret, offered)]
        if not found:
            raise IntakeError("secret_invalid", "the secret is not the one of this group", field="secret", status=401)
        return found[0]

    def _lead(self, event: dict[str, Any], received_at: str) -> Parsed:
        form = self._options.forms.get(str(event.get("form_id")))
        if form is None:
            return Unparsable(field="form_id", hint="this form is not configured; add it to the source's forms and replay")
        if not isinstance(event.get("answers"), list):
            return Unparsable(field="answers", hint="the event holds no answers")
        document = lead_document(event, form, brand=self._brand, account=self._account, received_at=received_at)
        return LeadDocument(data=Personal(document))

    def _deny(self, event: dict[str, Any]) -> Parsed:
        user_id = event.get("user_id")
        if isinstance(user_id, bool) or not isinstance(user_id, int) or user_id <= 0:
            return Unparsable(field="user_id", hint="the event does not say who forbids messages")
        return Withdrawal(brand=self._brand, user=Personal(f"vk:{user_id}"), purposes=self._options.deny_purposes)


def _event_id(event: _Event, secret: bytes) -> str:
    """VK's own id; events of old API versions carry none, and a keyed digest says nothing about the person."""
    given = str(event.event_id) if event.event_id is not None else ""
    if _EVENT_ID.fullmatch(given):
        return given
    return "h-" + hmac.new(secret, f"{event.type}\n{given}\n".encode() + bytes(event.object), hashlib.sha256).hexdigest()[:32]
