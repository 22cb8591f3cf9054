"""The server under every simulator: real HTTP in threads, its failures made byte by byte, and an address to control it by. That
is why it is the standard library's server: one can hang, cut and reset with it.

The service address and the control address are two listeners, so that a simulator that is down still takes orders:

====================================  ====================================================================
``GET  /_control/records``            everything the world holds (also at the service address)
``GET  /_control/stats``              counts: records, doubles, writes, calls by operation
``GET, POST, DELETE /_control/knobs`` list, add (a ``Fault`` as JSON) or clear the knobs
``POST /_control/reset``              an empty world
``POST /_control/down``, ``up``       close or open the service address: real refused connections
====================================  ====================================================================
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import ssl
import struct
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from integrations.testing.knobs import Fault, FaultKind
from integrations.testing.simulator import Answer, Exchange, Simulator

_log = logging.getLogger(__name__)
_MAX_BODY = 64 * 1024 * 1024  # bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        exchange = self._read()
        if exchange is None:
            self.close_connection = True
        elif exchange.path.startswith("/_control/"):
            self._write(self.server.owner.control(exchange))
        elif not self.server.service:
            self._write(Answer(status=404, body=b'{"error":"this is the control address"}'))
        else:
            self._respond(exchange)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names http.server calls

    def _read(self) -> Exchange | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MAX_BODY or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return None  # the client died while it sent: nothing of a half request is taken
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Exchange(method=self.command, path=url.path, query=dict(parse_qsl(url.query)), headers=headers, body=body)

    def _respond(self, exchange: Exchange) -> None:
        simulator = self.server.owner.simulator
        operation = simulator.operation(exchange)
        call = simulator.knobs.draw(operation)
        simulator.world.called(operation)
        if call.seconds:
            time.sleep(call.seconds)
        if call.instead is not None:
            if call.instead.kind is FaultKind.RESET:
                self._reset()
            else:
                self._write(simulator.refusal(exchange, call.instead))
            return
        fault = call.afterwards
        if fault is not None and not fault.take:
            answer = Answer(body=b'{"results":[]}')
        else:
            with simulator.lock:
                answer = simulator.respond(exchange, call)
        if fault is None:
            self._write(answer)
        else:
            self._misbehave(exchange, answer, fault)

    def _misbehave(self, exchange: Exchange, answer: Answer, fault: Fault) -> None:
        simulator = self.server.owner.simulator
        if fault.kind is FaultKind.TAKE_THEN_REFUSE:
            self._write(simulator.refusal(exchange, fault))
        elif fault.kind is FaultKind.TAKE_THEN_RESET:
            self._reset()
        elif fault.kind is FaultKind.TAKE_THEN_CUT:
            self._write(answer, cut=True)
        elif fault.kind is FaultKind.GARBAGE:
            self._write(simulator.garbage(answer, fault.form))
        else:
            self._hang()

    def _write(self, answer: Answer, *, cut: bool = False) -> None:
        lines = [
            f"HTTP/1.1 {answer.status} Simulated",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {answer.media_type}",
            f"Content-Length: {len(answer.body) or int(cut)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        body = answer.body[: len(answer.body) // 2] if cut else answer.body
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.close_connection = self.close_connection or cut

    def _reset(self) -> None:
        # Linger of zero seconds: close sends RST instead of FIN (socket(7)).
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _hang(self) -> None:
        """Say nothing until the client gives up or the server stops."""
        self.close_connection = True
        while not self.server.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable and not self.connection.recv(1):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing: addresses may hold what a vendor put there."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, owner: SimulatorServer, address: tuple[str, int], *, service: bool) -> None:
        self.owner = owner
        self.service = service
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the standard library's signature
        # A client that goes away is the everyday of a simulator; anything else is a mistake of the simulator's own.
        _log.debug("a simulator's request ended early", exc_info=True)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop listening and drop every open connection."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class SimulatorServer:
    """Serves one simulator; a context manager. Port 0 takes a free one and keeps it over ``down`` and ``up``."""

    def __init__(
        self,
        simulator: Simulator,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.simulator = simulator
        self._address = (host, port)
        self._tls = tls
        self._service: _Listener | None = None
        self._control = _Listener(self, (host, control_port), service=False)

    def start(self) -> SimulatorServer:
        self._control.start()
        self.up()
        return self

    def stop(self) -> None:
        self.down()
        self._control.stop()
        self.simulator.world.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def down(self) -> None:
        """Close the service address: connections are refused from now on."""
        if self._service is not None:
            self._service.stop()
            self._service = None

    def up(self) -> None:
        if self._service is None:
            self._service = _Listener(self, self._address, service=True)
            if self._tls is not None:
                self._service.socket = self._tls.wrap_socket(
                    self._service.socket, server_side=True, do_handshake_on_connect=False
                )
            self._address = (self._address[0], self._service.server_port)
            self._service.start()

    @property
    def host(self) -> str:
        """``host:port`` of the service address, as an Endpoint's ``hosts`` take it."""
        return f"{self._address[0]}:{self._address[1]}"

    @property
    def url(self) -> str:
        """The destination's base_url."""
        return f"{'https' if self._tls else 'http'}://{self.host}{self.simulator.base_path}"

    @property
    def control_url(self) -> str:
        return f"http://{self._address[0]}:{self._control.server_port}/_control"

    def control(self, exchange: Exchange) -> Answer:
        """Answer an order of the control address."""
        order = exchange.path.removeprefix("/_control/")
        actions = {"reset": self.simulator.world.reset, "down": self.down, "up": self.up}
        if exchange.method == "GET" and order == "records":
            return _json({"records": self.simulator.world.records()})
        if exchange.method == "GET" and order == "stats":
            return _json({"name": self.simulator.name, **self.simulator.world.stats()})
        if exchange.method == "POST" and order in actions:
            actions[order]()
            return _json({"done": order})
        if order == "knobs":
            return self._knobs(exchange)
        return _json({"error": "no such order"}, status=404)

    def _knobs(self, exchange: Exchange) -> Answer:
        if exchange.method == "DELETE":
            self.simulator.knobs.clear()
        elif exchange.method == "POST":
            try:
                self.simulator.knobs.set(Fault.from_json(json.loads(exchange.body)))
            except (ValueError, TypeError) as error:
                return _json({"error": str(error)}, status=400)
        return _json({"knobs": [fault.to_json() for fault in self.simulator.knobs.active()]})


def _json(data: Any, *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(data, ensure_ascii=False).encode())
