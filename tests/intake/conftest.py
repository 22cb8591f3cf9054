"""A real server on a real socket, a real signer, and a ledger that can be slow, full, or gone."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from standardwebhooks.webhooks import Webhook

from integrations.contract.source import SourceSettings, WebhookSource
from integrations.sources.moderation_webhook import ModerationWebhook
from integrations.sources.vk import VK
from leadgate.intake import IntakeLimits, create_app
from schemas.personal import Personal
from schemas.submission import Received, Submission

SECRET = "whsec_" + base64.b64encode(b"a-secret-of-an-invented-tool-123").decode()


@dataclass
class Ledger:
    """Remembers what was committed and how; ``before`` runs inside each transaction and may raise or wait."""

    stored: dict[tuple[str, str], bytes] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    before: Callable[[Sequence[Submission]], None] = lambda _submissions: None

    def commit(self, submissions: Sequence[Submission]) -> Received:
        self.before(submissions)
        self.groups.append(len(submissions))
        new = sum((each.source, each.event_id) not in self.stored for each in submissions)
        for each in submissions:
            self.stored.setdefault((each.source, each.event_id), each.body.reveal())
        return Received(new=new, repeated=len(submissions) - new)


def build_sources() -> dict[str, WebhookSource]:
    vk = {"group_id": 5, "confirmation": "f00d"}
    return {
        "moderation": ModerationWebhook(
            SourceSettings(name="moderation", connector="moderation_webhook", secrets=(Personal(SECRET),))
        ),
        "vk": VK(SourceSettings(name="vk", connector="vk", brand="lada", options=vk, secrets=(Personal("s3"),))),
    }


def sign(body: bytes, event_id: str = "msg_1", *, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(tz=UTC)
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(event_id, at, body.decode()),
    }


def lead_body(**fields: Any) -> bytes:
    document = {"kind": "lead", "brand": "lada", "given_name": "Мария", "phone": "+79000000001"} | fields
    return json.dumps(document, ensure_ascii=False).encode()


@contextmanager
def run_server(app: FastAPI) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def start(ledger: Ledger) -> Iterator[Callable[..., httpx.Client]]:
    """Start the service with given limits; answers a client that talks to it."""
    opened: list[Any] = []

    def begin(
        probe: Callable[[], object] | None = None, clocks: Callable[[], dict[str, int]] = dict, **limits: Any
    ) -> httpx.Client:
        app = create_app(build_sources(), ledger.commit, limits=IntakeLimits(**limits), probe=probe, clocks=clocks)
        running = run_server(app)
        client = httpx.Client(base_url=running.__enter__(), timeout=20)
        opened.extend((client, running))
        return client

    yield begin
    for each in opened:
        each.__exit__(None, None, None)


@pytest.fixture
def service(start: Callable[..., httpx.Client]) -> httpx.Client:
    return start()


@pytest.fixture
def post() -> Callable[..., httpx.Response]:
    """Sign a body and send it to the moderation tool's address."""

    def send(client: httpx.Client, event_id: str = "msg_1", body: bytes | None = None, **headers: str) -> httpx.Response:
        content = lead_body() if body is None else body
        return client.post("/hooks/moderation", content=content, headers=sign(content, event_id) | headers)

    return send
