"""The JSON CRM keeps every promise a connector makes."""

from __future__ import annotations

from integrations.testing.conformance import DestinationConformance
from integrations.testing.json_crm import JsonCrm


class TestJsonCrm(DestinationConformance):
    connector = "json_crm"
    simulator = JsonCrm
