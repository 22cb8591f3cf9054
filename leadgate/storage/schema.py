"""The shape of the ledger and its versions. It refuses to work on a ledger that a newer Leadgate has written."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from leadgate.storage import (  # noqa: F401 - each adds its tables to the metadata that migrations are compared with
    case_tables,
    consent_tables,
    destruction_tables,
    recipient_tables,
    rotation_tables,
    witness_tables,
)
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import ConfigurationError

_MIGRATIONS = Path(__file__).with_name("migrations")
#: Advisory lock: one process at a time changes the shape.
_SCHEMA_LOCK = 0x6C65_6164_6462


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def newest() -> str:
    """The version this code writes."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise ConfigurationError("no_migrations", "the package holds no migrations; it is not installed whole")
    return head


def version(tx: Transaction) -> str | None:
    """The ledger's version; None if it is empty."""
    context = MigrationContext.configure(tx.connection, opts={"version_table": "ledger_version"})
    return context.get_current_revision()


def upgrade(ledger: Ledger) -> tuple[str | None, str]:
    """Bring the ledger to the newest version; answer (before, after). Safe to run twice and from two processes at once.

    Raises ConfigurationError if the ledger was written by a newer Leadgate.
    """
    with ledger.transaction() as tx:
        tx.lock(_SCHEMA_LOCK)
        before, after = version(tx), newest()
        _refuse_newer(before)
        if before != after:
            config = _config()
            config.attributes["connection"] = tx.connection
            command.upgrade(config, "head")
        return before, after


def check(ledger: Ledger) -> None:
    """Raise ConfigurationError unless the ledger has the version this code was written for."""
    with ledger.snapshot() as tx:
        found = version(tx)
    _refuse_newer(found)
    if found != newest():
        raise ConfigurationError(
            "ledger_outdated",
            "the ledger is older than this Leadgate; run 'leadgate ledger upgrade'",
            field="LEADGATE_DATABASE_URL",
        )


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            "ledger_newer", "the ledger was written by a newer Leadgate; upgrade the program", field="LEADGATE_DATABASE_URL"
        )
