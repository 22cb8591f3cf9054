"""The witness as a process: killed between check and answer, killed at any moment, spoken to over real HTTP."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from consent.audit import checkpoint as checkpoints
from leadgate.witness import Office
from tests.witness.loghouse import InventedLog

_ROOT = Path(__file__).parents[2]
Spawn = Callable[..., tuple[subprocess.Popen[str], httpx.Client]]


@pytest.fixture
def spawn(office: Office) -> Iterator[Spawn]:
    """Start the witness: the command an officer types, or the one that dies at a moment."""
    started: list[subprocess.Popen[str]] = []

    def begin(fate: str | None = None) -> tuple[subprocess.Popen[str], httpx.Client]:
        command: Sequence[str] = (
            [str(Path(sys.executable).with_name("leadgate")), "witness", "run", "--port", "0", "--folder", str(office.folder)]
            if fate is None
            else [sys.executable, str(Path(__file__).with_name("witness_process.py")), str(office.folder), fate]
        )
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env={"PYTHONPATH": "."})
        started.append(process)
        assert process.stdout is not None
        return process, httpx.Client(base_url=process.stdout.readline().strip(), timeout=20, trust_env=False)

    yield begin
    for process in started:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def post(client: httpx.Client, request: bytes) -> httpx.Response:
    return client.post("/add-checkpoint", content=request)


def test_over_http_it_signs_refuses_and_shows(spawn: Spawn, office: Office, log: InventedLog) -> None:
    process, client = spawn()
    key = office.signer().verifier
    log.grow(7)
    signed = post(client, log.request(0))
    assert signed.status_code == 200
    assert checkpoints.cosigned(log.note() + signed.text, [key])
    behind = post(client, log.request(3))
    assert (behind.status_code, behind.text, behind.headers["content-type"]) == (409, "7\n", "text/x.tlog.size")
    assert post(client, log.forked(2, "other").request(7)).status_code == 422
    assert post(client, b"nonsense").status_code == 400
    assert post(client, b"x" * 1_000_000).status_code == 413
    assert client.post("/add-checkpoint", content=b"x", headers={"content-encoding": "gzip"}).status_code == 415
    assert client.get("/add-checkpoint").status_code == 405
    shown = client.get(f"/{sha256(log.origin.encode()).hexdigest()}/checkpoint")
    assert checkpoints.verify(shown.text, [log.signer.verifier, key]).size == 7
    assert client.get(f"/{sha256(b'other').hexdigest()}/checkpoint").status_code == 404
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_killed_after_it_decided_and_before_it_was_kept_nothing_happened(spawn: Spawn, log: InventedLog) -> None:
    log.grow(6)
    process, client = spawn("before")
    with pytest.raises(httpx.TransportError):
        post(client, log.request(0))
    assert process.wait(10) == -signal.SIGKILL
    _, client = spawn()
    assert post(client, log.request(0)).status_code == 200


def test_killed_between_keeping_and_answering_it_refuses_every_other_history(
    spawn: Spawn, office: Office, log: InventedLog
) -> None:
    log.grow(6)
    process, client = spawn("after")
    with pytest.raises(httpx.TransportError):
        post(client, log.request(0))
    assert process.wait(10) == -signal.SIGKILL

    _, client = spawn()
    fork = log.forked(4, "other")
    assert post(client, fork.request(0)).status_code == 409, "nobody received the signature, and it counts all the same"
    assert post(client, fork.request(6)).status_code == 422
    assert post(client, fork.with_leaves(3, "other").request(6)).status_code == 422
    assert post(client, log.request(0, 5)).status_code == 409, "a rollback"
    again = post(client, log.request(6))
    assert again.status_code == 200, "the log itself asks again from the size it is told"
    assert checkpoints.cosigned(log.note() + again.text, [office.signer().verifier])


def test_killed_at_any_moment_it_never_signs_two_histories(spawn: Spawn, log: InventedLog) -> None:
    """Two owners of one key, each with a history of their own, both try while the witness is killed again and again."""
    log.grow(2)
    process, client = spawn()
    post(client, log.request(0))
    luck = random.Random(7)
    rivals = [log.forked(2, f"rival {number}").with_leaves(60, f"rival {number}") for number in range(2)]
    signed: list[tuple[int, bytes]] = []
    for _ in range(4):
        timer = threading.Timer(luck.uniform(0.0, 0.15), process.kill)
        timer.start()
        while process.poll() is None:
            for rival in rivals:
                _push(client, rival, signed)
        timer.join()
        client.close()
        process, client = spawn()
    for rival in rivals:
        _push(client, rival, signed)
    mine = [rival for rival in rivals if all(rival.root(size) == root for size, root in signed)]
    assert signed
    assert len(mine) == 1, "everything it ever signed is one history"


def _push(client: httpx.Client, log: InventedLog, signed: list[tuple[int, bytes]]) -> None:
    """Let one log move on by one leaf, as its client would; note what was signed."""
    try:
        told = post(client, log.request(0, 3))
        size = int(told.text) if told.status_code == 409 else 0
        if size >= log.size:
            return
        answer = post(client, log.request(size, size + 1))
    except httpx.TransportError:
        return
    if answer.status_code == 200:
        signed.append((size + 1, log.root(size + 1)))


def test_slow_and_silent_callers_do_not_hold_it_up(spawn: Spawn, log: InventedLog) -> None:
    _, client = spawn()
    log.grow(2)
    host, port = client.base_url.host, client.base_url.port or 80
    slow = [socket.create_connection((host, port)) for _ in range(20)]
    for each in slow:
        each.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nold 0")
    time.sleep(0.2)
    assert post(client, log.request(0)).status_code == 200
    for each in slow:
        each.close()
