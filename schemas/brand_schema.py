"""What leadgate.yaml may say about one brand. Refused: fields, purposes and notices that do not fit each other."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.consent_schema import CallingWindowSchema, ControllerSchema, CrossBorderSchema, by_country
from schemas.fields.contact import Country
from schemas.fields.moment import Moment
from schemas.fields.setting import Choice, Duration, Slug, Text
from schemas.fields.text import Digest
from schemas.lead import PERSONAL_FIELDS, PLAIN_FIELDS
from schemas.policy import Marketing
from schemas.settings_part import Part, by_name, messages, part, some, suggest
from schemas.vocabulary import Language, RecipientKind


class NoticeSchema(Part):
    """One version of one notice in one language. A text that was shown never changes: the digest pins it."""

    id = Text(required=True, most=64)
    version = Text(required=True, most=32)
    language = Choice(Language, required=True)
    purposes = some(Slug())
    valid_from = Moment(required=True)
    valid_until = Moment()
    text = Text(most=20_000)
    text_file = Text()
    text_sha256 = Digest(required=True)
    one_purpose = fields.Boolean(load_default=False, error_messages={"invalid": "must be true or false"})
    requires_renewal = fields.Boolean(load_default=False, error_messages={"invalid": "must be true or false"})
    renew_within = Duration()

    @validates_schema
    def says_what_it_means(self, data: dict[str, Any], **_: Any) -> None:
        if data["one_purpose"] and len(data["purposes"]) > 1:
            raise ValidationError({"purposes": ["names several, and one_purpose promises that it names one"]})
        if "renew_within" in data and not data["requires_renewal"]:
            raise ValidationError({"renew_within": ["means nothing without requires_renewal: true"]})

    @validates_schema
    def one_text_and_a_term(self, data: dict[str, Any], **_: Any) -> None:
        if ("text" in data) == ("text_file" in data):
            raise ValidationError({"text_file": ["exactly one of text and text_file is needed"]})
        if data["valid_until"] is not None and data["valid_until"] <= data["valid_from"]:
            raise ValidationError({"valid_until": ["must be later than valid_from"]})


class PurposeSchema(Part):
    """One purpose; 152-FZ practice wants one consent for each."""

    title = fields.Dict(
        keys=Choice(Language), values=Text(), required=True, error_messages=messages(invalid="must be a mapping")
    )
    fields_ = some(Slug(), key="fields")  # ``fields`` is marshmallow's own attribute
    recipients = some(Choice(RecipientKind))
    valid_for = Duration(required=True)
    marketing = Choice(Marketing)
    category = Text(most=64)  # a purpose of the W3C DPV, for exports


class BrandSchema(Part):
    """One brand: whom it serves, what for, under which notices."""

    title = Text(required=True)
    home_country = Country(required=True)
    countries = some(Country())
    default_region = Country()
    duplicate_window = Duration(required=True)
    purposes = by_name(PurposeSchema)
    topics = fields.Dict(
        keys=Slug(),
        values=fields.Dict(
            keys=Slug(),
            values=fields.String(validate=validate.OneOf(("required", "optional"), error="must be required or optional")),
            error_messages={"invalid": "must be a mapping of field names to required or optional"},
        ),
        required=True,
        error_messages=messages(invalid="must be a mapping of topics"),
    )
    notices = some(part(NoticeSchema))
    controller = fields.Nested(ControllerSchema)
    cross_border = by_country(part(CrossBorderSchema))
    calling_windows = by_country(part(CallingWindowSchema))
    one_purpose_from = by_country(Moment(required=True))

    @validates_schema
    def marketing_stands_alone(self, data: dict[str, Any], **_: Any) -> None:
        alone = {notice["purposes"][0] for notice in data["notices"] if len(notice["purposes"]) == 1}
        mend = "a marketing purpose needs a notice that names it alone (152-FZ Art. 15, 38-FZ Art. 18)"
        wrong = {
            code: {"marketing": [mend]}
            for code, purpose in data["purposes"].items()
            if "marketing" in purpose and code not in alone
        }
        if wrong:
            raise ValidationError({"purposes": wrong})

    @validates_schema
    def fields_exist(self, data: dict[str, Any], **_: Any) -> None:
        wrong: dict[str, Any] = {}
        own = {name for topic in data["topics"].values() for name in topic}
        for topic, names in data["topics"].items():
            taken = {name: ["is a field every lead has; choose another name"] for name in names if name in _TAKEN}
            if taken:
                wrong.setdefault("topics", {})[topic] = taken
        known = set(PERSONAL_FIELDS) | own
        for code, purpose in data["purposes"].items():
            bad = {
                place: [f"is no personal field of this brand; {suggest(name, known)}"]
                for place, name in enumerate(purpose["fields_"])
                if name not in known
            }
            if bad:
                wrong.setdefault("purposes", {})[code] = {"fields": bad}
        if wrong:
            raise ValidationError(wrong)

    @validates_schema
    def notices_fit(self, data: dict[str, Any], **_: Any) -> None:
        wrong: dict[int, Any] = {}
        seen: set[tuple[str, str, str]] = set()
        for place, notice in enumerate(data["notices"]):
            bad = {
                number: [f"is no purpose of this brand; {suggest(code, data['purposes'])}"]
                for number, code in enumerate(notice["purposes"])
                if code not in data["purposes"]
            }
            if bad:
                wrong[place] = {"purposes": bad}
            key = (notice["id"], notice["version"], notice["language"])
            if key in seen:
                wrong.setdefault(place, {})["version"] = ["this id, version and language stand twice; publish a new version"]
            seen.add(key)
        if wrong:
            raise ValidationError({"notices": wrong})
        shown = {code for notice in data["notices"] for code in notice["purposes"]}
        unshown = {
            code: ["no notice names this purpose, so nobody can agree to it"] for code in data["purposes"].keys() - shown
        }
        if unshown:
            raise ValidationError({"purposes": unshown})


_TAKEN: Final = frozenset(PERSONAL_FIELDS) | frozenset(PLAIN_FIELDS)
