"""Serves our services over HTTP. No address with its query comes into a log: the server's own access log is off."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

#: Seconds for requests in flight when a service is told to stop.
_SHUTDOWN_SECONDS = 20
#: Connections that may wait to be taken.
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Tells where it listens once it does."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def serve(app: FastAPI, host: str, port: int, *, on_started: Callable[[str, int], None] | None = None) -> None:
    """Listen until SIGTERM or SIGINT, then finish what is in flight. Port 0 takes a free one; ``on_started`` is told which.

    TLS, and any limit by address, belong to the proxy in front.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    address, bound = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    with listener, _quiet_signals():
        _Server(config, lambda: on_started(address, bound) if on_started else None).run(sockets=[listener])


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """The server raises the signal that stopped it once more when it has finished; a stop that was asked for is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
