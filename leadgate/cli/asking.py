"""Asks for what must not stand in a shell's history: an identifier, a value. Typed unseen, or a line of standard input."""

from __future__ import annotations

import sys
from datetime import datetime

import typer

from leadgate.phrases import phrase
from leadgate.wiring import House
from schemas.contact import email_or_none, phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Language


def unseen(prompt: str) -> str:
    """One line that is not shown."""
    return (typer.prompt(prompt, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()


def identifier(opened: House, brand: str, purposes: tuple[str, ...], language: Language) -> Withdrawal:
    """A phone or an e-mail of somebody, as a lead keeps it. Raises ConfigurationError without repeating what was typed."""
    settings = opened.settings.brands.get(brand)
    if settings is None:
        known = ", ".join(sorted(opened.settings.brands))
        raise ConfigurationError("unknown_brand", f"leadgate.yaml has no such brand; it has {known}", field="--brand")
    text = unseen(phrase("ask_identifier", language))
    if "@" in text:
        email = email_or_none(text)
        if email is None:
            raise ConfigurationError("bad_email", phrase("bad_email", language), field="standard input")
        return Withdrawal(brand=brand, email=Personal(email), purposes=purposes)
    phone = phone_or_none(text, settings.default_region)
    if phone is None:
        raise ConfigurationError("bad_phone", phrase("bad_phone", language), field="standard input")
    return Withdrawal(brand=brand, phone=Personal(phone), purposes=purposes)


def moment(written: str | None, *, otherwise: datetime, option: str) -> datetime:
    """A moment with its offset, as 2026-06-01T09:00:00+03:00."""
    if written is None:
        return otherwise
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ConfigurationError("bad_moment", "write it with its offset, as 2026-06-01T09:00:00+03:00", field=option)
    return read
