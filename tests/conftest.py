"""What every test may ask for: a ledger on SQLite and on Postgres (one test, two databases), real simulators, a whole house."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from integrations.testing.sandbox import Sandbox
from leadgate.postgres import EmbeddedPostgres
from leadgate.storage import schema
from leadgate.storage.engine import Ledger
from leadgate.storage.tables import metadata
from leadgate.wiring.keys import create_keys
from tests.houses.house import Clock, TestHouse, settings_for, stands

# The same examples every time, and no time limit an example could miss on a busy machine.
settings.register_profile("leadgate", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadgate")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Postgres of the run keeps its data and its log."""
    return tmp_path_factory.mktemp("postgres")


@pytest.fixture(scope="session")
def postgres(postgres_folder: Path) -> Iterator[EmbeddedPostgres]:
    """One Postgres for the whole run."""
    with EmbeddedPostgres() as server:
        yield server.start(postgres_folder / "data")


@pytest.fixture(scope="session")
def empty_ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite ledger to copy."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    ledger = Ledger(f"sqlite:///{path}")
    schema.upgrade(ledger)
    ledger.close()
    return path


@pytest.fixture(scope="session")
def postgres_ledger(postgres: EmbeddedPostgres) -> str:
    """A migrated Postgres ledger, emptied for every test: making a database anew costs a second of fsync."""
    postgres.create_database("ledger")
    ledger = Ledger(postgres.url("ledger"))
    schema.upgrade(ledger)
    ledger.close()
    return postgres.url("ledger")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    """Runs the test once on each database."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: EmbeddedPostgres = request.getfixturevalue("postgres")
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    server.create_database(name)
    return server.url(name)


@pytest.fixture
def ledger_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty ledger."""
    if database == "sqlite":
        shutil.copyfile(request.getfixturevalue("empty_ledgers"), tmp_path / "ledger.db")
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("postgres_ledger")
    emptied = Ledger(url)
    with emptied.transaction() as tx:
        for table in metadata.tables:
            tx.run(f"delete from {table}")  # noqa: S608 - our own tables
    emptied.close()
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An open, empty ledger."""
    opened = Ledger(ledger_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with stands() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Sandbox:
    """The four simulators, empty and well."""
    for server in _sandbox.servers.values():
        server.up()
        server.simulator.knobs.clear()
        server.simulator.world.reset()
    return _sandbox


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyring and a signing key, made once: a folder to copy."""
    folder = tmp_path_factory.mktemp("keys")
    create_keys(settings_for(state=folder, ledger_url="sqlite://"), clock=Clock())
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(ledger_url: str, sandbox: Sandbox, keys: Path, tmp_path: Path, clock: Clock) -> Iterator[TestHouse]:
    """A whole house over an empty ledger."""
    state = tmp_path / "state"
    shutil.copytree(keys, state)
    opened = TestHouse(settings_for(state=state, ledger_url=ledger_url), sandbox, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_house(empty_ledgers: Path, sandbox: Sandbox, keys: Path, tmp_path: Path, clock: Clock) -> Iterator[TestHouse]:
    """A whole house over an empty SQLite file, for what is a file's own."""
    state = tmp_path / "state"
    shutil.copytree(keys, state)
    shutil.copyfile(empty_ledgers, state / "ledger.db")
    opened = TestHouse(settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}"), sandbox, clock=clock)
    yield opened
    opened.close()
