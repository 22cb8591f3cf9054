"""The base of every field of a lead. It refuses a blank required value, and lets no rule live outside ``read``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import ValidationError, fields

from schemas.fields.hint import Hint

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)


class Checked(fields.Field[T | None], Generic[T]):
    """A field whose whole rule is ``read``: it answers the normalised value, or None for "not given".

    Raises ValidationError with a ``Hint``. Null and blank are the same as absent, because CSV cannot tell them apart.
    """

    #: Whether leads repeat a few values of it, none of them personal: what was read once may be remembered.
    repeats: ClassVar[bool] = False

    def __init__(self, *, required: bool = False, missing_hint: Hint = Hint.REQUIRED) -> None:
        if required:
            super().__init__(required=True, allow_none=False, error_messages={"required": missing_hint, "null": missing_hint})
        else:
            super().__init__(load_default=None, allow_none=True)  # no other message of marshmallow's own can arise

    @abstractmethod
    def read(self, value: object) -> T | None:
        """The rule of this field."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> T | None:  # noqa: ARG002 - marshmallow's hook
        read = self.read(value)
        if read is None and self.required:
            raise self.make_error("required")
        return read


class Word(Checked[W]):
    """One word of a closed vocabulary, in any case."""

    repeats = True

    def __init__(self, vocabulary: type[W], *, required: bool = False) -> None:
        super().__init__(required=required)
        self._words: dict[object, W] = {word.value: word for word in vocabulary}

    def read(self, value: object) -> W | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        word = self._words.get(value)
        if word is None:
            plain = value.strip().lower()
            if not plain:
                return None
            word = self._words.get(plain)
            if word is None:
                raise ValidationError(Hint.UNKNOWN_WORD)
        return word


class Many(Checked[tuple[str, ...]]):
    """A list of values of one field, without doubles, in order. Blank items fall away."""

    def __init__(self, item: Checked[str], *, most: int, required: bool = False, missing_hint: Hint = Hint.REQUIRED) -> None:
        super().__init__(required=required, missing_hint=missing_hint)
        self._item = item
        self.most = most

    def read(self, value: object) -> tuple[str, ...] | None:
        if not isinstance(value, (list, tuple)):
            raise ValidationError(Hint.NOT_A_LIST)
        if len(value) > self.most:
            raise ValidationError(Hint.TOO_MANY)
        read = self._item.read
        try:
            if len(value) == 1:  # by far the most common
                item = None if value[0] is None else read(value[0])
                return None if item is None else (item,)
            items = [None if raw is None else read(raw) for raw in value]
        except ValidationError:
            raise self._complaints(value) from None
        clean = [item for item in items if item is not None]
        if len(set(clean)) != len(clean):
            clean = list(dict.fromkeys(clean))
        return tuple(clean) or None

    def _complaints(self, value: list[object] | tuple[object, ...]) -> ValidationError:
        errors: dict[str | int, list[Any]] = {}
        for place, raw in enumerate(value):
            try:
                if raw is not None:
                    self._item.read(raw)
            except ValidationError as error:
                errors[str(place)] = [str(message) for message in error.messages]
        return ValidationError(errors)
