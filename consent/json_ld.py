"""A consent record as JSON-LD in the words of the W3C DPV. It uses no term that ``dpv_terms`` does not list, and needs no
network: the context stands in every document.

Own words, where the DPV has none, stand under ``urn:leadgate:``, which nobody has to look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from consent.dpv_terms import CLASSES, DPV, LOC, PD, PROCESSING
from schemas.consent_event import ConsentState

CONTEXT: Final[Mapping[str, Any]] = {
    "dpv": DPV,
    "pd": PD,
    "loc": LOC,
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "lg": "urn:leadgate:",
}
_PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560#record"

STATES: Final[Mapping[str, str]] = {
    ConsentState.REQUESTED: "ConsentRequested",
    ConsentState.DEFERRED: "ConsentRequestDeferred",
    ConsentState.GIVEN: "ConsentGiven",
    ConsentState.RENEWED: "RenewedConsentGiven",
    ConsentState.REFUSED: "ConsentRefused",
    ConsentState.WITHDRAWN: "ConsentWithdrawn",
    ConsentState.EXPIRED: "ConsentExpired",
    ConsentState.TERMINATED: "ConsentRevoked",
    ConsentState.INVALIDATED: "ConsentInvalidated",
    # where a consent stands, beside what happened
    "granted": "ConsentGiven",
    "stale": "ConsentStatusInvalidForProcessing",
    "unknown": "ConsentUnknown",
}
_TYPES: Final[Mapping[str, str]] = {
    "implied": "ImpliedConsent",
    "expressed": "ExpressedConsent",
    "explicitly_expressed": "ExplicitlyExpressedConsent",
}

Node = dict[str, Any]


def to_json_ld(record: Mapping[str, Any]) -> Node:
    """The JSON-LD of a record that ``record27560.build`` made."""
    consent = f"urn:uuid:{record['record_id']}"
    person = f"urn:uuid:{record['pii_principal_id']}"
    parties = {each["party_id"]: f"{consent}#{each['party_id']}" for each in record["party_identification"]}
    document: Node = _without_nothing(
        {
            "@context": dict(CONTEXT),
            "@id": consent,
            "@type": "dpv:ConsentRecord",
            "dct:conformsTo": {"@id": _PROFILE},
            "lg:schemaVersion": record["schema_version"],
            "dct:identifier": record["record_id"],
            "dpv:hasDataSubject": {"@id": person, "@type": "dpv:DataSubject", "dct:identifier": record["pii_principal_id"]},
            "dpv:hasProcess": [_process(each, parties) for each in record["pii_processing"]],
            "dpv:hasEntity": [_party(each, parties) for each in record["party_identification"]],
            "dct:hasPart": [_event(each, person, parties) for each in record["events"]],
            "dct:provenance": _collection(record["collection"]),
            "lg:standing": [_standing(each) for each in record["standing"]],
        }
    )
    return document


def _process(each: Mapping[str, Any], parties: Mapping[str, str]) -> Node:
    notice = each["privacy_notice"]
    return {
        "@type": "dpv:Process",
        "dpv:hasNotice": [
            {
                "@type": "dpv:ConsentNotice",
                "dct:identifier": notice["notice_id"],
                "dct:hasVersion": notice["version"],
                "dct:language": each["language"],
                "dct:valid": _moment(notice["valid_from"]),
                "dct:source": _iri(notice["url"]),
                "lg:sha256": notice["sha256"],
                "dct:description": _text(notice["text"], each["language"]),
            },
            {"@type": "dpv:RightExerciseNotice", "dct:source": _iri(each["privacy_rights"])},
        ],
        "dct:language": each["language"],
        "dpv:hasPurpose": {
            "@type": f"dpv:{_class(each['purpose_type'], 'Purpose')}",
            "dct:identifier": each["purpose"],
            "dct:title": _text(each["purpose_text"], each["language"]),
        },
        "dpv:hasLegalBasis": {"@type": "dpv:Consent"},
        "dpv:hasPersonalData": [_information(one) for one in each["pii_information"]],
        "dpv:hasDataController": [{"@id": parties[one]} for one in each["pii_controllers"]],
        "dpv:hasDataSource": {"@type": "dpv:DataSource", "dct:description": each["collection_method"]},
        "dpv:hasProcessing": [
            {"@type": f"dpv:{PROCESSING.get(one, 'Processing')}", "dct:identifier": one} for one in each["processing_methods"]
        ],
        "dct:description": each["processing_description"],
        "dpv:hasStorageCondition": [
            *(
                {
                    "@type": "dpv:StorageLocation",
                    "dpv:hasLocation": {"@id": f"loc:{place['country']}"},
                    "dct:description": place["location"],
                }
                for place in each["storage_locations"]
            ),
            {"@type": "dpv:StorageDuration", "dpv:hasDuration": _duration(each["retention_period"]["duration"])},
        ],
        "dpv:hasLocation": [{"@id": f"loc:{country}"} for country in each["processing_locations"]],
        "lg:crossBorder": [
            {
                "dpv:hasLocation": {"@id": f"loc:{one['country']}"},
                "dpv:hasRecipient": {"@id": parties[one["recipient"]]},
                "lg:adequacy": one["adequacy"],
                "lg:notification": one["notification_ref"],
                "dct:date": one["date"],
                "lg:decision": one["decision_ref"],
            }
            for one in each["geographic_restrictions"]
        ],
        "dpv:hasJurisdiction": {"@id": f"loc:{each['jurisdiction']}"},
        "dpv:hasRecipient": [{"@id": parties[one]} for one in each["recipient_third_parties"]],
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dct:description": _text(each["withdrawal_method"], each["language"]),
        },
        "dpv:hasRight": {"@type": "dpv:DataSubjectRight", "dct:source": _iri(each["privacy_rights"])},
        "dpv:hasAuthority": {"@id": parties[each["authority_party"]]} if each["authority_party"] else None,
    }


def _information(one: Mapping[str, Any]) -> Node:
    kind = one["pii_type"]
    return {
        "@type": ["dpv:PersonalData", *([f"pd:{kind}"] if kind != "PersonalData" else [])],
        "dct:identifier": one["pii_attribute_id"],
        "dpv:hasNecessity": {"@type": "dpv:Optional" if one["pii_optional"] else "dpv:Required"},
    }


def _party(each: Mapping[str, Any], parties: Mapping[str, str]) -> Node:
    return {
        "@id": parties[each["party_id"]],
        "@type": ["dpv:LegalEntity", f"dpv:{_class(each['party_type'], 'Entity')}"],
        "dct:identifier": each["party_id"],
        "dpv:hasName": each["party_name"],
        "dpv:hasAddress": each["party_address"],
        "dpv:hasContact": each["party_contact"],
        "dpv:hasIdentifier": each["register_number"],
        "dpv:hasLocation": {"@id": f"loc:{each['country']}"} if each.get("country") else None,
        "dpv:hasDataProtectionOfficer": (
            {"@type": "dpv:DataProtectionOfficer", "dpv:hasContact": each["officer"]} if each.get("officer") else None
        ),
        "dct:type": each["party_role"],
    }


def _event(each: Mapping[str, Any], person: str, parties: Mapping[str, str]) -> Node:
    state = STATES[each["event_state"]]
    return {
        "@type": f"dpv:{state}",
        "dct:identifier": each["event_id"],
        "dct:subject": each["purpose"],
        "dct:date": _moment(each["event_time"]),
        "dct:dateSubmitted": _moment(each["recorded_at"]),
        "dct:valid": _duration(each["validity_duration"]),
        "dpv:isImplementedByEntity": {"@id": parties.get(each["entity_id"], person)},
        "dpv:hasLegalBasis": {"@type": f"dpv:{_TYPES[each['event_type']]}"},
        "dpv:hasConsentStatus": {"@id": f"dpv:{state}"},
        "lg:eventState": each["event_state"],
        "lg:policyVersion": each["policy_version"],
        "lg:routes": each["routes"],
    }


def _collection(each: Mapping[str, Any]) -> Node:
    return {
        "@type": "dpv:DataSource",
        "dct:medium": each["platform"],
        "dpv:hasIndicationMethod": each["indication"],
        "lg:evidenceSha256": [one["sha256"] for one in each["evidence"]],
        "lg:sealed": each["sealed"],
        "lg:sealedSha256": each["sealed_sha256"],
        "dct:isPartOf": {"@id": f"urn:uuid:{each['lead_id']}"},
        **{f"lg:{name}": value for name, value in each["opened"].items()},
    }


def _standing(each: Mapping[str, Any]) -> Node:
    return {
        "dct:subject": each["purpose"],
        "dct:date": _moment(each["at"]),
        "dpv:hasConsentStatus": {"@id": f"dpv:{STATES[each['standing']]}"},
        "lg:standing": each["standing"],
        "lg:why": each["why"],
        "dct:valid": _moment(each["until"]) if each["until"] else None,
    }


def _class(name: str, place: str) -> str:
    """A class that can take this place; the place itself, if an operator named none that can."""
    return name if CLASSES.get(name) == place else place


def _iri(written: str | None) -> Node | None:
    return None if written is None else {"@id": written}


def _text(written: str | None, language: str) -> Node | None:
    return None if written is None else {"@value": written, "@language": language}


def _moment(written: str | None) -> Node | None:
    return None if written is None else {"@value": written, "@type": "xsd:dateTime"}


def _duration(written: str) -> Node:
    return {"@value": written, "@type": "xsd:duration"}


def _without_nothing(value: Any) -> Any:
    """Leave out what is not known: null says in JSON-LD that there is nothing, and we do not know that."""
    if isinstance(value, dict):
        return {name: _without_nothing(below) for name, below in value.items() if below is not None and below != []}
    if isinstance(value, list):
        return [_without_nothing(below) for below in value]
    return value
