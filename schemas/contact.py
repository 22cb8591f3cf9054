"""A phone or an e-mail address outside a lead, in the one form a lead is stored in. What cannot be written so is None.

A withdrawal finds its person by a blind index over exactly these characters; therefore the rule is LeadSchema's own.
"""

from __future__ import annotations

from marshmallow import ValidationError

from schemas.fields.contact import read_email, read_phone


def phone_or_none(written: str, default_region: str | None) -> str | None:
    """Return ``written`` as E.164; ``default_region`` (ISO 3166-1) reads numbers without a country."""
    try:
        return read_phone(written, default_region).e164
    except ValidationError:
        return None


def email_or_none(written: str) -> str | None:
    """Return ``written`` in lower case and NFC."""
    try:
        return read_email(written)
    except ValidationError:
        return None
