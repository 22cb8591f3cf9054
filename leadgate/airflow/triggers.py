"""The trigger that starts a DAG the moment something is due. It carries nothing but "look": the ledger decides what is due.

Airflow's asset events are no queue (a dozen rapid ones make a single run), so nothing may hang on one of them being delivered.
This trigger is therefore level-triggered: it asks the ledger a yes-or-no question a few times a second, says so when the answer
turns to yes, and says so again, ever less often, for as long as it stays yes. A wake-up that got lost is repeated; a restart
of the triggerer repeats at most one. It survives the database being away and never ends by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from leadgate.airflow.questions import Asker, Question, connect

logger = logging.getLogger(__name__)

#: Seconds between two looks; half of it is what a lead waits here on average.
POLL_SECONDS = 0.25
#: A question must not keep the ledger busy for more than a tenth of the time, however long the queues are.
_PAUSE_FOR_EACH_SECOND_OF_ASKING = 9
#: Seconds until the event is repeated while the answer stays yes, and what that grows to. Each repetition may cost a run that
#: finds nothing to do, and a run that fails at once must not be started every few seconds all night.
REPEAT_SECONDS = 8.0
LONGEST_REPEAT_SECONDS = 30.0
#: Seconds before the next try when the ledger is away, doubled up to the longest.
OUTAGE_SECONDS = 0.5
LONGEST_OUTAGE_SECONDS = 10.0


class LedgerTrigger(BaseEventTrigger):
    """Watches one question about the ledger named by ``LEADGATE_DATABASE_URL``."""

    def __init__(self, question: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.question = Question(question)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow keeps them."""
        return "leadgate.airflow.triggers.LedgerTrigger", {"question": self.question.value}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever the answer is yes and it is time to say so."""
        rhythm = Rhythm()
        async for answer in self._answers():
            if rhythm.speaks(yes=answer, now=time.monotonic()):
                yield TriggerEvent({"question": self.question.value})  # type: ignore[no-untyped-call]

    async def _answers(self) -> AsyncIterator[bool]:
        """One answer after another, for ever; while the ledger is away there are none."""
        pause = OUTAGE_SECONDS
        asker: Asker | None = None
        try:
            while True:
                try:
                    if asker is None:
                        asker = await connect(self.question)
                    began = time.monotonic()
                    answer = await asker.ask()
                    took = time.monotonic() - began
                except Exception as error:  # noqa: BLE001 - asyncpg, sqlite3, OSError, configuration: none may end the watch
                    if pause == OUTAGE_SECONDS:  # once an outage, not once a try; the text may quote the URL
                        logger.warning("leadgate: the ledger cannot be asked (%s); trying on", type(error).__name__)
                    await _close(asker)
                    asker = None
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_OUTAGE_SECONDS)
                    continue
                if pause != OUTAGE_SECONDS:
                    logger.info("leadgate: the ledger answers again")
                    pause = OUTAGE_SECONDS
                yield answer
                await asyncio.sleep(max(POLL_SECONDS, took * _PAUSE_FOR_EACH_SECOND_OF_ASKING))
        finally:
            await _close(asker)


async def _close(asker: Asker | None) -> None:
    """Let go of a connection that may be dead already."""
    if asker is not None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asker.close(), timeout=1)


class Rhythm:
    """When to speak: at once when the answer turns to yes, then ever less often."""

    def __init__(self) -> None:
        self._pause = REPEAT_SECONDS
        self._next = 0.0

    def speaks(self, *, yes: bool, now: float) -> bool:
        """Whether to say it at the moment ``now`` (monotonic seconds)."""
        if not yes:
            self._pause = REPEAT_SECONDS
            self._next = 0.0
            return False
        if now < self._next:
            return False
        self._next = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_REPEAT_SECONDS)
        return True
