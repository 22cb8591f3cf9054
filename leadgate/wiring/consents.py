"""The book of consents, wired: questions over an open ledger."""

from __future__ import annotations

from leadgate.pipeline.consents import ConsentBook
from leadgate.wiring.parts import Parts


def book_of(parts: Parts) -> ConsentBook:
    """Where the consents of a house stand, and their records."""
    return ConsentBook(
        ledger=parts.ledger,
        policies=parts.policies,
        storage=parts.settings.storage,
        retention=parts.settings.retention,
    )
