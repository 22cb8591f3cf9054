"""The server's half of SOAP, by hand on lxml, so that two independent stacks meet in the tests. It refuses a request with a
document type, one that does not fit the schema, a password digest that is wrong, old or seen before.

SOAP 1.1; OASIS WSS UsernameToken Profile 1.1 (section 3.1: digest = Base64(SHA-1(nonce + created + password)); section 4 asks
the receiver to remember nonces for as long as it accepts their time stamps).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lxml import etree

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
WSU: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
DIGEST: Final = f"{_WSS}username-token-profile-1.0#PasswordDigest"
TEXT: Final = f"{_WSS}username-token-profile-1.0#PasswordText"


class SoapFaultError(Exception):
    """Ends a request with a fault. Without ``name`` it has no detail."""

    def __init__(self, code: str, name: str | None = None, /, **fields: Any) -> None:
        super().__init__(code, name)
        self.code = code
        self.name = name
        self.fields = {key: value for key, value in fields.items() if value is not None}


def read_request(body: bytes) -> tuple[etree._Element, etree._Element | None]:
    """The first element of the body, and the security header. Raises SoapFaultError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise SoapFaultError("Client") from None
    if root.tag != f"{{{SOAP}}}Envelope":
        raise SoapFaultError("VersionMismatch")
    content = root.find(f"{{{SOAP}}}Body")
    if root.getroottree().docinfo.internalDTD is not None or content is None or len(content) != 1:
        raise SoapFaultError("Client")
    return content[0], root.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security")


def envelope(namespace: str, name: str, children: Sequence[tuple[str, Any]]) -> bytes:
    """An answer: ``children`` are pairs of element name and text, or a nested sequence of such pairs."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "a": namespace})
    answer = etree.SubElement(etree.SubElement(root, f"{{{SOAP}}}Body"), f"{{{namespace}}}{name}")
    _append(answer, namespace, children)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def fault_envelope(namespace: str, fault: SoapFaultError) -> bytes:
    """A fault. Its string quotes nothing; a real vendor's would."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "a": namespace})
    node = etree.SubElement(etree.SubElement(root, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
    etree.SubElement(node, "faultcode").text = f"s:{fault.code}"
    etree.SubElement(node, "faultstring").text = "The request could not be carried out."
    if fault.name is not None:
        detail = etree.SubElement(etree.SubElement(node, "detail"), f"{{{namespace}}}{fault.name}")
        _append(detail, namespace, list(fault.fields.items()))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _append(parent: etree._Element, namespace: str, children: Sequence[tuple[str, Any]]) -> None:
    for name, value in children:
        child = etree.SubElement(parent, f"{{{namespace}}}{name}")
        if isinstance(value, str | int):
            child.text = str(value)
        else:
            _append(child, namespace, value)


def children_of(element: etree._Element) -> dict[str, str]:
    """A flat element as a dictionary of local names."""
    return {etree.QName(child).localname: child.text or "" for child in element}


class UsernameTokens:
    """Checks who asks. Nonces are remembered for as long as their time stamps are accepted."""

    def __init__(self, passwords: Mapping[str, str], *, tolerance: timedelta, clock: Callable[[], datetime]) -> None:
        self._passwords = passwords
        self._tolerance = tolerance
        self._clock = clock
        self._seen: dict[bytes, datetime] = {}

    def check(self, security: etree._Element | None) -> str | None:
        """None if the token is good, else a code that says why not."""
        token = None if security is None else security.find(f"{{{WSSE}}}UsernameToken")
        password = None if token is None else token.find(f"{{{WSSE}}}Password")
        if token is None or password is None:
            return "TOKEN_MISSING"
        expected = self._passwords.get(token.findtext(f"{{{WSSE}}}Username", ""))
        if expected is None:
            return "UNKNOWN_USER"
        if password.get("Type") == DIGEST:
            return self._check_digest(token, password.text or "", expected)
        return None if hmac.compare_digest((password.text or "").encode(), expected.encode()) else "BAD_PASSWORD"

    def _check_digest(self, token: etree._Element, digest: str, expected: str) -> str | None:
        created = token.findtext(f"{{{WSU}}}Created", "")
        now = self._clock()
        try:
            nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce", ""), validate=True)
            moment = datetime.fromisoformat(created).astimezone(UTC)
        except (binascii.Error, ValueError):
            return "TOKEN_MALFORMED"
        computed = base64.b64encode(hashlib.sha1(nonce + created.encode() + expected.encode()).digest())  # noqa: S324 - the profile's
        if not nonce or not hmac.compare_digest(computed, digest.encode()):
            return "BAD_PASSWORD"
        if abs(now - moment) > self._tolerance:
            return "TOKEN_EXPIRED"
        self._seen = {known: until for known, until in self._seen.items() if until > now}
        if nonce in self._seen:
            return "TOKEN_REPLAYED"
        self._seen[nonce] = moment + self._tolerance
        return None
