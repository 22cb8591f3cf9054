"""HTTP that cannot hang, grow, wander or gossip. It refuses foreign hosts, redirects, proxies and netrc from the environment,
cookies, an answer larger than the limit and one that drips longer than the read timeout; it logs and raises no value.

Every failure is told as one of three, by the one question that matters: may the destination have stored something?

1. Nothing was sent (name, connection, TLS): TransientError, or TerminalError if a person must mend it. The line is drawn by
   construction: whatever fails inside ``connect`` happened before the first byte of the request.
2. Something was sent and no whole answer came (timeout, reset, cut, too large): UncertainError for a write; TransientError for
   a read, which can simply be asked again.
3. An answer came: ``answers.judge`` reads its status.

A session speaks for one destination and is not thread-safe: one worker, one session.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.response import HTTPResponse

from integrations.contract.manifest import Endpoint, Limits
from integrations.transports.hosts import HostGuard
from integrations.transports.redaction import mask_addresses
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError

_CHUNK = 64 * 1024  # bytes
_POOL = 4  # connections kept to a host
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_BUILT = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    UnicodeError,  # a header that is not latin-1 (RFC 9110 5.5); http.client quotes it in its message
)

mask_addresses()


class Intent(StrEnum):
    """What a request does at the destination: only a write can be in doubt."""

    READ = "read"
    WRITE = "write"


def unanswered(intent: Intent, code: str, message: str) -> DeliveryError:
    """The error for a request that was sent and not answered in whole."""
    if intent is Intent.WRITE:
        return UncertainError(code, f"{message}; the request may have been carried out")
    return TransientError(code, message)


def _before_send(error: Exception) -> DeliveryError:
    """Name what failed inside ``connect``: not a byte of the request had left."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TerminalError(
            "tls_certificate", "the destination's certificate is not trusted (option ca_file names another CA)"
        )
    if isinstance(error, ssl.SSLError):
        return TransientError("tls_handshake", "no TLS could be agreed with the destination")
    if isinstance(error, NameResolutionError):
        return TransientError("name_not_resolved", "the destination's host name could not be resolved")
    if isinstance(error, NewConnectionError):  # a kind of ConnectTimeoutError in urllib3's tree
        return TransientError("connection_refused", "the destination could not be connected")
    if isinstance(error, ConnectTimeoutError | TimeoutError):
        return TransientError("connect_timeout", "the destination did not take the connection in time")
    return TransientError("connection_failed", f"connecting failed with {type(error).__name__}")


def _connect(connection: HTTPConnection, connect: Any) -> None:
    failure: DeliveryError | None = None
    try:
        connect()
        if connection.sock is not None:
            HostGuard.check_peer(connection.host, str(connection.sock.getpeername()[0]))
    except DeliveryError as error:
        failure = error
    except (OSError, HTTPError) as error:
        failure = _before_send(error)
    if failure is not None:  # raised out here so that it carries no context: urllib3's errors quote addresses
        connection.close()
        raise failure


