"""Only the configured hosts are spoken to, however an address is dressed up."""

from __future__ import annotations

import pytest

from integrations.transports.hosts import HostGuard
from schemas.errors import TerminalError

GUARD = HostGuard({"crm.example.org", "[2001:db8::5]:8443", "127.0.0.1:8080", "calls.example.com:9443"})


@pytest.mark.parametrize(
    "address",
    [
        "https://crm.example.org/v1/leads",
        "https://CRM.Example.ORG./v1",
        "https://crm.example.org:8443/any/port",
        "https://[2001:db8::5]:8443/x",
        "http://127.0.0.1:8080/loopback/needs/no/tls",
        "https://calls.example.com:9443",
    ],
)
def test_configured_hosts_pass(address: str) -> None:
    GUARD.check(address)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://crm.example.org.evil.example/v1", "foreign_host"),
        ("https://evil.example/?crm.example.org", "foreign_host"),
        ("https://evil.example#crm.example.org", "foreign_host"),
        ("https://calls.example.com:443/", "foreign_host"),
        ("https://calls.example.com/", "foreign_host"),
        ("http://127.0.0.1:8081/", "foreign_host"),
        ("http://2130706433:8080/", "foreign_host"),  # 127.0.0.1 as one number
        ("http://0x7f.1:8080/", "foreign_host"),
        ("http://localhost:8080/", "foreign_host"),
        ("https://[::ffff:127.0.0.1]:8443/", "foreign_host"),
        ("https://169.254.169.254/latest/meta-data", "foreign_host"),
        ("https://crm.example.org@evil.example/", "userinfo_in_url"),
        ("https://user:word@crm.example.org/", "userinfo_in_url"),
        ("https://evil.example\\@crm.example.org/", "bad_address"),
        ("https://crm.example.org/\r\nHost: evil.example", "bad_address"),
        ("https://crm.example.org /", "bad_address"),
        ("https://crm.example.org:port/", "bad_address"),
        ("http://crm.example.org/", "plain_http"),
        ("ftp://crm.example.org/", "foreign_scheme"),
        ("file:///etc/passwd", "foreign_scheme"),
        ("//crm.example.org/", "foreign_scheme"),
        ("", "foreign_scheme"),
    ],
)
def test_everything_else_is_refused_without_a_word_of_it(address: str, code: str) -> None:
    with pytest.raises(TerminalError) as caught:
        GUARD.check(address)
    assert caught.value.code == code
    assert "evil" not in str(caught.value)
    assert caught.value.__context__ is None


def test_plain_http_is_a_decision() -> None:
    HostGuard({"pbx.example.org"}, plain_http=True).check("http://pbx.example.org/agc")


@pytest.mark.parametrize("entry", ["https://crm.example.org", "crm.example.org/path", "user@crm.example.org", ""])
def test_a_host_list_holds_hosts(entry: str) -> None:
    with pytest.raises(TerminalError):
        HostGuard({entry})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1", "::", "224.0.0.1"])
def test_a_name_that_leads_to_a_surprising_address_is_refused(peer: str) -> None:
    with pytest.raises(TerminalError) as caught:
        HostGuard.check_peer("crm.example.org", peer)
    assert caught.value.code == "surprising_address"


@pytest.mark.parametrize(
    ("host", "peer"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "::1"), ("pbx.example.org", "10.0.0.7"), ("crm.example.org", "203.0.113.9")],
)
def test_meant_addresses_and_private_networks_pass(host: str, peer: str) -> None:
    HostGuard.check_peer(host, peer)
