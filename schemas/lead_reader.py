"""Reads lead documents of all brands. It raises nothing and answers no value: a lead, or findings.

marshmallow's ``load`` spends most of its time around the fields, not in them. ``_Compiled`` walks a schema once and keeps its
fields' own ``read`` functions in a flat list. It accepts a document only if every key is known, every required field is there
and every ``read`` answers, and builds the lead with the very function the schema builds it with. Whatever else happens, it
steps aside and marshmallow reads the document from the start, so that every complaint comes from the one truth. Before it,
``schemas.plain_lead`` takes the documents that are plainly normal at a glance. A property test compares all of them on valid,
broken and hostile documents (docs/adr/0007-validation.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields

from schemas.fields.base import Checked
from schemas.fields.hint import Hint
from schemas.findings import findings_of
from schemas.lead import Lead
from schemas.lead_schema import ConsentSchema, LeadSchema, make_claim, make_lead
from schemas.plain_lead import PlainLeads
from schemas.policy import BrandPolicy
from schemas.verdict import Finding

Read = Callable[[Any], Any]
#: Words a field remembers, at most.
_REMEMBERED: Final = 1000


class _StepAsideError(Exception):
    """The document is for marshmallow."""


class _Remembering(dict[str, Any]):
    """What a field read of the first words it was given. Other types are asked anew: True is 1 to a dict."""

    __slots__ = ("_read",)

    def __init__(self, read: Read) -> None:
        self._read = read

    def __missing__(self, value: Any) -> Any:
        found = self._read(value)
        if type(value) is str and len(self) < _REMEMBERED:
            self[value] = found
        return found


class _Compiled:
    """The fields of one schema as a flat plan. Raises ValidationError or _StepAsideError for whatever is not plainly valid."""

    __slots__ = ("_absent", "_make", "_reads", "_required")

    def __init__(self, schema: Schema, make: Callable[[dict[str, Any]], Any]) -> None:
        self._make = make
        self._reads: dict[object, Read] = {}
        for name, field in schema.fields.items():
            read: Read
            if isinstance(field, Checked):
                read = _Remembering(field.read).__getitem__ if field.repeats else field.read
            elif isinstance(field, fields.Nested) and isinstance(field.schema, ConsentSchema):
                read = _Compiled(field.schema, make_claim)
            else:  # a field this plan does not understand would be a second truth
                raise TypeError(f"{name}: only Checked fields and the consent can be compiled")
            if (field.data_key or name) != name or field.attribute is not None or field.validators:
                raise TypeError(f"{name}: a compiled field has one name and one rule")
            self._reads[name] = read
        self._absent = dict.fromkeys(schema.fields)
        self._required = [name for name, field in schema.fields.items() if field.required]

    def __call__(self, document: object) -> Any:
        if type(document) is not dict:
            raise _StepAsideError
        values: dict[str, Any] = self._absent.copy()
        reads = self._reads
        for name, value in document.items():
            read = reads.get(name)
            if read is None:
                raise _StepAsideError
            if value is not None:
                values[name] = read(value)
        for name in self._required:
            if values[name] is None:
                raise _StepAsideError
        return self._make(values)


class LeadReader:
    """Built once from the policies of all brands; not thread-safe. ``fast=False`` asks marshmallow for every document."""

    def __init__(self, policies: Mapping[str, BrandPolicy], *, fast: bool = True) -> None:
        self._schemas = {brand: LeadSchema(policy) for brand, policy in policies.items()}
        schemas = self._schemas if fast else {}
        self._plain = {brand: PlainLeads(schema).read for brand, schema in schemas.items()}
        self._compiled = {brand: _Compiled(schema, make_lead) for brand, schema in schemas.items()}

    def read(self, document: object) -> Lead | tuple[Finding, ...]:
        """Check and normalise one document."""
        if type(document) is not dict and not isinstance(document, Mapping):
            return findings_of([Hint.NOT_AN_OBJECT])
        brand = document.get("brand")
        name = brand if isinstance(brand, str) else ""
        schema = self._schemas.get(name)
        if schema is None:
            return findings_of({"brand": [Hint.UNKNOWN_BRAND if brand else Hint.REQUIRED]})
        lead: Lead | None
        plain = self._plain.get(name)
        if plain is not None and type(document) is dict:
            lead = plain(document)
            if lead is not None:
                return lead
            try:
                lead = self._compiled[name](document)
            except (ValidationError, _StepAsideError, TypeError):  # a list where a word is remembered
                pass
            else:
                return lead
        try:
            lead = schema.load(document)
        except ValidationError as error:
            return findings_of(error.messages)
        return lead
