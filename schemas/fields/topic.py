"""What the person wants to be called back about. Refused: topics and fields the brand does not know,
required fields left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from marshmallow import ValidationError

from schemas.fields.base import Checked
from schemas.fields.hint import Hint
from schemas.fields.text import Line
from schemas.policy import Topic

_LINE: Final = Line()
_KEYS: Final = frozenset({"code", "fields"})


#: A topic's fields with whether they are required, in order, and their names.
Plan = tuple[tuple[tuple[str, bool], ...], frozenset[str]]


class TopicValue(NamedTuple):
    """A topic of the brand with the fields that were given, in the order of the configuration."""

    code: str
    fields: Mapping[str, str]


class TopicField(Checked[TopicValue]):
    """``{"code": ..., "fields": {...}}``; the topics are the brand's."""

    _plans: Mapping[str, Plan]

    def know(self, topics: Mapping[str, Topic]) -> None:
        """Take the brand's topics."""
        self._plans = {code: (tuple(topic.fields.items()), frozenset(topic.fields)) for code, topic in topics.items()}

    def read(self, value: object) -> TopicValue:
        if not isinstance(value, dict):
            raise ValidationError(Hint.NOT_AN_OBJECT)
        errors: dict[str, Any] = {}
        if not _KEYS.issuperset(value):
            errors = {key: [Hint.UNKNOWN_KEY] for key in value if key not in _KEYS}
        code = value.get("code")
        plan = self._plans.get(code) if isinstance(code, str) else None
        if plan is None or not isinstance(code, str):
            hint = Hint.REQUIRED if code is None or code == "" else Hint.UNKNOWN_TOPIC
            raise ValidationError(errors | {"code": [hint]})
        given = value.get("fields")
        if given is None:
            given = {}
        elif not isinstance(given, dict):
            raise ValidationError(errors | {"fields": [Hint.NOT_AN_OBJECT]})
        fields, wrong = _read_fields(plan, given)
        if wrong:
            errors["fields"] = wrong
        if errors:
            raise ValidationError(errors)
        return TopicValue(code, fields)


def _read_fields(plan: Plan, given: Mapping[Any, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    fields: dict[str, str] = {}
    wrong: dict[str, Any] = {}
    declared, known = plan
    for name, required in declared:
        raw = given.get(name)
        try:
            read = None if raw is None else _LINE.read(raw)
        except ValidationError as error:
            wrong[name] = [str(message) for message in error.messages]
            continue
        if read is not None:
            fields[name] = read
        elif required:
            wrong[name] = [Hint.REQUIRED]
    if not known.issuperset(given):
        wrong |= {key: [Hint.NOT_A_TOPIC_FIELD] for key in given if key not in known}
    return fields, wrong
