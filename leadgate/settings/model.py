"""leadgate.yaml, checked, as frozen values. No field holds a secret except ``ledger_url``, which is kept out of ``repr``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from integrations.contract.manifest import Limits
from integrations.contract.source import SourceSettings
from leadgate.settings.destruction import DestructionSettings
from leadgate.settings.keys import AnalyticsSettings, KeySettings
from leadgate.settings.log import LogSettings
from schemas.clocks import ClockTerms
from schemas.controller import Controller, Party, StoragePlace
from schemas.personal import Personal
from schemas.policy import CallingWindow, CrossBorder, DeliveryRules, Notice, Purpose, RetentionRules, Topic
from schemas.vocabulary import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How soon people are called back, and when an engineer is warned."""

    answer_within: timedelta
    warn_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandSettings:
    """A brand without its recipients; ``compose_policies`` adds them."""

    brand: str
    title: str
    home_country: str
    countries: frozenset[str]
    default_region: str | None
    duplicate_window: timedelta
    purposes: Mapping[str, Purpose]
    topics: Mapping[str, Topic]
    notices: Mapping[tuple[str, str, Language], Notice]
    controller: Controller | None = None
    cross_border: Mapping[str, CrossBorder] = field(default_factory=dict)  # by country of the destination
    calling_windows: Mapping[str, CallingWindow] = field(default_factory=dict)  # by country of the person
    one_purpose_from: Mapping[str, datetime] = field(default_factory=dict)  # by country of the person
    clocks: ClockTerms = field(default_factory=ClockTerms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """A configured source, without secrets.

    ``connection`` is the id its secrets are found under, None if it needs none. ``inbox`` is where files are dropped for it: an
    absolute path or a URL that ``ObjectStoragePath`` understands.
    """

    settings: SourceSettings
    connection: str | None
    inbox: str | None

    def with_secrets(self, *secrets: Personal[str]) -> SourceSettings:
        """Answer the settings a source is built from; the newest secret first."""
        plain = self.settings
        return SourceSettings(
            name=plain.name, connector=plain.connector, brand=plain.brand, options=plain.options, secrets=tuple(secrets)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSettings:
    """A configured destination, without credentials.

    ``purposes`` maps a brand to its purposes in order of preference; ``discloses`` narrows what the manifest discloses;
    ``requires`` adds to what the manifest requires. ``limits`` holds only what is overridden.
    """

    name: str
    connector: str
    connection: str
    country: str
    transfer_basis: str | None
    purposes: Mapping[str, tuple[str, ...]]
    discloses: Mapping[str, frozenset[str]]
    requires: frozenset[str]
    overrides: Mapping[str, Any]
    options: Mapping[str, Any]
    party: Party | None = None

    def limits(self, manifest: Limits) -> Limits | None:
        """Answer the manifest's limits with this destination's overrides; None if there are none."""
        if not self.overrides:
            return None
        known = {name: getattr(manifest, name) for name in Limits.__dataclass_fields__}
        return Limits(**(known | dict(self.overrides)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the shell needs to know before it opens anything."""

    path: Path  # of leadgate.yaml
    root: Path  # relative paths of options are taken from here
    state: Path  # .leadgate: ledger, keys, inbox of a single-machine installation
    tenant: str
    promise: Promise
    retention: RetentionRules
    delivery: DeliveryRules
    log_origin: str
    log: LogSettings
    brands: Mapping[str, BrandSettings]
    sources: Mapping[str, SourceEntry]
    destinations: Mapping[str, DestinationSettings]
    ledger_url: str = field(repr=False)  # may hold a password
    keyring_path: Path
    log_key_path: Path
    storage: StoragePlace | None = None
    shred_list_path: Path
    destruction: DestructionSettings
    keep_identifiers: timedelta = timedelta(days=90)  # of a request that is closed
    keys: KeySettings = field(default_factory=KeySettings)
    analytics: AnalyticsSettings = field(default_factory=AnalyticsSettings)
