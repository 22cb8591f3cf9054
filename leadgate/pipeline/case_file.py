"""What a request says, and what is kept of it under a key of the case's own: the identifiers and the values to put right.

Nothing of it is ever printed: these objects hold ``Personal`` values, and the bytes go straight into the vault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from consent.blind_index import IndexKind
from schemas.cases import CaseKind
from schemas.personal import Personal
from schemas.submission import Withdrawal

_KINDS: Final = (("phone", IndexKind.PHONE), ("email", IndexKind.EMAIL), ("user", IndexKind.USER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a data subject asks for. ``who`` names brand and identifiers; ``values`` are what is to be put right, by field."""

    kind: CaseKind
    who: Withdrawal
    received_at: datetime
    values: Personal[Mapping[str, str]] = field(default_factory=lambda: Personal({}))
    names: tuple[str, ...] = ()  # of ``values``
    leads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a case kept to be gone on with; memory only."""

    who: Withdrawal
    values: Personal[dict[str, str]]


def identifiers(who: Withdrawal) -> list[tuple[IndexKind, str]]:
    """(kind, value) of every identifier that is named."""
    named = ((kind, getattr(who, name)) for name, kind in _KINDS)
    return [(kind, value.reveal()) for kind, value in named if value is not None]


def written(asked: Asked) -> bytes:
    """What is sealed."""
    who = {name: value.reveal() for name, _ in _KINDS if (value := getattr(asked.who, name)) is not None}
    return msgspec.json.encode({"who": who, "values": dict(asked.values.reveal())})


def read(raw: Personal[bytes], *, brand: str, purposes: tuple[str, ...]) -> Kept:
    """What was sealed."""
    said = msgspec.json.decode(raw.reveal(), type=dict[str, dict[str, str]])
    named = {name: Personal(value) for name, value in said["who"].items()}
    return Kept(who=Withdrawal(brand=brand, purposes=purposes, **named), values=Personal(said["values"]))
