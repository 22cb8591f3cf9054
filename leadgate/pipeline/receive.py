"""Receive: sealed bytes and their leaf in one transaction; only then may anybody be told that we have them.

The same event of the same source again is the same row: nothing is stored, nothing is logged, and the sender is told the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from consent.keys.provider import KeyProvider
from consent.vault import SealedSubmission, Vault
from leadgate.pipeline import in_step
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import inbox, log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.submission import Received, Submission
from schemas.vocabulary import Event, SubmissionState


class Receiver:
    """Commits submissions. Safe to share between threads: each call has its own transaction."""

    def __init__(self, *, ledger: Ledger, vault: Vault, keys: KeyProvider, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._keys = keys
        self._vault = vault
        self._clock = clock

    def probe(self) -> None:
        """Open and close a write transaction. Raises StorageUnavailableError if nothing could be committed now."""
        with self._ledger.transaction() as tx:
            tx.run("update ledger_version set version_num = version_num where version_num is null")

    def commit(self, submissions: Sequence[Submission]) -> Received:
        """Store what is new. Raises StorageUnavailableError; then nothing of the batch was stored."""
        if not submissions:
            return Received(new=0, repeated=0)
        now = self._clock()
        ids = new_ids(len(submissions), to_micros(now))
        while True:
            # What holds the wrapped keys is made before the transaction, so that it is short and asks nobody far away.
            sealed = self._vault.seal_submissions([(at, each.body) for at, each in zip(ids, submissions, strict=True)])
            try:
                new = self._ledger.retrying(partial(self._store, ids=ids, submissions=submissions, sealed=sealed, now=now))
            except in_step.LeftBehindError:
                in_step.refresh_beyond(self._keys, sealed[0].key_version)
                continue
            return Received(new=new, repeated=len(submissions) - new)

    def _store(
        self,
        tx: Transaction,
        *,
        ids: Sequence[str],
        submissions: Sequence[Submission],
        sealed: Sequence[SealedSubmission],
        now: datetime,
    ) -> int:
        micros, state = to_micros(now), SubmissionState.RECEIVED.value
        rows = [
            (at, each.source, each.event_id, each.media_type, micros, state, seal.wrapped_key, seal.key_version, seal.envelope)
            for at, each, seal in zip(ids, submissions, sealed, strict=True)
        ]
        fresh = inbox.add(tx, rows)
        in_step.require_open(tx, sealed[0].key_version)
        recorder = Recorder(at=now)
        for submission_id, each in zip(ids, submissions, strict=True):
            if submission_id in fresh:
                recorder.note(Event.SUBMISSION_RECEIVED, submission_id=submission_id, facts={"source": each.source})
        log.append(tx, recorder.leaves)
        return len(fresh)
