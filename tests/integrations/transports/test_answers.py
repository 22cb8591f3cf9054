"""A status says whether something was done; Retry-After says when to come back, in both of its forms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from integrations.transports.answers import MAX_RETRY_AFTER, expect_success, judge, read_json, retry_after
from integrations.transports.http import Intent
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def response(status: int = 200, body: bytes = b"", **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = body
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 02 Mar 2026 09:02:00 GMT", 120.0),  # IMF-fixdate
        ("Monday, 02-Mar-26 09:02:00 GMT", 120.0),  # RFC 850
        ("Mon Mar  2 09:02:00 2026", 120.0),  # asctime
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),  # past: now
        ("Fri, 31 Dec 2099 23:59:59 GMT", MAX_RETRY_AFTER),
        ("99999999999999999999", MAX_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),  # a digit, but not one of RFC 9110
        ("Mon, 99 Foo 2026 09:02:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(response(429, Retry_After=value), now=NOW) == seconds


def test_whose_clock_is_wrong_does_not_matter() -> None:
    """The vendor's clock is an hour ahead: its Date header says so, and the wait is still a minute."""
    told = response(429, Retry_After="Mon, 02 Mar 2026 10:01:00 GMT", Date="Mon, 02 Mar 2026 10:00:00 GMT")
    assert retry_after(told, now=NOW) == 60.0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
def test_success_is_no_error(status: int) -> None:
    assert judge(response(status), Intent.WRITE) is None


@pytest.mark.parametrize(
    ("status", "write", "read"),
    [
        (300, TerminalError, TerminalError),
        (302, TerminalError, TerminalError),
        (400, TerminalError, TerminalError),
        (401, TerminalError, TerminalError),
        (403, TerminalError, TerminalError),
        (404, TerminalError, TerminalError),
        (408, TransientError, TransientError),
        (409, TerminalError, TerminalError),
        (413, TerminalError, TerminalError),
        (425, TransientError, TransientError),
        (429, TransientError, TransientError),
        (500, UncertainError, TransientError),
        (501, TerminalError, TerminalError),
        (502, UncertainError, TransientError),
        (503, UncertainError, TransientError),
        (504, UncertainError, TransientError),
        (599, UncertainError, TransientError),
        (199, TerminalError, TerminalError),
        (999, UncertainError, TransientError),
    ],
)
def test_what_a_status_means(status: int, write: type[DeliveryError], read: type[DeliveryError]) -> None:
    assert type(judge(response(status), Intent.WRITE)) is write
    assert type(judge(response(status), Intent.READ)) is read


def test_unavailable_with_a_date_to_come_back_was_not_carried_out() -> None:
    error = judge(response(503, Retry_After="30"), Intent.WRITE)
    assert isinstance(error, TransientError)
    assert error.throttled
    assert error.retry_after == 30.0


@pytest.mark.parametrize("body", [b"<html>", b"  <!DOCTYPE html>", b'{"a": ', b"", b"\xff\xfe", b"NaN", b"[1,]"])
def test_an_unreadable_answer_to_a_write_is_doubt(body: bytes) -> None:
    with pytest.raises(UncertainError):
        read_json(response(200, body), Intent.WRITE)


def test_html_to_a_read_is_a_persons_work_and_a_cut_answer_is_not() -> None:
    with pytest.raises(TerminalError):
        read_json(response(200, b"\n<html>"), Intent.READ)
    with pytest.raises(TransientError):
        read_json(response(200, b'{"a": '), Intent.READ)


def test_expect_success_raises_what_judge_says() -> None:
    expect_success(response(200), Intent.WRITE)
    with pytest.raises(UncertainError):
        expect_success(response(500), Intent.WRITE)
