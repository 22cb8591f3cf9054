"""A server we start for ourselves. It refuses to outlive us: were this process killed with SIGKILL, the child still ends.

A child holds no lease on its parent, so a test run or a demo that is killed leaves a Postgres or a scheduler behind that the
next run trips over. Here a watcher (a few lines of shell in the child's own session) reads a pipe whose other end only we
hold: when we close it, or die in any way, the watcher sends the stop signal to the session's process group and, after the
grace, SIGKILL. The watcher belongs to the group, so the group's number cannot be given to a stranger in the meantime.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: $1 signal name, $2 grace in seconds, the rest is the command. The double fork keeps the watcher from being a child of the
#: server (a postmaster takes an unknown child's death for a crash); descriptor 3, because sh gives ``&`` jobs no input.
_LEASH = """
exec 3<&0 </dev/null
stop=$1; grace=$2; server=$$; shift 2
( (
  trap '' HUP INT QUIT TERM
  cat <&3 >/dev/null
  kill -s "$stop" -- -"$server" 2>/dev/null
  while [ "$grace" -gt 0 ] && kill -0 "$server" 2>/dev/null; do sleep 1; grace=$((grace - 1)); done
  kill -s KILL -- -"$server" 2>/dev/null
) >/dev/null 2>&1 & )
exec 3<&-
exec "$@"
"""

#: How much longer than the watcher we wait before SIGKILL, seconds.
_MARGIN = 5


def _private(path: str, flags: int) -> int:
    """A server's log may show what only its owner should see, such as a first password."""
    return os.open(path, flags, 0o600)


class ChildProcess:
    """One child in a session of its own, its output appended to ``log``. ``stop`` may be called twice."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: int = 20,
        user: int | None = None,
        group: int | None = None,
    ) -> None:
        self._stop_signal = stop_signal
        self._grace_seconds = grace_seconds
        leash = ["/bin/sh", "-c", _LEASH, "leash", stop_signal.name.removeprefix("SIG"), str(grace_seconds)]
        with open(log, "ab", opener=_private) as output:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell reads it: it is exec'd from "$@"
                [*leash, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=None if env is None else dict(env),
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                start_new_session=True,
                umask=0o077,
            )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def release(self) -> None:
        """Let go of the leash and do not wait."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self) -> int:
        """Let go of the leash and wait; whatever is left of the group after the grace is killed."""
        self.release()
        try:
            return self._process.wait(self._grace_seconds + _MARGIN)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """SIGKILL to the whole group, as a power cut would; used by crash tests too."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
