"""Nothing a WSDL names is fetched, expanded or read from elsewhere."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import integrations.destinations as vendors
from integrations.transports import wsdl
from integrations.transports.wsdl import HermeticLoader, load_wsdl
from schemas.errors import ConfigurationError

OURS = Path(next(iter(vendors.__path__))) / "soap_call_center" / "call_center.wsdl"

SKELETON = """<?xml version="1.0"?>
{doctype}<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified"
      xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:ref="http://ws-i.org/profiles/basic/1.1/xsd">{schema}
    <xs:element name="In"><xs:complexType><xs:sequence>
      <xs:element name="a" type="xs:string"/>{elements}</xs:sequence></xs:complexType></xs:element>
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


def write(folder: Path, *, schema: str = "", elements: str = "", doctype: str = "") -> Path:
    path = folder / "vendor.wsdl"
    path.write_text(SKELETON.format(schema=schema, elements=elements, doctype=doctype), encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_wsdl(path)
    return caught.value.code


def test_ours_loads_and_is_parsed_once() -> None:
    document = load_wsdl(OURS)
    assert [str(name) for name in document.bindings] == ["{https://leadgate.example/ns/call-center/1}CallCenterSoap"]
    assert load_wsdl(OURS) is document


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    first = load_wsdl(path)
    path.write_text(path.read_text().replace('name="Do"', 'name="Done"'), encoding="utf-8")
    second = load_wsdl(path)
    assert second is not first
    assert "Done" in str(next(iter(second.bindings.values())).all().keys())


def test_the_public_schemas_real_contracts_import_are_served_from_here(tmp_path: Path) -> None:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{location}"/>'
        for namespace, location in (
            ("http://schemas.xmlsoap.org/soap/encoding/", "http://schemas.xmlsoap.org/soap/encoding/"),
            ("http://schemas.xmlsoap.org/wsdl/", "http://schemas.xmlsoap.org/wsdl/"),
            ("http://ws-i.org/profiles/basic/1.1/xsd", "http://ws-i.org/profiles/basic/1.1/swaref.xsd"),
            ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/xml.xsd"),
        )
    )
    elements = '<xs:element name="b" type="enc:Array"/><xs:element name="c" type="ref:swaRef"/>'
    assert load_wsdl(write(tmp_path, schema=imports, elements=elements)).services


def test_nothing_is_fetched_even_from_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.xsd"
        path = write(tmp_path, schema=f'<xs:import namespace="urn:x" schemaLocation="{address}"/>')
        assert refused(path) == "wsdl_remote_refused"
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("location", ["ftp://example.org/x.xsd", "file:///etc/hostname", "//example.org/x.xsd"])
def test_no_other_scheme_either(tmp_path: Path, location: str) -> None:
    path = write(tmp_path, schema=f'<xs:import namespace="urn:x" schemaLocation="{location}"/>')
    # zeep takes a scheme it does not know for the name of a file, and there is none.
    assert refused(path) in ("wsdl_remote_refused", "wsdl_outside_folder", "wsdl_missing")


@pytest.mark.parametrize("location", ["../secret.xsd", "/etc/hostname", "link.xsd"])
def test_files_outside_its_folder_are_not_read(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "vendor"
    folder.mkdir()
    (tmp_path / "secret.xsd").write_text("<secret/>")
    (folder / "link.xsd").symlink_to(tmp_path / "secret.xsd")
    path = write(folder, schema=f'<xs:include schemaLocation="{location}"/>')
    assert refused(path) == "wsdl_outside_folder"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>\n'
DTD = '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">\n'


@pytest.mark.parametrize("doctype", [BOMB, OUTSIDE, DTD])
def test_document_types_are_refused(tmp_path: Path, doctype: str) -> None:
    assert refused(write(tmp_path, doctype=doctype)) == "wsdl_document_type_refused"


def test_a_document_type_in_an_imported_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "x.xsd").write_text(BOMB + '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>')
    path = write(tmp_path, schema='<xs:import namespace="urn:x" schemaLocation="x.xsd"/>')
    assert refused(path) == "wsdl_document_type_refused"


def test_a_chain_of_imports_ends(tmp_path: Path) -> None:
    for number in range(wsdl.MAX_DOCUMENTS + 2):
        (tmp_path / f"{number}.xsd").write_text(
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:{number}">'
            f'<xs:import namespace="urn:{number + 1}" schemaLocation="{number + 1}.xsd"/></xs:schema>'
        )
    path = write(tmp_path, schema='<xs:import namespace="urn:0" schemaLocation="0.xsd"/>')
    assert refused(path) == "wsdl_too_many_documents"


def test_a_document_too_large_is_not_read_in_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.wsdl"
    path.write_bytes(b"<x>" + b" " * wsdl.MAX_DOCUMENT_BYTES + b"</x>")
    with pytest.raises(ConfigurationError) as caught:
        HermeticLoader(tmp_path).load(str(path))
    assert caught.value.code == "wsdl_too_large"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "wsdl_not_xml"),
        (b"<html>", "wsdl_not_xml"),
        (b"\xff\xfe\x00", "wsdl_not_xml"),
        (b"<html/>", "wsdl_binding_missing"),
    ],
)
def test_what_is_no_wsdl_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "vendor.wsdl"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        wsdl.choose_binding(load_wsdl(path), None, "dest")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("ours", "strange", "cause"),
    [("<xs:element", "<xs:include/><xs:element", "NotImplementedError"), ('binding="t:B"', "", "AttributeError")],
)
def test_what_zeep_cannot_read_is_unusable(tmp_path: Path, ours: str, strange: str, cause: str) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace(ours, strange, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"wsdl_unusable.*{cause}") as caught:
        load_wsdl(path)
    assert caught.value.field == "vendor.wsdl"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_wsdl(tmp_path / "nowhere.wsdl")
    assert (caught.value.code, caught.value.field) == ("wsdl_missing", "nowhere.wsdl")
