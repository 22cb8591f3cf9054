"""What leadgate.yaml may say about who answers for the data, where they are stored, and under which terms they may be used.

Refused: a border crossed before its review is over, a calling window that ends before it begins.
"""

from __future__ import annotations

from datetime import time
from typing import Any, Final
from zoneinfo import available_timezones

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.clocks_schema import DayField
from schemas.fields.contact import Country
from schemas.fields.setting import Choice, Text
from schemas.policy import Adequacy
from schemas.settings_part import Part, messages
from schemas.vocabulary import Language

_WORD: Final = validate.Regexp(r"[a-z][a-z_]{0,40}\Z", error="must be lower-case words of a law, such as store or transfer")


class PartySchema(Part):
    """A company or an authority: ``Party``."""

    name = Text(required=True)
    address = Text(required=True, most=500)
    contact = Text(required=True)
    register_number = Text(most=100)


class ControllerSchema(PartySchema):
    """Who answers for the data of a brand: ``Controller``. A consent record cannot be exported without it."""

    withdrawal_method = fields.Dict(
        keys=Choice(Language), values=Text(most=500), required=True, error_messages=messages(invalid="must be a mapping")
    )
    rights_url = Text(required=True, most=500)
    policy_url = Text(most=500)
    officer = Text()
    authority = fields.Nested(PartySchema)
    jurisdiction = Text(most=20)
    methods = Text(most=500)
    actions = fields.List(fields.String(validate=_WORD), error_messages={"invalid": "must be a list"})


class StorageSchema(Part):
    """Where the ledger stands: ``StoragePlace``."""

    country = Country(required=True)
    location = Text(required=True)


class CrossBorderSchema(Part):
    """The recorded basis of a transfer to one country: ``CrossBorder``."""

    adequacy = Choice(Adequacy, required=True)
    notification_ref = Text(required=True)
    date = DayField(required=True)
    decision_ref = Text()
    decided_on = DayField()

    @validates_schema
    def review_is_over(self, data: dict[str, Any], **_: Any) -> None:
        if data["adequacy"] is Adequacy.NOT_ADEQUATE and "decided_on" not in data:
            mend = "is required: where protection is not adequate nothing is sent before the review is over (152-FZ Art. 12)"
            raise ValidationError({"decided_on": [mend]})
        if "decided_on" in data and data["decided_on"] < data["date"]:
            raise ValidationError({"decided_on": ["lies before the notification"]})


class Hour(fields.Field[time]):
    """A time of day, as in "09:00"; in quotes, because YAML reads 21:00 as a number of minutes."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> time:  # noqa: ARG002 - marshmallow's hook
        try:
            found = time.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None:
            raise ValidationError('must be a time of day in quotes, as in "09:00"')
        return found


class CallingWindowSchema(Part):
    """Hours in which people of one country may be called, by their own clock: ``CallingWindow``."""

    begin = Hour(required=True, data_key="from", error_messages=messages())
    end = Hour(required=True, data_key="until", error_messages=messages())
    zone = fields.String(
        validate=validate.OneOf(available_timezones(), error="must be the name of a time zone, as in Europe/Minsk"),
        error_messages={"invalid": "must be text"},
    )

    @validates_schema
    def begins_before_it_ends(self, data: dict[str, Any], **_: Any) -> None:
        if data["begin"] >= data["end"]:
            raise ValidationError({"until": ["must be later than from"]})


def by_country(item: fields.Field[Any]) -> fields.Dict:
    """A mapping of countries, empty if it is not given."""
    return fields.Dict(
        keys=Country(), values=item, load_default=dict, error_messages={"invalid": "must be a mapping of countries"}
    )
