"""What every part of leadgate.yaml shares: it refuses unknown keys, says the nearest known one, and never repeats a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from schemas.fields.setting import Slug


def suggest(word: str, known: Iterable[str]) -> str:
    """Say what is known, nearest first: the operator's spelling is not repeated."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(names) or 'none'}"


class Part(Schema):
    """A part of the file; names every unknown key together with all other complaints."""

    error_messages = {"type": "must be a mapping of keys to values"}  # noqa: RUF012 - marshmallow's own attribute

    class Meta:
        unknown = EXCLUDE  # only so that ``unknown_keys`` may speak instead

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def unknown_keys(self, data: Any, original: Any, **_: Any) -> None:  # noqa: ARG002 - marshmallow's hook
        if isinstance(original, Mapping):
            known = {field.data_key or name for name, field in self.fields.items()}
            wrong = {str(key): [f"is not a key here; {suggest(str(key), known)}"] for key in original if key not in known}
            if wrong:
                raise ValidationError(wrong)


Messages = dict[str, str | list[Any] | dict[Any, Any]]


def messages(**more: str) -> Messages:
    return {"required": "is required", "null": "is required", **more}


def part(schema: type[Schema], *, required: bool = True) -> fields.Nested:
    return fields.Nested(schema, required=required, error_messages=messages())


def by_name(schema: type[Schema]) -> fields.Dict:
    return fields.Dict(
        keys=Slug(),
        values=part(schema),
        required=True,
        error_messages=messages(invalid="must be a mapping of names"),
    )


def some(item: fields.Field[Any], *, key: str | None = None) -> fields.List[Any]:
    some = validate.Length(min=1, error="must list at least one")
    return fields.List(item, required=True, data_key=key, validate=some, error_messages=messages(invalid="must be a list"))


def count() -> fields.Integer:
    least = validate.Range(min=1, error="must be at least 1")
    return fields.Integer(strict=True, validate=least, error_messages={"invalid": "must be a whole number"})
