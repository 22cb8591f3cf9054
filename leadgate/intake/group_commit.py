"""Lets requests that wait together share one transaction. It refuses to let one request's fault be another's.

While a transaction runs, those who come wait; when it ends, all who wait go into the next one. A lone request therefore never
waits for company, and a thousand at once cost a few transactions instead of a thousand.

The argument, numbered as in the code:

1. One event twice in a group is stored once: a sender that repeats itself while its first try is under way meets itself here.
2. If the ledger is unavailable, nothing of the group was stored and everybody is told so.
3. If a group fails for any other reason, each member is tried alone, so that only the culprit is refused. Members that were
   stored after all are repeated, which changes nothing.
4. Whoever stops waiting (time is up, connection gone) takes nothing with them: the transaction goes on, and the sender's next
   try is the same event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from schemas.errors import StorageUnavailableError
from schemas.submission import Received, Submission

Commit = Callable[[Sequence[Submission]], Received]


@dataclass(frozen=True, slots=True)
class _Member:
    submissions: tuple[Submission, ...]
    done: asyncio.Future[None]


class GroupCommit:
    """Belongs to one event loop; ``commit`` runs in a thread of its own, one call at a time."""

    def __init__(self, commit: Commit, *, group_size: int, on_group: Callable[[int, Received], None]) -> None:
        self._commit = commit
        self._group_size = group_size
        self._on_group = on_group
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake-commit")
        self._waiting: list[_Member] = []
        self._running: asyncio.Task[None] | None = None

    async def add(self, submissions: tuple[Submission, ...]) -> None:
        """Return when ``submissions`` are committed. Raises what the commit raised."""
        loop = asyncio.get_running_loop()
        member = _Member(submissions, loop.create_future())
        self._waiting.append(member)
        if self._running is None:
            self._running = loop.create_task(self._run())
        await asyncio.shield(member.done)  # 4

    async def call(self, work: Callable[[], object]) -> None:
        """Run ``work`` in the thread of the commits, after the one under way."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Finish what is waiting, then stop the thread."""
        while self._running is not None:
            await asyncio.shield(self._running)
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._store(self._next_group())
        finally:
            self._running = None

    def _next_group(self) -> list[_Member]:
        size = taken = 0
        for member in self._waiting:
            if taken and size + len(member.submissions) > self._group_size:
                break
            size += len(member.submissions)
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _store(self, group: list[_Member]) -> None:
        try:
            await self._transaction(group)
        except StorageUnavailableError as error:  # 2
            for member in group:
                _settle(member, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, each member is told its own
            if len(group) == 1:
                _settle(group[0], error)
                return
            for member in group:  # 3
                await self._store([member])
        else:
            for member in group:
                _settle(member, None)

    async def _transaction(self, group: list[_Member]) -> None:
        once = {(each.source, each.event_id): each for member in group for each in member.submissions}  # 1
        submissions = list(once.values())
        received = await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, submissions)
        self._on_group(len(submissions), received)


def _settle(member: _Member, error: Exception | None) -> None:
    if member.done.done():
        return
    if error is None:
        member.done.set_result(None)
    else:
        member.done.set_exception(error)
        member.done.exception()  # marks it as seen: nobody may be waiting any more
