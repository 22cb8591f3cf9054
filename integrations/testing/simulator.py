"""What a simulator is. It says which operation a request is and answers it from a world that holds what was written; what goes
wrong on the wire is the server's part, what goes wrong with single records is told to it in ``Call``.

A simulator's module defines one subclass of ``Simulator`` and names it ``SIMULATOR``; the sandbox finds it by that.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from integrations.testing.knobs import Call, Fault, Garbage, Knobs
from integrations.testing.world import World

_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request as the simulator sees it; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a simulator answers."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Simulator(ABC):
    """One simulated vendor. ``respond`` is called by one thread at a time."""

    name: ClassVar[str]
    base_path: ClassVar[str] = ""  # what follows host and port in the destination's base_url
    login: ClassVar[str | None] = None
    secret: ClassVar[str] = "sandbox-secret"  # noqa: S105 - invented, and the same at every simulator
    options: ClassVar[Mapping[str, Any]] = {}  # options the destination needs to work against this simulator

    def __init__(self, *, journal: Path | None = None) -> None:
        self.world = World(journal)
        self.knobs = Knobs()
        self.lock = threading.Lock()

    @abstractmethod
    def operation(self, exchange: Exchange) -> str:
        """Which operation a request is: write, lookup, suppress, erase, check, or a word of the vendor's own."""

    @abstractmethod
    def respond(self, exchange: Exchange, call: Call) -> Answer:
        """Carry the request out. ``call`` says which records to reject, which results to leave out, what to hide in a 200."""

    def refusal(self, exchange: Exchange, fault: Fault) -> Answer:  # noqa: ARG002 - a vendor may answer by request
        """The vendor's shape of a refusal or throttle; the default is a status with a JSON body."""
        headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        return Answer(status=fault.status, body=b'{"error":{"code":"REFUSED"}}', headers=headers)

    def garbage(self, answer: Answer, form: Garbage) -> Answer:
        """``answer`` in a shape nobody can read."""
        bodies = {Garbage.HTML: _HTML, Garbage.CUT: answer.body[: len(answer.body) // 2], Garbage.EMPTY: b""}
        media_type = "text/html" if form is Garbage.HTML else answer.media_type
        return Answer(status=answer.status, body=bodies.get(form, b'"\\u0438"'), media_type=media_type)
