"""A worker killed at a random moment loses nothing and doubles nothing. The long version is ``make kill-test``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_RUNS = 6


def test_killed_workers_lose_nothing_and_double_nothing(database: str) -> None:
    command = [sys.executable, "bench/kill_test.py", "--runs", str(_RUNS), "--database", database, "--leads", "60", "--json"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tally = json.loads(done.stdout.splitlines()[-1])[database]
    assert (tally["runs"], tally["lost"], tally["doubled"], tally["verified"]) == (_RUNS, 0, 0, _RUNS)
    assert sum(tally["kills"].values()) >= _RUNS
