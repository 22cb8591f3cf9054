"""What a verification says: places, problems and advice. A report without findings is the only good one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas.audit import Checkpoint

#: More findings of one code than this are counted, not listed: a log that is wrong everywhere must still fit a screen.
MAX_OF_ONE_CODE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it must be. ``code`` is a stable word for tests and alarms; the rest is for people."""

    code: str
    place: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. {self.advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was checked and what was found. ``ok`` is the verdict; ``sealed`` of ``leaves`` leaves stand under a signature."""

    verified_at: datetime
    origin: str = ""
    created_at: datetime | None = None
    checkpoint: Checkpoint | None = None  # the largest one whose signature holds
    checkpoints: int = 0  # whose signature holds
    leaves: int = 0
    sealed: int = 0  # leaves under the largest checkpoint whose root was re-derived
    pruned: int = 0  # leaves before this one were given up by the log and not looked at
    witnesses: tuple[str, ...] = ()  # of the policy, that have signed the newest checkpoint
    leads: int = 0
    erased: int = 0
    deliveries: int = 0
    consents: int = 0
    events: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    unlisted: int = 0  # further findings of codes that were found too often to be listed

    @property
    def ok(self) -> bool:
        return not self.findings


class Collector:
    """Takes findings in; keeps the first of each code and counts the rest."""

    __slots__ = ("_count", "_kept", "unlisted")

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._count: dict[str, int] = {}
        self.unlisted = 0

    def add(self, code: str, *, place: str, problem: str, advice: str) -> None:
        """Note one finding."""
        self._count[code] = self._count.get(code, 0) + 1
        if self._count[code] > MAX_OF_ONE_CODE:
            self.unlisted += 1
        else:
            self._kept.append(Finding(code=code, place=place, problem=problem, advice=advice))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._kept)
