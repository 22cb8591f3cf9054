"""A REST sink for the bench: it counts what arrives and keeps nothing else. It speaks just enough of the JSON CRM's answer for
a per-record balance, and finds the keys by pattern instead of parsing, so that the bench measures the sender.
"""

from __future__ import annotations

import re
from pathlib import Path

from integrations.testing.knobs import Call
from integrations.testing.simulator import Answer, Exchange, Simulator

_KEY = re.compile(rb'"(?:external_id|Leadgate_Id__c|id)"\s*:\s*"([^"]{1,64})"')


class RestSink(Simulator):
    """See the module."""

    name = "rest_sink"

    def __init__(self, *, journal: Path | None = None) -> None:
        super().__init__(journal=journal)
        self.received = 0

    def operation(self, exchange: Exchange) -> str:
        return "write" if exchange.method == "POST" else "check"

    def respond(self, exchange: Exchange, call: Call) -> Answer:  # noqa: ARG002 - the sink rejects nothing
        keys = _KEY.findall(exchange.body)
        self.received += len(keys)
        self.world.calls["records"] = self.received
        results = b",".join([b'{"external_id":"%b","status":"created","id":"1"}' % key for key in keys])
        return Answer(body=b'{"results":[' + results + b"]}")


SIMULATOR = RestSink
