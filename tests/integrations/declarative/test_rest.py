"""REST vendors of other shapes than the JSON CRM: by position, all or nothing, one by one; other ways to sign in."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrations.contract.loading import build_manifest
from integrations.contract.manifest import Endpoint
from integrations.declarative.rest import RestDestination
from integrations.testing import invented
from integrations.testing.replay import Fixture, Replay
from integrations.testing.server import SimulatorServer
from schemas.errors import ConfigurationError, TerminalError, TransientError, UncertainError
from schemas.personal import Personal
from schemas.vocabulary import Outcome

NAMES = ("phone", "given_name")
BASE: dict[str, Any] = yaml.safe_load("""
name: vendor
kind: crm
title: {en: A vendor}
capabilities: {write_mode: upsert, batch_size: 3}
discloses: {"*": [phone, given_name]}
transport:
  kind: rest
  auth: {scheme: none}
  options: {list: inbound}
  operations:
    check: {path: /me}
    deliver:
      path: /leads
      records: leads
      results: {at: results, key: id, status: s, code: e.c}
      outcomes: {ok: accepted, bad: rejected}
mapping: {id: {from: key}, phone: {from: phone}, contact: {name: {from: given_name}}}
""")


@dataclass
class Stage:
    destination: RestDestination
    vendor: Replay

    def sent(self, position: int = 0) -> Any:
        return json.loads(self.vendor.received[position].body)


def build(changes: Mapping[str, Any], endpoint: Endpoint) -> RestDestination:
    document = copy.deepcopy(BASE)
    for path, value in changes.items():
        inner = document
        *outer, last = path.split(".")
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return RestDestination(manifest=build_manifest(document, shown="vendor/connector.yaml"), endpoint=endpoint)


@contextmanager
def stage(
    *responses: dict[str, Any], login: str | None = None, secret: str | None = None, options: Any = None, **changes: Any
) -> Iterator[Stage]:
    vendor = Replay(Fixture(folder=Path(), disclosure={}, requests=[], responses=list(responses), expected={}))
    with SimulatorServer(vendor) as server:
        endpoint = Endpoint(
            destination="vendor",
            base_url=f"{server.url}/api/",
            hosts=frozenset({server.host}),
            login=login,
            secret=Personal(secret) if secret else None,
            options=options or {},
        )
        destination = build({path.replace("__", "."): value for path, value in changes.items()}, endpoint)
        yield Stage(destination, vendor)
        destination.close()


DELIVER = "transport__operations__deliver"


def body(*results: Any) -> dict[str, Any]:
    return {"body": {"results": list(results)}}


def ok(number: int) -> dict[str, Any]:
    return {"id": invented.key(number), "s": "ok"}


def outcomes(receipts: Any) -> list[str]:
    return [f"{receipt.outcome}:{receipt.code}" for receipt in receipts]


POSITION = {f"{DELIVER}__results": {"at": "results", "match": "position", "status": "s", "code": "e.c"}}


def test_by_position() -> None:
    with stage(body({"s": "ok"}, {"s": "bad", "e": {"c": "E1"}}), **POSITION) as on:
        assert outcomes(on.destination.deliver(invented.batch(2, NAMES))) == ["accepted:None", "rejected:E1"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_positions_means_nothing(count: int) -> None:
    with stage(body(*[{"s": "ok"}] * count), **POSITION) as on, pytest.raises(UncertainError) as caught:
        on.destination.deliver(invented.batch(2, NAMES))
    assert caught.value.code == "answer_does_not_match"


def test_success_told_as_a_truth_value_and_codes_as_numbers() -> None:
    changes = {f"{DELIVER}__outcomes": {"true": "created", "false": "rejected"}, "transport__codes": {"409": "accepted"}}
    results = [{"id": invented.key(0), "s": True}, {"id": invented.key(1), "s": False, "e": {"c": 409}}]
    with stage(body(*results), **changes) as on:
        receipts = on.destination.deliver(invented.batch(2, NAMES))
    assert outcomes(receipts) == ["accepted:None", "accepted:409"]
    assert [receipt.created for receipt in receipts] == [True, None]


def test_without_a_status_an_error_is_a_rejection_and_silence_is_none() -> None:
    changes = {f"{DELIVER}__results": {"at": "", "match": "position", "code": "error"}, f"{DELIVER}__outcomes": {}}
    answer = {"body": [{"id": 1}, {"error": "NO"}, None]}
    with stage(answer, **changes) as on:
        receipts = on.destination.deliver(invented.batch(3, NAMES))
    assert outcomes(receipts) == ["accepted:None", "rejected:NO", "uncertain:unknown_status"]


@pytest.mark.parametrize("results", [None, {}, "text", 7, [7, "x", None, [], {"id": None}, {"id": {"a": 1}}]])
def test_strange_results_are_doubt(results: Any) -> None:
    with stage({"body": {"results": results}}) as on:
        try:
            receipts = on.destination.deliver(invented.batch(2, NAMES))
        except UncertainError as error:
            assert error.code == "answer_does_not_match"  # noqa: PT017 - either is right
        else:
            assert {receipt.outcome for receipt in receipts} == {Outcome.UNCERTAIN}


def test_a_key_that_was_not_sent_is_no_result_of_ours() -> None:
    with stage(body(ok(0), ok(77), ok(1))) as on:
        assert outcomes(on.destination.deliver(invented.batch(2, NAMES))) == ["accepted:None", "accepted:None"]


WHOLE = {f"{DELIVER}__results": {"match": "whole", "count": "taken"}, f"{DELIVER}__outcomes": {}}


def test_all_or_nothing() -> None:
    with stage({"body": {"taken": 2}}, **WHOLE) as on:
        assert outcomes(on.destination.deliver(invented.batch(2, NAMES))) == ["accepted:None"] * 2


@pytest.mark.parametrize("taken", [1, 3, 0, "2", True, None])
def test_all_or_nothing_that_counts_otherwise_is_doubt(taken: Any) -> None:
    with stage({"body": {"taken": taken}}, **WHOLE) as on, pytest.raises(UncertainError):
        on.destination.deliver(invented.batch(2, NAMES))


def test_no_content_is_success_where_nothing_is_told() -> None:
    with stage({"status": 204}, **{**WHOLE, f"{DELIVER}__results": {"match": "whole"}}) as on:
        assert outcomes(on.destination.deliver(invented.batch(2, NAMES))) == ["accepted:None"] * 2


def test_html_is_no_success_even_where_nothing_is_told() -> None:
    with stage({"text": "<html>"}, **{**WHOLE, f"{DELIVER}__results": {"match": "whole"}}) as on, pytest.raises(UncertainError):
        on.destination.deliver(invented.batch(2, NAMES))


ONE_BY_ONE = {
    "capabilities__batch_size": 1,
    "capabilities__lookup": True,
    "capabilities__suppress": True,
    "capabilities__suppress_fields": ["phone"],
    "capabilities__erase": True,
    DELIVER: {"method": "PUT", "path": "/{list}/leads/{key}", "results": {"match": "whole", "reference": "ref"}},
    "transport__operations__lookup": {"method": "GET", "path": "/leads/{key}"},
    "transport__operations__suppress": {"path": "/dnc", "record": {"number": {"from": "phone"}}, "results": {"match": "whole"}},
    "transport__operations__erase": {"method": "DELETE", "path": "/leads/{key}"},
}


def test_one_by_one() -> None:
    responses = [{"body": {"ref": "R1"}}, {"body": {}}, {"status": 404}, {"body": {}}, {"status": 204}, {"status": 404}]
    first, second = invented.batch(2, NAMES)
    with stage(*responses, options={"list": "a/b c"}, **ONE_BY_ONE) as on:
        (receipt,) = on.destination.deliver([first])
        found = on.destination.lookup([first.key, second.key])
        on.destination.suppress([first])
        erased = on.destination.erase([first.key, second.key])
    assert receipt.vendor_ref == "R1"
    assert list(found) == [first.key]
    assert outcomes(erased) == ["accepted:None", "accepted:absent"]
    asked = [(one.method, one.path) for one in on.vendor.received]
    assert asked == [
        ("PUT", f"/api/a%2Fb%20c/leads/{first.key}"),
        ("GET", f"/api/leads/{first.key}"),
        ("GET", f"/api/leads/{second.key}"),
        ("POST", "/api/dnc"),
        ("DELETE", f"/api/leads/{first.key}"),
        ("DELETE", f"/api/leads/{second.key}"),
    ]
    assert on.sent(0)["id"] == first.key
    assert on.sent(3) == {"number": first.fields.reveal()["phone"]}
    assert not on.vendor.received[4].body


def test_an_unknown_address_is_not_taken_for_an_unknown_lead() -> None:
    """404 after a delivery is a wrong path, not an absent record."""
    with stage({"status": 404}, **ONE_BY_ONE) as on, pytest.raises(TerminalError) as caught:
        on.destination.deliver(invented.batch(1, NAMES))
    assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ("", lambda leads: leads),
        ("data.inner.leads", lambda leads: {"source": "social", "list": 9, "data": {"inner": {"leads": leads}}}),
    ],
)
def test_where_the_records_stand(records: str, wanted: Any) -> None:
    changes = {
        f"{DELIVER}__records": records,
        f"{DELIVER}__body": {"source": {"const": "social"}, "list": {"from": "options.list"}},
    }
    (one,) = invented.batch(1, NAMES)
    with stage(body(ok(0)), options={"list": 9}, **changes) as on:
        on.destination.deliver([one])
    fields = one.fields.reveal()
    assert on.sent() == wanted([{"id": one.key, "phone": fields["phone"], "contact": {"name": fields["given_name"]}}])


def test_the_idempotency_key_belongs_to_the_batch() -> None:
    with stage(body(), body(), body(), **{f"{DELIVER}__idempotency_header": "Idempotency-Key"}) as on:
        for batch in (invented.batch(2, NAMES), invented.batch(2, NAMES), invented.batch(3, NAMES)):
            on.destination.deliver(batch)
    first, again, other = (one.headers["idempotency-key"] for one in on.vendor.received)
    assert first == again != other


@pytest.mark.parametrize(
    ("auth", "login", "header", "value"),
    [
        ({"scheme": "bearer"}, None, "authorization", "Bearer s3cr3t"),
        ({"scheme": "header", "header": "X-Api-Key"}, None, "x-api-key", "s3cr3t"),
        ({"scheme": "basic"}, "логин", "authorization", "Basic " + base64.b64encode("логин:s3cr3t".encode()).decode()),
    ],
)
def test_signing_in(auth: dict[str, str], login: str | None, header: str, value: str) -> None:
    with stage(body(), login=login, secret="s3cr3t", transport__auth=auth, transport__headers={"X-Client": "leadgate"}) as on:
        on.destination.deliver(invented.batch(1, NAMES))
    assert on.vendor.received[0].headers[header] == value
    assert on.vendor.received[0].headers["x-client"] == "leadgate"


@pytest.mark.parametrize(("scheme", "login"), [("bearer", None), ("basic", None), ("basic", "only a login")])
def test_missing_credentials_are_said_before_anything_is_sent(scheme: str, login: str | None) -> None:
    with stage(login=login, transport__auth={"scheme": scheme}) as on:
        with pytest.raises(TerminalError) as caught:
            on.destination.deliver(invented.batch(1, NAMES))
        health = on.destination.check()
    assert caught.value.code == "credentials_missing"
    assert not health.ok
    assert "login and secret" in health.advice
    assert not on.vendor.received


ERRORS = {
    "transport__errors": {
        "at": "error",
        "codes": {"SLOW": "throttled", "BUSY": "transient", "NO": "terminal", "BROKEN": "uncertain"},
    }
}


@pytest.mark.parametrize("status", [200, 400, 403, 500, 503])
@pytest.mark.parametrize(
    ("word", "kind"), [("SLOW", TransientError), ("BUSY", TransientError), ("NO", TerminalError), ("BROKEN", UncertainError)]
)
def test_an_error_the_manifest_knows_means_what_it_says_under_any_status(status: int, word: str, kind: type[Exception]) -> None:
    answer = {"status": status, "headers": {"Retry-After": "5"}, "body": {"error": word}}
    with stage(answer, **ERRORS) as on, pytest.raises(kind) as caught:
        on.destination.deliver(invented.batch(1, NAMES))
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after == 5.0
        assert caught.value.throttled is (word == "SLOW")


def test_an_error_nobody_knows_under_success_is_doubt_even_beside_results() -> None:
    with stage({"body": {"error": "?", "results": [ok(0)]}}, **ERRORS) as on, pytest.raises(UncertainError):
        on.destination.deliver(invented.batch(1, NAMES))


@pytest.mark.parametrize("nothing", [None, False, {}, []])
def test_an_error_that_is_none(nothing: Any) -> None:
    with stage({"body": {"error": nothing, "results": [ok(0)]}}, **ERRORS) as on:
        assert outcomes(on.destination.deliver(invented.batch(1, NAMES))) == ["accepted:None"]


def test_a_reference_or_code_that_repeats_a_value_is_not_kept() -> None:
    one = invented.disclosure(0, NAMES, phone="79000000001", given_name="Canary")
    results = [{"id": one.key, "s": "bad", "ref": "79000000001", "e": {"c": "canary"}}]
    changes = {f"{DELIVER}__results": {"at": "results", "key": "id", "status": "s", "code": "e.c", "reference": "ref"}}
    with stage(body(*results), **changes) as on:
        (receipt,) = on.destination.deliver([one])
    assert receipt.vendor_ref is None
    assert receipt.code == "unreadable_code"


def test_check_says_what_to_mend() -> None:
    check = {"path": "/me", "expect": {"list.known": {"value": "true", "advice": "Create the list first."}}}
    with stage(
        {"body": {"list": {"known": False}}}, {"body": {"list": {"known": True}}}, transport__operations__check=check
    ) as on:
        missing, fine = on.destination.check(), on.destination.check()
    assert (missing.ok, missing.advice) == (False, "Create the list first.")
    assert fine.ok


def test_an_option_that_is_not_set_is_named() -> None:
    with (
        pytest.raises(ConfigurationError) as caught,
        stage(**{DELIVER: {**ONE_BY_ONE[DELIVER], "path": "/{campaign}/{key}"}, "capabilities__batch_size": 1}),
    ):
        pass
    assert caught.value.field == "vendor/connector.yaml: transport.operations.deliver.path"
    assert "campaign" in caught.value.message


def test_a_base_address_in_the_clear_is_refused_before_anything_is_sent() -> None:
    endpoint = Endpoint(destination="vendor", base_url="http://crm.example.org", hosts=frozenset({"crm.example.org"}))
    destination = build({}, endpoint)
    with pytest.raises(TerminalError) as caught:
        destination.deliver(invented.batch(1, NAMES))
    assert caught.value.code == "plain_http"
    assert "https" in destination.check().advice
