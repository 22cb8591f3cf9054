"""Every mandatory field of ISO/IEC TS 27560 has a value and a source, and the JSON-LD says it in terms the DPV has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from pyld import jsonld

from consent.dpv_terms import CLASSES, DPV, LOC, PD, PROPERTIES
from consent.json_ld import STATES, to_json_ld
from consent.record27560 import Stored, Surroundings, build, duration, missing
from consent.standing import Rules, standing_of
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState
from schemas.controller import Controller, Party, StoragePlace
from schemas.errors import ConfigurationError
from schemas.policy import Adequacy, BrandPolicy, CrossBorder, RetentionRules
from schemas.vocabulary import Language
from tests.consent.agreements import CALLS, CARDS, DAY, DIGEST, NOW, notice, policy, record

PERSON, CONSENT, LEAD = (f"0190b5b0-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
CENTER = Party(name="Invented Calls", address="Moscow, 1 Example St", contact="calls@example.org")
CARD_KEEPER = Party(name="Invented Cards", address="Berlin, 1 Beispielweg", contact="cards@example.org")
REGULATOR = Party(name="Invented Regulator", address="Moscow, 2 Example St", contact="https://regulator.example.org")
CONTROLLER = Controller(
    name="Invented Cars",
    address="Tver, 3 Example St",
    contact="privacy@example.org",
    register_number="00-00-000000",
    withdrawal_method={Language.RU: "Напишите нам «стоп»", Language.EN: "Write us stop"},
    rights_url="https://cars.example.org/rights",
    policy_url="https://cars.example.org/privacy",
    officer="dpo@example.org",
    authority=REGULATOR,
    methods="mixed, partly automated",
)
STORAGE = StoragePlace(country="RU", location="Moscow, data centre 1")
ABROAD = CrossBorder(
    country="DE",
    adequacy=Adequacy.ADEQUATE,
    notification_ref="RKN-TB-0",
    notified_on=date(2026, 1, 1),
    decision_ref=None,
    allowed_from=NOW - 90 * DAY,
)
RULES = RetentionRules(
    refused=DAY,
    quarantined=DAY,
    admitted_submission=DAY,
    lead=30 * DAY,
    withdrawn=10 * DAY,
    lead_by_purpose={"callback": 14 * DAY},
)
STOP = ConsentEvent(
    event_id="0190b5b0-0000-7000-8000-000000000009",
    person_id=PERSON,
    purpose="callback",
    state=ConsentState.WITHDRAWN,
    event_time=NOW,
    recorded_at=NOW,
    origin=ConsentOrigin.MODERATOR,
)


def brand() -> BrandPolicy:
    plain = policy()
    purposes = {**plain.purposes, "callback": dataclasses.replace(plain.purposes["callback"], category="CustomerCare")}
    cards = dataclasses.replace(CARDS, country="DE", cross_border=ABROAD, party=CARD_KEEPER)
    recipients = {"calls": dataclasses.replace(CALLS, party=CENTER), "cards": cards}
    return policy(purposes=purposes, recipients=recipients, controller=CONTROLLER)


def stored(*events: ConsentEvent, **changes: Any) -> Stored:
    plain = Stored(
        record=record(consent_id=CONSENT, person_id=PERSON, evidence=(DIGEST,)),
        lead_id=LEAD,
        channel="vk",
        topic="test_drive",
        country="RU",
        field_names=("car_model", "email", "given_name", "message_ids", "moderator", "permalink", "phone", "thread_id"),
        routes=("calls:callback", "cards:crm_followup"),
        sealed_sha256="ef" * 32,
        events=events,
        policy_version="policy-1",
    )
    return dataclasses.replace(plain, **changes)


def around(policy_: BrandPolicy, *events: ConsentEvent) -> Surroundings:
    rules = Rules.of(policy_.notices.values(), {code: each.valid_for for code, each in policy_.purposes.items()}, {})
    one = record(consent_id=CONSENT, person_id=PERSON)
    answers = {code: standing_of(purpose=code, at=NOW, records=[one], events=events, rules=rules) for code in one.purposes}
    return Surroundings(policy=policy_, notice=notice(), storage=STORAGE, retention=RULES, answers=answers)


def made(*events: ConsentEvent, **more: Any) -> dict[str, Any]:
    return build(stored(*events), around(brand(), *events), **more)


#: Every field that is mandatory in ISO/IEC TS 27560:2023, as its sections have them; docs/consent-records.md has the same list.
HEADER = ["schema_version", "record_id", "pii_principal_id"]
PROCESSING = [
    "privacy_notice", "language", "purpose", "pii_information", "pii_controllers", "storage_locations", "retention_period",
    "jurisdiction", "recipient_third_parties", "withdrawal_method",
]  # fmt: skip
PARTY = ["party_id", "party_address", "party_name", "party_contact", "party_type"]
EVENT = ["event_time", "validity_duration", "entity_id", "event_type", "event_state"]
#: Optional in ISO, mandatory for the GDPR.
GDPR = [
    "lawful_basis", "collection_method", "processing_methods", "processing_locations", "geographic_restrictions",
    "privacy_rights", "authority_party",
]  # fmt: skip


@pytest.mark.parametrize("name", HEADER)
def test_the_header_has(name: str) -> None:
    assert made()[name]


@pytest.mark.parametrize("name", [*PROCESSING, *GDPR])
def test_the_processing_of_each_purpose_has(name: str) -> None:
    found = [each[name] for each in made()["pii_processing"]]
    assert len(found) == 2
    assert all(found) or (name == "geographic_restrictions" and found[0] == [] and found[1])


@pytest.mark.parametrize("name", ["pii_type", "pii_attribute_id", "pii_optional", "special_pii_category"])
def test_each_piece_of_personal_data_has(name: str) -> None:
    pieces = [piece for each in made()["pii_processing"] for piece in each["pii_information"]]
    assert pieces
    assert all(name in piece and piece[name] is not None for piece in pieces)


@pytest.mark.parametrize("name", [*PARTY, "party_role"])
def test_each_party_has(name: str) -> None:
    parties = made()["party_identification"]
    assert {each["party_type"] for each in parties} == {"DataController", "ThirdParty", "DataProtectionAuthority"}
    assert all(each[name] for each in parties)


@pytest.mark.parametrize("name", EVENT)
@pytest.mark.parametrize("state", ConsentState)
def test_each_event_has(name: str, state: ConsentState) -> None:
    events = made(dataclasses.replace(STOP, state=state))["events"]
    assert [each["event_state"] for each in events] == ["given", state.value, "given"]
    assert all(each[name] for each in events)


def test_what_stands_in_the_fields() -> None:
    whole = made(STOP)
    callback, card = whole["pii_processing"]
    assert callback["privacy_notice"]["text"] == "text"
    assert [each["pii_attribute_id"] for each in callback["pii_information"]] == ["car_model", "email", "given_name", "phone"]
    assert [each["pii_optional"] for each in callback["pii_information"]] == [False, True, True, False]
    assert (callback["recipient_third_parties"], card["recipient_third_parties"]) == (["calls"], ["cards"])
    assert callback["retention_period"] == {"duration": "P44D", "after_the_end": "P14D", "after_withdrawal": "P10D"}
    assert card["processing_locations"] == ["DE", "RU"]
    assert card["geographic_restrictions"][0]["notification_ref"] == "RKN-TB-0"
    given, withdrawn, other = whole["events"]
    assert (given["event_type"], given["validity_duration"], given["entity_id"]) == ("explicitly_expressed", "P30D", PERSON)
    assert (given["routes"], given["policy_version"]) == (["calls:callback"], "policy-1")
    assert (withdrawn["event_state"], withdrawn["purpose"], other["purpose"]) == ("withdrawn", "callback", "crm_followup")
    assert [(each["purpose"], each["standing"]) for each in whole["standing"]] == [
        ("callback", "withdrawn"),
        ("crm_followup", "granted"),
    ]
    assert duration(timedelta(days=1, hours=1)) == "P1DT3600S"


def test_the_evidence_of_a_message_is_named_and_opened_only_by_who_may() -> None:
    sealed = made()["collection"]
    assert sealed["sealed"] == ["thread_id", "message_ids", "permalink", "moderator"]
    assert (sealed["evidence"], sealed["platform"], sealed["opened"]) == ([{"sha256": DIGEST}], "vk", {})
    opened = made(opened={"thread_id": "t1", "message_ids": "1 2", "phone": "+79000000001"})["collection"]["opened"]
    assert opened == {"thread_id": "t1", "message_ids": "1 2"}, "evidence, not the person"


def test_a_record_that_would_lack_a_field_is_refused_with_every_place() -> None:
    bare = policy()
    assert missing(bare, None) == ["storage", "brands.lada.controller", "destinations.calls.party", "destinations.cards.party"]
    with pytest.raises(ConfigurationError) as refused:
        build(stored(), dataclasses.replace(around(bare), storage=None))
    assert refused.value.field == "storage"
    assert "brands.lada.controller" in str(refused.value.diagnostics())


# -- JSON-LD -------------------------------------------------------------------------------------------------------------


def _no_network(url: str, _options: Any) -> Any:
    raise AssertionError(f"asked for {url}: the context stands in the document")


def expanded(*events: ConsentEvent) -> list[dict[str, Any]]:
    document = to_json_ld(made(*events))
    found: list[dict[str, Any]] = jsonld.expand(document, {"documentLoader": _no_network})
    return found


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)


EVERY = [dataclasses.replace(STOP, event_id=f"e-{state.value}", state=state) for state in ConsentState]


def test_every_term_is_one_the_vocabulary_has_in_a_place_it_can_take() -> None:
    for node in nodes(expanded(*EVERY)):
        kinds = [kind for kind in node.get("@type", []) if isinstance(kind, str)] if isinstance(node.get("@type"), list) else []
        for kind in kinds:
            assert kind.startswith(PD) or kind.removeprefix(DPV) in CLASSES, kind
        for name, values in node.items():
            assert name.startswith(("@", "http://purl.org/dc/terms/", "urn:leadgate:", DPV)), f"{name} is not in the context"
            if not name.startswith(DPV):
                continue
            wanted = PROPERTIES[name.removeprefix(DPV)]
            for value in values:
                assert _can_be(value, wanted), (name, value)


def _can_be(value: dict[str, Any], wanted: str) -> bool:
    terms = [*value.get("@type", []), value.get("@id", "")] if isinstance(value.get("@type", []), list) else [value["@type"]]
    ours = [term.removeprefix(DPV) for term in terms if term.startswith(DPV) and not term.startswith((PD, LOC))]
    return not wanted or not ours or any(CLASSES.get(term) == wanted for term in ours)


def test_nothing_is_lost_on_the_way_to_json_ld() -> None:
    (root,) = expanded(STOP)
    flat = {key: [n for n in nodes(root) if key in n] for key in (f"{DPV}{name}" for name in PROPERTIES)}
    assert [key for key, found in flat.items() if not found] == [], "a property nobody uses: take it off the list"
    assert root["@type"] == [f"{DPV}ConsentRecord"]
    assert root["http://purl.org/dc/terms/conformsTo"] == [{"@id": "https://w3id.org/dpv/schema/dpv-27560#record"}]
    assert len(jsonld.to_rdf(root, {"documentLoader": _no_network})["@default"]) > 100


def test_every_state_and_every_kind_of_data_has_its_term() -> None:
    used = {term for node in nodes(expanded(*EVERY)) for term in node.get("@type", []) if isinstance(term, str)}
    for state in ConsentState:
        assert STATES[state] in CLASSES
        assert f"{DPV}{STATES[state]}" in used
    assert {f"{PD}TelephoneNumber", f"{PD}EmailAddress", f"{PD}Name"} <= used
    assert f"{DPV}CustomerCare" in used
