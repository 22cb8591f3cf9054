"""The ledger's shape: what migrations build is what the code means, from any starting point, however many start at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from leadgate.storage import properties, schema
from leadgate.storage.engine import Ledger
from leadgate.storage.tables import metadata
from schemas.errors import ConfigurationError, StorageUnavailableError

_ROOT = Path(__file__).parents[2]
_UPGRADE = "import sys; from leadgate.storage import schema; from leadgate.storage.engine import Ledger; print(schema.upgrade(Ledger(sys.argv[1])))"  # noqa: E501 - a program in one line


@pytest.fixture
def empty(empty_url: str) -> Ledger:
    return Ledger(empty_url)


def test_migrations_build_what_the_tables_say(empty: Ledger) -> None:
    assert schema.upgrade(empty) == (None, schema.newest())
    with empty.transaction() as tx:
        context = MigrationContext.configure(
            tx.connection, opts={"version_table": "ledger_version", "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    schema.check(empty)
    empty.close()


def test_indexes_are_partial_where_the_tables_say_so(empty: Ledger) -> None:
    # autogenerate does not compare the condition of an index
    schema.upgrade(empty)
    catalogue = (
        "select indexname, indexdef from pg_indexes where schemaname = 'public'"
        if empty.postgres
        else "select name, sql from sqlite_master where type = 'index' and sql is not null"
    )
    with empty.snapshot() as tx:
        built = {row[0]: row[1].lower() for row in tx.rows(catalogue)}
    for table in metadata.tables.values():
        for index in table.indexes:
            dialect = "postgresql" if empty.postgres else "sqlite"
            where = index.dialect_options[dialect]["where"]
            assert (" where " in built[str(index.name)]) == (where is not None), index.name
    empty.close()


def test_upgrading_twice_changes_nothing(empty: Ledger) -> None:
    schema.upgrade(empty)
    with empty.transaction() as tx:
        properties.keep(tx, "word", "kept")
    assert schema.upgrade(empty) == (schema.newest(), schema.newest())
    with empty.snapshot() as tx:
        assert properties.read(tx, "word") == "kept"
    empty.close()


def test_upgrading_in_several_processes_at_once(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _UPGRADE, empty_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert sum("(None" in out for out, _ in answers) == 1, "one of them made it, the others found it made"


def test_upgrading_in_several_threads_at_once(empty_url: str) -> None:
    def upgrade(_: int) -> tuple[str | None, str]:
        ledger = Ledger(empty_url)
        try:
            return schema.upgrade(ledger)
        finally:
            ledger.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(upgrade, range(4)))
    assert sorted(before or "" for before, _ in answers) == ["", *[schema.newest()] * 3]


def test_a_newer_ledger_is_refused(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        tx.run("update ledger_version set version_num = '9999'")
    for act in (schema.check, schema.upgrade):
        with pytest.raises(ConfigurationError) as caught:
            act(ledger)
        assert caught.value.code == "ledger_newer"
    with ledger.transaction() as tx:  # the next test finds it well
        tx.run("update ledger_version set version_num = :version", version=schema.newest())


def test_an_empty_ledger_is_refused_until_it_is_made(empty: Ledger) -> None:
    with pytest.raises(ConfigurationError) as caught:
        schema.check(empty)
    assert caught.value.code == "ledger_outdated"
    empty.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:a-password-of-somebody@127.0.0.1:1/nowhere",
        "sqlite:////nowhere/at/all/ledger.db",
    ],
)
def test_an_unreachable_database_says_so_without_the_drivers_words(url: str) -> None:
    ledger = Ledger(url)
    with pytest.raises(StorageUnavailableError) as caught:
        schema.check(ledger)
    assert caught.value.code == "database_unavailable"
    said = f"{caught.value}{caught.value.diagnostics()}{caught.value!r}"
    for word in ("somebody", "127.0.0.1", "nowhere", "psycopg", "sqlite"):
        assert word not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["mysql://user@localhost/db", "not-a-url", "postgresql://u:secret@host:port/db"])
def test_an_unknown_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Ledger(url)
