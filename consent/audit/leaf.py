"""One leaf's bytes. Refuses free text, floats, nesting, times that are not UTC, and bytes that are not the one way to write it.

The bytes are canonical JSON. RFC 8785 (JCS) is what others can reproduce; a leaf is restricted to ASCII strings, integers
below 2**53, booleans and lists of strings, with ASCII keys, and for those sorted compact JSON *is* RFC 8785 (the order by
UTF-16 code units and by bytes is the same for ASCII, and no number needs a fraction). A property test holds the equality.

    {"actor":"system","at":"2026-01-15T09:30:00.000000Z","event":"lead.admitted","facts":{...},"lead_id":"...","v":1}

An id that is None and an empty ``facts`` are left out. ``v`` is the version of the shape: a reader refuses one
that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NoReturn

import msgspec

from consent.audit.facts import ALLOWED_FACTS, ID, is_actor, offending
from schemas.audit import AuditEntry, LeafValue
from schemas.errors import AuditError
from schemas.vocabulary import Event

__all__ = ["ALLOWED_FACTS", "LEAF_VERSION", "MAX_LEAF", "blank", "decode", "encode", "encode_parts", "moment"]

LEAF_VERSION: Final = 1
#: Bytes. C2SP tlog-tiles writes an entry after a uint16 of its length.
MAX_LEAF: Final = 65_535

_ZERO: Final = timedelta(0)
_AT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_write: Final = msgspec.json.Encoder(order="deterministic").encode
_is_id: Final = ID.fullmatch


class _Leaf(msgspec.Struct, omit_defaults=True):
    """A leaf as it is written: its keys in order, what is not given left out."""

    actor: str
    at: str
    delivery_id: str | None = None
    event: Event | msgspec.UnsetType = msgspec.UNSET
    facts: Mapping[str, LeafValue] = {}
    lead_id: str | None = None
    person_id: str | None = None
    submission_id: str | None = None
    v: int | msgspec.UnsetType = msgspec.UNSET


class _Wire(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A leaf as it is read."""

    actor: str
    at: str
    event: Event
    v: int
    delivery_id: str | None = None
    lead_id: str | None = None
    person_id: str | None = None
    submission_id: str | None = None
    facts: dict[str, str | int | bool | list[str]] = {}


_read: Final = msgspec.json.Decoder(_Wire).decode


def encode(entry: AuditEntry) -> bytes:
    """The bytes of the leaf. Raises AuditError naming the field or fact that may not stand in a leaf, never its value."""
    return encode_parts(
        entry.event,
        entry.at,
        entry.actor,
        entry.facts,
        submission_id=entry.submission_id,
        lead_id=entry.lead_id,
        person_id=entry.person_id,
        delivery_id=entry.delivery_id,
    )


def encode_parts(
    event: Event,
    at: datetime,
    actor: str,
    facts: Mapping[str, LeafValue],
    *,
    submission_id: str | None = None,
    lead_id: str | None = None,
    person_id: str | None = None,
    delivery_id: str | None = None,
) -> bytes:
    """As ``encode``, for whoever writes thousands and has no other use for an entry."""
    written_at = moment(at)
    try:
        if not is_actor(actor):
            _refuse("actor", "an actor is a word of code: 'system' or a staff reference, no address and no name")
        if not (
            (submission_id is None or _is_id(submission_id))
            and (lead_id is None or _is_id(lead_id))
            and (person_id is None or _is_id(person_id))
            and (delivery_id is None or _is_id(delivery_id))
        ):
            _refuse_id(submission_id=submission_id, lead_id=lead_id, person_id=person_id, delivery_id=delivery_id)
        if facts and (fact := offending(facts)) is not None:
            _refuse(fact, "this fact is not on the list of what a leaf may say, or its value has not the listed shape")
        plain = facts if type(facts) is dict else dict(facts)
        encoded = _write(_Leaf(actor, written_at, delivery_id, event, plain, lead_id, person_id, submission_id, LEAF_VERSION))
    except TypeError:  # an id or the actor is no str, or a str of a foreign class
        _refuse(None, "a leaf holds plain strings, integers, booleans and lists of strings")
    if len(encoded) > MAX_LEAF:
        _refuse(None, f"a leaf is at most {MAX_LEAF} bytes (C2SP tlog-tiles)", code="leaf_too_large")
    return encoded


def blank(event: Event, actor: str, facts: Mapping[str, LeafValue], ids: Mapping[str, str], *, at: str) -> str:
    """What the writer makes of these words, unchecked: no leaf yet, see ``leaf_form``."""
    return _write(_Leaf(actor=actor, at=at, event=event, facts=facts, v=LEAF_VERSION, **ids)).decode()


def _refuse_id(**ids: str | None) -> NoReturn:
    name = next(name for name, value in ids.items() if value is not None and not _is_id(value))
    _refuse(name, "an id is a uuid, 26 characters of base32, or 32 or 64 hex digits")


def moment(at: datetime) -> str:
    """The time of an entry as a leaf writes it. Raises AuditError for one that is not aware and in UTC."""
    if at.tzinfo is not UTC and at.utcoffset() != _ZERO:
        _refuse("at", "the time of an entry is aware and in UTC")
    return _moment(at)


@lru_cache(maxsize=1024)
def _moment(at: datetime) -> str:
    """RFC 3339, fixed width. A batch shares its ``now``, so most are answered from memory."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def decode(leaf: bytes) -> AuditEntry:
    """The entry these bytes are the only encoding of. Raises AuditError for every other byte string."""
    try:
        wire = _read(leaf)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _unreadable("these bytes are no leaf of a kind this version knows")
    if wire.v != LEAF_VERSION:
        _unreadable("the leaf is of another version than this reader knows")
    if not _AT.fullmatch(wire.at):
        _unreadable("the leaf's time is not written as RFC 3339 UTC with microseconds")
    try:
        at = datetime.fromisoformat(wire.at)
    except ValueError:
        _unreadable("the leaf's time does not exist")
    facts: dict[str, LeafValue] = dict(wire.facts)
    entry = AuditEntry(
        event=wire.event,
        at=at,
        actor=wire.actor,
        submission_id=wire.submission_id,
        lead_id=wire.lead_id,
        person_id=wire.person_id,
        delivery_id=wire.delivery_id,
        facts=facts,
    )
    # Two keys of one name, blanks, other escapes, null for a missing id: all of it is a second way to write the same.
    if encode(entry) != leaf:
        _unreadable("the leaf is not written in its canonical form")
    return entry


def _refuse(field: str | None, message: str, *, code: str = "leaf_refused") -> NoReturn:
    raise AuditError(code, message, field=field) from None


def _unreadable(message: str) -> NoReturn:
    raise AuditError("leaf_unreadable", message) from None
