"""The terms of the W3C Data Privacy Vocabulary (DPV 2.3, https://w3id.org/dpv) that an export may use, and no other.

Each class stands beside the concept whose place it can take, each property beside the concept that its value must be; an empty
word means that the vocabulary asks for nothing. A new term is a line here, after a look into the vocabulary.

DPV 2.3 has no word for ISO/IEC TS 27560's "terminated" (ended by the controller); its ``ConsentRevoked`` is a consent ended by
another than the data subject, and says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DPV: Final = "https://w3id.org/dpv#"
#: DPV's extensions: kinds of personal data, and countries (ISO 3166-1 alpha-2, with regions).
PD: Final = "https://w3id.org/dpv/pd#"
LOC: Final = "https://w3id.org/dpv/loc#"

CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ConsentRecord": "OrganisationalMeasure",
        "ConsentNotice": "Notice",
        "RightExerciseNotice": "Notice",
        "Process": "Process",
        "PersonalData": "PersonalData",
        "Necessity": "Necessity",
        "Required": "Necessity",
        "Optional": "Necessity",
        "DataSource": "DataSource",
        "Location": "Location",
        "StorageLocation": "StorageCondition",
        "StorageDuration": "StorageCondition",
        "DataSubjectRight": "Right",
        "WithdrawConsent": "ConsentControl",
        # parties
        "LegalEntity": "Entity",
        "DataSubject": "Entity",
        "DataController": "Entity",
        "DataProtectionOfficer": "Entity",
        "Recipient": "Entity",
        "ThirdParty": "Entity",
        "DataProtectionAuthority": "Entity",
        # legal basis, by how consent was expressed
        "Consent": "LegalBasis",
        "ImpliedConsent": "LegalBasis",
        "ExpressedConsent": "LegalBasis",
        "ExplicitlyExpressedConsent": "LegalBasis",
        # states
        "ConsentUnknown": "ConsentStatus",
        "ConsentRequested": "ConsentStatus",
        "ConsentRequestDeferred": "ConsentStatus",
        "ConsentRefused": "ConsentStatus",
        "ConsentGiven": "ConsentStatus",
        "RenewedConsentGiven": "ConsentStatus",
        "ConsentWithdrawn": "ConsentStatus",
        "ConsentExpired": "ConsentStatus",
        "ConsentRevoked": "ConsentStatus",
        "ConsentInvalidated": "ConsentStatus",
        "ConsentStatusInvalidForProcessing": "ConsentStatus",
        # purposes
        "Purpose": "Purpose",
        "CommunicationForCustomerCare": "Purpose",
        "CommunicationManagement": "Purpose",
        "CustomerCare": "Purpose",
        "CustomerManagement": "Purpose",
        "CustomerRelationshipManagement": "Purpose",
        "DirectMarketing": "Purpose",
        "Marketing": "Purpose",
        "RequestedServiceProvision": "Purpose",
        # processing
        "Processing": "Processing",
        "Collect": "Processing",
        "Destruct": "Processing",
        "Erase": "Processing",
        "Record": "Processing",
        "Restrict": "Processing",
        "Store": "Processing",
        "Transfer": "Processing",
        "Use": "Processing",
    }
)

PROPERTIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "hasAddress": "",
        "hasAuthority": "Entity",
        "hasConsentControl": "ConsentControl",
        "hasConsentStatus": "ConsentStatus",
        "hasContact": "",
        "hasDataController": "Entity",
        "hasDataProtectionOfficer": "Entity",
        "hasDataSource": "DataSource",
        "hasDataSubject": "Entity",
        "hasDuration": "",
        "hasEntity": "Entity",
        "hasIdentifier": "",
        "hasIndicationMethod": "",
        "hasJurisdiction": "",
        "hasLegalBasis": "LegalBasis",
        "hasLocation": "",
        "hasName": "",
        "hasNecessity": "Necessity",
        "hasNotice": "Notice",
        "hasPersonalData": "PersonalData",
        "hasProcess": "Process",
        "hasProcessing": "Processing",
        "hasPurpose": "Purpose",
        "hasRecipient": "Entity",
        "hasRight": "Right",
        "hasStorageCondition": "StorageCondition",
        "isImplementedByEntity": "Entity",
    }
)

#: Fields every brand knows -> kind of personal data. A topic's own fields are personal data of no listed kind.
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "given_name": "Name",
        "family_name": "Name",
        "phone": "TelephoneNumber",
        "email": "EmailAddress",
        "city": "City",
        "region": "Location",
        "text": "Communication",
        "user": "Username",
        "thread_id": "SocialMediaCommunication",
        "message_ids": "SocialMediaCommunication",
        "permalink": "SocialMediaCommunication",
    }
)

#: Words of 152-FZ Art. 3(3) for what is done with data -> DPV's; a word of the operator's own is processing in general.
PROCESSING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "collect": "Collect",
        "record": "Record",
        "store": "Store",
        "use": "Use",
        "transfer": "Transfer",
        "block": "Restrict",
        "erase": "Erase",
        "destroy": "Destruct",
    }
)
