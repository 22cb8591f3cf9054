"""Receive: sealed bytes and their leaf in one transaction; only then may anybody be told that we have them.

The same event of the same source again is the same row: nothing is stored, nothing is logged, and the sender is told the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from consent.vault import Vault
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import inbox, log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.submission import Received, Submission
from schemas.vocabulary import Event, SubmissionState


class Receiver:
    """Commits submissions. Safe to share between threads: each call has its own transaction."""

    def __init__(self, *, ledger: Ledger, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._vault = vault
        self._clock = clock

    def probe(self) -> None:
        """Open and close a write transaction. Raises StorageUnavailableError if nothing could be committed now."""
        with self._ledger.transaction() as tx:
            tx.run("update ledger_version set version_num = version_num where version_num is null")

    def commit(self, submissions: Sequence[Submission]) -> Received:
        """Store what is new. Raises StorageUnavailableError; then nothing of the batch was stored."""
        now = self._clock()
        micros = to_micros(now)
        rows = []
        sources = {}
        for submission_id, submission in zip(new_ids(len(submissions), micros), submissions, strict=True):
            sealed = self._vault.seal_submission(submission_id, submission.body)
            sources[submission_id] = submission.source
            rows.append(
                (
                    submission_id,
                    submission.source,
                    submission.event_id,
                    submission.media_type,
                    micros,
                    SubmissionState.RECEIVED.value,
                    sealed.wrapped_key,
                    sealed.key_version,
                    sealed.envelope,
                )
            )

        def work(tx: Transaction) -> int:
            fresh = inbox.add(tx, rows)
            recorder = Recorder(at=now)
            for submission_id in sorted(fresh):
                recorder.note(Event.SUBMISSION_RECEIVED, submission_id=submission_id, facts={"source": sources[submission_id]})
            log.append(tx, recorder.leaves)
            return len(fresh)

        new = self._ledger.retrying(work) if rows else 0
        return Received(new=new, repeated=len(rows) - new)
