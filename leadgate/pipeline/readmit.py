"""Readmit: bring quarantined submissions before the gate again, after a person mended the cause.

The cause is ours, such as a notice that was not configured yet. Nothing is decided here; the next admission decides as if they
had just come in, under the policy of that moment. A submission whose bytes were destroyed by retention stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from leadgate.pipeline.recorder import Recorder
from leadgate.storage import inbox, log
from leadgate.storage.engine import Transaction
from schemas.vocabulary import Event


def find(tx: Transaction, *, reason: str | None, submission_ids: Collection[str] | None) -> list[str]:
    """Ids of quarantined submissions that still have their bytes, for one reason or any."""
    return [
        submission_id
        for submission_id, reasons in inbox.quarantined(tx)
        if (reason is None or reason in reasons) and (submission_ids is None or submission_id in submission_ids)
    ]


def apply(tx: Transaction, submission_ids: Collection[str], *, now: datetime, actor: str) -> int:
    """Put them back; answer how many were still in quarantine."""
    moved = inbox.put_back(tx, sorted(submission_ids))
    recorder = Recorder(at=now, actor=actor)
    for submission_id in moved:
        recorder.note(Event.SUBMISSION_READMITTED, submission_id=submission_id, facts={})
    log.append(tx, recorder.leaves)
    return len(moved)