def _with_socket(sock: socket.socket | None, response: HTTPResponse) -> HTTPResponse:
    response.guarded_socket = sock  # type: ignore[attr-defined] # the body's reader shortens its timeout with every piece
    return response


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        _connect(self, super().connect)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3 narrows it so too
        return _with_socket(self.sock, super().getresponse())


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        _connect(self, super().connect)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # urllib3 narrows it so too
        return _with_socket(self.sock, super().getresponse())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class GuardedAdapter(HTTPAdapter):
    """requests' adapter over connections that tell what failed before anything was sent. It never retries."""

    def __init__(self) -> None:
        super().__init__(pool_connections=_POOL, pool_maxsize=_POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class GuardedSession(requests.Session):
    """A requests.Session for one destination; pass it to zeep, simple-salesforce or use it as it is.

    Only DeliveryError escapes ``request`` and ``send``. Answers arrive read in whole, whatever their status.
    """

    def __init__(self, *, guard: HostGuard, limits: Limits) -> None:
        super().__init__()
        self.guard = guard
        self.limits = limits
        self.trust_env = False  # no proxy, netrc or CA bundle that the environment slips in
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._intent: Intent | None = None
        adapter = GuardedAdapter()
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    @contextmanager
    def intent(self, intent: Intent) -> Iterator[None]:
        """Say what the requests inside do, where the method does not tell: a look-up by POST, every SOAP call."""
        before, self._intent = self._intent, intent
        try:
            yield
        finally:
            self._intent = before

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        failure: DeliveryError
        try:
            return super().request(method, url, *args, **options)
        except DeliveryError:
            raise
        except _NOT_BUILT as error:
            failure = TerminalError("request_not_built", f"the request cannot be written as HTTP ({type(error).__name__})")
        raise failure

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        deadline = time.monotonic() + self.limits.connect_timeout + self.limits.read_timeout
        intent = self._intent or (Intent.READ if (request.method or "") in _SAFE_METHODS else Intent.WRITE)
        self.guard.check(request.url or "")
        options |= {
            "stream": True,
            "allow_redirects": False,
            "proxies": {},
            "timeout": (self.limits.connect_timeout, self.limits.read_timeout),
        }
        options.setdefault("verify", self.verify)
        options.setdefault("cert", self.cert)
        failure: DeliveryError
        try:
            response = super().send(request, **options)
            self._read(response, intent, deadline)
        except DeliveryError:
            raise
        except _NOT_BUILT as error:
            failure = TerminalError("request_not_built", f"the request cannot be written as HTTP ({type(error).__name__})")
        except (requests.exceptions.Timeout, ReadTimeoutError, TimeoutError):
            failure = unanswered(intent, "read_timeout", "the destination did not answer in time")
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = unanswered(intent, "connection_lost", f"the answer did not arrive in whole ({type(error).__name__})")
        else:
            return response
        raise failure

    def _read(self, response: requests.Response, intent: Intent, deadline: float) -> None:
        """Read the body in whole, bounded in size and in time: a socket's own timeout starts anew with every byte."""
        sock = getattr(response.raw, "guarded_socket", None)
        body = bytearray()
        failure: DeliveryError | None = None
        try:
            while failure is None:
                remaining = deadline - time.monotonic()
                if sock is not None and remaining > 0:
                    sock.settimeout(remaining)
                chunk = response.raw.read1(_CHUNK, decode_content=True) if remaining > 0 else b""
                if remaining <= 0:
                    failure = unanswered(intent, "read_timeout", "the answer did not end in time")
                elif len(body) + len(chunk) > self.limits.max_response_bytes:
                    failure = unanswered(intent, "answer_too_large", "the answer is larger than the limit allows")
                elif not chunk:
                    break
                body += chunk
        except BaseException:
            response.raw.close()  # what is left unread must never be taken for the next answer
            raise
        if failure is not None:
            response.raw.close()
            raise failure
        if not body and _ends_anywhere(response):
            response.raw.close()
            raise unanswered(intent, "connection_lost", "the answer may have been cut: nothing says where it ends")
        response.raw.release_conn()
        response._content = bytes(body)  # noqa: SLF001 - requests offers no bounded read
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _ends_anywhere(response: requests.Response) -> bool:
    """Whether only the end of the connection ends this answer (RFC 9112 6.3): then no body and a lost body look the same.

    A header block that was cut looks so too, and http.client takes it for a whole one.
    """
    bodiless = response.status_code in (requests.codes.no_content, requests.codes.not_modified)
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    return not framed and not bodiless and response.request.method != "HEAD"


def open_session(endpoint: Endpoint, limits: Limits, *, headers: Mapping[str, str] | None = None) -> GuardedSession:
    """A session for ``endpoint``: its hosts, the limits, the CA of option ``ca_file``, plain HTTP if option ``plain_http``."""
    guard = HostGuard(endpoint.hosts, plain_http=endpoint.options.get("plain_http") is True)
    guard.check(endpoint.base_url)
    session = GuardedSession(guard=guard, limits=limits)
    session.headers = CaseInsensitiveDict({"User-Agent": "leadgate", "Accept-Encoding": "gzip, deflate", **(headers or {})})
    ca_file = endpoint.options.get("ca_file")
    if ca_file is not None:
        if not isinstance(ca_file, str) or not Path(ca_file).is_file():
            raise TerminalError("ca_file_missing", "option ca_file names no file", field=endpoint.destination)
        session.verify = ca_file
    return session
