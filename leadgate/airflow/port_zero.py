"""Makes **Test** in *Admin > Connections* work for a connection without a port: in what the page sends, port 0 becomes none.

Airflow 3.3.2's page sends 0 where no port is stored, and its API then takes it for another server and answers 400
(apache/airflow#73298, mended in later versions). Our connections name a whole URL, so none of them has a port. Nothing listens
on port 0, so nothing else can be meant. It refuses to touch any other request.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_PATH = "/api/v2/connections/test"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class PortZeroIsNone:
    """An ASGI middleware; the plugin hands it to Airflow."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        tests = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(_PATH)
        await self._app(scope, _mended(receive) if tests else receive, send)


def _mended(receive: Receive) -> Receive:
    told = False

    async def receive_mended() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the browser went away
                return message
            body += message.get("body", b"")
            if not message.get("more_body"):
                return {"type": "http.request", "body": without_port_zero(body), "more_body": False}

    return receive_mended


def without_port_zero(body: bytes) -> bytes:
    """``body`` with port 0 turned to none; as it is if it is anything but that."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if not isinstance(document, dict) or document.get("port") != 0 or isinstance(document["port"], bool):
        return body
    return json.dumps({**document, "port": None}).encode()
