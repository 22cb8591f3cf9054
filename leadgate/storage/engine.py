"""One door to the database. It refuses to start on a ledger of an unknown version, and to lose a commit: SQLite runs with
WAL and synchronous=FULL, Postgres with its own synchronous_commit=on.

Every database error leaves as StorageUnavailableError without the driver's text, which quotes parameters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Engine, TextClause, bindparam, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from leadgate.storage.bulk import array, copy_text
from schemas.errors import ConfigurationError, StorageUnavailableError

T = TypeVar("T")

#: How long SQLite waits for another writer before it gives up, in seconds.
_SQLITE_BUSY_SECONDS = 30
#: Values bound in one SQLite statement; its limit is 32,766.
_SQLITE_VALUES = 10_000
#: How often a transaction that lost a race (unique key, deadlock, serialisation) is run again.
_RACE_TRIES = 5


#: A read-only view of one moment, planned for reading much (see ``_postgres_engine``).
_SNAPSHOT = (
    "set transaction isolation level repeatable read read only; set local enable_seqscan = on; set local enable_bitmapscan = on"
)


class RaceError(Exception):
    """Two workers did the same thing at once; the transaction is run again and sees what the other one did."""


class Transaction:
    """An open transaction; ends with the ``with`` block that gave it."""

    __slots__ = ("connection", "postgres")

    def __init__(self, connection: Connection, *, postgres: bool) -> None:
        self.connection = connection
        self.postgres = postgres

    def rows(self, statement: str, /, **parameters: Any) -> list[Any]:
        """All rows of a textual statement with ``:named`` parameters."""
        return list(self._execute(text(statement), parameters).all())

    def rows_in(self, statement: str, values: Sequence[Any], /, **parameters: Any) -> list[Any]:
        """As ``rows``, with ``in :values`` in the statement standing for a list of any length, all text or all bytes."""
        if not values:
            return []
        if self.postgres:
            kind = "bytea" if isinstance(values[0], bytes) else "text"
            statement = statement.replace(" in :values", f" = any(cast(:values as {kind}[]))")
            return self.rows(statement, values=array(values), **parameters)
        found: list[Any] = []
        for start in range(0, len(values), _SQLITE_VALUES):
            bound = text(statement).bindparams(bindparam("values", expanding=True))
            part = list(values[start : start + _SQLITE_VALUES])
            found += self._execute(bound, {"values": part, **parameters}).all()
        return found

    def run(self, statement: str, /, **parameters: Any) -> int:
        """Execute; answer the number of rows touched."""
        return int(self._execute(text(statement), parameters).rowcount)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert many rows: COPY on Postgres, one prepared statement on SQLite."""
        if not rows:
            return
        names = ", ".join(columns)
        if not self.postgres:
            self._many(f"insert into {table} ({names}) values ({', '.join('?' * len(columns))})", rows)
            return
        cursor = self.connection.connection.cursor()
        try:
            with cursor.copy(f"copy {table} ({names}) from stdin") as copy:
                copy.write(copy_text(rows))
        except Exception as error:  # noqa: BLE001 - the driver's tree is not ours; _translate sorts it
            raise _translate(error) from None
        finally:
            cursor.close()

    def insert_new(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """As ``insert``, passing over rows whose unique key is taken. ``columns`` maps name -> Postgres type."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.postgres:
            source = f"select * from {_unnest(columns.values())}"
            self.run(f"insert into {table} ({names}) {source} on conflict do nothing", **_columns(rows))
        else:
            self._many(f"insert or ignore into {table} ({names}) values ({', '.join('?' * len(columns))})", rows)

    def update(
        self,
        table: str,
        key: str,
        columns: Mapping[str, str],
        rows: Sequence[Sequence[Any]],
        *,
        always: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Update many rows by ``key``. Each row is (key, one value per column); ``columns`` maps name -> Postgres type.

        ``always`` maps further columns to what is the same in every row: a number, null or a quoted word, as SQL.
        """
        if not rows:
            return
        if self.postgres:
            self.run(_update(table, key, columns, always), **_columns(rows))
            return
        sets = ", ".join([*(f"{name} = ?" for name in columns), *(f"{name} = {word}" for name, word in always.items())])
        self._many(f"update {table} set {sets} where {key} = ?", [(*row[1:], row[0]) for row in rows])

    def update_where(
        self,
        table: str,
        key: str,
        columns: Mapping[str, str],
        rows: Sequence[Sequence[Any]],
        *,
        guard: str,
        always: Mapping[str, str] = MappingProxyType({}),
        **parameters: Any,
    ) -> set[str]:
        """As ``update``, passing over rows of which ``guard`` does not hold; answer the keys of those that were updated."""
        if not rows:
            return set()
        if self.postgres:
            # Inside a case Postgres cannot take the guard for the way to the rows: the keys are.
            held = f"case when {guard} then true else false end"
            statement = f"{_update(table, key, columns, always)} and {held} returning {table}.{key}"
            return {row[0] for row in self.rows(statement, **_columns(rows), **parameters)}
        keys = [row[0] for row in rows]
        mine = {
            row[0] for row in self.rows_in(f"select {key} from {table} where {guard} and {key} in :values", keys, **parameters)
        }
        self.update(table, key, columns, [row for row in rows if row[0] in mine], always=always)
        return mine

    def _execute(self, statement: TextClause, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        try:
            return self.connection.execute(statement, parameters)
        except UnicodeError as error:  # no database error: the driver could not write a value, and quotes it
            raise _translate(error) from None

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = self.connection.connection.cursor()
        try:
            cursor.executemany(statement, rows)
        except Exception as error:  # noqa: BLE001 - the driver's tree is not ours; _translate sorts it
            raise _translate(error) from None
        finally:
            cursor.close()

    def lock(self, name: int) -> None:
        """Hold a named lock until the transaction ends. SQLite transactions are exclusive writers already."""
        if self.postgres:
            self.connection.execute(text("select pg_advisory_xact_lock(:name)"), {"name": name})


def _unnest(kinds: Iterable[str]) -> str:
    """A table of parameters, one array a column; ``_columns`` gives their values."""
    return f"unnest({', '.join(f'cast(:column{at} as {kind}[])' for at, kind in enumerate(kinds))})"


def _columns(rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    return {f"column{at}": array(column) for at, column in enumerate(zip(*rows, strict=True))}


def _update(table: str, key: str, columns: Mapping[str, str], always: Mapping[str, str]) -> str:
    sets = [*(f"{name} = fresh.{name}" for name in columns), *(f"{name} = {word}" for name, word in always.items())]
    fresh = _unnest(["text", *columns.values()])
    return (
        f"update {table} set {', '.join(sets)} from {fresh} as fresh({', '.join([key, *columns])})"
        f" where {table}.{key} = fresh.{key}"
    )


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
            raise _translate(error) from None

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
            raise _translate(error) from None

    def retrying(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a transaction, again if it lost a race. ``work`` must change nothing but the database."""
        for remaining in range(_RACE_TRIES, 0, -1):
            try:
                with self.transaction() as tx:
                    return work(tx)
            except RaceError:
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


#: SQLSTATE classes: 40 transaction rollback (deadlock, serialisation), 23 integrity (a unique key somebody else just took).
_RACES = ("40", "23")


def _translate(error: BaseException) -> Exception:
    """Our error for the driver's; never carries the driver's words."""
    if isinstance(error, DBAPIError):
        original = error.orig
        if isinstance(error, IntegrityError) or str(getattr(original, "sqlstate", "") or "").startswith(_RACES):
            return RaceError(type(error).__name__)
        return StorageUnavailableError(
            _code(original), "the ledger could not be read or written", field="LEADGATE_DATABASE_URL"
        )
    if str(getattr(error, "sqlstate", "") or "").startswith(_RACES) or isinstance(error, sqlite3.IntegrityError):
        return RaceError(type(error).__name__)
    return StorageUnavailableError(_code(error), "the ledger could not be read or written", field="LEADGATE_DATABASE_URL")


def _code(error: BaseException | None) -> str:
    state = str(getattr(error, "sqlstate", "") or "")
    if state.startswith("53") or "full" in str(getattr(error, "sqlite_errorname", "")).lower():
        return "database_full"
    return "database_unavailable"
