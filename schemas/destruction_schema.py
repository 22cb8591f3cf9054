"""What leadgate.yaml says about destruction: the facts an act of destruction must hold that no ledger knows."""

from __future__ import annotations

from marshmallow import fields

from schemas.consent_schema import PartySchema
from schemas.fields.setting import Duration, Text
from schemas.settings_part import Part


class DestructionSchema(Part):
    """The information system by its name, who destroys, who processes on our behalf, and how long an act is kept."""

    system = Text(most=300)
    position = Text(most=300)
    place = Text(most=300)
    keep_acts = Duration()
    processors = fields.List(fields.Nested(PartySchema), load_default=list, error_messages={"invalid": "must be a list"})
