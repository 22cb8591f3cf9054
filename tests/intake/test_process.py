"""The service as a process: killed between commit and answer, and told to stop while somebody waits."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

Post = Callable[..., httpx.Response]
Spawn = Callable[..., tuple[subprocess.Popen[str], httpx.Client]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    started: list[subprocess.Popen[str]] = []

    def begin(*, seconds: float = 0, fate: str = "live") -> tuple[subprocess.Popen[str], httpx.Client]:
        script = Path(__file__).with_name("intake_process.py")
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "ledger.db"), str(seconds), fate],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONPATH": "."},
        )
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)

    yield begin
    for process in started:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def stored(tmp_path: Path) -> int:
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        return int(database.execute("select count(*) from inbox").fetchone()[0])


def test_killed_between_commit_and_answer_the_retry_is_the_same_submission(tmp_path: Path, spawn: Spawn, post: Post) -> None:
    process, client = spawn(fate="die")
    with pytest.raises(httpx.TransportError):
        post(client)
    assert process.wait(10) == -signal.SIGKILL
    assert stored(tmp_path) == 1
    _process, client = spawn()
    assert post(client).status_code == 202
    assert stored(tmp_path) == 1


def test_told_to_stop_it_finishes_what_is_in_flight_and_ends_well(tmp_path: Path, spawn: Spawn, post: Post) -> None:
    process, client = spawn(seconds=0.6)
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(post(client).status_code))
    waiting.start()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    waiting.join(10)
    client.close()
    assert codes == [202]
    assert process.wait(10) == 0
    assert stored(tmp_path) == 1
