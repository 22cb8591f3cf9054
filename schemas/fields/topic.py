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


class TopicValue(NamedTuple):
    """A topic of the brand with the fields that were given, in the order of the configuration."""

    code: str
    fields: Mapping[str, str]


class TopicField(Checked[TopicValue]):
    """``{"code": ..., "fields": {...}}``; ``topics`` are the brand's."""

    topics: Mapping[str, Topic]

    def read(self, value: object) -> TopicValue:
        if not isinstance(value, dict):
            raise ValidationError(Hint.NOT_AN_OBJECT)
        errors: dict[str, Any] = {key: [Hint.UNKNOWN_KEY] for key in value if key not in _KEYS}
        code = value.get("code")
        if code is None or code == "":
            raise ValidationError(errors | {"code": [Hint.REQUIRED]})
        topic = self.topics.get(code) if isinstance(code, str) else None
        if topic is None:
            raise ValidationError(errors | {"code": [Hint.UNKNOWN_TOPIC]})
        given = value.get("fields")
        if given is None:
            given = {}
        if not isinstance(given, dict):
            raise ValidationError(errors | {"fields": [Hint.NOT_AN_OBJECT]})
        fields, wrong = _topic_fields(topic, given)
        if wrong:
            errors["fields"] = wrong
        if errors:
            raise ValidationError(errors)
        return TopicValue(topic.code, fields)


def _topic_fields(topic: Topic, given: Mapping[Any, object]) -> tuple[dict[str, str], dict[str, Any]]:
    fields: dict[str, str] = {}
    wrong: dict[str, Any] = {}
    taken = 0
    for name, required in topic.fields.items():
        raw = given.get(name)
        if name in given:
            taken += 1
        if raw is not None:
            try:
                read = _LINE.read(raw)
            except ValidationError as error:
                wrong[name] = [str(message) for message in error.messages]
                continue
            if read is not None:
                fields[name] = read
                continue
        if required:
            wrong[name] = [Hint.REQUIRED]
    if taken != len(given):
        wrong |= {key: [Hint.NOT_A_TOPIC_FIELD] for key in given if key not in topic.fields}
    return fields, wrong
