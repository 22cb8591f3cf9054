"""A wrapper for what identifies a person; it refuses to be printed, formatted, hashed, pickled or turned into JSON.

The wrapper is not encryption. It makes the safe thing the default: whoever wants the value writes ``.reveal()``, and an
architecture test names the only modules that may.
"""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")


class Personal(Generic[T]):
    """Holds one personal value in memory. ``repr``, ``str`` and ``format`` all say ``<personal>``."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value. Only the modules listed in tests/architecture may call this."""
        return self._value

    def __repr__(self) -> str:
        return "<personal>"

    def __format__(self, spec: str) -> str:
        return "<personal>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and bool(self._value == other._value)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a personal value is never pickled: it lives in memory, or sealed in the vault")

    def __copy__(self) -> Personal[T]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Personal[T]:
        return self
