"""An open transaction: rows in and out, a whole column or batch at a time. Nobody commits here, and nobody is quoted.

Every database error leaves as StorageUnavailableError, or as RaceError if running again helps, without the driver's text, which
quotes parameters.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from leadgate.storage.binary import ARRAYS, copy_binary, same
from schemas.errors import StorageUnavailableError

#: Values bound in one SQLite statement; its limit is 32,766.
_SQLITE_VALUES = 10_000
_LOCK, _LOCK_SHARED = "select pg_advisory_xact_lock(:name)", "select pg_advisory_xact_lock_shared(:name)"
#: A parameter's place in a statement.
_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")


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

    def wide_rows(self, statement: str, /, **parameters: Any) -> list[Any]:
        """As ``rows``, for what every batch asks and for rows that hold sealed bytes: binary, by the driver alone."""
        return self._driven(statement, parameters)[0] if self.postgres else self.rows(statement, **parameters)

    def _driven(self, statement: str, parameters: Mapping[str, Any]) -> tuple[list[Any], int]:
        """(rows, how many) of a statement that names the type of every parameter, by Postgres' driver alone."""
        cursor = self.connection.connection.cursor(binary=True)
        try:
            cursor.execute(_driver_words(statement), parameters)
            return list(cursor.fetchall()) if cursor.description else [], int(cursor.rowcount)
        except Exception as error:  # noqa: BLE001 - the driver's tree is not ours; translated sorts it
            raise translated(error) from None
        finally:
            cursor.close()

    def rows_in(self, statement: str, values: Sequence[Any], /, **parameters: Any) -> list[Any]:
        """As ``rows``, with ``in :values`` in the statement standing for a list of any length, all text or all bytes."""
        if not values:
            return []
        if self.postgres:
            kind = "bytea" if isinstance(values[0], bytes) else "text"
            statement = statement.replace(" in :values", f" = any(cast(:values as {kind}[]))")
            return self._driven(statement, {"values": ARRAYS[kind](values), **parameters})[0]
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
            types = self._types(cursor, table, names)
            with cursor.copy(f"copy {table} ({names}) from stdin (format binary)") as copy:
                for piece in copy_binary(types, rows):
                    copy.write(piece)
        except Exception as error:  # noqa: BLE001 - the driver's tree is not ours; translated sorts it
            raise translated(error) from None
        finally:
            cursor.close()

    def _types(self, cursor: Any, table: str, names: str) -> tuple[int, ...]:
        """The columns' types as Postgres numbers them, asked for once a connection."""
        known: dict[tuple[str, str], tuple[int, ...]] = self.connection.info.setdefault("leadgate_types", {})
        types = known.get((table, names))
        if types is None:
            described = cursor.execute(f"select {names} from {table} limit 0").description
            types = known[table, names] = tuple(column.type_code for column in described)
        return types

    def insert_new(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """As ``insert``, passing over rows whose unique key is taken. ``columns`` maps name -> Postgres type."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.postgres:
            source = f"select * from {_unnest(columns.values())}"
            self._driven(f"insert into {table} ({names}) {source} on conflict do nothing", _columns(columns.values(), rows))
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
            self._driven(*_update(table, key, columns, rows, always=always))
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
            statement, values = _update(table, key, columns, rows, always=always)
            found, _ = self._driven(f"{statement} and {held} returning {table}.{key}", values | parameters)
            return {row[0] for row in found}
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
            raise translated(error) from None

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = self.connection.connection.cursor()
        try:
            cursor.executemany(statement, rows)
        except Exception as error:  # noqa: BLE001 - the driver's tree is not ours; translated sorts it
            raise translated(error) from None
        finally:
            cursor.close()

    def lock(self, name: int, *, shared: bool = False) -> None:
        """Hold a named lock until the transaction ends. SQLite transactions are exclusive writers already."""
        if self.postgres:
            self._driven(_LOCK_SHARED if shared else _LOCK, {"name": name})


@lru_cache(maxsize=512)
def _driver_words(statement: str) -> str:
    """A statement with ``:named`` parameters as Postgres' driver writes it."""
    return _NAMED.sub(r"%(\1)s", statement.replace("%", "%%"))


def _unnest(kinds: Iterable[str]) -> str:
    """A table of parameters, one array a column; ``_columns`` gives their values."""
    return f"unnest({', '.join(f'cast(:column{at} as {kind}[])' for at, kind in enumerate(kinds))})"


def _columns(kinds: Iterable[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    columns = zip(kinds, zip(*rows, strict=True), strict=True)
    return {f"column{at}": ARRAYS[kind](values) for at, (kind, values) in enumerate(columns)}


def _update(
    table: str, key: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, always: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """The statement, open for further conditions, and its parameters. What is the same in every row is sent once."""
    keys, *given = zip(*rows, strict=True)
    sets, values = [f"{name} = {word}" for name, word in always.items()], {"column0": ARRAYS["text"](keys)}
    kinds, names = ["text"], [key]
    for (name, kind), column in zip(columns.items(), given, strict=True):
        if same(column):
            sets.append(f"{name} = cast(:always_{name} as {kind})")
            values[f"always_{name}"] = column[0]
        else:
            sets.append(f"{name} = fresh.{name}")
            values[f"column{len(kinds)}"] = ARRAYS[kind](column)
            kinds.append(kind)
            names.append(name)
    fresh = f"{_unnest(kinds)} as fresh({', '.join(names)})"
    return f"update {table} set {', '.join(sets)} from {fresh} where {table}.{key} = fresh.{key}", values


#: SQLSTATE classes: 40 transaction rollback (deadlock, serialisation), 23 integrity (a unique key somebody else just took).
_RACES = ("40", "23")


def translated(error: BaseException) -> Exception:
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
