"""A data subject's request: what is asked, which steps it takes, and how far each has come. No identifier stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class CaseKind(StrEnum):
    """What a data subject may ask for (GDPR 15 to 18 and 21; 152-FZ 14, 15, 20 and 21)."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    OBJECTION = "objection"
    RESTRICTION = "restriction"


class CaseState(StrEnum):
    """How a request stands."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


class CaseStepName(StrEnum):
    """What is done in a case, in words of code."""

    REPORT = "report"  # everything held is written down for the person
    CORRECT = "correct"  # the right value is sealed
    PROPAGATE = "propagate"  # recipients that hold the wrong one get the right one
    WITHDRAW = "withdraw"  # the purposes are taken back
    RESTRICT = "restrict"  # nothing is sent any more
    ERASE = "erase"  # the key is destroyed
    RECIPIENTS = "recipients"  # recipients are told to stop, and to erase
    ANSWER = "answer"  # the person is told


class StepState(StrEnum):
    """How a step stands."""

    OPEN = "open"
    WAITING = "waiting"  # something else must happen first; ``reason`` says what
    DONE = "done"
    DROPPED = "dropped"  # the request was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStep:
    """One step; ``result`` holds counts, ids, words and digests."""

    place: int
    name: CaseStepName
    state: StepState
    attempt: int = 0
    reason: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    done_at: datetime | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectCase:
    """One request. ``person_ids`` are those it was opened for, empty if nobody is known; ``policy_version`` is pinned."""

    case_id: str
    kind: CaseKind
    brand: str
    owner: str
    state: CaseState
    policy_version: str
    jurisdiction: str
    received_at: datetime
    opened_at: datetime
    person_ids: tuple[str, ...]
    fields: tuple[str, ...] = ()  # names of what is put right
    purposes: tuple[str, ...] = ()  # that are objected to; empty: all
    leads: tuple[str, ...] = ()  # only these; empty: all
    closed_at: datetime | None = None
    result: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    wrapped_key: bytes | None = field(default=None, repr=False)
    key_version: int | None = None
    forget_at: datetime | None = None
    steps: tuple[CaseStep, ...] = ()

    def step(self, name: CaseStepName) -> CaseStep | None:
        """The step of this name, if the request has it."""
        return next((each for each in self.steps if each.name is name), None)
