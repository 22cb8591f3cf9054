"""SOAP over the house's guarded HTTP. It refuses a WSDL's own idea of where to send, an answer with a document type, and to
call anything an answer that is not a SOAP envelope from the operation that was asked.

zeep knows the contract (types, order, namespaces, SOAPAction, WS-Security); the wire is ours: one ``GuardedSession`` without
cookies, because a cookie jar silently carries one account's server session into another's. Nothing is retried here.

What comes back is one of two values: ``Answer`` or ``Fault``. A fault is not yet an error: what it means is the connector's to
say (``faults``), by its manifest. What is certain without a manifest, such as a timeout, is raised at once (``http`` says how).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree
from requests.auth import HTTPBasicAuth
from zeep import Client, Settings
from zeep.exceptions import Error as ZeepError
from zeep.wsdl import Document
from zeep.wsse.username import UsernameToken

from integrations.contract.manifest import Endpoint, Limits
from integrations.transports.http import GuardedSession, Intent, open_session
from integrations.transports.soap_answers import Answer, Fault, read_envelope
from integrations.transports.soap_records import Batch, Records, mark_place
from integrations.transports.wsdl import choose_binding
from schemas.errors import ConfigurationError, TerminalError
from schemas.soap_schema import Security


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    """A request, written and signed, not yet sent."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str]


class _Writer:
    """What zeep calls a transport. It posts nothing: building and sending are two steps, because what fails while a request is
    built is harmless and what fails afterwards is not.
    """

    @staticmethod
    def post_xml(address: str, envelope: etree._Element, headers: Mapping[str, str]) -> _Envelope:  # noqa: ARG004 - zeep's
        return _Envelope(body=etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), headers=dict(headers))

    @staticmethod
    def load(url: str) -> bytes:  # noqa: ARG004 - zeep's
        raise ConfigurationError("wsdl_remote_refused", "nothing is loaded while a service is being spoken to")


class SoapService:
    """One port of one WSDL, spoken to at the endpoint's address. Not thread-safe: one worker, one service."""

    def __init__(
        self,
        *,
        wsdl: Document,
        endpoint: Endpoint,
        limits: Limits,
        security: Security = Security.DIGEST,
        binding: str | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._security = security
        self._session: GuardedSession | None = None
        self._binding = choose_binding(wsdl, binding, endpoint.destination)
        # raw_response: zeep writes, we send and read. One element zeep does not expect would otherwise cost a whole answer.
        settings = Settings(raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._client = Client(  # type: ignore[no-untyped-call] # zeep is half typed
            wsdl, transport=_Writer(), settings=settings, plugins=[mark_place]
        )
        self._service = self._client.create_service(  # type: ignore[no-untyped-call] # as above
            self._binding.name.text, endpoint.base_url
        )

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def batch(self, operation: str, path: str) -> Batch:
        """The place of an operation's repeated records; ``path`` is dotted, from the request's own element inwards."""
        return Batch.of(self._operation(operation), path)

    def call(
        self, operation: str, arguments: Mapping[str, Any], *, intent: Intent, records: Records | None = None
    ) -> Answer | Fault:
        """Call ``operation`` once. Raises DeliveryError when there is neither an answer nor a fault to read."""
        expected = _output_name(self._operation(operation))
        session = self._open()
        envelope = self._build(operation, arguments, records)
        with session.intent(intent):
            response = session.post(self._endpoint.base_url, data=envelope.body, headers=envelope.headers)
        return read_envelope(response, intent, expected=expected)

    def _build(self, operation: str, arguments: Mapping[str, Any], records: Records | None) -> _Envelope:
        failure: TerminalError
        try:
            with mark_place.armed(records):
                envelope: _Envelope = self._service[operation](**(records.placeholder(arguments) if records else arguments))
        except (ZeepError, ValueError, TypeError, AttributeError, KeyError) as error:
            failure = TerminalError(
                "request_not_built", f"the request does not fit the WSDL ({type(error).__name__})", field=operation
            )
        else:
            return envelope if records is None else replace(envelope, body=records.put_into(envelope.body))
        raise failure  # out here, without the context: zeep's messages quote values

    def _operation(self, name: str) -> Any:
        try:
            return self._binding.get(name)
        except (KeyError, ValueError):
            pass
        raise ConfigurationError("wsdl_operation_missing", "the WSDL has no such operation", field=name)

    def _open(self) -> GuardedSession:
        """The session, opened with the first call: building a destination connects nothing and refuses no credentials."""
        if self._session is None:
            session = open_session(self._endpoint, self._limits)
            self._sign_in(session)
            self._session = session
        return self._session

    def _sign_in(self, session: GuardedSession) -> None:
        endpoint, security = self._endpoint, self._security
        if security is Security.NONE:
            return
        if not endpoint.login or endpoint.secret is None or not endpoint.secret.reveal():
            raise TerminalError("credentials_missing", "the connection has no login or no secret", field=endpoint.destination)
        if security is Security.BASIC:
            # Bytes, because requests would encode str as Latin-1; RFC 7617 section 2.1 names UTF-8.
            session.auth = HTTPBasicAuth(endpoint.login.encode(), endpoint.secret.reveal().encode())
            return
        self._client.wsse = UsernameToken(  # type: ignore[no-untyped-call] # as above
            endpoint.login, endpoint.secret.reveal(), use_digest=security is Security.DIGEST, zulu_timestamp=True
        )


def _output_name(operation: Any) -> str | None:
    body = getattr(operation.output, "body", None)
    return None if body is None else str(body.qname.localname)
