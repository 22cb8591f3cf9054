"""Policies are composed from leadgate.yaml and the manifests; what does not fit is refused with its place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from consent.gate import fields_to_disclose
from integrations import registry
from integrations.contract.manifest import Capabilities, Manifest
from leadgate.settings import DestinationSettings, Settings, SettingsError, compose_policies, load
from schemas.vocabulary import RecipientKind, WriteMode

ROOT = Path(__file__).resolve().parents[2]


def manifest(name: str, kind: RecipientKind, **changes: Any) -> Manifest:
    plain = Manifest(
        name=name,
        kind=kind,
        title={"en": name},
        capabilities=Capabilities(write_mode=WriteMode.UPSERT, batch_size=10),
        discloses={"*": frozenset({"phone", "given_name", "text", "email", "car_model", "topic"})},
        requires=frozenset({"phone"}),
    )
    return dataclasses.replace(plain, **changes)


def manifests(**changed: Manifest) -> dict[str, Manifest]:
    return {
        "soap_call_center": manifest("soap_call_center", RecipientKind.CALL_CENTER),
        "json_crm": manifest("json_crm", RecipientKind.CRM),
        "salesforce": manifest("salesforce", RecipientKind.CRM),
        **changed,
    }


def settings(**changes: Any) -> Settings:
    """The repository's own, with keys of ``lada_crm`` changed."""
    plain = load(ROOT / "leadgate.yaml", {})
    if not changes:
        return plain
    crm: DestinationSettings = dataclasses.replace(plain.destinations["lada_crm"], **changes)
    return dataclasses.replace(plain, destinations={**plain.destinations, "lada_crm": crm})


def mistakes(changed: Settings, found: dict[str, Manifest] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(SettingsError) as caught:
        compose_policies(changed, found or manifests())
    return [(problem.place, problem.mend) for problem in caught.value.problems]


def test_recipients_come_from_manifests() -> None:
    lada = compose_policies(settings(), manifests())["lada"]
    assert set(lada.recipients) == {"lada_call_center", "lada_crm"}
    assert lada.recipients["lada_crm"].kind is RecipientKind.CRM
    assert lada.recipients["lada_crm"].requires == {"phone"}


def test_the_shipped_connectors_fit_the_shipped_configuration() -> None:
    own = settings()
    policies = compose_policies(own, {one.connector: registry.manifest(one.connector) for one in own.destinations.values()})
    for policy in policies.values():
        for recipient in policy.recipients.values():
            for code in recipient.purposes:
                told = fields_to_disclose(policy, recipient.name, code)
                assert "phone" in told or "email" in told
                assert "text" not in told or "text" in policy.purposes[code].fields
                assert not {"user", "thread_id", "moderator"} & set(told)


def test_disclosure_can_be_narrowed() -> None:
    changed = settings(discloses={"crm_followup": frozenset({"phone"})})
    lada = compose_policies(changed, manifests())["lada"]
    assert fields_to_disclose(lada, "lada_crm", "crm_followup") == ("phone",)


def test_what_does_not_fit_is_named() -> None:
    assert mistakes(settings(connector="json_crn")) == [
        ("leadgate.yaml: destinations.lada_crm.connector", "no such connector is installed; did you mean 'json_crm'?")
    ]
    assert mistakes(settings(discloses={"crm_followup": frozenset({"phone", "city"})})) == [
        ("leadgate.yaml: destinations.lada_crm.discloses.crm_followup", "the connector's manifest does not disclose: city")
    ]
    (place, mend) = mistakes(settings(purposes={"lada": ("callback",)}))[0]
    assert place == "leadgate.yaml: destinations.lada_crm.purposes.lada[0]"
    assert "recipient of the kind crm" in mend
    (place, mend) = mistakes(settings(requires=frozenset({"city"})))[0]
    assert place == "leadgate.yaml: destinations.lada_crm.requires"
    assert mend.endswith("city")
    narrow = manifest("json_crm", RecipientKind.CRM, discloses={"callback": frozenset({"phone"})})
    (place, mend) = mistakes(settings(), manifests(json_crm=narrow))[0]
    assert place == "leadgate.yaml: destinations.lada_crm.purposes.lada[0]"
    assert "discloses nothing" in mend
    greedy = manifest("json_crm", RecipientKind.CRM, requires=frozenset({"text"}))
    (place, mend) = mistakes(settings(), manifests(json_crm=greedy))[0]
    assert "nobody agreed to" in mend


def test_the_version_names_everything_the_gate_decides_by() -> None:
    first = compose_policies(settings(), manifests())
    assert first["lada"].version == compose_policies(settings(), manifests())["lada"].version
    assert len(first["lada"].version) == 32
    changed = compose_policies(settings(country="BY", transfer_basis="notification 1"), manifests())
    assert changed["lada"].version != first["lada"].version
    assert changed["s7"].version == first["s7"].version
    wider = manifest("json_crm", RecipientKind.CRM, discloses={"*": frozenset({"phone", "email"})})
    assert compose_policies(settings(), manifests(json_crm=wider))["lada"].version != first["lada"].version


def test_a_title_changes_no_version() -> None:
    plain = settings()
    lada = dataclasses.replace(plain.brands["lada"], title="Another title")
    renamed = dataclasses.replace(plain, brands={**plain.brands, "lada": lada})
    assert compose_policies(renamed, manifests())["lada"].version == compose_policies(plain, manifests())["lada"].version
