"""Port 0 becomes none in one request of Airflow's page, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from leadgate.airflow.port_zero import PortZeroIsNone

PATH = "/api/v2/connections/test"


def heard(path: str, *parts: bytes, method: str = "POST") -> bytes:
    """What the app behind the middleware reads of a request that comes in ``parts``."""
    messages = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    read: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            read.append(message["body"])
            more = message["more_body"]

    async def send(_: Any) -> None:
        raise AssertionError

    asyncio.run(PortZeroIsNone(app)({"type": "http", "method": method, "path": path}, receive, send))
    return b"".join(read)


def test_port_zero_is_none() -> None:
    assert json.loads(heard(PATH, b'{"host": "h", "po', b'rt": 0}')) == {"host": "h", "port": None}
    assert json.loads(heard(f"/mounted{PATH}", b'{"port": 0}')) == {"port": None}


@pytest.mark.parametrize("body", [b'{"port": 443}', b'{"port": null}', b'{"port": false}', b"{}", b"[0]", b"{", b"", b"\xff"])
def test_anything_else_is_left_alone(body: bytes) -> None:
    assert heard(PATH, body) == body


@pytest.mark.parametrize(("path", "method"), [("/api/v2/connections", "POST"), (PATH, "PATCH"), ("/api/v2/pools", "POST")])
def test_other_requests_are_left_alone(path: str, method: str) -> None:
    assert heard(path, b'{"port": 0}', b" ", method=method) == b'{"port": 0} '


def test_a_browser_that_goes_away_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())

    async def gone() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError

    asyncio.run(PortZeroIsNone(app)({"type": "http", "method": "POST", "path": PATH}, gone, send))
    assert seen == [{"type": "http.disconnect"}]
