"""What leadgate.yaml may hold. Refused: unknown keys (with the nearest known one), missing keys, names that nothing defines,
and rules that contradict each other. All complaints are collected; none repeats a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from schemas.fields.contact import Country
from schemas.fields.moment import Moment
from schemas.fields.setting import Choice, Duration, Slug, Text
from schemas.fields.text import Digest
from schemas.lead import PERSONAL_FIELDS, PLAIN_FIELDS
from schemas.vocabulary import Language, RecipientKind

#: The shape of the file this code reads.
SETTINGS_VERSION: Final = 1


def suggest(word: str, known: Iterable[str]) -> str:
    """Say what is known, nearest first: the operator's spelling is not repeated."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(names) or 'none'}"


class Part(Schema):
    """A part of the file; names every unknown key together with all other complaints."""

    error_messages = {"type": "must be a mapping of keys to values"}  # noqa: RUF012 - marshmallow's own attribute

    class Meta:
        unknown = EXCLUDE  # only so that ``unknown_keys`` may speak instead

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def unknown_keys(self, data: Any, original: Any, **_: Any) -> None:  # noqa: ARG002 - marshmallow's hook
        if isinstance(original, Mapping):
            known = {field.data_key or name for name, field in self.fields.items()}
            wrong = {str(key): [f"is not a key here; {suggest(str(key), known)}"] for key in original if key not in known}
            if wrong:
                raise ValidationError(wrong)


Messages = dict[str, str | list[Any] | dict[Any, Any]]


def _messages(**more: str) -> Messages:
    return {"required": "is required", "null": "is required", **more}


def _part(schema: type[Schema], *, required: bool = True) -> fields.Nested:
    return fields.Nested(schema, required=required, error_messages=_messages())


def _by_name(schema: type[Schema]) -> fields.Dict:
    return fields.Dict(
        keys=Slug(),
        values=_part(schema),
        required=True,
        error_messages=_messages(invalid="must be a mapping of names"),
    )


def _list(item: fields.Field[Any], *, key: str | None = None) -> fields.List[Any]:
    some = validate.Length(min=1, error="must list at least one")
    return fields.List(item, required=True, data_key=key, validate=some, error_messages=_messages(invalid="must be a list"))


class PromiseSchema(Part):
    """How soon people are called back."""

    answer_within = Duration(required=True)
    warn_after = Duration(required=True)

    @validates_schema
    def warn_before_it_is_late(self, data: dict[str, Any], **_: Any) -> None:
        if data["warn_after"] >= data["answer_within"]:
            raise ValidationError({"warn_after": ["must be shorter than answer_within"]})


class LogSchema(Part):
    """Where the audit log says it comes from (C2SP tlog-checkpoint: a schema-less URL)."""

    origin = Text(required=True, most=255)

    @validates_schema
    def schemaless(self, data: dict[str, Any], **_: Any) -> None:
        if "://" in data["origin"] or any(character in data["origin"] for character in " \t\n+"):
            raise ValidationError({"origin": ["must be a host and path without scheme, spaces or plus signs"]})


class RetentionSchema(Part):
    """How long what is kept: ``RetentionRules``."""

    refused = Duration(required=True)
    quarantined = Duration(required=True)
    admitted_submission = Duration(required=True)
    lead = Duration(required=True)
    withdrawn = Duration(required=True)
    lead_by_purpose = fields.Dict(
        keys=Slug(), values=Duration(), load_default=dict, error_messages={"invalid": "must be a mapping of purposes"}
    )
    delivered = Duration()


def _count() -> fields.Integer:
    least = validate.Range(min=1, error="must be at least 1")
    return fields.Integer(strict=True, validate=least, error_messages={"invalid": "must be a whole number"})


class DeliverySchema(Part):
    """How hard a delivery tries: ``DeliveryRules``, which holds the defaults."""

    lease = Duration()
    call_margin = Duration()
    settle = Duration()
    attempts = _count()
    backoff_base = Duration()
    backoff_cap = Duration()
    breaker_failures = _count()
    breaker_pause = Duration()
    batches_per_claim = _count()


class NoticeSchema(Part):
    """One version of one notice in one language. A text that was shown never changes: the digest pins it."""

    id = Text(required=True, most=64)
    version = Text(required=True, most=32)
    language = Choice(Language, required=True)
    purposes = _list(Slug())
    valid_from = Moment(required=True)
    valid_until = Moment()
    text = Text(most=20_000)
    text_file = Text()
    text_sha256 = Digest(required=True)

    @validates_schema
    def one_text_and_a_term(self, data: dict[str, Any], **_: Any) -> None:
        if ("text" in data) == ("text_file" in data):
            raise ValidationError({"text_file": ["exactly one of text and text_file is needed"]})
        if data["valid_until"] is not None and data["valid_until"] <= data["valid_from"]:
            raise ValidationError({"valid_until": ["must be later than valid_from"]})


class PurposeSchema(Part):
    """One purpose; 152-FZ practice wants one consent for each."""

    title = fields.Dict(
        keys=Choice(Language), values=Text(), required=True, error_messages=_messages(invalid="must be a mapping")
    )
    fields_ = _list(Slug(), key="fields")  # ``fields`` is marshmallow's own attribute
    recipients = _list(Choice(RecipientKind))
    valid_for = Duration(required=True)


