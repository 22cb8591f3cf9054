"""Salesforce keeps every promise a connector makes, and mends what its client does not."""

from __future__ import annotations

from dataclasses import replace

from integrations.contract.manifest import Endpoint, Limits
from integrations.testing.conformance import DestinationConformance
from integrations.testing.conformance.stage import PATIENT
from integrations.testing.salesforce import Salesforce
from integrations.testing.server import SimulatorServer
from schemas.personal import Personal

TOKEN = "00D-given"


class TestSalesforce(DestinationConformance):
    connector = "salesforce"
    simulator = Salesforce

    def endpoint(self, server: SimulatorServer, *, limits: Limits = PATIENT, secret: str | None = None) -> Endpoint:
        """Fixtures, and the test of answers that are too large for it, begin with a token that somebody else fetched."""
        endpoint = super().endpoint(server, limits=limits, secret=secret)
        if isinstance(server.simulator, Salesforce) and limits.max_response_bytes >= PATIENT.max_response_bytes:
            return endpoint
        if isinstance(server.simulator, Salesforce):
            server.simulator.tokens.add(TOKEN)
        return replace(endpoint, secret=Personal(TOKEN), options={**endpoint.options, "auth": "session"})
