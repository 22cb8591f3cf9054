"""What ``transport`` of a declarative REST connector may hold: how to sign in, five operations, how to read their
answers.

Refused: a path that is an address (only base_url decides where we speak), a credential in a header, results without the means
to match them to what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas import complaints
from schemas.fields.setting import Choice, Text
from schemas.settings_schema import Part


class AuthScheme(StrEnum):
    BEARER = "bearer"  # RFC 6750
    BASIC = "basic"  # RFC 7617
    HEADER = "header"  # a header of the vendor's own
    NONE = "none"


class Match(StrEnum):
    """How a result is matched to its record."""

    KEY = "key"  # the result repeats our key
    POSITION = "position"  # results stand in the order of the records
    WHOLE = "whole"  # the vendor takes all or nothing and says nothing of single records


class ErrorMeaning(StrEnum):
    """What an error of the vendor's about a whole call means."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    TERMINAL = "terminal"
    UNCERTAIN = "uncertain"


class RecordMeaning(StrEnum):
    """What a status word of the vendor's, or an error code of a rejected record, means for one record."""

    CREATED = "created"
    UPDATED = "updated"
    ACCEPTED = "accepted"  # it stands there; whether it is new was not told
    REJECTED = "rejected"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"
    ABSENT = "absent"  # of suppress and erase: the vendor has no such record


def speaks_of_absence(outcomes: Mapping[str, RecordMeaning]) -> bool:
    """Whether a table of outcomes has a word for a record that is not there: no answer to a delivery."""
    return RecordMeaning.ABSENT in outcomes.values()


_PATH: Final = validate.Regexp(r"/(?!/)[A-Za-z0-9._~/{}:@!$&'()*+,;=-]*\Z", error="must be a path beginning with a single /")
_METHODS: Final = validate.OneOf(("GET", "POST", "PUT", "PATCH", "DELETE"), error="must be an HTTP method in capitals")
_HEADER: Final = validate.Regexp(r"[A-Za-z][A-Za-z0-9-]*\Z", error="must be the name of a header")
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def _dotted(**settings: Any) -> fields.String:
    return fields.String(
        **settings,
        validate=validate.Regexp(r"[A-Za-z0-9_$-]*(\.[A-Za-z0-9_$-]+)*\Z", error="must be names with dots between them"),
    )


class AuthSchema(Part):
    """How to sign in; the credential itself comes from the connection."""

    scheme = Choice(AuthScheme, required=True)
    header = fields.String(validate=_HEADER)

    @validates_schema
    def header_only_where_meant(self, data: dict[str, Any], **_: Any) -> None:
        if (data["scheme"] is AuthScheme.HEADER) != ("header" in data):
            raise ValidationError({"header": ["stands here exactly if scheme is header"]})


class ErrorsSchema(Part):
    """Where the code of a call's error stands in the body, and what each code means."""

    at = _dotted(required=True)
    codes = fields.Dict(keys=Text(), values=Choice(ErrorMeaning), load_default=dict)


class ResultsSchema(Part):
    """How the answer tells what became of each record. ``at`` is where the results stand; the rest are paths inside one."""

    at = _dotted(load_default="")
    match = Choice(Match, load_default=Match.KEY)
    key = _dotted()
    count = _dotted()
    status = _dotted()
    reference = _dotted()
    code = _dotted()
    field = _dotted()

    @validates_schema
    def can_be_matched(self, data: dict[str, Any], **_: Any) -> None:
        if (data["match"] is Match.KEY) != ("key" in data):
            raise ValidationError({"key": ["key stands here exactly if match is key"]})
        if "count" in data and data["match"] is not Match.WHOLE:
            raise ValidationError({"count": ["belongs to match: whole"]})


class ExpectedSchema(Part):
    """What 'Test connection' wants to read at a path, and what a person does if it does not."""

    value = Text(required=True)
    advice = Text(required=True, most=400)


class CheckSchema(Part):
    """The call behind 'Test connection'. It writes nothing."""

    method = fields.String(validate=_METHODS, load_default="GET")
    path = fields.String(required=True, validate=_PATH)
    expect = fields.Dict(keys=_dotted(), values=fields.Nested(ExpectedSchema), load_default=dict)


class OperationSchema(Part):
    """One verb. ``records`` is where the list stands in the body: dotted, "" for the body itself, left out for one record.

    ``record`` maps one record (left out: the key alone; of deliver it is the manifest's ``mapping``); ``body`` is what stands
    beside the records, in mapping words without fields.
    """

    method = fields.String(validate=_METHODS, load_default="POST")
    path = fields.String(required=True, validate=_PATH)
    records = _dotted()
    record = fields.Dict(keys=fields.String(), load_default=dict)
    body = fields.Dict(keys=fields.String(), load_default=dict)
    idempotency_header = fields.String(validate=_HEADER)
    most = fields.Integer(strict=True, validate=validate.Range(min=1))
    results = fields.Nested(ResultsSchema)
    outcomes = fields.Dict(keys=Text(), values=Choice(RecordMeaning), load_default=dict)

    @validates_schema
    def one_by_one_or_in_a_list(self, data: dict[str, Any], **_: Any) -> None:
        if "{key}" in data["path"] and "records" in data:
            raise ValidationError({"records": ["a path with {key} takes one record: leave records out"]})
        if ("status" in data.get("results", {})) != bool(data["outcomes"]):
            raise ValidationError({"outcomes": ["say here what the words at results.status mean; the two need each other"]})


class OperationsSchema(Part):
    """The verbs the vendor knows."""

    deliver = fields.Nested(OperationSchema, required=True)
    check = fields.Nested(CheckSchema, required=True)
    lookup = fields.Nested(OperationSchema)
    suppress = fields.Nested(OperationSchema)
    erase = fields.Nested(OperationSchema)

    @validates_schema
    def answers_are_read(self, data: dict[str, Any], **_: Any) -> None:
        for verb, operation in data.items():
            if verb != "check" and "results" not in operation and "{key}" not in operation["path"]:
                raise ValidationError({verb: {"results": ["is required: say how the answer tells what became of each record"]}})
        if "record" in data["deliver"] and data["deliver"]["record"]:
            raise ValidationError({"deliver": {"record": ["the record of deliver is the manifest's mapping"]}})
        if speaks_of_absence(data["deliver"]["outcomes"]):
            raise ValidationError({"deliver": {"outcomes": ["absent is no outcome of a delivery"]}})


class RestTransportSchema(Part):
    """All of ``transport``."""

    kind = fields.String(required=True, validate=validate.Equal("rest"))
    auth = fields.Nested(AuthSchema, required=True)
    headers = fields.Dict(keys=fields.String(validate=_HEADER), values=Text(), load_default=dict)
    options = fields.Dict(keys=fields.String(), load_default=dict)
    operations = fields.Nested(OperationsSchema, required=True)
    errors = fields.Nested(ErrorsSchema)
    codes = fields.Dict(keys=Text(), values=Choice(RecordMeaning), load_default=dict)

    @validates_schema
    def no_credential_in_the_open(self, data: dict[str, Any], **_: Any) -> None:
        if any(name.lower() in _SECRET_HEADERS for name in data["headers"]):
            raise ValidationError({"headers": ["credentials come from the connection; say how under auth"]})


def check_rest_transport(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load a manifest's ``transport``. Answers clean values, and complaints as (place, what to do)."""
    return complaints.check(RestTransportSchema(), document)
