"""What a database keeps of rows that are gone: makes it give up as much as it can, and says how far that goes. Never inside a
transaction.

Measured on Postgres 18 with the bytes of one wrapped key: after the update that destroys it they stand in the dead version of
the row; a plain VACUUM frees their place and does not overwrite them; a rewritten table (VACUUM FULL) is rid of them. The
write-ahead log holds them until its segment is used again, and no command changes that (docs/erasure.md).

1. The table of people is rewritten, because its keys open everything. That locks it for as long as the rewrite takes, a second
   or two for a million people; if it is larger, or the lock is not to be had, it is only vacuumed, and the answer says so.
2. The other tables hold what is dead without a key. They are vacuumed, so that new rows overwrite the old.
3. SQLite overwrites with zeros what it deletes (secure_delete); its write-ahead log is emptied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from leadgate.storage.engine import Ledger
from leadgate.storage.transaction import translated

_REWRITTEN: Final = "person"
_VACUUMED: Final = ("identifier", "lead", "submission", "delivery", "destruction_act")
#: Bytes of a table of people that may be locked for a rewrite.
_LARGEST: Final = 256 * 1024 * 1024
_PATIENCE: Final = "5s"
#: SQLSTATE lock_not_available.
_LOCKED: Final = "55P03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """``rewritten``: the bytes of destroyed keys have left the table of people; else they are still in its free space."""

    tables: int
    rewritten: bool

    def as_dict(self) -> dict[str, int | bool]:
        """Counts for XCom and the console."""
        return {"tables": self.tables, "rewritten": self.rewritten}


def sweep(ledger: Ledger) -> Swept:
    """Have the database give up dead rows. Safe to run twice, and while everything works."""
    try:
        if ledger.postgres:
            return _postgres(ledger)
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    except SQLAlchemyError as error:
        raise translated(error) from None
    return Swept(tables=0, rewritten=True)


def _postgres(ledger: Ledger) -> Swept:
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in _VACUUMED:
            connection.exec_driver_sql(f"vacuum {table}")
        size = connection.exec_driver_sql(f"select pg_total_relation_size('{_REWRITTEN}')").scalar_one()
        rewritten = int(size) <= _LARGEST and _rewrite(connection)
        if not rewritten:
            connection.exec_driver_sql(f"vacuum {_REWRITTEN}")
    return Swept(tables=len(_VACUUMED) + 1, rewritten=rewritten)


def _rewrite(connection: Connection) -> bool:
    connection.exec_driver_sql(f"set lock_timeout = '{_PATIENCE}'")
    try:
        connection.exec_driver_sql(f"vacuum full {_REWRITTEN}")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        return False
    finally:
        connection.exec_driver_sql("reset lock_timeout")
    return True
