"""Tells a SOAP answer from a fault from noise. It refuses to call anything an answer that is not a whole envelope from the
operation that was asked, and to call a fault harmless that does not say so.

zeep does not read answers here: one element it does not expect, in one record, and a whole answer with ninety-nine good results
is an exception; an answer with fewer results than were sent must reach the connector as what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import requests
from lxml import etree

from integrations.transports.answers import expect_success
from integrations.transports.http import Intent, unanswered
from integrations.transports.wsdl import parse_safely
from schemas.errors import DeliveryError, TerminalError, TransientError

ENVELOPE_NAMESPACES: Final = (
    "http://schemas.xmlsoap.org/soap/envelope/",  # SOAP 1.1
    "http://www.w3.org/2003/05/soap-envelope",  # SOAP 1.2
)
_STATUS_OF_FAULTS: Final = frozenset({200, 400, 500})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The first element of the answer's body; None if the service answered with nothing. Its text is personal: never log it."""

    element: etree._Element | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A SOAP fault. ``code`` is its local name (``Server``, ``FailedAuthentication``), ``detail`` its first typed element.

    The fault string is not kept: it is prose, and vendors quote the record in it.
    """

    code: str
    detail: etree._Element | None = field(repr=False, default=None)

    @property
    def name(self) -> str | None:
        """The typed fault's name, such as ``ThrottledFault``."""
        return None if self.detail is None else etree.QName(self.detail).localname


def read_envelope(response: requests.Response, intent: Intent, *, expected: str | None) -> Answer | Fault:
    """Tell answer from fault from noise.

    1. A fault is a fault whatever the HTTP status (SOAP 1.1 section 6.2 wants 500; real servers send 200 and 400 too).
    2. Without one, a status that is no success speaks for itself: the proxy in front of the service answered, in HTML or not.
    3. A success whose body is not the envelope we asked for is no answer: after a write it leaves doubt.
    """
    body = _body_of(response)
    fault = None if body is None else _fault_in(body)
    if fault is not None:
        if fault.detail is None and response.status_code not in _STATUS_OF_FAULTS:
            expect_success(response, intent)  # a bare fault under 429 or 503 with Retry-After: the status says more
        return fault
    expect_success(response, intent)
    if body is None:
        if not response.content.strip():
            return _empty(intent, expected)
        raise _not_soap(response, intent)
    first = next(body.iterchildren(etree.Element), None)
    if first is None:
        return _empty(intent, expected)
    if expected is not None and etree.QName(first).localname != expected:
        raise unanswered(intent, "unexpected_answer", "the answer belongs to another operation or another version of the WSDL")
    return Answer(element=first)


def _body_of(response: requests.Response) -> etree._Element | None:
    try:
        root = parse_safely(response.content)
    except ValueError:
        return None
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in ENVELOPE_NAMESPACES:
        return None
    return root.find(f"{{{name.namespace}}}Body")


def _empty(intent: Intent, expected: str | None) -> Answer:
    if expected is None:
        return Answer(element=None)  # the contract promises no answer (a one-way operation)
    raise unanswered(intent, "empty_answer", "the answer is empty")


def _not_soap(response: requests.Response, intent: Intent) -> DeliveryError:
    if intent is Intent.READ and response.content.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return TerminalError("not_soap", "the destination answers HTML where SOAP is due: check base_url and credentials")
    return unanswered(intent, "not_soap", "the answer is not a whole SOAP envelope")


def _fault_in(body: etree._Element) -> Fault | None:
    fault = next((child for child in body.iterchildren(etree.Element) if etree.QName(child).localname == "Fault"), None)
    if fault is None:
        return None
    code, detail = "", None
    for child in fault.iterchildren(etree.Element):
        match etree.QName(child).localname:
            case "faultcode":  # SOAP 1.1 section 4.4
                code = _local(child.text)
            case "Code":  # SOAP 1.2 part 1, section 5.4.1: the innermost subcode says most
                values = [node.text for node in child.iter(etree.Element) if etree.QName(node).localname == "Value"]
                code = _local(values[-1]) if values else ""
            case "detail" | "Detail":
                detail = next(child.iterchildren(etree.Element), None)
    return Fault(code=code, detail=detail)


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]


#: Fault codes of WSS SOAP Message Security 1.1, section 12: who asks was not accepted, and nothing else was looked at.
_NOT_SIGNED_IN: Final = frozenset(
    {
        "FailedAuthentication",
        "InvalidSecurity",
        "InvalidSecurityToken",
        "FailedCheck",
        "UnsupportedSecurityToken",
        "SecurityTokenUnavailable",
    }
)
_NOT_PROCESSED: Final = frozenset({"VersionMismatch", "MustUnderstand", "DataEncodingUnknown"})  # SOAP 1.1 4.4.1, 1.2 5.4.6


def judge_untyped(fault: Fault, intent: Intent) -> DeliveryError:
    """What a fault means that the manifest says nothing about. Only a code that puts the blame on the request is certain."""
    if fault.code in _NOT_SIGNED_IN:
        return TerminalError("unauthorized", "the destination does not accept the credentials: renew the login and secret")
    if fault.code == "MessageExpired":
        return TerminalError("clock_differs", "the destination finds our time stamp too old: compare both clocks")
    if fault.code in _NOT_PROCESSED:
        return TerminalError("fault_not_understood", "the destination does not speak this kind of SOAP: check the WSDL")
    if fault.code.partition(".")[0] in ("Client", "Sender"):
        # SOAP 1.1 section 4.4.1: the message was wrong and should not be sent again without change.
        return TerminalError("fault_client", "the destination finds the request wrong as a whole: check the WSDL")
    if intent is Intent.READ:
        return TransientError("fault_server", "the destination broke at work")
    return unanswered(intent, "fault_server", "the destination broke at work and does not say how far it came")


def text_at(element: etree._Element | None, path: str | None) -> str | None:
    """The text at a dotted path of local names below ``element``; None if there is none."""
    for name in path.split(".") if path else ():
        if element is None:
            return None
        element = next((child for child in element.iterchildren(etree.Element) if etree.QName(child).localname == name), None)
    text = None if element is None else element.text
    return text.strip() if text else None


def elements_at(element: etree._Element | None, path: Sequence[str]) -> list[etree._Element]:
    """Every element at ``path`` (local names) below ``element``, in document order."""
    found = [] if element is None else [element]
    for name in path:
        found = [
            child for parent in found for child in parent.iterchildren(etree.Element) if etree.QName(child).localname == name
        ]
    return found
