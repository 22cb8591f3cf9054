"""Fixtures: one situation a folder, replayed over real HTTP. Refused: a fixture that sends more or less than it says.

::

    fixtures/<situation>/
      disclosure.json   {"verb": "deliver", "batch": [{"key", "purpose", "fields"}]}  or  {"verb": "lookup", "keys": [...]}
      request.json      {"method", "path", "headers": {lower case: value}, "body": ...}      a list of them if several are sent
      response.json     {"status", "headers", "body": ...}  or  "text", or "file" beside it  a list likewise
      expected.json     {"receipts": [...]} | {"found": {...}} | {"error": {...}} | {"health": {...}}, without what is null
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from integrations.contract.destination import Destination
from integrations.testing.knobs import Call
from integrations.testing.simulator import Answer, Exchange, Simulator
from schemas.delivery import DeliveryReceipt, Disclosure
from schemas.errors import DeliveryError
from schemas.personal import Personal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One situation, read from its folder."""

    folder: Path
    disclosure: Mapping[str, Any]
    requests: list[dict[str, Any]]
    responses: list[dict[str, Any]]
    expected: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Fixture:
        def part(name: str) -> Any:
            return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))

        requests, responses = part("request"), part("response")
        return cls(
            folder=folder,
            disclosure=part("disclosure"),
            requests=requests if isinstance(requests, list) else [requests],
            responses=responses if isinstance(responses, list) else [responses],
            expected=part("expected"),
        )


class Replay(Simulator):
    """Answers what the fixture says, in order, and keeps what it was sent."""

    name = "replay"

    def __init__(self, fixture: Fixture) -> None:
        super().__init__()
        self._fixture = fixture
        self.received: list[Exchange] = []

    def operation(self, exchange: Exchange) -> str:  # noqa: ARG002 - whatever it is, it is replayed
        return "replay"

    def respond(self, exchange: Exchange, call: Call) -> Answer:  # noqa: ARG002 - as above
        position = len(self.received)
        self.received.append(exchange)
        if position >= len(self._fixture.responses):
            return Answer(status=599)
        response = self._fixture.responses[position]
        headers = {name: value for name, value in response.get("headers", {}).items() if name.lower() != "content-type"}
        media_type = {name.lower(): value for name, value in response.get("headers", {}).items()}.get("content-type")
        return Answer(
            status=response.get("status", 200),
            body=self._body(response),
            media_type=media_type or "application/json",
            headers=headers,
        )

    def _body(self, response: dict[str, Any]) -> bytes:
        if "file" in response:
            return (self._fixture.folder / str(response["file"])).read_bytes()
        if "text" in response:
            return str(response["text"]).encode()
        return json.dumps(response["body"], ensure_ascii=False).encode() if "body" in response else b""


def sent_by(replay: Replay, fixture: Fixture, read_body: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """What was sent, in the shape of ``request.json``: of the headers only those the fixture names."""
    sent: list[dict[str, Any]] = []
    for exchange, wanted in zip(replay.received, [*fixture.requests, *({} for _ in replay.received)], strict=False):
        one: dict[str, Any] = {"method": exchange.method, "path": exchange.path}
        if exchange.query:
            one["query"] = dict(exchange.query)
        if "headers" in wanted:
            one["headers"] = {name: exchange.headers.get(name) for name in wanted["headers"]}
        if exchange.body:
            one["body"] = read_body(exchange.body)
        sent.append(one)
    return sent


def perform(destination: Destination, disclosure: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the fixture's disclosure says; answer in the shape of ``expected.json``."""
    try:
        match disclosure["verb"]:
            case "deliver":
                return {"receipts": [_plain(receipt) for receipt in destination.deliver(_batch(disclosure))]}
            case "suppress":
                return {"receipts": [_plain(receipt) for receipt in destination.suppress(_batch(disclosure))]}
            case "erase":
                return {"receipts": [_plain(receipt) for receipt in destination.erase(disclosure["keys"])]}
            case "lookup":
                found = destination.lookup(disclosure["keys"])
                return {"found": {key: {"vendor_ref": one.vendor_ref, "count": one.count} for key, one in found.items()}}
            case _:
                return {"health": {"ok": destination.check().ok}}
    except DeliveryError as error:
        told = {name: getattr(error, name, None) for name in ("code", "field", "retry_after", "throttled")}
        return {"error": {"kind": type(error).__name__, **{name: value for name, value in told.items() if value}}}


def _batch(disclosure: Mapping[str, Any]) -> list[Disclosure]:
    return [
        Disclosure(
            delivery_id=f"delivery-{position}",
            key=one["key"],
            purpose=one.get("purpose", "callback"),
            fields=Personal(one["fields"]),
        )
        for position, one in enumerate(disclosure["batch"])
    ]


def _plain(receipt: DeliveryReceipt) -> dict[str, Any]:
    return {
        name: value for name, value in msgspec.structs.asdict(receipt).items() if value is not None and name != "sent_sha256"
    }
