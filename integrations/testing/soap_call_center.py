"""A call center behind SOAP that works: call lists, one record per write, doubles and all, typed faults, WS-Security.

It is the vendor's side of ``integrations/destinations/soap_call_center`` and shares with it the contract only: every request is
held against the published schema. It has no unique key: the same externalId written twice is two people called twice.

``error_inside`` takes a fault's name as its code (``UnavailableFault``, ``ThrottledFault`` ...); ``Client`` and any
other code is a fault without detail, which promises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from lxml import etree

import integrations.destinations as vendors
from integrations.testing.knobs import Call, Fault, FaultKind, Garbage
from integrations.testing.simulator import Answer, Exchange, Simulator
from integrations.testing.soap_wire import (
    SoapFaultError,
    UsernameTokens,
    children_of,
    envelope,
    fault_envelope,
    read_request,
)

NAMESPACE: Final = "https://leadgate.example/ns/call-center/1"
LEAD: Final = f"{{{NAMESPACE}}}lead"
SCHEMA: Final = Path(next(iter(vendors.__path__))) / "soap_call_center" / "call_center.xsd"
#: How far the client's clock may be off.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)

_OPERATIONS: Final = {
    "AddLeads": "write",
    "FindLeads": "lookup",
    "SuppressLeads": "suppress",
    "EraseLeads": "erase",
    "Ping": "check",
}
_TYPED: Final = frozenset({"AuthenticationFault", "ThrottledFault", "ValidationFault", "UnavailableFault"})


class SoapCallCenter(Simulator):
    """See the module."""

    name = "soap_call_center"
    base_path = "/soap"
    login = "sandbox"
    options = {"call_list": "callback"}  # noqa: RUF012 - declared ClassVar by Simulator

    def __init__(self, *, journal: Path | None = None) -> None:
        super().__init__(journal=journal)
        self.call_lists = {"callback"}
        self.names_nobody = False  # whether a ValidationFault keeps to itself which record it is about
        self._tokens = UsernameTokens(
            {str(self.login): self.secret}, tolerance=CLOCK_TOLERANCE, clock=lambda: datetime.now(UTC)
        )
        self._schema = etree.XMLSchema(etree.parse(SCHEMA))

    def operation(self, exchange: Exchange) -> str:
        action = exchange.headers.get("soapaction", "").strip('"')
        return _OPERATIONS.get(action.removeprefix(f"{NAMESPACE}/"), "unknown")

    def respond(self, exchange: Exchange, call: Call) -> Answer:
        try:
            name, children = self._carry_out(exchange, call)
        except SoapFaultError as fault:
            return _faulty(fault, status=200 if call.inside is not None else 500)
        return _xml(envelope(NAMESPACE, f"{name}Response", children))

    def _carry_out(self, exchange: Exchange, call: Call) -> tuple[str, list[tuple[str, Any]]]:
        request, security = read_request(exchange.body)
        refused = self._tokens.check(security)
        if refused is not None:
            raise SoapFaultError("Client", "AuthenticationFault", code=refused)
        if call.inside is not None:
            raise _inside(call.inside)
        self._validate(request)
        name = etree.QName(request).localname
        return name, getattr(self, f"_{_OPERATIONS[name]}")(request, call)

    def refusal(self, exchange: Exchange, fault: Fault) -> Answer:  # noqa: ARG002 - the gateway does not look
        """The service itself throttles with a typed fault; everything else is the gateway in front of it, in HTML."""
        headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        if fault.kind in (FaultKind.THROTTLE, FaultKind.RATE) and (fault.retry_after or "0").isdigit():
            return _faulty(SoapFaultError("Server", "ThrottledFault", retryAfterSeconds=fault.retry_after))
        return Answer(status=fault.status, body=b"<html><body>gateway</body></html>", media_type="text/html", headers=headers)

    def garbage(self, answer: Answer, form: Garbage) -> Answer:
        if form is Garbage.WRONG_TYPE:  # the service was upgraded: another version's answer, well-formed
            return _xml(envelope(f"{NAMESPACE[:-1]}2", "AddLeadsAccepted", [("ticket", "T1")]))
        return super().garbage(answer, form)

    # -- operations -----------------------------------------------------------------------------------------------------

    def _validate(self, request: etree._Element) -> None:
        """Hold the request against the schema; a fault names the record and field it stumbled over."""
        if self._schema.validate(request):
            return
        log: Any = self._schema.error_log
        path = log[0].path or "."
        namespaces = {prefix: uri for node in request.iter() for prefix, uri in node.nsmap.items() if prefix}
        found: Any = etree.ElementTree(request).xpath(path, namespaces=namespaces)  # the path begins at the request
        node: etree._Element = found[0] if found else request
        lead = next((up for up in (node, *node.iterancestors()) if etree.QName(up).localname == "lead"), None)
        key = None if lead is None else children_of(lead).get("externalId")
        if self.names_nobody:
            raise SoapFaultError("Client", "ValidationFault", code="SCHEMA_VIOLATION")
        raise SoapFaultError(
            "Client",
            "ValidationFault",
            code="SCHEMA_VIOLATION",
            externalId=key,
            field=None if node is lead else etree.QName(node).localname,
        )

    def _write(self, request: etree._Element, call: Call) -> list[tuple[str, Any]]:
        call_list = request[0].text or ""
        if call_list not in self.call_lists:
            raise SoapFaultError("Client", "ValidationFault", code="UNKNOWN_CALL_LIST", field="callList")
        results = [
            self._add(children_of(lead), position, call, call_list)
            for position, lead in enumerate(request.iterchildren(LEAD), start=1)
        ]
        return [("result", result) for result in call.shorten(results)]

    def _add(self, lead: dict[str, str], position: int, call: Call, call_list: str) -> list[tuple[str, Any]]:
        key = lead["externalId"]
        fault = call.rejection(key, position, lead)
        if fault is not None:
            return _result(key, "REJECTED", errorCode=fault.code, errorField=fault.field or "phone")
        row = self.world.append(key, {**lead, "callList": call_list, "callable": "true"})
        return _result(key, "CREATED", leadId=f"C{row.ref}")

    def _lookup(self, request: etree._Element, call: Call) -> list[tuple[str, Any]]:
        rows = [row for node in request for row in self.world.find(node.text or "")]
        found = [
            [("externalId", row.key), ("leadId", f"C{row.ref}"), ("callable", "false" if row.suppressed else "true")]
            for row in rows
        ]
        return [("lead", lead) for lead in call.shorten(found)]

    def _suppress(self, request: etree._Element, call: Call) -> list[tuple[str, Any]]:
        return self._end(request, call, "SUPPRESSED", lambda key: self.world.suppress(key, marks={"callable": "false"}))

    def _erase(self, request: etree._Element, call: Call) -> list[tuple[str, Any]]:
        return self._end(request, call, "ERASED", self.world.erase)

    def _end(self, request: etree._Element, call: Call, word: str, change: Callable[[str], bool]) -> list[tuple[str, Any]]:
        results = []
        for position, node in enumerate(request, start=1):
            key = node.text or ""
            fault = call.rejection(key, position, {})
            if fault is not None:
                results.append(_result(key, "REJECTED", errorCode=fault.code))
            else:
                results.append(_result(key, word if change(key) else "ABSENT"))
        return [("result", result) for result in call.shorten(results)]

    def _check(self, request: etree._Element, call: Call) -> list[tuple[str, Any]]:  # noqa: ARG002 - as the others
        call_list = children_of(request).get("callList")
        known = [] if call_list is None else [("callListKnown", "true" if call_list in self.call_lists else "false")]
        return [("service", "sandbox"), *known]


def _result(key: str, status: str, **fields: str) -> list[tuple[str, Any]]:
    return [("externalId", key), ("status", status), *fields.items()]


def _inside(fault: Fault) -> SoapFaultError:
    if fault.code not in _TYPED:
        return SoapFaultError("Client" if fault.code == "Client" else "Server")
    fields = {"code": "INJECTED"} if fault.code in ("AuthenticationFault", "ValidationFault") else {}
    return SoapFaultError("Server", fault.code, **fields)


def _xml(body: bytes, *, status: int = 200) -> Answer:
    return Answer(status=status, body=body, media_type="text/xml; charset=utf-8")


def _faulty(fault: SoapFaultError, *, status: int = 500) -> Answer:
    return _xml(fault_envelope(NAMESPACE, fault), status=status)


SIMULATOR = SoapCallCenter
