"""The embedded Postgres keeps what it acknowledged, ends with us, and starts again over whatever a crash left."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from leadgate.postgres import EmbeddedPostgres, cache_megabytes
from schemas.errors import ConfigurationError

pytestmark = pytest.mark.postgres

#: Starts a server in another process, prints its pid, then waits to be killed.
_HOLDER = """
import sys, time
from leadgate.postgres import EmbeddedPostgres
server = EmbeddedPostgres().start(sys.argv[1])
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory made once; the tests here start and stop servers over it one after another."""
    directory = tmp_path_factory.mktemp("postgres") / "data"
    with EmbeddedPostgres() as server:
        server.start(directory)
        server.create_database("ledger")
        with psycopg.connect(server.libpq_url("ledger")) as connection:
            connection.execute("create table kept (word text)")
    return directory


@pytest.fixture
def holder(cluster: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(cluster)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    yield process
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def _pid(holder: subprocess.Popen[str]) -> int:
    assert holder.stdout is not None
    return int(holder.stdout.readline())


def _write_then_count(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.libpq_url("ledger")) as connection:
        connection.execute("insert into kept values ('kept')")
        row = connection.execute("select count(*) from kept").fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_listens_and_only_the_owner_may_come_in(cluster: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(cluster)
        with psycopg.connect(server.libpq_url()) as connection:
            settings = {name: connection.execute(f"show {name}").fetchone() for name in ("listen_addresses", "fsync")}
        assert settings == {"listen_addresses": ("",), "fsync": ("on",)}
        assert stat.S_IMODE(cluster.stat().st_mode) == 0o700
        assert cluster.stat().st_uid != 0


def test_urls_name_the_driver(cluster: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(cluster)
        assert server.url("ledger").startswith("postgresql+psycopg://leadgate@/ledger?host=/")
        assert server.airflow_url().startswith("postgresql+psycopg2://leadgate@/airflow?host=/")


def test_creating_a_database_twice_is_harmless(cluster: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(cluster)
        server.create_database("ledger")
        assert _write_then_count(server) >= 1


def test_a_killed_server_has_kept_what_it_acknowledged(cluster: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(cluster)
        before = _write_then_count(server)
        os.kill(server.pid, signal.SIGKILL)
    with EmbeddedPostgres() as server:
        server.start(cluster)
        assert _write_then_count(server) == before + 1


def test_the_server_ends_with_a_parent_that_was_killed(cluster: Path, holder: subprocess.Popen[str]) -> None:
    pid = _pid(holder)
    holder.kill()
    holder.wait()
    with EmbeddedPostgres() as server:
        server.start(cluster)
        assert server.pid != pid
        assert _write_then_count(server) >= 1


@pytest.mark.parametrize("crashed", [False, True], ids=["sound", "in crash recovery"])
def test_a_server_whose_watcher_was_killed_too_is_ended(cluster: Path, holder: subprocess.Popen[str], *, crashed: bool) -> None:
    pid = _pid(holder)
    for watcher in _watchers(pid):
        os.kill(watcher, signal.SIGKILL)
    if crashed:
        os.kill(_children(pid)[-1], signal.SIGKILL)
    holder.kill()
    holder.wait()
    with EmbeddedPostgres() as server:
        server.start(cluster)
        assert server.pid != pid


def test_a_recycled_process_number_does_not_bar_the_start(cluster: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(cluster)
        left = (cluster / "postmaster.pid").read_text().splitlines()
    (cluster / "postmaster.pid").write_text("\n".join([str(os.getppid()), *left[1:], ""]))
    with EmbeddedPostgres() as server:
        server.start(cluster)
        assert _write_then_count(server) >= 1


def test_a_second_server_over_the_same_data_is_refused(cluster: Path, holder: subprocess.Popen[str]) -> None:
    _pid(holder)
    with EmbeddedPostgres() as server, pytest.raises(ConfigurationError) as refusal:
        server.start(cluster)
    assert refusal.value.code == "postgres_in_use"


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.txt").write_text("not a cluster")
    with EmbeddedPostgres() as server, pytest.raises(ConfigurationError) as refusal:
        server.start(tmp_path)
    assert refusal.value.code == "postgres_directory_not_empty"
    assert (tmp_path / "photo.txt").read_text() == "not a cluster"


@pytest.mark.parametrize(
    ("told", "megabytes"), [("max", None), (str(2 << 30), 256), (str(64 << 20), 128), (str(1 << 60), None)]
)
def test_the_page_cache_heeds_a_containers_memory(tmp_path: Path, told: str, megabytes: int | None) -> None:
    unlimited = cache_megabytes(tmp_path / "none")
    assert 128 <= unlimited <= 1024
    limit = tmp_path / "memory.max"
    limit.write_text(f"{told}\n")
    assert cache_megabytes(limit) == (megabytes or unlimited)


def test_a_long_path_gets_a_short_name(tmp_path: Path) -> None:
    with EmbeddedPostgres() as server:
        server.start(tmp_path / ("a" * 90) / "data")
        server.create_database("ledger")
        with psycopg.connect(server.libpq_url("ledger")) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def _watchers(leader: int) -> list[int]:
    """The watcher's shells in the leader's group. A backend that was just forked may still be in it, by its server's name."""
    return [each for each, name, _, group in _processes() if group == leader and each != leader and name != "postgres"]


def _children(parent: int) -> list[int]:
    return sorted(each for each, _, of, _ in _processes() if of == parent)


def _processes() -> Iterator[tuple[int, str, int, int]]:
    """(process, name, parent, group), of proc_pid_stat(5)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                before, _, after = (entry / "stat").read_text().rpartition(")")
                words = after.split()
                yield int(entry.name), before.partition("(")[2], int(words[1]), int(words[2])
