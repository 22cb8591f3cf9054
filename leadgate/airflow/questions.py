"""The yes-or-no questions the trigger asks the ledger, and how it asks without SQLAlchemy (the triggerer stays light).

Nothing is read but whether a row exists: no value of any lead enters the triggerer.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from schemas.errors import ConfigurationError

#: Seconds the ledger may take to accept a connection or to answer.
_PATIENCE = 5.0
_NANOSECONDS_IN_A_MICROSECOND = 1000


class Question(StrEnum):
    """What a DAG waits for."""

    INBOX = "inbox"  # are there submissions nobody decided?
    OUTBOX = "outbox"  # are there deliveries due now?
    RECIPIENTS = "recipients"  # is somebody to be told of a withdrawal or an erasure?


#: Times are micros since the epoch, UTC, in both databases. What admit has just queued is announced by admit itself when its
#: task ends; the outbox question leaves it five seconds, else each lead would start two runs. It passes over a destination with
#: an open circuit breaker, and one that a worker is serving right now: that worker goes on until nothing is due.
STATEMENTS = {
    Question.INBOX: "select 1 from submission where state = 'received' limit 1",
    Question.OUTBOX: (
        "select 1 from (select destination from delivery where not_before is not null and ("
        "(state in ('queued', 'deferred', 'uncertain') and not_before <= :now - 5000000)"
        " or (state = 'claimed' and lease_until <= :now))"
        " union all select destination from hand_over where lease_until <= :now) as d where"
        " not exists (select 1 from delivery c where c.destination = d.destination and c.not_before is not null"
        " and c.state = 'claimed' and c.lease_until > :now)"
        " and not exists (select 1 from destination_state s where s.destination = d.destination and s.open_until > :now)"
        " limit 1"
    ),
    Question.RECIPIENTS: (
        "select 1 from (select 1 from telling t where t.not_before <= :now and not exists (select 1 from destination_state s"
        " where s.destination = t.destination and s.open_until > :now) union all select 1 from telling t"
        " join delivery d on d.delivery_id = t.delivery_id where t.state = 'waiting'"
        " and d.state in ('accepted', 'rejected', 'dead', 'suppressed')) as due limit 1"
    ),
}


class Asker(Protocol):
    """An open connection that knows its question."""

    async def ask(self) -> bool: ...

    async def close(self) -> None: ...


async def connect(question: Question) -> Asker:
    """Open the ledger that the settings name. Raises ConfigurationError if they are wrong."""
    url = await asyncio.to_thread(_ledger_url)
    if url.startswith("postgresql"):
        return await _PostgresAsker.open(question, url)
    if url.startswith("sqlite:///"):
        return await _SqliteAsker.open(question, url.removeprefix("sqlite:///"))
    raise ConfigurationError("unknown_database", "set it to a SQLite or Postgres URL", field="LEADGATE_DATABASE_URL")


def _ledger_url() -> str:
    from leadgate.settings import load  # noqa: PLC0415 - the DAG processor imports this module and asks nothing

    return load().ledger_url


def _micros() -> int:
    return time.time_ns() // _NANOSECONDS_IN_A_MICROSECOND


class _PostgresAsker:
    """One connection with one prepared statement."""

    def __init__(self, connection: Any, statement: Any, *, takes_now: bool) -> None:
        self._connection = connection
        self._statement = statement
        self._takes_now = takes_now

    @classmethod
    async def open(cls, question: Question, url: str) -> _PostgresAsker:
        import asyncpg  # noqa: PLC0415 - only a Postgres ledger needs it

        dsn = re.sub(r"^postgresql\+\w+:", "postgresql:", url)
        connection = await asyncpg.connect(
            dsn, timeout=_PATIENCE, command_timeout=_PATIENCE, server_settings={"application_name": f"leadgate-{question}"}
        )
        sql = STATEMENTS[question]
        statement = await connection.prepare(sql.replace(":now", "$1::bigint"))
        return cls(connection, statement, takes_now=":now" in sql)

    async def ask(self) -> bool:
        arguments = (_micros(),) if self._takes_now else ()
        return await self._statement.fetchval(*arguments) is not None

    async def close(self) -> None:
        await self._connection.close(timeout=1)


class _SqliteAsker:
    """One read-only connection, asked in a thread so that a busy file does not hold up other triggers."""

    def __init__(self, connection: sqlite3.Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql

    @classmethod
    async def open(cls, question: Question, path: str) -> _SqliteAsker:
        def _open() -> sqlite3.Connection:
            uri = f"file:{quote(path)}?mode=ro"
            return sqlite3.connect(uri, uri=True, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)

        return cls(await asyncio.to_thread(_open), STATEMENTS[question])

    async def ask(self) -> bool:
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> bool:
        return self._connection.execute(self._sql, {"now": _micros()}).fetchone() is not None

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)
