"""Fields of leadgate.yaml. Refused: everything that would have to be guessed, such as a duration without a unit or a version
that YAML turned into a number. Messages say what to write; they never repeat what was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from marshmallow import ValidationError, fields, validate

W = TypeVar("W", bound=StrEnum)

_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

#: Names of brands, purposes, topics, fields, sources and destinations: they become file names, table values and metric labels.
SLUG: Final = validate.Regexp(
    r"[a-z][a-z0-9_]{0,62}\Z", error="must be lower-case letters, digits and underscores, beginning with a letter"
)


class Slug(fields.String):
    """A name of our own making."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("error_messages", {"invalid": "must be text", "required": "is required", "null": "is required"})
        super().__init__(validate=SLUG, **settings)


class Text(fields.String):
    """Plain text that says something. A bare number is refused: YAML reads 1.10 as 1.1."""

    def __init__(self, *, most: int = 200, **settings: Any) -> None:
        settings.setdefault(
            "error_messages", {"invalid": "must be text; put it in quotes", "required": "is required", "null": "is required"}
        )
        super().__init__(validate=validate.Length(min=1, max=most, error=f"must have 1 to {most} characters"), **settings)


class Duration(fields.Field[timedelta]):
    """A whole number and its unit: 90d, 4h, 30m, 45s."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(error_messages={"required": "is required", "null": "is required"}, **settings)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> timedelta:  # noqa: ARG002 - marshmallow's hook
        matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if matched is None or int(matched[1]) == 0:
            raise ValidationError("must be a whole number and a unit, as in 90d, 4h, 30m or 45s")
        return timedelta(**{_UNITS[matched[2]]: int(matched[1])})


class Choice(fields.Field[W], Generic[W]):
    """One word of a closed vocabulary, spelt exactly."""

    def __init__(self, vocabulary: type[W], **settings: Any) -> None:
        super().__init__(error_messages={"required": "is required", "null": "is required"}, **settings)
        self._words: dict[object, W] = {word.value: word for word in vocabulary}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> W:  # noqa: ARG002 - marshmallow's hook
        word = self._words.get(value) if isinstance(value, str) else None
        if word is None:
            raise ValidationError(f"must be one of: {', '.join(str(word) for word in self._words)}")
        return word
