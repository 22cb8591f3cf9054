"""The intake service over real HTTP: 2xx only after the commit, each refusal with its status, nothing repeated that came in."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from schemas.errors import StorageUnavailableError

Start = Callable[..., httpx.Client]
Post = Callable[..., httpx.Response]


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def test_a_signed_lead_is_committed_then_acknowledged(service: httpx.Client, ledger: Any, post: Post) -> None:
    response = post(service)
    assert response.status_code == 202
    assert response.json() == {"received": 1}
    assert json.loads(ledger.stored["moderation", "msg_1"])["given_name"] == "Мария"


def test_the_same_message_again_is_acknowledged_and_stored_once(service: httpx.Client, ledger: Any, post: Post) -> None:
    assert [post(service).status_code for _ in range(3)] == [202, 202, 202]
    assert len(ledger.stored) == 1


def test_vk_reads_ok_and_its_handshake(service: httpx.Client, ledger: Any) -> None:
    handshake = service.post("/hooks/vk", json={"type": "confirmation", "group_id": 5})
    assert (handshake.status_code, handshake.text) == (200, "f00d")
    event = {"type": "message_deny", "group_id": 5, "event_id": "e1", "secret": "s3", "object": {"user_id": 1}}
    response = service.post("/hooks/vk", json=event)
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"ok", "text/plain")
    assert list(ledger.stored) == [("vk", "5:e1")]


def test_what_a_source_refuses_is_answered_with_its_status(service: httpx.Client, ledger: Any, post: Post) -> None:
    assert error(post(service, **{"webhook-signature": "v1,AAAA"})) == (401, "signature_invalid")
    assert error(post(service, **{"webhook-signature": ""})) == (401, "signature_missing")
    assert error(post(service, **{"content-type": "text/plain"})) == (415, "content_type")
    assert error(post(service, body=b"{broken")) == (400, "body_not_json")
    stale = datetime.now(tz=UTC) - timedelta(hours=1)
    assert error(post(service, **{"webhook-timestamp": str(int(stale.timestamp()))})) == (400, "timestamp_stale")
    assert ledger.stored == {}


def test_unknown_sources_and_methods(service: httpx.Client) -> None:
    assert error(service.post("/hooks/nobody", content=b"x")) == (404, "source_unknown")
    assert service.get("/hooks/moderation").status_code == 405
    assert service.get("/docs").status_code == 404


# -- bounds --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [2_000, 7_000, 50_000])
def test_a_body_beyond_the_limit_is_refused(start: Start, ledger: Any, size: int, chunked: bool) -> None:  # noqa: FBT001 - a table
    def pieces() -> Iterator[bytes]:
        for _ in range(size // 100):
            yield b"x" * 100

    client = start(max_body=1_000)
    try:
        response = client.post("/hooks/moderation", content=pieces() if chunked else b"x" * size)
    except (httpx.WriteError, httpx.ReadError):
        assert size > 8_000  # beyond what is read and thrown away the line may be cut
    else:
        assert error(response) == (413, "body_too_large")
    assert client.get("/healthz").status_code == 200
    assert ledger.stored == {}


def test_a_body_of_exactly_the_limit_is_taken(start: Start, post: Post) -> None:
    body = json.dumps({"text": "x" * 989}).encode()
    client = start(max_body=len(body))
    assert post(client, body=body).status_code == 202


def test_a_compressed_body_is_refused(service: httpx.Client, post: Post) -> None:
    assert error(post(service, **{"content-encoding": "gzip"})) == (415, "content_encoding")


def raw(client: httpx.Client, data: bytes) -> socket.socket:
    address = urlsplit(str(client.base_url))
    connection = socket.create_connection((address.hostname or "", address.port or 0), timeout=10)
    connection.sendall(data)
    return connection


HALF = b"POST /hooks/moderation HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{half"


def test_a_body_that_does_not_arrive_is_given_up(start: Start) -> None:
    client = start(body_seconds=0.2)
    with raw(client, HALF) as connection:
        assert b"408" in connection.recv(4096).split(b"\r\n")[0]


def test_a_sender_that_hangs_up_leaves_nothing_behind(service: httpx.Client, ledger: Any, post: Post) -> None:
    raw(service, HALF).close()
    assert post(service).status_code == 202
    assert len(ledger.stored) == 1


def test_more_requests_than_places_are_asked_to_come_back(start: Start, ledger: Any, post: Post) -> None:
    client = start(max_in_flight=1, retry_after=7)
    ledger.before = lambda _submissions: time.sleep(0.5)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, client, "a")
        time.sleep(0.2)
        second = post(client, "b")
        assert error(second) == (503, "busy")
        assert second.headers["retry-after"] == "7"
        assert first.result().status_code == 202


# -- the ledger ------------------------------------------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_written_is_503_and_nothing_is_acknowledged(
    service: httpx.Client, ledger: Any, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_submissions: object) -> None:
        raise StorageUnavailableError("disk_full", "No space left on device: given_name=Мария", field="ledger")

    ledger.before = full
    with caplog.at_level(logging.DEBUG):
        response = post(service)
    assert error(response) == (503, "storage_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "Мария" not in response.text + caplog.text
    ledger.before = lambda _submissions: None
    assert post(service).status_code == 202
    assert len(ledger.stored) == 1


def test_vk_is_asked_to_come_back_at_a_date(service: httpx.Client, ledger: Any) -> None:
    def full(_submissions: object) -> None:
        raise StorageUnavailableError("disk_full", "the ledger cannot be written")

    ledger.before = full
    event = {"type": "message_deny", "group_id": 5, "event_id": "e1", "secret": "s3", "object": {"user_id": 1}}
    response = service.post("/hooks/vk", json=event)
    assert response.status_code == 503
    wait = parsedate_to_datetime(response.headers["retry-after"]) - datetime.now(tz=UTC)
    assert timedelta(0) < wait < timedelta(hours=3)


def test_an_unexpected_fault_tells_nobody_what_it_held(
    service: httpx.Client, ledger: Any, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(_submissions: object) -> None:
        raise ValueError("INSERT failed [parameters: ('Мария', '+79000000001')]")

    ledger.before = fault
    with caplog.at_level(logging.DEBUG):
        response = post(service)
    assert error(response) == (500, "internal")
    assert "ValueError" in caplog.text
    for text in (response.text, caplog.text):
        assert "Мария" not in text
        assert "9000000001" not in text


def test_a_slow_ledger_is_503_and_the_retry_changes_nothing(start: Start, ledger: Any, post: Post) -> None:
    client = start(commit_seconds=1)
    awake = threading.Event()
    ledger.before = lambda _submissions: awake.wait(10)
    late = post(client)
    assert error(late) == (503, "commit_late")
    assert "retry-after" in late.headers
    awake.set()
    assert post(client).status_code == 202
    assert len(ledger.stored) == 1


# -- sharing a commit ------------------------------------------------------------------------------------------------------


def send_many(client: httpx.Client, post: Post, ids: list[str]) -> list[int]:
    with ThreadPoolExecutor(len(ids)) as pool:
        return [response.status_code for response in pool.map(lambda event_id: post(client, event_id), ids)]


def test_those_who_wait_share_a_transaction(service: httpx.Client, ledger: Any, post: Post) -> None:
    ledger.before = lambda _submissions: time.sleep(0.3)
    assert send_many(service, post, [f"m{number}" for number in range(20)]) == [202] * 20
    assert len(ledger.stored) == 20
    assert len(ledger.groups) < 20


def test_one_who_cannot_be_stored_does_not_take_the_others_along(service: httpx.Client, ledger: Any, post: Post) -> None:
    def refuse_one(submissions: Any) -> None:
        time.sleep(0.2)
        if any(each.event_id == "m7" for each in submissions):
            raise ValueError("m7")

    ledger.before = refuse_one
    codes = send_many(service, post, [f"m{number}" for number in range(10)])
    assert codes == [202] * 7 + [500] + [202] * 2
    assert len(ledger.stored) == 9


def test_a_sender_that_meets_its_own_retry_is_stored_once(service: httpx.Client, ledger: Any, post: Post) -> None:
    ledger.before = lambda _submissions: time.sleep(0.2)
    assert send_many(service, post, ["same"] * 8) == [202] * 8
    assert len(ledger.stored) == 1
    assert max(ledger.groups) == 1


def test_a_group_is_bounded(start: Start, ledger: Any, post: Post) -> None:
    client = start(group_size=4)
    ledger.before = lambda _submissions: time.sleep(0.1)
    assert send_many(client, post, [f"m{number}" for number in range(12)]) == [202] * 12
    assert max(ledger.groups) <= 4


# -- those who run it ------------------------------------------------------------------------------------------------------


def test_health_says_the_process_lives_and_readiness_that_it_can_commit(service: httpx.Client, ledger: Any) -> None:
    def gone(_submissions: object) -> None:
        raise StorageUnavailableError("unreachable", "the ledger cannot be reached")

    assert service.get("/readyz").status_code == 200
    ledger.before = gone
    assert error(service.get("/readyz")) == (503, "storage_unavailable")
    assert service.get("/healthz").status_code == 200


def test_readiness_may_be_asked_another_way(start: Start) -> None:
    asked: list[int] = []
    assert start(probe=lambda: asked.append(1)).get("/readyz").status_code == 200
    assert asked == [1]


def test_metrics_count_and_name_nobody(service: httpx.Client, post: Post) -> None:
    post(service, "msg_canary")
    post(service, "msg_canary")
    post(service, **{"webhook-signature": "v1,AAAA"})
    service.post("/hooks/Мария-Орлова", content=b"x")
    page = service.get("/metrics").text
    assert 'leadgate_intake_requests_total{code="ok",source="moderation"} 2.0' in page
    assert 'leadgate_intake_requests_total{code="signature_invalid",source="moderation"} 1.0' in page
    assert 'leadgate_intake_requests_total{code="source_unknown",source="unknown"} 1.0' in page
    assert "leadgate_intake_submissions_new_total 1.0" in page
    assert "leadgate_intake_submissions_repeated_total 1.0" in page
    for secret in ("canary", "Мария", "9000000001"):
        assert secret not in page


def test_the_log_holds_no_query_no_id_and_no_unknown_address(
    service: httpx.Client, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="leadgate.intake"):
        post(service, "msg_canary")
        service.post("/hooks/moderation?token=sesame", content=b"x")
        service.post("/hooks/Мария", content=b"x")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name == "leadgate.intake")
    assert "POST /hooks/moderation 202 ok" in ours
    for word in ("canary", "sesame", "Мария", "%D0"):
        assert word not in ours
