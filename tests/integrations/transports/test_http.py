"""What may have been stored is in doubt, what was not sent is not: proven against a server that misbehaves byte by byte."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integrations.contract.manifest import Endpoint, Limits
from integrations.transports.http import GuardedSession, Intent, open_session
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError

LIMITS = Limits(connect_timeout=5.0, read_timeout=30.0, max_response_bytes=100_000)
SHORT = Limits(connect_timeout=0.2, read_timeout=0.3, max_response_bytes=100_000)


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def server(*scripts: Callable[[socket.socket], None], deaf: bool = False) -> Iterator[int]:
    """Serve one connection a script: read one request, run the script, close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with suppress(OSError):  # a test that sends nothing closes the listener under us
                for script in scripts:
                    connection, _ = listener.accept()
                    with connection:
                        if not deaf:
                            read_request(connection)
                        script(connection)

        threading.Thread(target=run, daemon=True).start()
        yield listener.getsockname()[1]


def read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    wanted = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    while len(body) < wanted:
        body += connection.recv(65536)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(*pieces: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                return
            time.sleep(pause)

    return script


def session_to(port: int, limits: Limits = LIMITS, **options: object) -> GuardedSession:
    endpoint = Endpoint(
        destination="test", base_url=f"http://127.0.0.1:{port}", hosts=frozenset({f"127.0.0.1:{port}"}), options=options
    )
    return open_session(endpoint, limits)


PATH = "/secret-path?token=s3cr3t"


def failure(session: GuardedSession, port: int, *, method: str = "POST") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        session.request(method, f"http://127.0.0.1:{port}{PATH}", data=b'{"name": "Canary"}')
    error = caught.value
    assert error.__context__ is None, "a vendor library's exception travels along"
    assert "s3cr3t" not in repr(error.args)
    assert "Canary" not in repr(error.args)
    return error


LOST = {
    "nothing": say(),
    "reset": reset,
    "cut head": say(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no http": say(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "cut body": say(answer(b'{"ok"', length=100)),
    "cut chunk": say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
    "bad chunk": say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    "bad gzip": say(answer(b"this is not gzip", "Content-Encoding: gzip")),
    "cut gzip": say(answer(gzip.compress(b"x" * 5000)[:20], "Content-Encoding: gzip", length=500)),
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
def test_a_lost_answer_leaves_a_write_in_doubt(script: Callable[[socket.socket], None]) -> None:
    with server(script) as port:
        error = failure(session_to(port), port)
    assert isinstance(error, UncertainError)
    assert error.code == "connection_lost"


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
def test_a_lost_answer_to_a_read_is_asked_again(script: Callable[[socket.socket], None]) -> None:
    with server(script) as port:
        assert isinstance(failure(session_to(port), port, method="GET"), TransientError)


def test_a_read_by_post_is_a_read() -> None:
    with server(reset) as port, session_to(port) as session, session.intent(Intent.READ):
        assert isinstance(failure(session, port), TransientError)


def test_intent_ends_with_its_block() -> None:
    with server(reset) as port, session_to(port) as session:
        with session.intent(Intent.READ):
            pass
        assert isinstance(failure(session, port), UncertainError)


def test_silence_is_doubt() -> None:
    with server(lambda _: time.sleep(1.0)) as port:
        error = failure(session_to(port, SHORT), port)
    assert isinstance(error, UncertainError)
    assert error.code == "read_timeout"


def test_a_dripping_answer_ends_in_time() -> None:
    """Each byte is in time for the socket; the answer as a whole is not."""
    drip = say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 30, pause=0.1)
    with server(drip) as port:
        error = failure(session_to(port, SHORT), port)
    assert isinstance(error, UncertainError)
    assert error.code == "read_timeout"


@pytest.mark.parametrize(
    "body",
    [answer(b"x" * 200_000), answer(gzip.compress(b"x" * 5_000_000), "Content-Encoding: gzip")],
    ids=["plain", "decompression bomb"],
)
def test_an_answer_larger_than_the_limit_is_not_read(body: bytes) -> None:
    with server(say(body)) as port:
        error = failure(session_to(port), port)
    assert isinstance(error, UncertainError)
    assert error.code == "answer_too_large"


def test_refused_connection_stored_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(session_to(port), port)
    assert isinstance(error, TransientError)
    assert error.code == "connection_refused"


def test_a_server_that_speaks_no_tls_got_nothing() -> None:
    with server(say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), deaf=True) as port:
        session = session_to(port)
        with pytest.raises(TransientError) as caught:
            session.post(f"https://127.0.0.1:{port}/", data=b"x")
    assert caught.value.code in {"tls_handshake", "connection_failed"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
    )
    signed = builder.sign(private, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + key)
    return path


@contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            read_request(secure)
            secure.sendall(answer(b'{"ok": true}'))

    with server(script, deaf=True) as port:
        yield port


def test_a_certificate_nobody_signed_is_a_persons_work(certificate: Path) -> None:
    """The handshake fails before a byte of the request: nothing is in doubt."""
    with tls_server(certificate) as port, pytest.raises(TerminalError) as caught:
        session_to(port).post(f"https://127.0.0.1:{port}/", data=b"x")
    assert caught.value.code == "tls_certificate"


def test_a_ca_of_ones_own_is_an_option(certificate: Path) -> None:
    with tls_server(certificate) as port:
        session = session_to(port, ca_file=str(certificate))
        assert session.post(f"https://127.0.0.1:{port}/", data=b"x").json() == {"ok": True}


def test_redirects_are_not_followed() -> None:
    with server(say(answer(b"", "Location: http://127.0.0.1:1/elsewhere", status="307 Temporary Redirect"))) as port:
        response = session_to(port).post(f"http://127.0.0.1:{port}/", data=b"x")
    assert response.status_code == 307


def test_the_environment_slips_nothing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(netrc))
    heard: list[bytes] = []

    def script(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(answer(b"{}", "Set-Cookie: session=1"))

    with server(script, deaf=True) as port:
        session = session_to(port)
        session.get(f"http://127.0.0.1:{port}/")
    assert b"authorization" not in heard[0].lower()
    assert not session.cookies


@pytest.mark.parametrize("value", ["Имя", "two\r\nlines"])
def test_a_header_that_cannot_be_written_is_named_before_anything_is_sent(value: str) -> None:
    with server(say(answer(b"{}"))) as port, pytest.raises(TerminalError) as caught:
        session_to(port).post(f"http://127.0.0.1:{port}/", data=b"x", headers={"X-Secret": value})
    assert caught.value.code == "request_not_built"
    assert value not in repr(caught.value.args)


def test_an_answer_left_unread_never_becomes_the_next_one() -> None:
    """After a failed read the connection is dropped: the rest of the old answer must not answer the next request."""
    with server(say(answer(b"y" * 300_000)), say(answer(b'{"fresh": true}'))) as port:
        session = session_to(port)
        assert isinstance(failure(session, port), UncertainError)
        assert session.post(f"http://127.0.0.1:{port}/", data=b"x").json() == {"fresh": True}


def test_a_missing_ca_file_is_said_at_once() -> None:
    with pytest.raises(TerminalError) as caught:
        session_to(1, ca_file="/nowhere/ca.pem")
    assert caught.value.code == "ca_file_missing"


def test_no_log_holds_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with server(say(answer(b"{}")), reset) as port:
        session = session_to(port)
        session.post(f"http://127.0.0.1:{port}/rest/1/secret-code/crm.add?token=s3cr3t", data=b"x")
        failure(session, port)
    assert "urllib3" in caplog.text
    assert "secret" not in caplog.text
    assert "s3cr3t" not in caplog.text
