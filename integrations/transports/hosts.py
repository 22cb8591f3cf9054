"""Which hosts may be spoken to. It refuses every other host, a name and password inside a URL, a redirect, plain HTTP to
anything that is not this machine, and a public name that resolves to this machine or to the cloud's metadata address.

The check runs on the URL as the HTTP client will read it (``urllib3.util.parse_url`` is what requests uses too), because two
parsers that disagree about one URL are how such guards are passed. The address is looked at once more after connecting:
what a name resolves to is not ours to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from schemas.errors import TerminalError

DEFAULT_PORTS = {"http": 80, "https": 443}


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """``host`` as an IP address if it is one (brackets and zone are tolerated), else None."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_this_machine(host: str) -> bool:
    """Whether ``host``, as it is written, means the loopback interface."""
    address = literal_address(host)
    return address.is_loopback if address else host in {"localhost", "localhost.localdomain"}


def _refused(code: str, message: str) -> TerminalError:
    return TerminalError(code, message, field="hosts")


def _parse(text: str) -> Url:
    # urllib3 quietly drops what it cannot read; a backslash or a control character has no business in an address.
    if "\\" in text or any(character <= " " or character == "\x7f" for character in text):
        raise _refused("bad_address", "the address holds a character no address has")
    try:
        return parse_url(text)
    except LocationParseError:
        pass
    raise _refused("bad_address", "the address cannot be read")


def _normal(host: str | None) -> str:
    return (host or "").strip("[]").rstrip(".").lower()


class HostGuard:
    """The hosts one destination may be spoken to, each ``host`` (any port) or ``host:port`` (only this one)."""

    def __init__(self, hosts: Iterable[str], *, plain_http: bool = False) -> None:
        """``plain_http`` allows http:// beyond this machine: for a vendor inside one's own network, never over the internet."""
        self._plain_http = plain_http
        self._allowed: set[tuple[str, int | None]] = set()
        for entry in hosts:
            url = _parse(f"//{entry}")
            if url.auth or not url.host or url.path:
                raise _refused("bad_host", "an entry of the host list must be host or host:port, nothing more")
            self._allowed.add((_normal(url.host), url.port))

    def check(self, address: str) -> None:
        """Raise TerminalError unless ``address`` may be spoken to. Its text never stands in the error."""
        url = _parse(address)
        if url.scheme not in DEFAULT_PORTS:
            raise _refused("foreign_scheme", "only http and https are spoken")
        if url.auth is not None:
            raise _refused("userinfo_in_url", "credentials do not belong into an address")
        host = _normal(url.host)
        port = url.port or DEFAULT_PORTS[url.scheme]
        if (host, None) not in self._allowed and (host, port) not in self._allowed:
            raise _refused("foreign_host", "this host is not among the destination's hosts")
        if url.scheme == "http" and not self._plain_http and not is_this_machine(host):
            raise _refused("plain_http", "personal data leave this machine only over https (option plain_http allows it)")

    @staticmethod
    def check_peer(host: str, peer: str) -> None:
        """Raise TerminalError if ``host``, a name, led to an address no vendor has.

        An address written out in the configuration was meant. A name that resolves to loopback or link-local (169.254.169.254
        hands out a cloud machine's credentials, RFC 3927) was not. Private networks stay allowed: call centers live there.
        """
        address = literal_address(peer)
        if address is None or literal_address(host) is not None or is_this_machine(_normal(host)):
            return
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
            raise _refused("surprising_address", "the host's name resolves to an address no vendor has")
