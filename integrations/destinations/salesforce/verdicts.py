"""What one row of a collections answer means. It refuses to pass on the row's message: the vendor quotes the value in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from integrations.contract.vendor_words import UNREADABLE, safe_code, safe_reference
from schemas.delivery import DeliveryReceipt
from schemas.vocabulary import Outcome


def row_receipt(
    row: Any,
    *,
    key: str,
    our_name: Callable[[str | None], str | None],
    external_id: str,
    deferred: frozenset[str],
    sent: bytes = b"",
) -> DeliveryReceipt:
    """The receipt of one row: ``{id, success, created, errors: [{statusCode, message, fields}]}``."""
    digest = sha256(sent).hexdigest() if sent else None
    if isinstance(row, Mapping) and row.get("success") is True:
        created = row.get("created")
        return DeliveryReceipt(
            key=key,
            outcome=Outcome.ACCEPTED,
            vendor_ref=safe_reference(row.get("id"), sent=sent),
            created=created if isinstance(created, bool) else None,
            sent_sha256=digest,
        )
    errors = row.get("errors") if isinstance(row, Mapping) and row.get("success") is False else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else None
    if first is None:
        return DeliveryReceipt(key=key, outcome=Outcome.UNCERTAIN, code="row_without_verdict", sent_sha256=digest)
    fields = first.get("fields")
    blamed = [str(name) for name in fields] if isinstance(fields, list) else []
    code = safe_code(first.get("statusCode"), sent=sent) or UNREADABLE
    # Two upserts of one new key at the same moment: the loser is told DUPLICATE_VALUE on the external id, and its repetition
    # will find the winner's record.
    raced = code == "DUPLICATE_VALUE" and external_id in blamed
    return DeliveryReceipt(
        key=key,
        outcome=Outcome.DEFERRED if raced or code in deferred else Outcome.REJECTED,
        code=code,
        field=next((name for name in map(our_name, blamed) if name), None),
        sent_sha256=digest,
    )
