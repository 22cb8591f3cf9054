"""The command line as a real process over a test's house."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.houses.house import CONFIG, TestHouse

PROGRAM = Path(sys.executable).with_name("leadgate")
#: What a process needs of its surroundings; everything else could be somebody's real configuration.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


def environment(house: TestHouse, **more: str) -> dict[str, str]:
    """The variables by which another process finds this house and its simulators."""
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        **house.sandbox.environment(),
        "LEADGATE_CONFIG": str(CONFIG),
        "LEADGATE_STATE": str(house.settings.state),
        "LEADGATE_DATABASE_URL": house.settings.ledger_url,
        "PYTHONUNBUFFERED": "1",
        **more,
    }


def leadgate(house: TestHouse, *words: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``leadgate`` with these words; ``typed`` stands on its standard input."""
    return subprocess.run(
        [str(PROGRAM), *words],
        env=environment(house, **more),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def verify(house: TestHouse, **more: str) -> tuple[int, list[dict[str, Any]]]:
    """(exit code, findings) of ``leadgate verify``."""
    done = leadgate(house, "verify", "--json", **more)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]
