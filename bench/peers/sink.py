"""The REST sink everybody posts to: it counts records and answers one result for each, in the JSON CRM's words.

It finds the keys by their quotation marks and parses nothing, so that what is measured is the sender. A GET answers the count
and starts again from nought.
"""

from __future__ import annotations

import asyncio
import json
import sys

_MARK = b'"external_id":'
_STATUS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Sink(asyncio.Protocol):
    """One connection; requests with a Content-Length, one after another."""

    records = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._wanted = 0  # bytes of the request that is arriving, head and body; 0 until its head is whole

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._answer_one():
            pass

    def _answer_one(self) -> bool:
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self._buffer[:end]).lower()
            length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._wanted = end + 4 + int(length or b"0")
        if len(self._buffer) < self._wanted:
            return False
        request = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._wanted = 0
        self._write(self._stored(request) if request.startswith(b"POST") else self._count())
        return True

    def _stored(self, request: bytes) -> bytes:
        keys = [part.split(b'"', 2)[1] for part in request.split(_MARK)[1:]]
        Sink.records += len(keys)
        results = b",".join([b'{"external_id":"%b","status":"created","id":"1"}' % key for key in keys])
        return b'{"results":[' + results + b"]}"

    def _count(self) -> bytes:
        counted, Sink.records = Sink.records, 0
        return json.dumps({"records": counted}).encode()

    def _write(self, body: bytes) -> None:
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(_STATUS % (len(body), body))


async def main() -> None:
    """Serve on a free port of the loopback until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
