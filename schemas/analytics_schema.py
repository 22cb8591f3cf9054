"""How figures are anonymized, in leadgate.yaml. Refused: a k that anonymizes nothing, a place that lies in two regions."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from schemas.fields.contact import Country
from schemas.fields.setting import Text
from schemas.settings_part import Part, some

#: Fewer than this many alike are no crowd, whatever a configuration says.
LEAST_K: Final = 3


def _number(least: int, default: int) -> fields.Integer:
    return fields.Integer(
        strict=True,
        load_default=default,
        validate=validate.Range(min=least, error=f"must be at least {least}"),
        error_messages={"invalid": "must be a whole number"},
    )


class AnalyticsSchema(Part):
    """k-anonymity of what is exported, l-diversity of its topics, and which places may be named at all.

    ``places`` maps a country to its regions, and each region to its cities. A city is typed by people; what is not listed here
    is never written into a file.
    """

    k = _number(LEAST_K, 10)
    l_diversity = _number(1, 2)
    suppress = fields.Float(
        load_default=0.05,
        validate=validate.Range(min=0, max=1, error="must be between 0 and 1"),
        error_messages={"invalid": "must be a number"},
    )
    places = fields.Dict(
        keys=Country(),
        values=fields.Dict(
            keys=Text(most=100), values=some(Text(most=100)), error_messages={"invalid": "must map regions to cities"}
        ),
        load_default=dict,
        error_messages={"invalid": "must be a mapping of countries"},
    )

    @validates_schema
    def one_region_a_city(self, data: dict[str, Any], **_: Any) -> None:
        for country, regions in data["places"].items():
            cities = [city.casefold() for names in regions.values() for city in names]
            if len(set(cities)) < len(cities):
                raise ValidationError({"places": {country: ["lists a city twice"]}})
