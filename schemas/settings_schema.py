"""What leadgate.yaml may hold. Refused: unknown keys (with the nearest known one), missing keys, names that nothing defines,
and rules that contradict each other. All complaints are collected; none repeats a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.analytics_schema import AnalyticsSchema
from schemas.brand_schema import BrandSchema
from schemas.clocks_schema import ClocksSchema, calendars
from schemas.consent_schema import PartySchema, StorageSchema
from schemas.destruction_schema import DestructionSchema
from schemas.fields.contact import Country
from schemas.fields.setting import Duration, Slug, Text
from schemas.keys_schema import KeysSchema
from schemas.log_schema import LogSchema
from schemas.settings_part import Part, by_name, count, messages, part, some, suggest

#: The shape of the file this code reads.
SETTINGS_VERSION: Final = 1


class PromiseSchema(Part):
    """How soon people are called back."""

    answer_within = Duration(required=True)
    warn_after = Duration(required=True)

    @validates_schema
    def warn_before_it_is_late(self, data: dict[str, Any], **_: Any) -> None:
        if data["warn_after"] >= data["answer_within"]:
            raise ValidationError({"warn_after": ["must be shorter than answer_within"]})


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
    without_lead = Duration()
    suppression = fields.Boolean(error_messages={"invalid": "must be true or false"})


class DeliverySchema(Part):
    """How hard a delivery tries: ``DeliveryRules``, which holds the defaults."""

    lease = Duration()
    call_margin = Duration()
    settle = Duration()
    attempts = count()
    backoff_base = Duration()
    backoff_cap = Duration()
    breaker_failures = count()
    breaker_pause = Duration()
    batches_per_claim = count()
    express = fields.Boolean(error_messages={"invalid": "must be true or false"})


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
    burst = count()
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
    party = fields.Nested(PartySchema)
    purposes = fields.Dict(
        keys=Slug(),
        values=some(Slug()),
        required=True,
        validate=validate.Length(min=1, error="must name at least one brand"),
        error_messages=messages(invalid="must be a mapping of brands to purposes"),
    )
    discloses = fields.Dict(
        keys=Slug(),
        values=some(Slug()),
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
        error_messages=messages(invalid="must be a whole number"),
    )
    tenant = Slug(required=True)
    storage = fields.Nested(StorageSchema)
    promise = part(PromiseSchema)
    log = part(LogSchema)
    retention = part(RetentionSchema)
    delivery = fields.Nested(DeliverySchema, load_default=dict)
    destruction = fields.Nested(DestructionSchema, load_default=dict)
    clocks = fields.Nested(ClocksSchema, load_default=lambda: ClocksSchema().load({}))
    calendars = calendars()
    keys = fields.Nested(KeysSchema, load_default=lambda: KeysSchema().load({}))
    analytics = fields.Nested(AnalyticsSchema, load_default=lambda: AnalyticsSchema().load({}))
    brands = by_name(BrandSchema)
    sources = by_name(SourceSchema)
    destinations = by_name(DestinationSchema)

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
                    and destination["country"] not in brands[brand]["cross_border"]
                    and "transfer_basis" not in destination
                ):
                    wrong.setdefault("destinations", {}).setdefault(name, {})["transfer_basis"] = [
                        "is required: this destination stores outside the brand's home country (152-FZ Art. 12)"
                    ]
        if wrong:
            raise ValidationError(wrong)

    @validates_schema
    def stored_at_home_first(self, data: dict[str, Any], **_: Any) -> None:
        if "storage" not in data:
            return
        stands = data["storage"]["country"]
        away = sorted(name for name, brand in data["brands"].items() if brand["home_country"] != stands)
        if away:
            mend = (
                f"the ledger stands in another country than the home_country of {', '.join(away)}: its data are recorded there"
            )
            raise ValidationError({"storage": {"country": [f"{mend} first (152-FZ Art. 18(5)); give it a ledger at home"]}})


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


__all__ = ["SETTINGS_VERSION", "Part", "SettingsSchema", "check_settings", "suggest"]
