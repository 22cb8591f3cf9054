"""Joins leadgate.yaml with the connectors' manifests into one policy a brand. Refused: a connector nobody ships, a purpose its
manifest discloses nothing for, a wish for more fields than it discloses, a recipient the purpose does not allow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from integrations.contract.manifest import Manifest
from leadgate.settings.model import BrandSettings, DestinationSettings, Settings
from leadgate.settings.problems import Problems
from leadgate.settings.terms import terms_of
from schemas.lead import PLAIN_FIELDS
from schemas.policy import BrandPolicy, Recipient
from schemas.settings_part import suggest

_PLAIN: Final = frozenset(PLAIN_FIELDS)


def compose_policies(settings: Settings, manifests: Mapping[str, Manifest]) -> Mapping[str, BrandPolicy]:
    """Answer the policy of each brand; ``manifests`` are by connector name. Raises SettingsError with every mistake."""
    problems = Problems(settings.path.name)
    found: dict[str, Manifest] = {}
    for name, destination in settings.destinations.items():
        manifest = manifests.get(destination.connector)
        if manifest is None:
            hint = suggest(destination.connector, manifests)
            problems.add(f"destinations.{name}.connector", f"no such connector is installed; {hint}")
        else:
            found[name] = manifest
    policies = {
        name: _policy(
            brand,
            {
                destination.name: _recipient(brand, destination, found[destination.name], problems)
                for destination in settings.destinations.values()
                if name in destination.purposes and destination.name in found
            },
            suppression=settings.retention.suppression,
        )
        for name, brand in settings.brands.items()
    }
    problems.raise_if_any()
    return MappingProxyType(policies)


def _recipient(brand: BrandSettings, destination: DestinationSettings, manifest: Manifest, problems: Problems) -> Recipient:
    place = f"destinations.{destination.name}"
    requires = manifest.requires | destination.requires
    discloses: dict[str, frozenset[str]] = {}
    for number, code in enumerate(destination.purposes[brand.brand]):
        at = f"{place}.purposes.{brand.brand}[{number}]"
        purpose = brand.purposes[code]
        if code not in manifest.discloses and "*" not in manifest.discloses:
            problems.add(at, "the connector's manifest discloses nothing for this purpose; choose another purpose or connector")
            continue
        if manifest.kind not in purpose.recipients:
            problems.add(at, f"this purpose does not allow a recipient of the kind {manifest.kind.value}")
        fields = manifest.fields_for(code)
        wish = destination.discloses.get(code)
        if wish is not None:
            if not wish <= fields:
                extra = ", ".join(sorted(wish - fields))
                problems.add(f"{place}.discloses.{code}", f"the connector's manifest does not disclose: {extra}")
            fields &= wish
        missing = requires - fields - _PLAIN
        if missing:
            names = ", ".join(sorted(missing))
            problems.add(f"{place}.requires", f"the destination needs fields that are not disclosed for '{code}': {names}")
        elif not requires <= purpose.fields | _PLAIN:
            names = ", ".join(sorted(requires - purpose.fields - _PLAIN))
            problems.add(at, f"the destination needs fields that nobody agreed to for this purpose: {names}")
        discloses[code] = fields
    return Recipient(
        name=destination.name,
        kind=manifest.kind,
        country=destination.country,
        purposes=destination.purposes[brand.brand],
        discloses=MappingProxyType(discloses),
        requires=requires,
        transfer_basis=destination.transfer_basis,
        cross_border=brand.cross_border.get(destination.country),
        party=destination.party,
    )


def _policy(brand: BrandSettings, recipients: Mapping[str, Recipient], *, suppression: bool) -> BrandPolicy:
    return BrandPolicy(
        brand=brand.brand,
        title=brand.title,
        home_country=brand.home_country,
        countries=brand.countries,
        default_region=brand.default_region,
        notices=brand.notices,
        purposes=brand.purposes,
        topics=brand.topics,
        recipients=MappingProxyType(dict(recipients)),
        duplicate_window=brand.duplicate_window,
        version=policy_version(brand, recipients),
        controller=brand.controller,
        one_purpose_from=brand.one_purpose_from,
        calling_windows=brand.calling_windows,
        clocks=brand.clocks,
        suppression=suppression,
    )


def policy_version(brand: BrandSettings, recipients: Mapping[str, Recipient]) -> str:
    """Digest over everything the gate decides by, in one canonical writing; titles and word order change nothing.

    Notice texts enter by their digests; terms that a file does not use enter not at all, so that an old file keeps its version.
    The first 32 hexadecimal digits: 128 bits name a policy beyond doubt, and the word
    stands in every audit leaf.
    """
    canonical = json.dumps(
        _content(brand, recipients) | terms_of(brand, recipients), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _content(brand: BrandSettings, recipients: Mapping[str, Recipient]) -> dict[str, Any]:
    return {
        "brand": brand.brand,
        "home_country": brand.home_country,
        "countries": sorted(brand.countries),
        "default_region": brand.default_region,
        "duplicate_window": int(brand.duplicate_window.total_seconds()),
        "topics": {code: dict(topic.fields) for code, topic in brand.topics.items()},
        "purposes": {
            code: {
                "fields": sorted(purpose.fields),
                "recipients": sorted(purpose.recipients),
                "valid_for": int(purpose.valid_for.total_seconds()),
            }
            for code, purpose in brand.purposes.items()
        },
        "notices": sorted(
            [
                notice.notice_id,
                notice.version,
                notice.language.value,
                notice.text_sha256,
                sorted(notice.purposes),
                notice.valid_from.isoformat(),
                notice.valid_until.isoformat() if notice.valid_until else None,
            ]
            for notice in brand.notices.values()
        ),
        "recipients": {
            name: {
                "kind": recipient.kind.value,
                "country": recipient.country,
                "purposes": list(recipient.purposes),
                "discloses": {code: sorted(fields) for code, fields in recipient.discloses.items()},
                "requires": sorted(recipient.requires),
                "transfer_basis": recipient.transfer_basis,
            }
            for name, recipient in recipients.items()
        },
    }
