"""The one error of a wrong configuration. It holds every mistake at once, because mending them one by one costs a night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.errors import ConfigurationError

#: A file that is wrong from top to bottom says so in a screenful.
_MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake: where it stands (``leadgate.yaml: brands.lada.title``), and the mend."""

    place: str
    mend: str


class SettingsError(ConfigurationError):
    """leadgate.yaml or the environment is wrong. ``field`` is the first place; ``problems`` are all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [f"{problem.place}: {problem.mend}" for problem in self.problems[:_MOST_SHOWN]]
        if len(self.problems) > _MOST_SHOWN:
            shown.append(f"and {len(self.problems) - _MOST_SHOWN} more")
        first = self.problems[0]
        message = first.mend if len(self.problems) == 1 else "\n  ".join([f"{len(self.problems)} mistakes", *shown])
        super().__init__("bad_settings", message, field=first.place)


class Problems:
    """Collects mistakes about one file."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._found: list[Problem] = []

    def add(self, key: str, mend: str) -> None:
        """Remember a mistake at ``key`` of the file."""
        self._found.append(Problem(place=f"{self._file_name}: {key}" if key else self._file_name, mend=mend))

    def add_environment(self, variable: str, mend: str) -> None:
        """Remember a mistake in an environment variable."""
        self._found.append(Problem(place=variable, mend=mend))

    def raise_if_any(self) -> None:
        """Raise SettingsError with everything collected so far."""
        if self._found:
            raise SettingsError(self._found)
