"""Reads one field of a lead by the rule LeadSchema has for it. Refuses fields that say where a lead comes from: they are no
statement about the person, and rewriting them would rewrite the evidence.
"""

from __future__ import annotations

from typing import Final

from marshmallow import ValidationError

from schemas.fields.base import Checked
from schemas.fields.contact import PhoneNumber
from schemas.fields.hint import Hint
from schemas.fields.text import Line
from schemas.findings import findings_of
from schemas.lead_schema import LeadSchema
from schemas.policy import BrandPolicy
from schemas.verdict import Finding

#: What a person may have put right.
ABOUT_THE_PERSON: Final = ("given_name", "family_name", "phone", "email", "city", "region", "text")
_LINE: Final = Line()


def correctable(policy: BrandPolicy) -> tuple[str, ...]:
    """Names of the fields of this brand that may be put right."""
    own = sorted({name for topic in policy.topics.values() for name in topic.fields})
    return (*ABOUT_THE_PERSON, *own)


def read_field(policy: BrandPolicy, name: str, value: str) -> tuple[str, str | None] | Finding:
    """The value as a lead keeps it, and the country if a phone says one; or what is wrong with it, without repeating it."""
    if name not in correctable(policy):
        return findings_of({name: [Hint.UNKNOWN_KEY]})[0]
    field = LeadSchema(policy).fields[name] if name in ABOUT_THE_PERSON else _LINE
    try:
        read = field.read(value) if isinstance(field, Checked) else None
    except ValidationError as error:
        return findings_of({name: error.messages})[0]
    if read is None:
        return findings_of({name: [Hint.REQUIRED]})[0]
    return (read.e164, read.country) if isinstance(read, PhoneNumber) else (str(read), None)
