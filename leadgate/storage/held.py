"""Everything the ledger holds about a few people, for the answer they have a right to. Sealed values stay sealed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from leadgate.storage import cases
from leadgate.storage.cases import HeldLead
from leadgate.storage.engine import Transaction
from leadgate.storage.leads import CONSENT_COLUMNS, LEAD_COLUMNS

_PERSON: Final = ("person_id", "brand", "state", "created_at", "erased_at")
_DELIVERY: Final = (
    "delivery_id",
    "lead_id",
    "destination",
    "purpose",
    "state",
    "reason",
    "created_at",
    "decided_at",
    "vendor_ref",
    "sent_sha256",
)
_SUBMISSION: Final = (
    "submission_id",
    "source",
    "media_type",
    "received_at",
    "state",
    "wrapped_key",
    "key_version",
    "sealed",
)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Rows by person; ``leaves`` are encoded, by lead."""

    persons: dict[str, Row]
    leads: dict[str, list[Row]]
    sealed: dict[str, HeldLead]  # by lead
    consents: dict[str, Row]  # by consent id
    deliveries: dict[str, list[Row]]  # by lead
    withdrawals: dict[str, list[Row]]
    submissions: dict[str, list[Row]]
    restricted: dict[str, int]
    leaves: dict[str, list[bytes]]


def everything(tx: Transaction, person_ids: Sequence[str], strays: Mapping[str, Sequence[str]]) -> Held:
    """Read it all, a query a table. ``strays`` are submissions, by person, that nobody had recognised as theirs."""
    persons = _all(tx, "person", _PERSON, "person_id", person_ids)
    columns = tuple(name for name in LEAD_COLUMNS if name not in {"sealed", "fingerprint"})
    leads = _all(tx, "lead", columns, "person_id", person_ids)
    lead_ids = [row["lead_id"] for row in leads]
    consents = _all(tx, "consent_record", CONSENT_COLUMNS, "consent_id", [row["consent_id"] for row in leads])
    deliveries = _all(tx, "delivery", _DELIVERY, "lead_id", lead_ids)
    withdrawals = _all(tx, "withdrawal", ("person_id", "purpose", "withdrawn_at"), "person_id", person_ids)
    submissions = _all(tx, "submission", (*_SUBMISSION, "person_id"), "person_id", person_ids)
    whose = {submission: person for person, found in strays.items() for submission in found}
    for row in _all(tx, "submission", (*_SUBMISSION, "person_id"), "submission_id", list(whose)):
        submissions.append(row | {"person_id": whose[row["submission_id"]]})
    submissions = [row for row in submissions if row["sealed"] is not None]
    return Held(
        persons={row["person_id"]: row for row in persons},
        leads=_by(leads, "person_id"),
        sealed={str(each.row[0]): each for each in cases.held_leads(tx, person_ids, LEAD_COLUMNS)},
        consents={row["consent_id"]: row for row in consents},
        deliveries=_by(deliveries, "lead_id"),
        withdrawals=_by(withdrawals, "person_id"),
        submissions=_by(submissions, "person_id"),
        restricted=cases.restricted(tx, person_ids),
        leaves=_leaves(tx, lead_ids),
    )


def _all(tx: Transaction, table: str, columns: Sequence[str], key: str, values: Sequence[str]) -> list[Row]:
    rows = tx.rows_in(f"select {', '.join(columns)} from {table} where {key} in :values", list(dict.fromkeys(values)))
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return sorted(found, key=lambda row: str(row[columns[0]]))


def _by(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _leaves(tx: Transaction, lead_ids: Sequence[str]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for table, order in (("audit_leaf", "leaf_index"), ("audit_pending", "pending_id")):
        rows = tx.rows_in(f"select about, {order}, body from {table} where about in :values", list(lead_ids))
        for about, _, body in sorted(rows, key=lambda row: int(row[1])):
            found.setdefault(about, []).append(bytes(body))
    return found