class BrandSchema(Part):
    """One brand: whom it serves, what for, under which notices."""

    title = Text(required=True)
    home_country = Country(required=True)
    countries = _list(Country())
    default_region = Country()
    duplicate_window = Duration(required=True)
    purposes = _by_name(PurposeSchema)
    topics = fields.Dict(
        keys=Slug(),
        values=fields.Dict(
            keys=Slug(),
            values=fields.String(validate=validate.OneOf(("required", "optional"), error="must be required or optional")),
            error_messages={"invalid": "must be a mapping of field names to required or optional"},
        ),
        required=True,
        error_messages=_messages(invalid="must be a mapping of topics"),
    )
    notices = _list(_part(NoticeSchema))

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


class SourceSchema(Part):
    """One source. Its secrets come from the connection."""

    connector = Slug(required=True)
    brand = Slug()
    connection = Text(most=250)
    inbox = Text(most=1000)
    options = fields.Dict(load_default=dict, error_messages={"invalid": "must be a mapping"})


class LimitsSchema(Part):
    """What we allow ourselves at one destination."""

    calls_per_second = fields.Float(
        validate=validate.Range(min=0, min_inclusive=False, error="must be more than 0"),
        error_messages={"invalid": "must be a number"},
    )
    burst = _count()
    connect_timeout = Duration()
    read_timeout = Duration()
    max_response_bytes = fields.Integer(
        strict=True,
        validate=validate.Range(min=1024, error="must be at least 1024"),
        error_messages={"invalid": "must be a whole number"},
    )


class DestinationSchema(Part):
    """One destination: who stores where, and for which purposes of which brands."""

    connector = Slug(required=True)
    connection = Text(required=True, most=250)
    country = Country(required=True)
    transfer_basis = Text()
    purposes = fields.Dict(
        keys=Slug(),
        values=_list(Slug()),
        required=True,
        validate=validate.Length(min=1, error="must name at least one brand"),
        error_messages=_messages(invalid="must be a mapping of brands to purposes"),
    )
    discloses = fields.Dict(
        keys=Slug(),
        values=_list(Slug()),
        load_default=dict,
        error_messages={"invalid": "must be a mapping of purposes to fields"},
    )
    requires = fields.List(Slug(), load_default=list, error_messages={"invalid": "must be a list"})
    limits = fields.Nested(LimitsSchema, load_default=dict)
    options = fields.Dict(load_default=dict, error_messages={"invalid": "must be a mapping"})


class SettingsSchema(Part):
    """The whole file."""

    version = fields.Integer(
        strict=True,
        required=True,
        validate=validate.Equal(SETTINGS_VERSION, error=f"must be {SETTINGS_VERSION}: this release reads no other shape"),
        error_messages=_messages(invalid="must be a whole number"),
    )
    tenant = Slug(required=True)
    promise = _part(PromiseSchema)
    log = _part(LogSchema)
    retention = _part(RetentionSchema)
    delivery = fields.Nested(DeliverySchema, load_default=dict)
    brands = _by_name(BrandSchema)
    sources = _by_name(SourceSchema)
    destinations = _by_name(DestinationSchema)

    @validates_schema
    def names_exist(self, data: dict[str, Any], **_: Any) -> None:
        brands = data["brands"]
        wrong: dict[str, Any] = {}
        known = {code for brand in brands.values() for code in brand["purposes"]}
        for code in data["retention"]["lead_by_purpose"].keys() - known:
            complaint = [f"is no purpose of any brand; {suggest(code, known)}"]
            wrong.setdefault("retention", {}).setdefault("lead_by_purpose", {})[code] = complaint
        for name, source in data["sources"].items():
            brand = source.get("brand")
            if brand is not None and brand not in brands:
                wrong.setdefault("sources", {})[name] = {"brand": [f"is no brand of this file; {suggest(brand, brands)}"]}
        for name, destination in data["destinations"].items():
            bad = _unknown_purposes(destination["purposes"], brands)
            if bad:
                wrong.setdefault("destinations", {})[name] = {"purposes": bad}
            for brand in destination["purposes"]:
                if (
                    brand in brands
                    and destination["country"] != brands[brand]["home_country"]
                    and "transfer_basis" not in destination
                ):
                    wrong.setdefault("destinations", {}).setdefault(name, {})["transfer_basis"] = [
                        "is required: this destination stores outside the brand's home country (152-FZ Art. 12)"
                    ]
        if wrong:
            raise ValidationError(wrong)


def _unknown_purposes(purposes: Mapping[str, list[str]], brands: Mapping[str, Any]) -> dict[str, Any]:
    bad: dict[str, Any] = {}
    for brand, codes in purposes.items():
        if brand not in brands:
            bad[brand] = [f"is no brand of this file; {suggest(brand, brands)}"]
            continue
        known = brands[brand]["purposes"]
        wrong = {
            place: [f"is no purpose of this brand; {suggest(code, known)}"]
            for place, code in enumerate(codes)
            if code not in known
        }
        if wrong:
            bad[brand] = wrong
    return bad


def check_settings(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load the file's content. Answers clean values, and complaints as (place, what to do); values only if there are none."""
    try:
        loaded: dict[str, Any] = SettingsSchema().load(document)
    except ValidationError as error:
        return {}, list(_places(error.messages, ""))
    return loaded, []


def _places(messages: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _places(below, _step(path, key, below))
    elif isinstance(messages, (list, tuple)):
        for message in messages:
            yield from _places(message, path)
    else:
        yield path, str(messages)


def _step(path: str, key: object, below: object) -> str:
    # marshmallow puts complaints about a mapping's entry under "key" or "value", about a whole schema under "_schema".
    if key == "_schema" or (key in ("key", "value") and isinstance(below, (list, Mapping))):
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)
