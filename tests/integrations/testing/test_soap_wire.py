"""The simulator's half of WS-Security, held against zeep's tokens and the profile's own arithmetic."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from zeep.wsse.username import UsernameToken

from integrations.testing.soap_wire import SOAP, WSSE, SoapFaultError, UsernameTokens, read_request

RIGHT = "right"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def token(*, password: str = RIGHT, user: str = "user", created: datetime = NOW, digest: bool = True) -> etree._Element:
    envelope = etree.Element(f"{{{SOAP}}}Envelope")
    etree.SubElement(envelope, f"{{{SOAP}}}Body")
    UsernameToken(user, password, use_digest=digest, created=created, zulu_timestamp=True).apply(envelope, {})
    security = envelope.find(f".//{{{WSSE}}}Security")
    assert security is not None
    return security


@pytest.fixture
def tokens() -> UsernameTokens:
    return UsernameTokens({"user": "right"}, tolerance=timedelta(minutes=5), clock=lambda: NOW)


def test_zeeps_digest_is_the_profiles(tokens: UsernameTokens) -> None:
    security = token()
    nonce = base64.b64decode(security.findtext(".//{*}Nonce", ""))
    expected = base64.b64encode(hashlib.sha1(nonce + b"2026-05-01T12:00:00Z" + b"right").digest()).decode()  # noqa: S324 - the profile's
    assert security.findtext(".//{*}Password") == expected
    assert tokens.check(security) is None


def test_a_nonce_seen_before_is_refused(tokens: UsernameTokens) -> None:
    security = token()
    assert tokens.check(security) is None
    assert tokens.check(security) == "TOKEN_REPLAYED"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_too_far_off_is_refused(tokens: UsernameTokens, minutes: int) -> None:
    assert tokens.check(token(created=NOW + timedelta(minutes=minutes))) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("security", "code"),
    [
        (token(password="wrong"), "BAD_PASSWORD"),
        (token(password="wrong", digest=False), "BAD_PASSWORD"),
        (token(user="nobody"), "UNKNOWN_USER"),
        (None, "TOKEN_MISSING"),
    ],
)
def test_who_is_not_known_is_refused(tokens: UsernameTokens, security: etree._Element | None, code: str) -> None:
    assert tokens.check(security) == code


def test_the_password_in_clear_is_taken_too(tokens: UsernameTokens) -> None:
    assert tokens.check(token(digest=False)) is None


def test_a_stretched_time_stamp_breaks_the_digest(tokens: UsernameTokens) -> None:
    security = token(created=NOW - timedelta(hours=1))
    created = security.find(".//{*}Created")
    assert created is not None
    created.text = "2026-05-01T12:00:00Z"
    assert tokens.check(security) == "BAD_PASSWORD"


@pytest.mark.parametrize("body", [b"", b"<html>", b"<x/>", f'<s:Envelope xmlns:s="{SOAP}"/>'.encode()])
def test_what_is_no_request_is_a_fault(body: bytes) -> None:
    with pytest.raises(SoapFaultError):
        read_request(body)
