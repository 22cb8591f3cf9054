"""What only Salesforce asks for: ways in, the quota, sessions that end, and an erasure that is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Endpoint, Manifest
from integrations.destinations.salesforce.connector import SalesforceDestination
from integrations.testing import invented
from integrations.testing.knobs import Garbage
from integrations.testing.salesforce import EXTERNAL_ID, Salesforce
from integrations.testing.server import SimulatorServer
from schemas.delivery import Disclosure
from schemas.errors import ConfigurationError, DeliveryError, TerminalError, TransientError, UncertainError
from schemas.personal import Personal
from schemas.vocabulary import Outcome


@pytest.fixture
def org() -> Salesforce:
    return Salesforce()


@pytest.fixture
def server(org: Salesforce) -> Iterator[SimulatorServer]:
    with SimulatorServer(org) as server:
        yield server


def endpoint(server: SimulatorServer, **changes: Any) -> Endpoint:
    options: Mapping[str, Any] = {**server.simulator.options, **changes.pop("options", {})}
    made = Endpoint(
        destination="org",
        base_url=server.url,
        hosts=frozenset({server.host}),
        login=server.simulator.login,
        secret=Personal(server.simulator.secret),
        options=options,
    )
    return replace(made, **changes)


def connect(server: SimulatorServer, **changes: Any) -> Destination:
    return registry.destination("salesforce", endpoint(server, **changes))


def leads(count: int) -> list[Disclosure]:
    return invented.batch(count, sorted(registry.manifest("salesforce").fields_for("crm_followup")))


def failure(destination: Destination, batch: list[Disclosure]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        destination.deliver(batch)
    assert caught.value.__context__ is None, "the client's exception must not travel along"
    return caught.value


# -- ways in ------------------------------------------------------------------------------------------------------------


def test_one_sign_in_serves_many_calls(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server)
    for _ in range(3):
        destination.deliver(leads(2))
    assert org.signed_in == 1


def test_jwt_names_user_and_audience_and_is_signed(org: Salesforce, server: SimulatorServer) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    claims: list[dict[str, Any]] = []

    def verify(assertion: str) -> bool:
        audience = "https://test.salesforce.com"
        claims.append(jwt.decode(assertion, key.public_key(), algorithms=["RS256"], audience=audience))
        return True

    org.verify_assertion = verify
    destination = connect(
        server,
        login="integration@example.org",
        secret=Personal(pem),
        options={"auth": "jwt", "consumer_key": "3MVG9", "audience": "https://test.salesforce.com"},
    )
    assert [receipt.outcome for receipt in destination.deliver(leads(1))] == [Outcome.ACCEPTED]
    assert (claims[0]["iss"], claims[0]["sub"]) == ("3MVG9", "integration@example.org")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret": None}, "credentials_missing"),
        ({"login": None}, "credentials_missing"),
        ({"secret": Personal("wrong")}, "unauthorized"),
        ({"options": {"auth": "magic"}}, "unknown_auth"),
        ({"options": {"auth": "jwt"}}, "credentials_missing"),
        ({"options": {"auth": "jwt", "consumer_key": "3MVG9"}, "secret": Personal("no pem")}, "private_key_unusable"),
        ({"options": {"auth": "session"}, "secret": Personal("expired")}, "unauthorized"),
    ],
)
def test_a_way_in_that_is_none_needs_a_person(
    org: Salesforce, server: SimulatorServer, changes: dict[str, Any], code: str
) -> None:
    destination = connect(server, **changes)
    error = failure(destination, leads(1))
    assert isinstance(error, TerminalError)
    assert error.code == code
    health = destination.check()
    assert not health.ok
    assert health.advice
    assert org.world.rows() == []


def test_an_instance_that_was_not_allowed_gets_nothing(org: Salesforce, server: SimulatorServer) -> None:
    org.base_url = "https://elsewhere.example.org"
    error = failure(connect(server), leads(1))
    assert (type(error), error.code) == (TerminalError, "foreign_host")


def test_an_ended_session_is_renewed_by_the_next_attempt(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server)
    destination.deliver(leads(1))
    org.expire_tokens()
    error = failure(destination, leads(2))
    assert isinstance(error, TransientError)
    assert (error.code, error.retry_after) == ("session_expired", 0.0)
    assert {receipt.outcome for receipt in destination.deliver(leads(2))} == {Outcome.ACCEPTED}
    assert org.signed_in == 2


def test_a_token_that_was_never_good_is_not_fetched_for_ever(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server)
    org.knobs.refuse(401)
    for _ in range(3):
        error = failure(destination, leads(1))
        assert (type(error), error.code) == (TerminalError, "unauthorized")
    assert org.signed_in == 1


def test_a_token_endpoint_in_trouble_is_tried_again(org: Salesforce, server: SimulatorServer) -> None:
    org.knobs.refuse(503, on=["sign_in"], times=1)
    destination = connect(server)
    assert isinstance(failure(destination, leads(1)), TransientError)
    assert [receipt.outcome for receipt in destination.deliver(leads(1))] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("form", list(Garbage))
def test_a_token_nobody_can_read_is_no_token(org: Salesforce, server: SimulatorServer, form: Garbage) -> None:
    org.knobs.garbage(form, on=["sign_in"], times=1)
    error = failure(connect(server), leads(1))
    assert not isinstance(error, UncertainError), "nothing was written yet"
    assert org.world.rows() == []


# -- quota --------------------------------------------------------------------------------------------------------------


def test_a_quota_used_up_is_a_throttle(org: Salesforce, server: SimulatorServer) -> None:
    org.api_used = org.api_limit
    error = failure(connect(server), leads(1))
    assert isinstance(error, TransientError)
    assert error.throttled
    assert error.retry_after == 900.0


def test_we_stop_before_the_quota_is_used_up(org: Salesforce, server: SimulatorServer) -> None:
    org.api_used = int(org.api_limit * 0.96)
    destination = connect(server)
    assert [receipt.outcome for receipt in destination.deliver(leads(1))] == [Outcome.ACCEPTED]
    used = org.api_used
    error = failure(destination, leads(1))
    assert isinstance(error, TransientError)
    assert (error.code, error.throttled) == ("quota_nearly_used", True)
    assert org.api_used == used, "not another call"
    assert set(destination.lookup([leads(1)[0].key])) == {leads(1)[0].key}, "doubt may still be resolved"


def test_the_share_can_be_set(org: Salesforce, server: SimulatorServer) -> None:
    org.api_used = int(org.api_limit * 0.96)
    destination = connect(server, options={"quota_share": 1})
    for _ in range(2):
        assert [receipt.outcome for receipt in destination.deliver(leads(1))] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("options", [{"quota_share": 0}, {"quota_share": 1.5}, {"quota_share": "much"}, {"hard_delete": "yes"}])
def test_an_option_of_the_wrong_shape_is_named(server: SimulatorServer, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(server, options=options)
    assert (caught.value.code, caught.value.field) == ("bad_option", "org")


# -- suppress and erase ---------------------------------------------------------------------------------------------------


def test_suppressing_creates_nobody_and_marks_every_double(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server)
    here, doubled, absent = leads(3)
    destination.deliver([here, doubled])
    org.world.append(doubled.key, {EXTERNAL_ID: doubled.key})
    receipts = destination.suppress([here, doubled, absent])
    assert [(receipt.outcome, receipt.code) for receipt in receipts] == [
        (Outcome.ACCEPTED, None),
        (Outcome.ACCEPTED, None),
        (Outcome.ACCEPTED, "absent"),
    ]
    assert len(org.world.rows()) == 3
    assert all(row.fields["DoNotCall"] is True and row.fields["HasOptedOutOfEmail"] is True for row in org.world.rows())


def test_without_the_option_nothing_is_called_erased(server: SimulatorServer) -> None:
    destination = connect(server)
    assert not destination.manifest.capabilities.erase
    with pytest.raises(TerminalError) as caught:
        destination.erase([leads(1)[0].key])
    assert caught.value.code == "unsupported"


def test_hard_delete_destroys_past_the_recycle_bin(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server, options={"hard_delete": True})
    one, other = leads(2)
    destination.deliver([one, other])
    receipts = destination.erase([one.key, invented.key(9999)])
    assert [(receipt.outcome, receipt.code) for receipt in receipts] == [(Outcome.ACCEPTED, None), (Outcome.ACCEPTED, "absent")]
    assert [row.key for row in org.world.rows()] == [other.key]
    assert org.recycle_bin == []
    assert not registry.manifest("salesforce").capabilities.erase, "the shared manifest is untouched"


def test_an_org_without_the_permission_says_so(org: Salesforce, server: SimulatorServer) -> None:
    org._bulk.allowed = False
    destination = connect(server, options={"hard_delete": True})
    destination.deliver(leads(1))
    with pytest.raises(TerminalError):
        destination.erase([leads(1)[0].key])
    assert len(org.world.rows()) == 1


# -- look up, check, manifest -----------------------------------------------------------------------------------------------


def test_many_keys_are_asked_in_chunks(org: Salesforce, server: SimulatorServer) -> None:
    destination = connect(server)
    batch = leads(200)
    destination.deliver(batch)
    assert len(destination.lookup([*(one.key for one in batch), *map(invented.key, range(5000, 5050))])) == 200
    assert org.world.calls["lookup"] == 3


def test_check_names_the_fields_that_are_missing(server: SimulatorServer) -> None:
    declared = registry.manifest("salesforce")
    wanted = replace(declared, mapping={**declared.mapping, "Shoe_Size__c": {"const": "44"}})
    health = SalesforceDestination(manifest=wanted, endpoint=endpoint(server)).check()
    assert not health.ok
    assert "Shoe_Size__c" in health.message
    other = replace(declared, transport={**declared.transport, "external_id": "Other_Id__c"})
    health = SalesforceDestination(manifest=other, endpoint=endpoint(server)).check()
    assert not health.ok
    assert "external id" in health.message


@pytest.mark.parametrize("key", ["object", "external_id", "suppress", "deferred_codes", "quota_share", "api_version"])
def test_a_manifest_that_lacks_something_is_named(server: SimulatorServer, key: str) -> None:
    declared: Manifest = registry.manifest("salesforce")
    lacking = replace(declared, transport={name: value for name, value in declared.transport.items() if name != key})
    with pytest.raises(ConfigurationError) as caught:
        SalesforceDestination(manifest=lacking, endpoint=endpoint(server))
    assert caught.value.field == f"salesforce/connector.yaml: transport.{key}"


def test_the_vendors_prose_is_heard_by_nobody(
    org: Salesforce, server: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = leads(1)[0]
    org.knobs.reject(keys=[one.key], code="INVALID_EMAIL_ADDRESS", field="Email")
    (receipt,) = connect(server).deliver([one])
    assert (receipt.outcome, receipt.field) == (Outcome.REJECTED, "email")
    assert one.fields.reveal()["email"] not in repr(receipt) + caplog.text
