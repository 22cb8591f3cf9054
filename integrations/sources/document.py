"""Reads one document of the moderation tool: a lead or a withdrawal, as JSON. It refuses nothing loudly: what it cannot
understand is an ``Unparsable`` that names the field, never the value, and it MUST NOT raise for anything the bytes hold.

Whether a lead is *valid* is not asked here; that is LeadSchema's word. Only a withdrawal is made ready to be looked up,
because no schema stands between it and the ledger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.contact import email_or_none, phone_or_none
from schemas.personal import Personal
from schemas.submission import LeadDocument, Parsed, Submission, Unparsable, Withdrawal
from schemas.vocabulary import Channel, Reason, SubmissionKind

#: Media type of a document; what is anything else was stored only so that it is not lost.
DOCUMENT = "application/json"
UNREADABLE = "application/vnd.leadgate.unreadable+json"

_PURPOSE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_USER = re.compile(r"[\x21-\x7e]{1,200}")
_CHANNELS = frozenset(channel.value for channel in Channel)
_LEAD, _WITHDRAWAL = SubmissionKind.LEAD.value, SubmissionKind.WITHDRAWAL.value
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRules:
    """A source's own settings about documents. ``brand`` fills an absent brand and refuses any other."""

    brand: str | None = None
    default_region: str | None = None
    regions: Mapping[str, str] = field(default_factory=dict)  # brand -> region, before ``default_region``

    def region_for(self, brand: str) -> str | None:
        return self.regions.get(brand, self.default_region)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row that could not be turned into a document, as it is stored: why, where, and the beginning of what stood there."""

    problem: str
    row: int
    field: str | None = None
    head: str = ""


#: Why a row is no document. The stored row holds the code; the sentence is looked up when somebody reads it.
HINTS: Mapping[str, str] = {
    "row_too_long": "the row is longer than one lead may be; only its beginning was kept",
    "quoting": "a quotation mark opens a cell and nothing closes it where it should",
    "too_many_cells": "the row has more cells than the header; a delimiter inside a cell must be quoted",
    "damaged_text": "the row holds bytes that are no text in the encoding of the file",
    "formula_without_value": "the cell holds a formula whose result was never saved; open the file in Excel and save it",
    "cell_error": "the cell shows an Excel error instead of a value",
}


def parse_submission(submission: Submission, rules: DocumentRules) -> Parsed:
    """Say what a stored submission of the moderation tool means."""
    body = submission.body.reveal()
    if submission.media_type == UNREADABLE:
        return _explain(body)
    return parse_document(body, rules)


def parse_document(body: bytes, rules: DocumentRules) -> Parsed:
    """Say what the bytes of one JSON document mean."""
    try:
        try:
            document = _decode(body)
        except msgspec.DecodeError:
            document = _decode_halves(body)
    except (ValueError, RecursionError):  # msgspec's and UnicodeError are ValueErrors
        return Unparsable(hint="the bytes are not one JSON document in UTF-8")
    if type(document) is not dict:
        return Unparsable(hint="the document is not a JSON object")
    if rules.brand is not None:
        brand = document.get("brand")
        if brand is None or brand == "":
            document["brand"] = rules.brand
        elif brand != rules.brand:
            return Unparsable(reason=Reason.INVALID_FIELD, field="brand", hint="this source speaks for another brand")
    kind = document.setdefault("kind", _LEAD)
    if kind == _LEAD:
        user = document.get("user")
        if type(user) is str and ":" in user:
            _strip_user(document, user)
        return LeadDocument(data=Personal(document))
    if kind == _WITHDRAWAL:
        return _withdrawal(document, rules)
    return Unparsable(reason=Reason.INVALID_FIELD, field="kind", hint="kind is 'lead' or 'withdrawal'")


def _decode_halves(body: bytes) -> Any:
    r"""Decode what msgspec refused, if halves of surrogate pairs may be the reason. Raises ValueError and RecursionError.

    Tools that count in UTF-16 cut a long message through an emoji, and write the half that is left as an escape (``\ud83d``).
    RFC 8259, 8.2 leaves open what a reader makes of it: msgspec refuses, the standard library hands it on, and then the
    schema decides field by field.
    """
    if b"\\u" not in body:
        raise ValueError("not one JSON document")
    return json.loads(body.decode(), parse_constant=_refuse_constant)


def _refuse_constant(_word: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _strip_user(document: dict[str, Any], user: str) -> None:
    """Some tools write a user as we store it, with the channel before it; a withdrawal must find either writing."""
    channel = document.get("channel")
    if isinstance(channel, str):
        document["user"] = user.strip().removeprefix(f"{channel.strip().lower()}:")


def _explain(body: bytes) -> Unparsable:
    try:
        row = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeError):
        return Unparsable(hint="the row could not be read")
    return Unparsable(field=row.field, hint=f"row {row.row}: {HINTS.get(row.problem, 'the row could not be read')}")


class _BadFieldError(Exception):
    """A field of a withdrawal that cannot be read: its name and a hint, never its value."""

    def __init__(self, field_name: str, hint: str) -> None:
        super().__init__(field_name, hint)
        self.field = field_name
        self.hint = hint


def _withdrawal(document: Mapping[str, Any], rules: DocumentRules) -> Parsed:
    try:
        brand = _brand(document)
        phone, email, user = _phone(document, rules.region_for(brand)), _email(document), _user(document)
        purposes = _purposes(document)
    except _BadFieldError as error:
        # One identifier that cannot be read quarantines the whole: a person must see that somebody wants to be left alone.
        return Unparsable(reason=Reason.INVALID_FIELD, field=error.field, hint=error.hint)
    if phone is None and email is None and user is None:
        hint = "a withdrawal names a phone, an e-mail address or a platform user"
        return Unparsable(reason=Reason.INVALID_FIELD, field="phone", hint=hint)
    return Withdrawal(brand=brand, phone=phone, email=email, user=user, purposes=purposes)


def _brand(document: Mapping[str, Any]) -> str:
    brand = document.get("brand")
    if not isinstance(brand, str) or not brand:
        raise _BadFieldError("brand", "a withdrawal names the brand it is spoken to")
    return brand


def _phone(document: Mapping[str, Any], region: str | None) -> Personal[str] | None:
    written = document.get("phone")
    if not written:
        return None
    phone = phone_or_none(str(written), region) if isinstance(written, str | int) else None  # spreadsheets write numbers
    if phone is None:
        raise _BadFieldError("phone", "no phone number can be read here")
    return Personal(phone)


def _email(document: Mapping[str, Any]) -> Personal[str] | None:
    written = document.get("email")
    if not written:
        return None
    email = email_or_none(written) if isinstance(written, str) else None
    if email is None:
        raise _BadFieldError("email", "no e-mail address can be read here")
    return Personal(email)


def _user(document: Mapping[str, Any]) -> Personal[str] | None:
    written = document.get("user")
    if not written:
        return None
    channel = str(document.get("channel", "")).strip().lower()
    if channel not in _CHANNELS:
        raise _BadFieldError("channel", "a platform user is only known together with the channel")
    bare = str(written).strip().removeprefix(f"{channel}:") if isinstance(written, str | int) else ""
    if not _USER.fullmatch(bare):
        raise _BadFieldError("user", "no platform user id can be read here")
    return Personal(f"{channel}:{bare}")


def _purposes(document: Mapping[str, Any]) -> tuple[str, ...]:
    purposes = document.get("purposes")
    if purposes is None:
        return ()
    if not isinstance(purposes, list) or not all(isinstance(code, str) and _PURPOSE.fullmatch(code) for code in purposes):
        raise _BadFieldError("purposes", "purposes are a list of purpose codes; leave them out for all")
    return tuple(purposes)
