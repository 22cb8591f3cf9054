"""How a benchmark's worker speaks with the one who timed it. It refuses to begin before it is told to, so that importing and
opening are nobody's leads a second.

A worker prints one line when it is ready, waits for a line, works, and prints one line of JSON with what it counted and what
it cost this process. Standard library only: the peers' environment has nothing of Leadgate's.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _peak() -> int:
    """Peak resident memory of this program in KiB; getrusage would also count what its parent had when it was forked."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def serve(work: Callable[[], dict[str, Any]]) -> None:
    """Say ready, wait, run ``work`` once, report."""
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not be taken for our lines
    print(json.dumps({"ready": True}), file=out, flush=True)
    if not sys.stdin.readline():
        return
    cpu, wall = time.process_time(), time.perf_counter()
    counted = work()
    report = {
        **counted,
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "rss_mb": _peak() / 1024,
    }
    print(json.dumps(report), file=out, flush=True)
