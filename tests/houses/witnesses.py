"""Witnesses for a test's house: the real service as a process of its own, and servers that only pretend to be one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from consent.audit.cosignature import Kind
from consent.audit.note import SEED_SIZE, SignerKey
from leadgate.settings.log import WitnessSettings
from leadgate.witness import Office
from tests.houses.house import TestHouse

PROGRAM = Path(sys.executable).with_name("leadgate")


class WitnessProcess:
    """`leadgate witness run` in a folder of its own; it may be killed and started again, at the same address."""

    def __init__(self, folder: Path, name: str, *, vkeys: list[str], kind: Kind = Kind.ED25519_COSIGNATURE) -> None:
        self.name = name
        self.office = Office(folder)
        key = self.office.create(f"{name}.example.org/witness", post_quantum=kind is Kind.ML_DSA_44)
        self.vkey = str(key)
        for each in vkeys:
            self.office.trust(each)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def settings(self) -> WitnessSettings:
        return WitnessSettings(name=self.name, url=f"http://127.0.0.1:{self.port}", vkey=self.vkey)

    def start(self) -> None:
        command = [str(PROGRAM), "witness", "run", "--port", str(self.port), "--folder", str(self.office.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": "."})
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("http://")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@contextmanager
def witness(folder: Path, name: str, house: TestHouse, *, kind: Kind = Kind.ED25519_COSIGNATURE) -> Iterator[WitnessProcess]:
    """A running witness of this house's log. It lives by the real clock, so from now on the house does too."""
    house.clock.now = datetime.now(UTC)
    running = WitnessProcess(folder, name, vkeys=[str(key) for key in house.house.logbook.keys], kind=kind)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def watched(house: TestHouse, *witnesses: WitnessSettings, quorum: int | None = None, patience: float = 5.0) -> None:
    """Let these witnesses watch the house's log from now on."""
    house.house.close()
    needed = len(witnesses) if quorum is None else quorum
    log = replace(house.settings.log, witnesses=witnesses, quorum=needed, witness_timeout=patience)
    house.settings = replace(house.settings, log=log)
    house.house = house.another()


def invented_key(name: str) -> SignerKey:
    """The key of somebody who only pretends."""
    return SignerKey(
        name=f"{name}.example.org/witness", seed=name.encode().ljust(SEED_SIZE)[:SEED_SIZE], kind=Kind.ED25519_COSIGNATURE
    )


Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def pretender(answer: Answer) -> Iterator[str]:
    """An address where every request is answered by ``answer``, which is given the raw connection and the request."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(20)
            answer(connection, _request(connection))

    def work() -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.close()


def _request(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(65_536)
    head, _, body = raw.partition(b"\r\n\r\n")
    wanted = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < wanted:
        body += connection.recv(65_536)
    return body


def reply(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
