"""What connector.yaml may hold. Refused: unknown keys, a capability the transport says nothing about, a purpose that discloses
nothing, a key length no key of ours fits. All complaints are collected; none repeats a value.

The schema yields plain dicts; ``integrations.contract.loading`` makes the Manifest of them. What the six words of a mapping
mean is checked where they are compiled, against the fields that are disclosed.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas import complaints
from schemas.fields.setting import Choice, Slug, Text
from schemas.rest_schema import RestTransportSchema
from schemas.settings_schema import Part
from schemas.vocabulary import Language, RecipientKind, WriteMode

#: A key of ours has 26 characters; a vendor that keeps fewer than 20 of them cannot tell leads apart for long.
SHORTEST_KEY, LONGEST_KEY = 20, 26


class CapabilitiesSchema(Part):
    """What the vendor can do."""

    write_mode = Choice(WriteMode, required=True)
    batch_size = fields.Integer(strict=True, required=True, validate=validate.Range(min=1, max=100_000))
    lookup = fields.Boolean()
    suppress = fields.Boolean()
    suppress_fields = fields.List(Slug(), validate=validate.Length(min=1))
    erase = fields.Boolean()
    key_length = fields.Integer(strict=True, validate=validate.Range(min=SHORTEST_KEY, max=LONGEST_KEY))


class LimitsSchema(Part):
    """What we allow ourselves. Rates are calls a second; timeouts are seconds."""

    calls_per_second = fields.Float(allow_none=True, validate=validate.Range(min=0, min_inclusive=False))
    burst = fields.Integer(strict=True, validate=validate.Range(min=1))
    connect_timeout = fields.Float(validate=validate.Range(min=0, min_inclusive=False, max=60))
    read_timeout = fields.Float(validate=validate.Range(min=0, min_inclusive=False, max=600))
    max_response_bytes = fields.Integer(strict=True, validate=validate.Range(min=1024))


class ManifestSchema(Part):
    """The whole file."""

    name = Slug(required=True)
    kind = Choice(RecipientKind, required=True)
    title = fields.Dict(keys=Choice(Language), values=Text(), required=True, validate=validate.Length(min=1))
    connection_type = Text()
    capabilities = fields.Nested(CapabilitiesSchema, required=True)
    limits = fields.Nested(LimitsSchema)
    discloses = fields.Dict(keys=fields.String(), values=fields.List(Slug(), validate=validate.Length(min=1)), required=True)
    requires = fields.List(Slug())
    transport = fields.Dict(keys=fields.String())
    mapping = fields.Dict(keys=fields.String())
    exemptions = fields.Dict(keys=Slug(), values=Text(most=400))

    @validates_schema
    def discloses_what_it_requires(self, data: dict[str, Any], **_: Any) -> None:
        if not data["discloses"]:
            raise ValidationError({"discloses": ["name the fields for a purpose, or for '*'"]})
        missing = {name for name in data.get("requires", ()) for told in data["discloses"].values() if name not in told}
        if missing:
            raise ValidationError({"requires": [f"not disclosed for every purpose: {', '.join(sorted(missing))}"]})

    @validates_schema
    def tells_nothing_new_to_stop(self, data: dict[str, Any], **_: Any) -> None:
        needed = set(data["capabilities"].get("suppress_fields", ()))
        undisclosed = {name for name in needed for told in data["discloses"].values() if name not in told}
        if undisclosed:
            names = ", ".join(sorted(undisclosed))
            raise ValidationError({"capabilities": {"suppress_fields": [f"not disclosed for every purpose: {names}"]}})

    @validates_schema
    def transport_fits_capabilities(self, data: dict[str, Any], **_: Any) -> None:
        transport = data.get("transport", {})
        if transport.get("kind") != "rest":
            return
        if errors := RestTransportSchema().validate(transport):
            raise ValidationError({"transport": errors})
        capabilities, operations = data["capabilities"], transport["operations"]
        for verb in ("lookup", "suppress", "erase"):
            if bool(capabilities.get(verb)) != (verb in operations):
                raise ValidationError(
                    {"transport": {"operations": {verb: ["stands here exactly if capabilities declares it"]}}}
                )
        if "records" not in operations["deliver"] and capabilities["batch_size"] != 1:
            raise ValidationError({"transport": {"operations": {"deliver": {"records": ["is required for a batch"]}}}})
        if not data.get("mapping"):
            raise ValidationError({"mapping": ["is required: it says what a record looks like"]})


def check_manifest(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load connector.yaml's content. Answers clean values, and complaints as (place, what to do)."""
    return complaints.check(ManifestSchema(), document)
