"""The way out: an outbox row without a person, the minimum that is disclosed, and what the vendor answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from schemas.personal import Personal
from schemas.vocabulary import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One lead for one destination. ``attempt`` counts sends that began; ``not_before`` is UTC, None once final."""

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str
    state: Outcome
    attempt: int
    not_before: datetime | None
    vendor_ref: str | None = None
    reason: str | None = None


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """The minimum one destination is told about one lead; memory only.

    ``key`` is the idempotency key and external id: the pseudonym of this lead at this destination, 26 characters of
    ``[a-z2-7]``, the same at every attempt. ``fields`` holds exactly the fields the manifest discloses, those present.
    """

    delivery_id: str
    key: str
    purpose: str
    fields: Personal[Mapping[str, str]]


class DeliveryReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one record, as read from the vendor's answer. ``code`` is a stable word of ours or the vendor's
    own error code cut to ``[A-Za-z0-9_.-]``, never its message: messages quote data.
    """

    key: str
    outcome: Outcome  # accepted | rejected | deferred | uncertain
    vendor_ref: str | None = None
    code: str | None = None
    field: str | None = None  # our name of the offending field, if the vendor told
    created: bool | None = None  # True created, False updated, None not told
    retry_after: float | None = None  # seconds, for deferred
    sent_sha256: str | None = None  # digest of the mapped record as it was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record of ours that stands at a destination; ``count`` above one means the vendor holds doubles."""

    key: str
    vendor_ref: str | None
    count: int = 1
