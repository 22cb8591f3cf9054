"""What one row of a collections answer means. It refuses to pass on the row's message: the vendor quotes the value in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.delivery import DeliveryReceipt
from schemas.vocabulary import Outcome

_CODE_LENGTH: Final = 64
_CODE_SIGNS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def row_receipt(
    row: Any,
    *,
    key: str,
    our_name: Callable[[str | None], str | None],
    external_id: str,
    deferred: frozenset[str],
    digest: str | None = None,
) -> DeliveryReceipt:
    """The receipt of one row: ``{id, success, created, errors: [{statusCode, message, fields}]}``."""
    if isinstance(row, Mapping) and row.get("success") is True:
        created = row.get("created")
        return DeliveryReceipt(
            key=key,
            outcome=Outcome.ACCEPTED,
            vendor_ref=str(row["id"]) if row.get("id") else None,
            created=created if isinstance(created, bool) else None,
            sent_sha256=digest,
        )
    errors = row.get("errors") if isinstance(row, Mapping) and row.get("success") is False else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else None
    if first is None:
        return DeliveryReceipt(key=key, outcome=Outcome.UNCERTAIN, code="row_without_verdict", sent_sha256=digest)
    fields = first.get("fields")
    blamed = [str(name) for name in fields] if isinstance(fields, list) else []
    code = _code(first.get("statusCode"))
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


def _code(value: Any) -> str:
    readable = isinstance(value, str) and 0 < len(value) <= _CODE_LENGTH and _CODE_SIGNS.issuperset(value)
    return value if readable else "unreadable_code"
