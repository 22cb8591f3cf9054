"""A SOAP destination out of a manifest: what only SOAP can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from lxml import etree

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Endpoint, Limits, Manifest
from integrations.declarative.soap import SoapDestination
from integrations.testing import invented
from integrations.testing.knobs import FaultKind, Garbage, Knobs
from integrations.testing.server import SimulatorServer
from integrations.testing.soap_call_center import SoapCallCenter
from integrations.testing.soap_wire import SoapFaultError
from schemas.delivery import Disclosure
from schemas.errors import ConfigurationError, DeliveryError, TerminalError, TransientError, UncertainError
from schemas.personal import Personal
from schemas.vocabulary import Outcome


@pytest.fixture
def center() -> SoapCallCenter:
    return SoapCallCenter()


@pytest.fixture
def server(center: SoapCallCenter) -> Iterator[SimulatorServer]:
    with SimulatorServer(center) as server:
        yield server


def endpoint(server: SimulatorServer, **changes: Any) -> Endpoint:
    options: Mapping[str, Any] = {**server.simulator.options, **changes.pop("options", {})}
    made = Endpoint(
        destination="center",
        base_url=server.url,
        hosts=frozenset({server.host}),
        login=server.simulator.login,
        secret=Personal(server.simulator.secret),
        options=options,
    )
    return replace(made, **changes)


@pytest.fixture
def destination(server: SimulatorServer) -> Iterator[Destination]:
    made = registry.destination("soap_call_center", endpoint(server))
    yield made
    made.close()


FIELDS = sorted(registry.manifest("soap_call_center").fields_for("callback"))


def leads(count: int, **values: str) -> list[Disclosure]:
    return [invented.disclosure(number, FIELDS, **values) for number in range(count)]


def without(one: Disclosure, field: str) -> Disclosure:
    return msgspec.structs.replace(
        one, fields=Personal({name: value for name, value in one.fields.reveal().items() if name != field})
    )


def failure(destination: Destination, batch: list[Disclosure]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        destination.deliver(batch)
    return caught.value


# -- records ------------------------------------------------------------------------------------------------------------


def test_what_the_center_holds_is_what_was_mapped(center: SoapCallCenter, destination: Destination) -> None:
    (one,) = leads(1)
    destination.deliver([one])
    fields = one.fields.reveal()
    assert center.world.find(one.key)[0].fields == {
        "externalId": one.key,
        "phone": fields["phone"],
        "givenName": fields["given_name"],
        "familyName": fields["family_name"],
        "language": "ru",
        "country": "RU",
        "brand": "lada",
        "topic": "test_drive",
        "carModel": fields["car_model"],
        "dealer": fields["dealer"],
        "bookingReference": fields["booking_reference"],
        "flight": fields["flight"],
        "consentId": fields["consent_id"],
        "consentGivenAt": "2026-03-02T09:00:00Z",
        "callList": "callback",
        "callable": "true",
    }


def test_a_record_that_does_not_fit_is_not_sent_and_stops_nobody(center: SoapCallCenter, destination: Destination) -> None:
    batch = leads(3)
    batch[1] = without(batch[1], "phone")
    receipts = destination.deliver(batch)
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert (receipts[1].code, receipts[1].field) == ("missing_element", "phone")
    assert len(center.world.rows()) == 2


def test_a_batch_of_misfits_is_no_call(center: SoapCallCenter, destination: Destination) -> None:
    receipts = destination.deliver([without(one, "phone") for one in leads(2)])
    assert {receipt.outcome for receipt in receipts} == {Outcome.REJECTED}
    assert not center.world.calls


def test_a_sign_xml_cannot_carry_does_not_stop_a_lead(center: SoapCallCenter, destination: Destination) -> None:
    (one,) = leads(1, given_name="Ада\x00\x07")
    assert [receipt.outcome for receipt in destination.deliver([one])] == [Outcome.ACCEPTED]
    assert center.world.find(one.key)[0].fields["givenName"] == "Ада\ufffd\ufffd"


def spoilt(one: Disclosure) -> Disclosure:
    """A name no call center takes: the schema refuses it, and with it the whole batch."""
    return msgspec.structs.replace(one, fields=Personal({**one.fields.reveal(), "given_name": "Ж" * 300}))


def test_records_the_schema_refuses_are_named_and_stop_nobody(center: SoapCallCenter, destination: Destination) -> None:
    batch = leads(5)
    batch[1], batch[3] = spoilt(batch[1]), spoilt(batch[3])
    receipts = destination.deliver(batch)
    assert [(receipt.outcome, receipt.code, receipt.field) for receipt in receipts] == [
        (Outcome.ACCEPTED, None, None),
        (Outcome.REJECTED, "SCHEMA_VIOLATION", "given_name"),
        (Outcome.ACCEPTED, None, None),
        (Outcome.REJECTED, "SCHEMA_VIOLATION", "given_name"),
        (Outcome.ACCEPTED, None, None),
    ]
    assert center.world.doubles() == []
    assert len(center.world.rows()) == 3


def test_one_bad_record_among_a_hundred_is_found_though_nobody_names_it(
    center: SoapCallCenter, server: SimulatorServer
) -> None:
    center.names_nobody = True
    destination = registry.destination("soap_call_center", endpoint(server))
    batch = leads(100)
    batch[67] = spoilt(batch[67])
    receipts = destination.deliver(batch)
    assert [at for at, receipt in enumerate(receipts) if receipt.outcome is Outcome.REJECTED] == [67]
    assert {receipt.outcome for at, receipt in enumerate(receipts) if at != 67} == {Outcome.ACCEPTED}
    assert center.world.doubles() == []
    assert center.world.calls["write"] <= 16


def test_halving_ends_and_loses_nobody(center: SoapCallCenter, server: SimulatorServer) -> None:
    center.names_nobody = True
    destination = registry.destination("soap_call_center", endpoint(server))
    receipts = destination.deliver([spoilt(one) for one in leads(100)])
    assert len(receipts) == 100
    assert {(receipt.outcome, receipt.code) for receipt in receipts} <= {
        (Outcome.REJECTED, "SCHEMA_VIOLATION"),
        (Outcome.DEFERRED, "batch_refused"),
    }
    assert center.world.calls["write"] == 16


class Breaking(SoapCallCenter):
    """Refuses a batch because of a record, and breaks right afterwards."""

    trouble: Callable[[Knobs], None]

    def _validate(self, request: etree._Element) -> None:
        try:
            super()._validate(request)
        except SoapFaultError:
            self.trouble(self.knobs)
            raise


@pytest.mark.parametrize(
    ("trouble", "outcome", "code"),
    [
        (lambda knobs: knobs.refuse(502), Outcome.UNCERTAIN, "http_502"),
        (lambda knobs: knobs.throttle("7"), Outcome.DEFERRED, "throttled"),
        (lambda knobs: knobs.refuse(403), Outcome.DEFERRED, "forbidden"),
    ],
)
def test_trouble_with_the_others_does_not_unsay_the_rejection(
    trouble: Callable[[Knobs], None], outcome: Outcome, code: str
) -> None:
    center = Breaking()
    center.trouble = trouble
    batch = leads(3)
    batch[0] = spoilt(batch[0])
    with SimulatorServer(center) as server:
        receipts = registry.destination("soap_call_center", endpoint(server)).deliver(batch)
    assert [receipt.outcome for receipt in receipts] == [Outcome.REJECTED, outcome, outcome]
    assert receipts[1].code == code


def test_a_rate_limit_is_not_passed_by_sending_again(center: SoapCallCenter, server: SimulatorServer) -> None:
    limited = registry.destination("soap_call_center", endpoint(server, limits=Limits(calls_per_second=1.0)))
    batch = leads(3)
    batch[0] = spoilt(batch[0])
    outcomes = [receipt.outcome for receipt in limited.deliver(batch)]
    assert outcomes == [Outcome.REJECTED, Outcome.DEFERRED, Outcome.DEFERRED]
    assert center.world.calls["write"] == 1


def test_a_code_that_means_something_milder(center: SoapCallCenter, destination: Destination) -> None:
    batch = leads(2)
    center.knobs.reject(keys=[batch[0].key], code="LINE_BUSY")
    receipts = destination.deliver(batch)
    assert [(receipt.outcome, receipt.code) for receipt in receipts] == [
        (Outcome.DEFERRED, "LINE_BUSY"),
        (Outcome.ACCEPTED, None),
    ]


# -- faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("AuthenticationFault", TerminalError, "unauthorized"),
        ("ThrottledFault", TransientError, "throttled"),
        ("UnavailableFault", TransientError, "unavailable"),
        ("Client", TerminalError, "fault_client"),
        ("Server", UncertainError, "fault_server"),
    ],
)
def test_a_fault_means_what_it_says(
    center: SoapCallCenter, destination: Destination, fault: str, kind: type[DeliveryError], code: str
) -> None:
    center.knobs.error_inside(code=fault)
    error = failure(destination, leads(2))
    assert (type(error), error.code) == (kind, code)
    assert center.world.rows() == []


def test_a_validation_fault_about_nobody_in_particular(center: SoapCallCenter, destination: Destination) -> None:
    center.knobs.error_inside(code="ValidationFault")
    receipts = destination.deliver(leads(2))
    assert {(receipt.outcome, receipt.code) for receipt in receipts} == {(Outcome.REJECTED, "INJECTED")}


def test_a_call_list_nobody_knows_needs_a_person(center: SoapCallCenter, server: SimulatorServer) -> None:
    destination = registry.destination("soap_call_center", endpoint(server, options={"call_list": "nowhere"}))
    error = failure(destination, leads(2))
    assert (type(error), error.code) == (TerminalError, "request_refused")
    health = destination.check()
    assert not health.ok
    assert "call_list" in health.advice


def test_a_throttle_waits_as_long_as_it_is_told(center: SoapCallCenter, destination: Destination) -> None:
    center.knobs.throttle("11", times=1)
    error = failure(destination, leads(1))
    assert isinstance(error, TransientError)
    assert (error.throttled, error.retry_after) == (True, 11.0)


# -- doubt, and what resolves it --------------------------------------------------------------------------------------------


def test_repeating_blindly_would_double_and_the_look_up_shows_it(center: SoapCallCenter, destination: Destination) -> None:
    """Why write_mode is search_then_write: the service itself prevents nothing."""
    (one,) = leads(1)
    center.knobs.take_then(FaultKind.TAKE_THEN_REFUSE, times=1)
    assert isinstance(failure(destination, [one]), UncertainError)
    assert destination.lookup([one.key])[one.key].count == 1
    destination.deliver([one])
    found = destination.lookup([one.key])[one.key]
    assert (found.count, found.vendor_ref) == (2, "C000001")
    assert center.world.doubles() == [one.key]


@pytest.mark.parametrize("form", list(Garbage))
def test_a_look_up_that_cannot_be_read_never_means_absent(
    center: SoapCallCenter, destination: Destination, form: Garbage
) -> None:
    (one,) = leads(1)
    destination.deliver([one])
    center.knobs.garbage(form, on=["lookup"], times=1)
    with pytest.raises(DeliveryError) as caught:
        destination.lookup([one.key])
    assert not isinstance(caught.value, UncertainError), "a look-up leaves no doubt of its own"


def test_more_keys_than_a_call_takes_are_asked_in_parts(center: SoapCallCenter, destination: Destination) -> None:
    batch = leads(100)
    destination.deliver(batch)
    keys = [invented.key(number) for number in range(150)]
    assert len(destination.lookup(keys)) == 100
    assert center.world.calls["lookup"] == 2
    assert {receipt.outcome for receipt in destination.erase(keys)} == {Outcome.ACCEPTED}
    assert center.world.rows() == []


# -- signing in ---------------------------------------------------------------------------------------------------------


def test_a_request_that_is_replayed_is_refused_by_the_center(center: SoapCallCenter, server: SimulatorServer) -> None:
    made = SoapDestination(manifest=registry.manifest("soap_call_center"), endpoint=endpoint(server))
    made.check()
    envelope = made._service._build("Ping", {}, None)
    answers = [requests.post(server.url, data=envelope.body, headers=dict(envelope.headers), timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 500]
    assert "TOKEN_REPLAYED" in answers[1].text


def test_the_password_never_travels_in_a_digest(center: SoapCallCenter, server: SimulatorServer) -> None:
    made = SoapDestination(manifest=registry.manifest("soap_call_center"), endpoint=endpoint(server))
    made.check()
    assert center.secret.encode() not in made._service._build("Ping", {}, None).body


@pytest.mark.parametrize("security", ["username_token_text", "username_token_digest"])
def test_both_kinds_of_token_are_taken(server: SimulatorServer, security: str) -> None:
    assert registry.destination("soap_call_center", endpoint(server, options={"security": security})).check().ok


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"login": None}, "credentials_missing"),
        ({"secret": None}, "credentials_missing"),
        ({"secret": Personal("wrong")}, "unauthorized"),
        ({"options": {"security": "none"}}, "unauthorized"),
        ({"options": {"security": "basic"}}, "unauthorized"),
    ],
)
def test_who_is_not_let_in_needs_a_person(
    center: SoapCallCenter, server: SimulatorServer, changes: dict[str, Any], code: str
) -> None:
    destination = registry.destination("soap_call_center", endpoint(server, **changes))
    error = failure(destination, leads(1))
    assert (type(error), error.code) == (TerminalError, code)
    assert center.world.rows() == []


# -- manifest and WSDL ------------------------------------------------------------------------------------------------------


def changed(**parts: Any) -> Manifest:
    declared = registry.manifest("soap_call_center")
    return replace(declared, transport={**declared.transport, **parts})


def operations(verb: str, **parts: Any) -> dict[str, Any]:
    declared = registry.manifest("soap_call_center").transport["operations"]
    return {**declared, verb: {**declared[verb], **parts}}


@pytest.mark.parametrize(
    ("manifest", "place"),
    [
        (changed(wsdl="http://example.org/x.wsdl"), "soap_call_center/connector.yaml: transport.wsdl"),
        (changed(wsdl="nowhere.wsdl"), "nowhere.wsdl"),
        (changed(binding="Nope"), "center"),
        (changed(colour="red"), "soap_call_center/connector.yaml: transport.colour"),
        (changed(security="rot13"), "soap_call_center/connector.yaml: transport.security"),
        (changed(faults={"X": {"means": "nothing"}}), "soap_call_center/connector.yaml: transport.faults.X.means"),
        (changed(operations=operations("deliver", name="Nope")), "Nope"),
        (changed(operations=operations("deliver", records="leads")), "AddLeads: leads"),
        (changed(operations=operations("deliver", outcomes={"OK": "good"})), "transport.operations.deliver.outcomes.OK"),
        (changed(operations=operations("deliver", outcomes={})), "transport.operations.deliver.outcomes"),
        (
            changed(operations=operations("deliver", arguments={"callList": {"from": "options.nothing"}})),
            "transport.operations.deliver.arguments.callList.from",
        ),
    ],
)
def test_a_manifest_that_cannot_be_followed_names_the_place(server: SimulatorServer, manifest: Manifest, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SoapDestination(manifest=manifest, endpoint=endpoint(server))
    assert place in str(caught.value.field)


def test_a_capability_without_an_operation_is_refused(server: SimulatorServer) -> None:
    declared = registry.manifest("soap_call_center")
    left = {verb: node for verb, node in declared.transport["operations"].items() if verb != "erase"}
    manifest = replace(declared, transport={**declared.transport, "operations": left})
    with pytest.raises(ConfigurationError) as caught:
        SoapDestination(manifest=manifest, endpoint=endpoint(server))
    assert "erase" in str(caught.value.field)


def test_the_customers_own_wsdl_may_lie_anywhere(server: SimulatorServer, tmp_path: Path) -> None:
    folder = registry.folder("soap_call_center")
    for name in ("call_center.wsdl", "call_center.xsd"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    made = registry.destination("soap_call_center", endpoint(server, options={"wsdl": str(tmp_path / "call_center.wsdl")}))
    assert made.check().ok


def test_another_versions_wsdl_is_found_out_and_nothing_is_stored(
    center: SoapCallCenter, server: SimulatorServer, tmp_path: Path
) -> None:
    """The vendor's contract moved to another namespace: our request is refused as a whole, and a person must look."""
    folder = registry.folder("soap_call_center")
    for name in ("call_center.wsdl", "call_center.xsd"):
        text = (folder / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("call-center/1", "call-center/0"), encoding="utf-8")
    made = registry.destination("soap_call_center", endpoint(server, options={"wsdl": str(tmp_path / "call_center.wsdl")}))
    error = failure(made, leads(2))
    assert isinstance(error, TerminalError)
    assert center.world.rows() == []


def test_a_log_in_page_for_a_look_up_needs_a_person(center: SoapCallCenter, destination: Destination) -> None:
    center.knobs.garbage(Garbage.HTML, on=["lookup"], times=1)
    with pytest.raises(TerminalError) as caught:
        destination.lookup([invented.key(1)])
    assert caught.value.code == "not_soap"
