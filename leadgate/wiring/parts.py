"""The parts of the house, each opened when it is first needed and closed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import Self

from consent.audit.note import SignerKey
from consent.blind_index import BlindIndex
from consent.keys.provider import KeyProvider, keyring_identity
from consent.vault import Vault
from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Manifest
from integrations.contract.source import Source, WebhookSource
from leadgate.pipeline.shred import require_replayed
from leadgate.settings import Settings, compose_policies
from leadgate.storage import properties, schema
from leadgate.storage.engine import Ledger
from leadgate.storage.shred_list import ShredList
from leadgate.wiring import notices
from leadgate.wiring.credentials import Credentials
from leadgate.wiring.keys import open_keys, open_log_key, open_log_keys
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


class Parts:
    """Everything is opened when it is first needed; ``close`` gives it back."""

    def __init__(self, settings: Settings, *, credentials: Credentials, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.credentials = credentials
        self.clock = clock
        self._connectors: dict[str, Destination] = {}

    # -- parts --------------------------------------------------------------------------------------------------------------

    @cached_property
    def ledger(self) -> Ledger:
        """The database, of the version this code was written for, with nobody in it who was destroyed."""
        require_replayed(self.restored_ledger, self.shred_list)
        return self.restored_ledger

    @cached_property
    def restored_ledger(self) -> Ledger:
        """The same, as it may come out of a backup: for ``leadgate restore`` and nobody else."""
        ledger = Ledger(self.settings.ledger_url)
        schema.check(ledger)
        return ledger

    @cached_property
    def shred_list(self) -> ShredList:
        """Who was destroyed, outside of the ledger."""
        return ShredList(self.settings.shred_list_path)

    @cached_property
    def keys(self) -> KeyProvider:
        """The key provider, whatever it opens."""
        return open_keys(self.settings, self.credentials)

    @cached_property
    def own_keys(self) -> KeyProvider:
        """The key provider. Raises ConfigurationError if what stands in the ledger was sealed under another keyring."""
        identity = keyring_identity(self.keys)
        with self.ledger.snapshot() as tx:
            known = properties.read(tx, properties.KEYRING)
        if known is None:
            with self.ledger.transaction() as tx:
                known = properties.keep(tx, properties.KEYRING, identity)
        if known != identity:
            raise ConfigurationError(
                "wrong_keyring",
                "the ledger was sealed under another keyring: restore that one; under this one no seal opens",
                field="LEADGATE_KEYRING",
            )
        return self.keys

    @cached_property
    def log_key(self) -> SignerKey:
        """The Ed25519 key that signs checkpoints."""
        return open_log_key(self.settings)

    @cached_property
    def log_keys(self) -> tuple[SignerKey, ...]:
        """Every key that signs checkpoints: Ed25519 first, ML-DSA-44 beside it where there is one."""
        return open_log_keys(self.settings)

    @cached_property
    def vault(self) -> Vault:
        """The vault."""
        return Vault(self.own_keys, self.settings.tenant)

    @cached_property
    def index(self) -> BlindIndex:
        """The blind indexes."""
        return BlindIndex(self.own_keys, self.settings.tenant)

    @cached_property
    def manifests(self) -> Mapping[str, Manifest]:
        """The manifest of every connector a destination uses, by connector."""
        return {each.connector: registry.manifest(each.connector) for each in self.settings.destinations.values()}

    @cached_property
    def policies(self) -> Mapping[str, BrandPolicy]:
        """The policy of every brand."""
        return compose_policies(self.settings, self.manifests)

    @cached_property
    def own_policies(self) -> Mapping[str, BrandPolicy]:
        """The policy of every brand, its notices registered. Raises ConfigurationError naming a notice that was rewritten."""
        return notices.registered(self.policies, self.ledger, now=self.clock())

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Every source, able to parse; without the secrets that verifying needs."""
        return {name: registry.source(entry.settings) for name, entry in self.settings.sources.items()}

    def webhook_sources(self, *, closed: dict[str, ConfigurationError] | None = None) -> Mapping[str, WebhookSource]:
        """The sources that are spoken to over HTTP, with their secrets.

        A source whose secret is missing or no good goes into ``closed``, so that the others can listen; without ``closed``,
        or if there is no other, its error is raised.
        """
        found: dict[str, WebhookSource] = {}
        errors: dict[str, ConfigurationError] = {}
        for name, entry in self.settings.sources.items():
            if not isinstance(self.sources[name], WebhookSource):
                continue
            try:
                secrets = self.credentials(entry.connection).secrets() if entry.connection else ()
                source = registry.source(entry.with_secrets(*secrets))
                if isinstance(source, WebhookSource):
                    source.require_secrets()
                    found[name] = source
            except ConfigurationError as error:
                errors[name] = error
        if errors and (closed is None or not found):
            raise next(iter(errors.values()))
        if closed is not None:
            closed.update(errors)
        return found

    def destination(self, name: str) -> Destination:
        """The connector of one configured destination, signed in when first used."""
        if name not in self._connectors:
            configured = self.settings.destinations.get(name)
            if configured is None:
                raise ConfigurationError(
                    "unknown_destination", "leadgate.yaml has no such destination", field=f"destinations.{name}"
                )
            manifest = self.manifests[configured.connector]
            limits = configured.limits(manifest.limits)
            endpoint = self.credentials(configured.connection).endpoint(name, options=configured.options, limits=limits)
            self._connectors[name] = registry.destination(configured.connector, endpoint)
        return self._connectors[name]

    # -- closing ---------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give back connections. Safe to call twice."""
        for connector in self._connectors.values():
            connector.close()
        self._connectors.clear()
        if "restored_ledger" in self.__dict__:
            self.restored_ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def unknown_destination(name: str) -> ConfigurationError:
    """The operator named a destination that is not configured."""
    return ConfigurationError("unknown_destination", "leadgate.yaml has no such destination", field=f"destinations.{name}")
