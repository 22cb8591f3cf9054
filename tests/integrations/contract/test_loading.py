"""A mistake in connector.yaml is named with file and key; nothing is guessed and nothing wins in silence."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrations.contract.loading import build_manifest, load_manifest
from schemas.errors import ConfigurationError
from schemas.vocabulary import RecipientKind, WriteMode

GOOD: dict[str, Any] = yaml.safe_load("""
name: crm
kind: crm
title: {en: A CRM}
capabilities: {write_mode: upsert, batch_size: 200, lookup: true}
discloses: {"*": [phone, given_name]}
requires: [phone]
transport:
  kind: rest
  auth: {scheme: bearer}
  operations:
    check: {path: /me}
    deliver: {path: /leads, records: leads, results: {at: results, key: id, status: s}, outcomes: {ok: accepted}}
    lookup: {path: /find, records: ids, results: {at: leads, key: id}}
mapping:
  id: {from: key}
  phone: {from: phone}
""")


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one place changed; None removes it."""
    document = copy.deepcopy(GOOD)
    inner = document
    *outer, last = path.split(".")
    for name in outer:
        inner = inner.setdefault(name, {})
    if value is None:
        inner.pop(last)
    else:
        inner[last] = value
    return document


def test_a_good_manifest() -> None:
    manifest = build_manifest(GOOD, shown="crm/connector.yaml")
    assert manifest.kind is RecipientKind.CRM
    assert manifest.capabilities.write_mode is WriteMode.UPSERT
    assert manifest.capabilities.key_length == 26
    assert manifest.fields_for("anything") == {"phone", "given_name"}
    assert manifest.limits.read_timeout == 30.0
    assert manifest.title == {"en": "A CRM"}


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("nmae", "crm", "nmae"),
        ("name", "Bad Name", "name"),
        ("name", None, "name"),
        ("kind", "dialer", "kind"),
        ("title", {"de": "Ein CRM"}, "title.de"),
        ("title", {}, "title"),
        ("capabilities.write_mode", "replace", "capabilities.write_mode"),
        ("capabilities.batch_size", 0, "capabilities.batch_size"),
        ("capabilities.batch_size", "200", "capabilities.batch_size"),
        ("capabilities.key_length", 19, "capabilities.key_length"),
        ("capabilities.key_length", 27, "capabilities.key_length"),
        ("capabilities.merge", True, "capabilities.merge"),
        ("limits.read_timeout", 0, "limits.read_timeout"),
        ("discloses", {}, "discloses"),
        ("discloses", {"*": []}, "discloses.*"),
        ("discloses", {"callback": ["given_name"], "*": ["phone"]}, "requires"),
        ("requires", ["email"], "requires"),
        ("exemptions", {"throttle_by_date": ""}, "exemptions.throttle_by_date"),
        ("mapping", None, "mapping"),
        ("capabilities.lookup", False, "transport.operations.lookup"),
        ("capabilities.erase", True, "transport.operations.erase"),
        ("transport.auth.scheme", "magic", "transport.auth.scheme"),
        ("transport.auth", {"scheme": "header"}, "transport.auth.header"),
        ("transport.headers", {"Authorization": "Bearer x"}, "transport.headers"),
        ("transport.headers", {"X Bad": "x"}, "transport.headers.X Bad"),
        ("transport.operations.deliver.path", "https://elsewhere.example.org/", "transport.operations.deliver.path"),
        ("transport.operations.deliver.path", "//elsewhere.example.org/", "transport.operations.deliver.path"),
        ("transport.operations.deliver.method", "post", "transport.operations.deliver.method"),
        ("transport.operations.deliver.records", None, "transport.operations.deliver.records"),
        ("transport.operations.deliver.outcomes", {"ok": "fine"}, "transport.operations.deliver.outcomes.ok"),
        ("transport.operations.deliver.outcomes", {}, "transport.operations.deliver.outcomes"),
        ("transport.operations.deliver.results", None, "transport.operations.deliver.outcomes"),
        ("transport.operations.deliver.record", {"a": {"from": "key"}}, "transport.operations.deliver.record"),
        ("transport.operations.lookup.results", None, "transport.operations.lookup.results"),
        ("transport.operations.lookup.results.key", None, "transport.operations.lookup.results"),
        ("transport.operations.lookup.path", "/find/{key}", "transport.operations.lookup.records"),
        ("transport.operations.check", None, "transport.operations.check"),
        ("transport.errors", {"codes": {"X": "throttled"}}, "transport.errors.at"),
        ("transport.errors", {"at": "e", "codes": {"X": "bad"}}, "transport.errors.codes.X"),
    ],
)
def test_a_mistake_is_named_with_its_place(path: str, value: Any, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_manifest(changed(path, value), shown="crm/connector.yaml")
    assert caught.value.field == f"crm/connector.yaml: {place}"


def test_all_mistakes_are_named_at_once() -> None:
    document = changed("kind", "dialer") | {"colour": "blue"}
    with pytest.raises(ConfigurationError) as caught:
        build_manifest(document, shown="crm/connector.yaml")
    assert "kind" in str(caught.value)
    assert "colour" in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_what_is_no_mapping_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError):
        build_manifest(document, shown="crm/connector.yaml")


def write(tmp_path: Path, text: str | bytes) -> Path:
    folder = tmp_path / "crm"
    folder.mkdir()
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "connector.yaml").write_bytes(data)
    return folder


def test_a_file(tmp_path: Path) -> None:
    assert load_manifest(write(tmp_path, yaml.safe_dump(GOOD))).name == "crm"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("name: crm\nkind: crm\nname: other\n", "not_yaml", "crm/connector.yaml: line 3"),
        ("discloses:\n  '*': [a]\n  '*': [b]\n", "not_yaml", "crm/connector.yaml: line 3"),
        ("name: [crm\n", "not_yaml", "crm/connector.yaml: line 2"),
        ("name: !!python/object/apply:os.getcwd []\n", "not_yaml", "crm/connector.yaml: line 1"),
        (b"name: \xff\xfe", "not_yaml", "crm/connector.yaml"),
    ],
)
def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path, text: str | bytes, code: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_manifest(write(tmp_path, text))
    assert (caught.value.code, caught.value.field) == (code, place)


def test_a_name_that_is_not_the_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_manifest(write(tmp_path, yaml.safe_dump(GOOD | {"name": "other"})))
    assert caught.value.field == "crm/connector.yaml: name"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_manifest(tmp_path / "crm")
    assert caught.value.code == "unreadable"
