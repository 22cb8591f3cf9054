"""The single truth about what a lead document may hold. Refused: unknown keys, and every value its field refuses.

One ``LeadSchema`` belongs to one brand, because the default region of phones and the topics are the brand's. Nothing outside
``schemas`` sees marshmallow's errors: they keep the input (``ValidationError.data``), and ``schemas.findings`` is the wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from marshmallow import RAISE, Schema, fields, post_load

from schemas.fields.base import Checked, Many, Word
from schemas.fields.contact import Country, Email, Phone, PhoneNumber
from schemas.fields.hint import Hint
from schemas.fields.moment import Moment
from schemas.fields.text import Code, Digest, FreeText, Https, Identifier, Line, Name
from schemas.fields.topic import TopicField, TopicValue
from schemas.lead import PERSONAL_FIELDS, ConsentClaim, Lead
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Channel, Indication, Language

#: ISO 3166-1 user-assigned code: the country of the person is not known.
UNKNOWN_COUNTRY: Final = "ZZ"
#: Places a name of a settlement or a region may take; the longest official ones stay under this.
PLACE_LIMIT: Final = 100


class DocumentKind(StrEnum):
    """What a document says it is. Withdrawals are read by their sources and never come here."""

    LEAD = "lead"


class Strict(Schema):
    """A schema that takes no unknown key and speaks only in hints."""

    error_messages = {  # noqa: RUF012 - marshmallow's own attribute; a ClassVar would contradict its declaration
        "unknown": Hint.UNKNOWN_KEY,
        "type": Hint.NOT_AN_OBJECT,
    }

    class Meta:
        unknown = RAISE


class ConsentSchema(Strict):
    """What the moderator says was agreed (ISO/IEC TS 27560: notice, purposes, event)."""

    purposes = Many(Code(), most=20, required=True, missing_hint=Hint.NO_CONSENT)
    notice_id = Code(required=True)
    notice_version = Code(required=True)
    notice_language = Word(Language, required=True)
    text_sha256 = Digest(required=True)
    given_at = Moment(required=True)
    indication = Word(Indication, required=True)
    evidence = Many(Digest(), most=20)

    @post_load
    def claim(self, values: dict[str, Any], **_: Any) -> ConsentClaim:
        return make_claim(values)


class LeadSchema(Strict):
    """A lead document of one brand; loads to ``Lead``."""

    kind = Word(DocumentKind)
    brand = Code(required=True)
    channel = Word(Channel, required=True)
    account = Line()
    thread_id = Identifier()
    message_ids = Many(Identifier(), most=100)
    permalink = Https()
    moderator = Line()
    script_version = Code()
    language = Word(Language, required=True)
    given_name = Name()
    family_name = Name()
    phone = Phone()
    email = Email()
    country = Country()
    city = Line(limit=PLACE_LIMIT)
    region = Line(limit=PLACE_LIMIT)
    user = Identifier()
    topic = TopicField(required=True)
    text = FreeText()
    consent = fields.Nested(
        ConsentSchema,
        required=True,
        error_messages={"required": Hint.NO_CONSENT, "null": Hint.NO_CONSENT, "type": Hint.NOT_AN_OBJECT},
    )

    def __init__(self, policy: BrandPolicy) -> None:
        self.policy = policy
        super().__init__()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:  # noqa: ARG002 - marshmallow's hook
        """Give the brand's own facts to the fields that need them (marshmallow copies fields for each schema)."""
        if isinstance(field_obj, Phone):
            field_obj.default_region = self.policy.default_region
        elif isinstance(field_obj, TopicField):
            field_obj.know(self.policy.topics)

    @post_load
    def lead(self, values: dict[str, Any], **_: Any) -> Lead:
        return make_lead(values)


def make_claim(values: Mapping[str, Any]) -> ConsentClaim:
    """Build the claim from what the fields of ``ConsentSchema`` read."""
    given_at: datetime = values["given_at"]
    return ConsentClaim(
        purposes=values["purposes"],
        notice_id=values["notice_id"],
        notice_version=values["notice_version"],
        notice_language=values["notice_language"],
        text_sha256=values["text_sha256"],
        given_at=given_at,
        indication=values["indication"],
        evidence=values["evidence"] or (),
    )


def make_lead(values: Mapping[str, Any]) -> Lead:
    """Build the lead from what the fields of ``LeadSchema`` read."""
    phone: PhoneNumber | None = values["phone"]
    topic: TopicValue = values["topic"]
    channel: Channel = values["channel"]
    personal: dict[str, str] = {}
    for name in PERSONAL_FIELDS:  # their order is the order of the sealed document
        value = values[name]
        if value is not None:
            personal[name] = value
    if phone is not None:
        personal["phone"] = phone.e164
    if "user" in personal:
        personal["user"] = f"{channel}:{personal['user']}"
    if "message_ids" in personal:
        personal["message_ids"] = " ".join(values["message_ids"])
    personal.update(topic.fields)
    return Lead(
        brand=values["brand"],
        channel=channel,
        language=values["language"],
        topic=topic.code,
        country=(phone.country if phone else None) or values["country"] or UNKNOWN_COUNTRY,
        fields=Personal(personal),
        consent=values["consent"],
    )


__all__ = ["UNKNOWN_COUNTRY", "Checked", "ConsentSchema", "LeadSchema", "Strict", "make_claim", "make_lead"]
