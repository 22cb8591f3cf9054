"""Posts that are wrongly signed, stale, oversize, of another kind: a real intake process answers each with its status, a code
and a sentence, and the good posts before and after it become calls. One process and one ledger serve the whole file.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from integrations.testing.invented_leads import Invented
from tests.houses.house import VK_SECRET, document, stands
from tests.stories.outside import Door, Office, intake, office_at, signed

#: A tool that is not ours, or a secret that was rotated away.
STRANGER = "whsec_" + base64.b64encode(b"a stranger's secret, as long as ours").decode()
_people = itertools.count(1)


class Street:
    """An office with its intake process; remembers how many good leads it ever took."""

    def __init__(self, office: Office, door: Door) -> None:
        self.office = office
        self.door = door
        self.good = 0

    def lead(self) -> Invented:
        """Somebody new."""
        return self.office.invented.lead(next(_people), brand="lada", purposes=["callback", "crm_followup"])

    def post_good(self) -> Invented:
        lead = self.lead()
        assert (self.door.post(lead).status_code, self.good) == (202, self.good)
        self.good += 1
        return lead

    def goes_on(self, *people: Invented, also: tuple[str, ...] = ()) -> None:
        """One more good lead is taken, everything taken is called, nobody is named."""
        last = self.post_good()
        self.office.house.admit()
        self.office.settled(good=self.good)
        self.office.said += self.door.said()
        self.office.names_nobody(*people, last, also=also)


@pytest.fixture(scope="module")
def street(empty_ledgers: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    with stands() as sandbox:
        office = office_at(folder, keys=keys, ledger=empty_ledgers, sandbox=sandbox)
        with intake(office) as door:
            yield Street(office, door)
        office.close()


def told(response: httpx.Response) -> tuple[int, str, str | None]:
    """(status, code, field) of a refusal; the sentence must be there."""
    answer: dict[str, str] = response.json()
    assert response.headers["content-type"] == "application/json"
    assert len(answer["message"]) > 10
    return response.status_code, answer["error"], answer.get("field")


# -- who speaks, and when --------------------------------------------------------------------------------------------------

#: what -> (how the post is spoilt, the answer).
SIGNATURES: dict[str, tuple[Callable[[], Mapping[str, Any]], tuple[int, str, str | None]]] = {
    "another secret": (lambda: {"secret": STRANGER}, (401, "signature_invalid", "webhook-signature")),
    "no signature": (lambda: {"webhook_signature": None}, (401, "signature_missing", "webhook-signature")),
    "a signature that is none": (lambda: {"webhook_signature": "v1,%%%"}, (401, "signature_invalid", "webhook-signature")),
    "a signature of another version": (
        lambda: {"webhook_signature": "v9,AAAA"},
        (401, "signature_invalid", "webhook-signature"),
    ),
    "another id than was signed": (lambda: {"webhook_id": "another-id"}, (401, "signature_invalid", "webhook-signature")),
    "six minutes old": (
        lambda: {"at": datetime.now(UTC) - timedelta(minutes=6)},
        (400, "timestamp_stale", "webhook-timestamp"),
    ),
    "six minutes early": (
        lambda: {"at": datetime.now(UTC) + timedelta(minutes=6)},
        (400, "timestamp_future", "webhook-timestamp"),
    ),
    "no time": (lambda: {"webhook_timestamp": None}, (400, "timestamp_invalid", "webhook-timestamp")),
    "a time in words": (lambda: {"webhook_timestamp": "2026-06-01T09:00:00Z"}, (400, "timestamp_invalid", "webhook-timestamp")),
    "no id": (lambda: {"webhook_id": None}, (400, "id_invalid", "webhook-id")),
    "an id of spaces": (lambda: {"webhook_id": "a b"}, (400, "id_invalid", "webhook-id")),
    "an id without end": (lambda: {"webhook_id": "a" * 5_000}, (400, "id_invalid", "webhook-id")),
    "text": (lambda: {"content_type": "text/plain"}, (415, "content_type", "content-type")),
    "a form": (lambda: {"content_type": "application/x-www-form-urlencoded"}, (415, "content_type", "content-type")),
    "no kind at all": (lambda: {"content_type": None}, (415, "content_type", "content-type")),
    "packed": (lambda: {"content_encoding": "gzip"}, (415, "content_encoding", "content-encoding")),
}


@pytest.mark.parametrize("what", SIGNATURES)
def test_a_post_that_cannot_be_trusted_is_refused_by_name(street: Street, what: str) -> None:
    spoilt, answer = SIGNATURES[what]
    good, bad = street.post_good(), street.lead()
    assert told(street.door.post(bad, **spoilt())) == answer
    assert street.office.rows("select 1 from submission where event_id = :event", event=bad.event_id) == []
    street.goes_on(good, bad)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_within_five_minutes_is_trusted(street: Street, minutes: int) -> None:
    lead = street.lead()
    assert street.door.post(lead, at=datetime.now(UTC) + timedelta(minutes=minutes)).status_code == 202
    street.good += 1
    street.goes_on(lead)


def test_a_replay_changes_nothing(street: Street) -> None:
    """Within five minutes it is the same event; under another id or time its signature is none; later it is stale."""
    lead = street.lead()
    headers = signed(lead.event_id, lead.body)
    answers = [street.door.send(lead.body, headers).status_code for _ in range(3)]
    assert answers == [202, 202, 202]
    street.good += 1
    caught = headers | {"webhook-id": f"{lead.event_id}-2"}
    assert told(street.door.send(lead.body, caught))[:2] == (401, "signature_invalid")
    later = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 60)}
    assert told(street.door.send(lead.body, later))[:2] == (401, "signature_invalid")
    assert told(street.door.send(street.lead().body, headers))[:2] == (401, "signature_invalid")
    street.goes_on(lead)


# -- what they say ---------------------------------------------------------------------------------------------------------

#: what -> (the body made of a good one, the answer).
BODIES: dict[str, tuple[Callable[[bytes], bytes], tuple[int, str, str | None]]] = {
    "half of it": (lambda body: body[: len(body) // 2], (400, "body_not_json", None)),
    "nothing": (lambda _: b"", (400, "body_not_json", None)),
    "a list": (lambda body: b"[" + body + b"]", (400, "body_not_json", None)),
    "UTF-16": (lambda body: body.decode().encode("utf-16"), (400, "body_not_json", None)),
    "a byte order mark first": (lambda body: b"\xef\xbb\xbf" + body, (400, "body_not_json", None)),
    "NUL bytes": (lambda body: body.replace(b" ", b"\x00"), (400, "body_not_json", None)),
    "HTML": (lambda _: b"<html><body>502</body></html>", (400, "body_not_json", None)),
    "a bottomless pit": (lambda _: b'{"a":' * 50_000, (400, "body_not_json", None)),
    "no event": (lambda _: b'{"events":[]}', (413, "batch_size", "events")),
    "too many events": (lambda _: b'{"events":[' + b",".join([b"{}"] * 501) + b"]}", (413, "batch_size", "events")),
    "more than a megabyte": (lambda body: body + b" " * 1_048_576, (413, "body_too_large", None)),
    "a line of five megabytes": (lambda _: b'{"text":"' + b"z" * 5_000_000 + b'"}', (413, "body_too_large", None)),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_cannot_be_read_is_refused_by_name(street: Street, what: str) -> None:
    spoil, answer = BODIES[what]
    good, bad = street.post_good(), street.lead()
    body = spoil(bad.body)
    assert told(street.door.send(body, signed(bad.event_id, body))) == answer
    street.goes_on(good, bad)


def test_an_oversize_body_that_does_not_say_its_size(street: Street) -> None:
    bad = street.lead()
    pieces = (bad.body + b" " * 65_536 for _ in range(40))
    assert told(street.door.send(pieces, signed(bad.event_id, bad.body))) == (413, "body_too_large", None)
    street.goes_on(bad)


def test_ten_megabytes_do_not_stop_the_service(street: Street) -> None:
    """So much is not even read and thrown away: the line may be cut before the sender reads its 413."""
    bad = street.lead()
    body = json.dumps({**bad.document, "text": "z" * 10_000_000}).encode()
    with contextlib.suppress(httpx.TransportError):
        assert told(street.door.send(body, signed(bad.event_id, body))) == (413, "body_too_large", None)
    street.goes_on(bad)


def test_a_bad_event_of_a_batch_costs_itself_alone(street: Street) -> None:
    good, broken, other = street.lead(), street.lead(), street.lead()
    events = [good.body, b"5", document(broken, phone="+7 900 00").body, b'{"brand":"lada","given_name":"\\u0000"}', other.body]
    body = b'{"events":[' + b",".join(events) + b"]}"
    before = len(street.office.findings())
    response = street.door.send(body, signed("batch-1", body))
    assert (response.status_code, response.json()) == (202, {"received": 5})
    street.good += 2
    street.goes_on(good, broken, other)
    word, phone, nul = street.office.findings()[before:]
    assert word[0] == ("unparsable", None, "the document is not a JSON object")
    assert phone[0][:2] == ("invalid_field", "phone")
    assert ("invalid_field", "given_name", "holds a control character or half of a surrogate pair") in nul
    assert "batch-1#2" in street.office.listing()


def test_an_event_the_schema_refuses_is_acknowledged_and_waits_for_a_person(street: Street) -> None:
    """The sender did its part; sending the same again would change nothing. A person is told the field."""
    bad = document(street.lead(), consent=None)
    before = len(street.office.findings())
    assert street.door.post(bad).status_code == 202
    street.goes_on(bad)
    ((found,),) = street.office.findings()[before:]
    assert found == ("no_consent", "consent", "no consent is stated")


# -- addresses, and the other door -----------------------------------------------------------------------------------------


def test_addresses_nobody_has(street: Street) -> None:
    bad = street.lead()
    name = bad.document["family_name"]
    answer = street.door.send(bad.body, signed(bad.event_id, bad.body), source=name)
    assert told(answer) == (404, "source_unknown", None)
    assert told(street.door.send(bad.body, signed(bad.event_id, bad.body), source="export"))[0] == 404
    assert street.door.client.get("/hooks/webhook").status_code == 405
    street.goes_on(bad)


def test_vk_without_its_secret_or_of_another_group(street: Street) -> None:
    def event(**changes: Any) -> tuple[bytes, Mapping[str, str]]:
        fields = {"type": "message_deny", "group_id": 900000001, "event_id": "e-1", "secret": VK_SECRET}
        content = fields | {"object": {"user_id": 990_000_001}} | changes
        return json.dumps(content).encode(), {"content-type": "application/json"}

    assert told(street.door.send(*event(secret="guess"), source="vk")) == (401, "secret_invalid", "secret")
    assert told(street.door.send(*event(secret=None), source="vk")) == (401, "secret_invalid", "secret")
    assert told(street.door.send(*event(group_id=5), source="vk")) == (403, "group_unknown", "group_id")
    assert told(street.door.send(b"<html>", {"content-type": "text/html"}, source="vk"))[:2] == (400, "body_not_event")
    assert street.office.rows("select 1 from submission where source = 'vk'") == []
    street.goes_on(also=("990000001",))


def test_what_the_service_counts_names_nobody(street: Street) -> None:
    lead = street.post_good()
    street.door.post(lead, secret=STRANGER)
    page = street.door.client.get("/metrics").text
    assert 'code="signature_invalid",source="webhook"' in page
    street.office.said.append(page)
    street.goes_on(lead)
