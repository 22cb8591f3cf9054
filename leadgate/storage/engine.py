"""One door to the database. It refuses to start on a ledger of an unknown version, and to lose a commit: SQLite runs with
WAL and synchronous=FULL, Postgres with its own synchronous_commit=on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from leadgate.storage.binary import teach
from leadgate.storage.transaction import RaceError, Transaction, translated
from schemas.errors import ConfigurationError, StorageUnavailableError

__all__ = ["BehindError", "Ledger", "RaceError", "Transaction"]

T = TypeVar("T")

#: How long SQLite waits for another writer before it gives up, in seconds.
_SQLITE_BUSY_SECONDS = 30
#: How often a transaction that lost a race (unique key, deadlock, serialisation) is run again.
_RACE_TRIES = 5
#: A read-only view of one moment, planned for reading much (see ``_postgres_engine``).
_SNAPSHOT = (
    "set transaction isolation level repeatable read read only; set local enable_seqscan = on; set local enable_bitmapscan = on"
)


class BehindError(RaceError):
    """What the work was done with is out of date; ``catch_up`` mends that, outside the transaction, before it is run again."""

    def __init__(self, catch_up: Callable[[], None]) -> None:
        super().__init__()
        self.catch_up = catch_up


class Ledger:
    """The database, as the pipeline sees it."""

    def __init__(self, url: str) -> None:
        try:
            self.url = make_url(url)
        except (SQLAlchemyError, ValueError):
            # the url may hold a password, and the parser quotes it
            raise ConfigurationError("bad_database_url", "is no database URL", field="LEADGATE_DATABASE_URL") from None
        self.postgres = self.url.get_backend_name() == "postgresql"
        if not self.postgres and self.url.get_backend_name() != "sqlite":
            raise ConfigurationError(
                "unknown_database", "only SQLite and Postgres are supported", field="LEADGATE_DATABASE_URL"
            )
        self.engine = _sqlite_engine(url) if not self.postgres else _postgres_engine(url)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: commits at the end of the block, rolls back on any exception."""
        try:
            with self.engine.begin() as connection:
                if not self.postgres:
                    connection.exec_driver_sql("begin immediate")
                yield Transaction(connection, postgres=self.postgres)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error) from None

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """A read-only view of one moment, for reports and exports; it blocks no writer."""
        try:
            with self.engine.connect() as connection:
                if self.postgres:
                    connection.exec_driver_sql(_SNAPSHOT)
                else:
                    connection.exec_driver_sql("begin")
                yield Transaction(connection, postgres=self.postgres)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error) from None

    @contextmanager
    def glance(self) -> Iterator[Transaction]:
        """For a single question about a few rows, in the middle of other work: a ``snapshot`` without what prepares it.

        On Postgres without a transaction around it: its rollback would also throw away every statement the driver prepared.
        """
        if not self.postgres:
            with self.snapshot() as tx:
                yield tx
            return
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield Transaction(connection, postgres=True)
        except SQLAlchemyError as error:
            raise translated(error) from None

    def retrying(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a transaction, again if it lost a race. ``work`` must change nothing but the database."""
        for remaining in range(_RACE_TRIES, 0, -1):
            try:
                with self.transaction() as tx:
                    return work(tx)
            except RaceError as race:
                if isinstance(race, BehindError):
                    race.catch_up()
                if remaining == 1:
                    raise StorageUnavailableError("database_contended", "a transaction lost the same race five times") from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _postgres_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername != "postgresql+psycopg":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": 5, "application_name": "leadgate"}
    )

    @event.listens_for(engine, "connect")
    def _in_order(connection: Any, _record: Any) -> None:
        # A young table has no statistics until autovacuum's first round, and plans are kept: Postgres then takes a queue for a
        # handful of rows, and reads all of it for each batch. What writes looks up rows by an index, or reads a queue in the
        # order of one; reports, which read whole tables, are snapshots.
        connection.execute("set enable_seqscan = off; set enable_bitmapscan = off")
        connection.commit()
        teach(connection)

    return engine


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, connect_args={"timeout": _SQLITE_BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=full")
        connection.execute("pragma secure_delete=on")  # a destroyed key leaves no bytes behind in the file

    return engine
