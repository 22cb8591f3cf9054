"""What ``transport`` of a declarative REST connector may hold: how to sign in, five calls, how to read their answers.

Refused: a path that is an address (only base_url decides where we speak), a credential in a header, results without the means
to match them to what was sent.
"""

from __future__ import annotations

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
    """What an error of the vendor's about one record means; without a word here it is a rejection."""

    ACCEPTED = "accepted"  # the record stands there already
    REJECTED = "rejected"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"


_PATH: Final = validate.Regexp(r"/(?!/)[A-Za-z0-9._~/{}:@!$&'()*+,;=-]*\Z", error="must be a path beginning with a single /")
_METHODS: Final = validate.OneOf(("GET", "POST", "PUT", "PATCH", "DELETE"), error="must be an HTTP method in capitals")
_HEADER: Final = validate.Regexp(r"[A-Za-z][A-Za-z0-9-]*\Z", error="must be the name of a header")
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def _dotted(*, required: bool = False, allow_none: bool = False) -> fields.String:
    return fields.String(
        required=required,
        allow_none=allow_none,
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
    codes = fields.Dict(keys=Text(), values=Choice(ErrorMeaning))


class ResultsSchema(Part):
    """How the answer tells what became of each record."""

    at = _dotted()
    match = Choice(Match, required=True)
    key = _dotted()
    count = _dotted()
    status = _dotted()
    created = fields.List(fields.Raw())
    updated = fields.List(fields.Raw())
    accepted = fields.List(fields.Raw())
    ref = _dotted()
    code = _dotted()
    field = _dotted()
    codes = fields.Dict(keys=Text(), values=Choice(RecordMeaning))

    @validates_schema
    def can_be_matched(self, data: dict[str, Any], **_: Any) -> None:
        if (data["match"] is Match.KEY) != ("key" in data):
            raise ValidationError({"key": ["stands here exactly if match is key"]})
        if "count" in data and data["match"] is not Match.WHOLE:
            raise ValidationError({"count": ["belongs to match: whole"]})
        words = data.get("created", []) + data.get("updated", []) + data.get("accepted", [])
        if ("status" in data) != bool(words):
            raise ValidationError({"status": ["needs the values that mean success in created, updated or accepted"]})


class CheckSchema(Part):
    """The call behind 'Test connection'. It writes nothing."""

    method = fields.String(validate=_METHODS, load_default="GET")
    path = fields.String(required=True, validate=_PATH)


class CallSchema(Part):
    """One verb. ``records`` is where the list stands in the body: dotted, empty for the body itself, none for one record."""

    method = fields.String(required=True, validate=_METHODS)
    path = fields.String(required=True, validate=_PATH)
    records = _dotted(allow_none=True)
    body = fields.Dict(keys=fields.String())
    idempotency_header = fields.String(validate=_HEADER)
    most = fields.Integer(strict=True, validate=validate.Range(min=1))
    mapping = fields.Dict(keys=fields.String())
    results = fields.Nested(ResultsSchema, required=True)

    @validates_schema
    def one_by_one_or_in_a_list(self, data: dict[str, Any], **_: Any) -> None:
        if "{key}" in data["path"] and data.get("records") is not None:
            raise ValidationError({"records": ["a path with {key} takes one record: leave records out"]})


class RestTransportSchema(Part):
    """All of ``transport``."""

    kind = fields.String(required=True, validate=validate.Equal("rest"))
    auth = fields.Nested(AuthSchema, required=True)
    headers = fields.Dict(keys=fields.String(validate=_HEADER), values=Text())
    errors = fields.Nested(ErrorsSchema)
    check = fields.Nested(CheckSchema, required=True)
    write = fields.Nested(CallSchema, required=True)
    lookup = fields.Nested(CallSchema)
    suppress = fields.Nested(CallSchema)
    erase = fields.Nested(CallSchema)

    @validates_schema
    def no_credential_in_the_open(self, data: dict[str, Any], **_: Any) -> None:
        if any(name.lower() in _SECRET_HEADERS for name in data.get("headers", {})):
            raise ValidationError({"headers": ["credentials come from the connection; say how under auth"]})


def check_rest_transport(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load a manifest's ``transport``. Answers clean values, and complaints as (place, what to do)."""
    return complaints.check(RestTransportSchema(), document)
