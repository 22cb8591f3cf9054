"""What came in: bytes whose origin was verified, and nothing more is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.personal import Personal
from schemas.vocabulary import Reason


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one source, verified but not understood.

    ``source`` is the configured source's name; ``event_id`` is the source's own id of the event, unique within the
    source and free of personal data: the same pair again is the same submission. ``body`` is what ``Source.parse``
    reads later. ``media_type`` is as the source declares it.
    """

    source: str
    event_id: str
    media_type: str
    body: Personal[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A person takes consent back. Any one identifier is enough; ``purposes`` empty means all of them."""

    brand: str
    phone: Personal[str] | None = None  # E.164
    email: Personal[str] | None = None  # lower case
    user: Personal[str] | None = None  # "<channel>:<platform user id>"
    purposes: tuple[str, ...] = ()


class LeadDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed but unchecked lead: the input of ``LeadSchema``."""

    data: Personal[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsable:
    """The bytes make no lead; ``field`` names the place if one is known."""

    reason: Reason = Reason.UNPARSABLE
    field: str | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What committing a group of submissions came to: ``repeated`` ones were in the inbox already, under the same id."""

    new: int
    repeated: int


Parsed = LeadDocument | Withdrawal | Unparsable
