"""The compiled writer writes what zeep would, faster, and names a misfit alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from zeep import Client

import integrations.destinations as vendors
from integrations.contract.manifest import Endpoint, Limits
from integrations.transports.soap import SoapService
from integrations.transports.soap_records import Batch, as_text, as_xml, mark_place
from integrations.transports.wsdl import load_wsdl
from schemas.errors import ConfigurationError
from schemas.soap_schema import Security

WSDL = Path(next(iter(vendors.__path__))) / "soap_call_center" / "call_center.wsdl"

NESTED = """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t">
    <xs:complexType name="Pair"><xs:sequence>
      <xs:element name="name" type="xs:string"/><xs:element name="value" type="xs:string"/></xs:sequence></xs:complexType>
    <xs:complexType name="Entry"><xs:sequence>
      <xs:element name="id" type="xs:string"/>
      <xs:element name="pair" type="t:Pair" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
    <xs:element name="In"><xs:complexType><xs:sequence>
      <xs:element name="session" type="xs:string"/>
      <xs:element name="entries"><xs:complexType><xs:sequence>
        <xs:element name="entry" type="t:Entry" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
      <xs:element name="flag" type="xs:boolean"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="Out" type="xs:string"/>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:In"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:Out"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="Do"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="Do"><soap:operation soapAction="do"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>
    </wsdl:operation></wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="P" binding="t:B"><soap:address location="http://example.invalid/"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""


def service_of(path: Path) -> SoapService:
    endpoint = Endpoint(destination="dest", base_url="http://127.0.0.1:9/soap", hosts=frozenset({"127.0.0.1"}))
    return SoapService(wsdl=load_wsdl(path), endpoint=endpoint, limits=Limits(), security=Security.NONE)


@pytest.fixture
def service() -> Iterator[SoapService]:
    made = service_of(WSDL)
    yield made
    made.close()


@pytest.fixture
def nested(tmp_path: Path) -> Iterator[SoapService]:
    path = tmp_path / "nested.wsdl"
    path.write_text(NESTED)
    made = service_of(path)
    yield made
    made.close()


def record(number: int = 0, **changes: Any) -> dict[str, Any]:
    values = {
        "externalId": f"{'a' * 25}{'abcdefgh'[number]}",
        "phone": "+79000000001",
        "givenName": "Иван ا 😀",
        "language": "ru",
        "brand": "lada",
        "topic": "price",
        "consentId": "c1",
        "consentGivenAt": "2026-01-01T00:00:00Z",
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def written(service: SoapService, batch: Batch, records: list[dict[str, Any]], arguments: dict[str, Any], name: str) -> bytes:
    prepared, misfits = batch.prepare(records)
    assert misfits == {}
    return service._build(name, arguments, prepared).body


def canonical(body: bytes) -> bytes:
    return etree.tostring(etree.fromstring(body), method="c14n2", strip_text=True)


def test_the_request_is_what_zeep_alone_would_write(service: SoapService) -> None:
    records = [record(0), record(1, givenName=None, country="RU")]
    ours = written(service, service.batch("AddLeads", "lead"), records, {"callList": "x"}, "AddLeads")
    client = Client(load_wsdl(WSDL))
    theirs = client.create_message(client.service, "AddLeads", callList="x", lead=records)
    assert canonical(ours) == canonical(etree.tostring(theirs))


def test_nested_records_go_through_zeep_and_land_between_their_neighbours(nested: SoapService) -> None:
    entry = {"id": "1", "pair": [{"name": "a", "value": "x"}, {"name": "b", "value": "bad\x00sign"}]}
    body = written(nested, nested.batch("Do", "entries.entry"), [entry], {"session": "s", "flag": True}, "Do")
    request = etree.fromstring(body).find("{*}Body")[0]
    assert [etree.QName(child).localname for child in request] == ["session", "entries", "flag"]
    assert [node.text for node in request.iter("{*}value", "value")] == ["x", "bad\ufffdsign"]


def test_a_nested_misfit_leaves_nothing_of_it_behind(nested: SoapService) -> None:
    good = {"id": "1", "pair": [{"name": "a", "value": "x"}]}
    prepared, misfits = nested.batch("Do", "entries.entry").prepare([{"id": "2", "pair": []}, good, {"oops": "1"}])
    assert sorted(misfits) == [0, 2]
    assert {misfit.code for misfit in misfits.values()} == {"does_not_fit_wsdl"}
    assert len(prepared.written) == 1


def test_a_misfit_is_named_by_element_and_left_out(service: SoapService) -> None:
    batch = service.batch("AddLeads", "lead")
    prepared, misfits = batch.prepare([record(0), record(1, phone=None), record(2, shoeSize="44")])
    assert {at: (misfit.code, misfit.element) for at, misfit in misfits.items()} == {
        1: ("missing_element", "phone"),
        2: ("not_in_wsdl", "shoeSize"),
    }
    assert len(prepared.written) == 1


def test_arguments_before_and_after_keep_their_order(service: SoapService) -> None:
    body = written(service, service.batch("AddLeads", "lead"), [record(0)], {"callList": "x"}, "AddLeads")
    request = etree.fromstring(body).find("{*}Body")[0]
    assert [etree.QName(child).localname for child in request] == ["callList", "lead"]


def test_keys_alone_are_a_list_of_elements(service: SoapService) -> None:
    body = written(service, service.batch("FindLeads", "externalId"), ["a" * 26, "b" * 26], {}, "FindLeads")  # type: ignore[list-item]
    assert [node.text for node in etree.fromstring(body).iter("{*}externalId")] == ["a" * 26, "b" * 26]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        ("a\tb\nc", "a\tb\nc"),
        ("nul\x00 bell\x07 \ufffe", "nul\ufffd bell\ufffd \ufffd"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("ok 😀", "ok 😀"),
    ],
)
def test_values_become_text_xml_can_carry(value: object, text: str) -> None:
    assert as_text(value) == text
    assert etree.fromstring(f"<a>{as_xml(value)}</a>").text == text


def test_no_value_can_write_mark_up(service: SoapService) -> None:
    nasty = "]]> <leadgate-records/> &amp; </r:phone><r:phone> \r\n <!-- \"'"
    body = written(service, service.batch("AddLeads", "lead"), [record(0, givenName=nasty)], {"callList": "x"}, "AddLeads")
    assert [node.text for node in etree.fromstring(body).iter("{*}givenName")] == [nasty]


@pytest.mark.parametrize(("operation", "path"), [("AddLeads", "nothing"), ("AddLeads", "lead.nothing"), ("Nope", "lead")])
def test_a_path_the_wsdl_does_not_have_is_named(service: SoapService, operation: str, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        service.batch(operation, path)
    assert operation in str(caught.value.field)


def test_a_path_that_is_not_repeated_is_refused(service: SoapService) -> None:
    with pytest.raises(ConfigurationError) as caught:
        service.batch("AddLeads", "callList")
    assert caught.value.code == "wsdl_path_not_repeated"


def test_nothing_stays_armed_after_a_request(service: SoapService) -> None:
    prepared, _ = service.batch("AddLeads", "lead").prepare([record(0)])
    with mark_place.armed(prepared):
        pass
    assert b"externalId" not in service._build("Ping", {}, None).body
