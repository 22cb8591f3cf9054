"""What ``transport`` of a declarative SOAP connector may hold: the WSDL, how to sign in, five operations, how to read their
answers and faults.

Refused: a WSDL named by address (it is read from a file, nothing is fetched), a write whose results cannot be read, a fault
without a meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas import complaints
from schemas.fields.setting import Choice, Text
from schemas.rest_schema import ExpectedSchema, RecordMeaning, speaks_of_absence
from schemas.settings_schema import Part


class Security(StrEnum):
    """How a SOAP service is told who asks."""

    DIGEST = "username_token_digest"  # OASIS WSS UsernameToken Profile 1.1, section 3.1: the password never travels
    TEXT = "username_token_text"  # the same, password in clear: over TLS or to this machine only
    BASIC = "basic"  # HTTP Basic, RFC 7617
    NONE = "none"


class FaultMeaning(StrEnum):
    """What a typed fault means. All of them promise that nothing of the request was carried out."""

    UNAUTHORIZED = "unauthorized"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


_FILE: Final = validate.Regexp(r"[^:]+\.(wsdl|xml)\Z", error="must be the name of a .wsdl file, not an address")
_WRITES: Final = ("deliver", "suppress", "erase")


def _dotted(**settings: Any) -> fields.String:
    return fields.String(
        **settings,
        validate=validate.Regexp(r"[\w-]*(\.[\w-]+)*\Z", error="must be element names with dots between them"),
    )


class FaultSchema(Part):
    """One typed fault. Beside ``means`` everything is a path into the fault's detail."""

    means = Choice(FaultMeaning, required=True)
    retry_after = _dotted()
    key = _dotted()
    field = _dotted()
    code = _dotted()


class SoapResultsSchema(Part):
    """Where the results stand in the answer (``at``), and the names of the elements inside one."""

    at = _dotted(required=True)
    key = fields.String(required=True)
    status = fields.String(load_default="")
    reference = fields.String(load_default="")
    code = fields.String(load_default="")
    field = fields.String(load_default="")


class SoapCheckSchema(Part):
    """The operation behind 'Test connection'. It writes nothing."""

    name = Text(required=True)
    arguments = fields.Dict(keys=fields.String(), load_default=dict)
    expect = fields.Dict(keys=_dotted(), values=fields.Nested(ExpectedSchema), load_default=dict)


class SoapOperationSchema(Part):
    """One verb as an operation of theirs. ``records`` is the dotted path of the repeated element in the request.

    ``record`` maps one record (left out: the key alone; of deliver it is the manifest's ``mapping``); ``arguments`` stand
    beside the records, in mapping words without fields.
    """

    name = Text(required=True)
    arguments = fields.Dict(keys=fields.String(), load_default=dict)
    records = _dotted(required=True)
    record = fields.Dict(keys=fields.String(), load_default=dict)
    results = fields.Nested(SoapResultsSchema, required=True)
    outcomes = fields.Dict(keys=Text(), values=Choice(RecordMeaning), load_default=dict)

    @validates_schema
    def outcomes_need_a_status(self, data: dict[str, Any], **_: Any) -> None:
        if bool(data["results"]["status"]) != bool(data["outcomes"]):
            raise ValidationError({"outcomes": ["say here what the words at results.status mean; the two need each other"]})


class SoapOperationsSchema(Part):
    """The verbs the vendor knows."""

    deliver = fields.Nested(SoapOperationSchema, required=True)
    check = fields.Nested(SoapCheckSchema, required=True)
    lookup = fields.Nested(SoapOperationSchema)
    suppress = fields.Nested(SoapOperationSchema)
    erase = fields.Nested(SoapOperationSchema)

    @validates_schema
    def writes_are_read(self, data: dict[str, Any], **_: Any) -> None:
        for verb in _WRITES:
            if verb in data and not data[verb]["outcomes"]:
                raise ValidationError({verb: {"outcomes": ["is required: what does each status word mean?"]}})
        if data["deliver"]["record"]:
            raise ValidationError({"deliver": {"record": ["the record of deliver is the manifest's mapping"]}})
        if speaks_of_absence(data["deliver"]["outcomes"]):
            raise ValidationError({"deliver": {"outcomes": ["absent is no outcome of a delivery"]}})


class SoapTransportSchema(Part):
    """All of ``transport``."""

    kind = fields.String(required=True, validate=validate.Equal("soap"))
    wsdl = fields.String(required=True, validate=_FILE)
    binding = Text(load_default=None, allow_none=True)
    security = Choice(Security, load_default=Security.DIGEST)
    options = fields.Dict(keys=fields.String(), load_default=dict)
    operations = fields.Nested(SoapOperationsSchema, required=True)
    codes = fields.Dict(keys=Text(), values=Choice(RecordMeaning), load_default=dict)
    faults = fields.Dict(keys=Text(), values=fields.Nested(FaultSchema), load_default=dict)


def check_soap_transport(document: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Load a manifest's ``transport``. Answers clean values, and complaints as (place, what to do)."""
    return complaints.check(SoapTransportSchema(), document)
