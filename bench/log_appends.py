"""Appends leaves as the pipeline does, and seals them as the seal task does; a round ends when all are under a signature."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from consent.audit.note import SignerKey
from leadgate.intake.group_commit import GroupCommit
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.seal import Sealer
from leadgate.storage import log, schema
from leadgate.storage.engine import Ledger
from schemas.audit import LeafValue
from schemas.personal import Personal
from schemas.submission import Received, Submission
from schemas.vocabulary import Event

#: Leaves in one transaction, callers that wait for one leaf each, and what the intake puts into one transaction at most.
BATCH, CALLERS, GROUP = 1_000, 64, 500


class Appends:
    """A ledger of its own."""

    def __init__(self, url: str, *, signers: Sequence[SignerKey]) -> None:
        self._ledger = Ledger(url)
        schema.upgrade(self._ledger)
        self._sealer = Sealer(ledger=self._ledger, signers=signers, clock=_now)
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()

    def batched(self, count: int) -> float:
        """Seconds for ``count`` leaves, a thousand in a transaction."""
        began = time.perf_counter()
        for begin in range(0, count, BATCH):
            recorder = Recorder(at=_now())
            for _ in range(min(BATCH, count - begin)):
                self._note(recorder)
            with self._ledger.transaction() as tx:
                log.append(tx, recorder.leaves)
        self._seal(count)
        return time.perf_counter() - began

    def single(self, count: int) -> float:
        """Seconds for ``count`` leaves, each committed for a caller that waits for it."""
        began = time.perf_counter()
        asyncio.run(self._callers(count))
        self._seal(count)
        return time.perf_counter() - began

    async def _callers(self, count: int) -> None:
        group = GroupCommit(self._commit, group_size=GROUP, on_group=lambda _size, _received: None)
        left = iter(range(count))

        async def caller() -> None:
            for number in left:
                one = Submission(source="bench", event_id=str(number), media_type="text/plain", body=Personal(b""))
                await group.add((one,))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        await group.close()

    def _commit(self, submissions: Sequence[Submission]) -> Received:
        recorder = Recorder(at=_now())
        for _ in submissions:
            self._note(recorder)
        with self._ledger.transaction() as tx:
            log.append(tx, recorder.leaves)
        return Received(new=len(submissions), repeated=0)

    def _note(self, recorder: Recorder) -> None:
        self._number += 1
        ident = f"{self._number:032x}"
        facts: dict[str, LeafValue] = {
            "destination": "bench_crm",
            "purpose": "callback",
            "attempt": 1,
            "sent_sha256": f"{self._number:064x}",
            "fields": ["name", "phone", "topic"],
            "consent_id": ident,
        }
        recorder.note(Event.DELIVERY_ACCEPTED, facts=facts, lead_id=ident, person_id=ident, delivery_id=ident)

    def _seal(self, count: int) -> None:
        done = self._sealer.run()
        if done.integrated != count:
            raise SystemExit(f"{done.integrated} of {count} leaves were sealed")


def _now() -> datetime:
    return datetime.now(UTC)
