"""The SOAP call center keeps every promise a connector makes, and a few that only SOAP asks for."""

from __future__ import annotations

from typing import Any

from lxml import etree

from integrations.testing.conformance import DestinationConformance
from integrations.testing.soap_call_center import SoapCallCenter


def _plain(element: etree._Element) -> Any:
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(etree.QName(child).localname, []).append(_plain(child))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


class TestSoapCallCenter(DestinationConformance):
    connector = "soap_call_center"
    simulator = SoapCallCenter

    @staticmethod
    def read_body(body: bytes) -> Any:
        """The request's own element; the header holds a nonce and is never the same."""
        request = etree.fromstring(body).find("{*}Body")[0]
        return {etree.QName(request).localname: _plain(request)}
