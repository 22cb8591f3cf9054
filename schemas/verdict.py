"""What the gate said: a value, never an exception."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from schemas.vocabulary import Decision, Reason


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, with the name of the field it is about and a hint in our own words; never a value."""

    reason: Reason
    field: str | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One destination that the verdict allows, and the purpose under which."""

    destination: str
    purpose: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``routes`` is empty unless ``decision`` is admit; ``findings`` is empty only if it is."""

    decision: Decision
    findings: tuple[Finding, ...] = ()
    routes: tuple[Route, ...] = ()
    policy_version: str = ""
