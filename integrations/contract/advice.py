"""What a person does about a code: one sentence each, shown by 'Test connection' and in the runbook."""

from __future__ import annotations

_CREDENTIALS = "Renew login and secret of the connection this destination names, then test again."
_ADDRESS = "Check host, port and path of the connection, and the paths in the connector's manifest."
_NETWORK = "Check that the host is right and reachable from here: name service, firewall, VPN."

_ADVICE = {
    "unauthorized": _CREDENTIALS,
    "forbidden": "Ask the vendor to give this account the permission; the connector's README names it.",
    "credentials_missing": "Put the login and secret into the connection this destination names.",
    "not_found": _ADDRESS,
    "method_not_allowed": _ADDRESS,
    "redirected": f"{_ADDRESS} Redirects are never followed: give the final address.",
    "not_json": f"{_ADDRESS} A log-in page or a proxy may be answering in the vendor's place.",
    "foreign_host": "Add the host to the destination's hosts, if it is meant.",
    "plain_http": "Use https, or set the option plain_http if the vendor stands in your own network.",
    "userinfo_in_url": "Move the credentials out of the address into login and secret of the connection.",
    "tls_certificate": "Have the vendor mend its certificate, or name its own CA in the option ca_file.",
    "tls_handshake": "The port may not speak TLS: check scheme and port of the connection.",
    "connection_refused": f"Nothing listens there. {_NETWORK}",
    "connect_timeout": _NETWORK,
    "connection_failed": _NETWORK,
    "name_not_resolved": _NETWORK,
    "read_timeout": "The vendor is slow or stuck; if it stays so, raise the read timeout or call the vendor.",
    "throttled": "The vendor asks to slow down; deliveries continue by themselves. Lower the rate if it stays so.",
}


def advice_for(code: str) -> str:
    """What to do about ``code``; the code itself if nothing better is known."""
    return _ADVICE.get(code, f"Look up the code {code} in the connector's README.")
