"""What an HTTP answer means before anybody reads its body. It refuses to call anything success that is not, and to call a
failure harmless unless the status itself says that nothing was done (RFC 9110 section 15).

A vendor that means something else by a status says so in its manifest; the reading of bodies belongs to the connector.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import requests

from integrations.transports.http import Intent, unanswered
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError

#: A destination that asks for more patience than this (seconds) is asked again after it.
MAX_RETRY_AFTER = 24 * 3600.0

_ADVICE = {
    401: ("unauthorized", "the destination does not accept the credentials: renew the connection's login and secret"),
    403: ("forbidden", "the credentials are known but not allowed to do this: ask the vendor for the permission"),
    407: ("proxy_in_the_way", "a proxy asks for credentials; none is supported"),
    404: ("not_found", "the destination knows no such address: check base_url and the paths of the manifest"),
    405: ("method_not_allowed", "the address does not take this method: check base_url and the paths of the manifest"),
    413: ("request_too_large", "the destination takes no batch this large: lower the batch size"),
    415: ("media_type_refused", "the destination does not take this content type"),
    501: ("not_implemented", "the destination does not know this request"),
    505: ("not_implemented", "the destination does not speak this version of HTTP"),
}
#: Statuses that promise the request was not processed: 408 (15.5.9), 425 (RFC 8470 5.2), 429 (RFC 6585 4).
_NOT_PROCESSED = frozenset({408, 425})


def retry_after(response: requests.Response, *, now: datetime | None = None) -> float | None:
    """Seconds the answer asks to wait, from either form of Retry-After (RFC 9110 10.2.3); None if it asks for nothing.

    A date is measured against the answer's own Date header if there is one: whose clock is wrong then does not matter.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    until = _http_date(value)
    if until is None:
        return None
    since = _http_date(response.headers.get("Date", "")) or now or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def judge(response: requests.Response, intent: Intent) -> DeliveryError | None:
    """The error the status amounts to, or None for 2xx. 5xx after a write is doubt: it may have been stored before it broke."""
    status = response.status_code
    pause = retry_after(response)
    error: DeliveryError | None = None
    if status == 429 or (status == 503 and pause is not None):  # noqa: PLR2004 - RFC 6585 4, RFC 9110 15.6.4
        error = TransientError("throttled", "the destination asks to slow down", retry_after=pause, throttled=True)
    elif status in _NOT_PROCESSED:
        error = TransientError(f"http_{status}", "the destination did not process the request", retry_after=pause)
    elif status in _ADVICE:
        error = TerminalError(*_ADVICE[status])
    elif status >= 500 and intent is Intent.WRITE:  # noqa: PLR2004 - the class of server errors, RFC 9110 15.6
        error = UncertainError(f"http_{status}", "the destination broke at work; the request may have been carried out")
    elif status >= 500:  # noqa: PLR2004 - as above
        error = TransientError(f"http_{status}", "the destination is out of order", retry_after=pause)
    elif status >= 400:  # noqa: PLR2004 - the class of client errors, RFC 9110 15.5
        error = TerminalError(f"http_{status}", "the destination refuses the request as a whole")
    elif not 200 <= status < 300:  # noqa: PLR2004 - neither success (15.3) nor an error: a redirect, or nothing known
        error = TerminalError("redirected", "the destination points elsewhere; redirects are not followed: check base_url")
    return error


def expect_success(response: requests.Response, intent: Intent) -> None:
    """Raise what ``judge`` says, unless it says nothing."""
    error = judge(response, intent)
    if error is not None:
        raise error


def read_json(response: requests.Response, intent: Intent) -> Any:
    """The body as JSON. After a write an unreadable answer is doubt, whatever it looks like.

    After a read, HTML means a log-in page or a wrong address (a person mends it) and broken JSON a cut answer (ask again).
    """
    failure: DeliveryError
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        looks_like_html = response.content.lstrip()[:1] == b"<"
    if intent is Intent.READ and looks_like_html:
        failure = TerminalError("not_json", "the destination answers HTML where JSON is due: check base_url and credentials")
    else:
        failure = unanswered(intent, "not_json", "the answer is not JSON")
    raise failure
