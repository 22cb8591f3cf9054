"""Export: the folder an auditor receives, from one moment of the ledger; ids, words and digests only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from consent.audit import export
from consent.audit.digest import consent_digest
from consent.audit.export import MALFORMED, ConsentRow, DeliveryRow, Exported, LeadRow, LeafRow, Row
from consent.audit.merkle import leaf_hash
from leadgate.pipeline.commitment import UNREADABLE, stored_lead_row
from leadgate.storage import leads, log, reports
from leadgate.storage.engine import Ledger, Transaction


def write(ledger: Ledger, target: Path, *, origin: str, clock: Callable[[], datetime]) -> Exported:
    """Write the export at ``target``, a folder that must not exist yet."""
    with ledger.snapshot() as tx:
        return export.write(
            target,
            origin=origin,
            created_at=clock(),
            leaves=_leaves(tx),
            checkpoints=log.all_checkpoints(tx),
            records=_records(tx),
        )


def _leaves(tx: Transaction) -> Iterator[LeafRow]:
    """The ordered leaves, then those that wait, under the indexes they will get: no signature covers them yet."""
    size = 0
    for index, digest, body in log.all_leaves(tx):
        yield LeafRow(index=index, leaf=body, hash=digest)
        size = index + 1
    for place, body in enumerate(log.pending_leaves(tx), start=size):
        yield LeafRow(index=place, leaf=body, hash=leaf_hash(body))


def _records(tx: Transaction) -> Iterator[Row]:
    for lead in leads.all_leads(tx):
        sealed, record = stored_lead_row(lead)
        yield LeadRow(lead_id=lead[0], sealed_sha256=sealed, record_sha256=record)
    for delivery_id, lead_id, destination, purpose, state in reports.delivery_records(tx):
        yield DeliveryRow(delivery_id=delivery_id, lead_id=lead_id, destination=destination, purpose=purpose, state=state)
    for consent in leads.all_consents(tx):
        try:
            digest = consent_digest(leads.consent_of_row(consent))
        except UNREADABLE:
            digest = MALFORMED
        yield ConsentRow(consent_id=consent[0], consent_sha256=digest)
