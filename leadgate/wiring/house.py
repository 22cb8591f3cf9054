"""The house, open for work: one object that knows settings, keys, ledger and connectors, and says every verb."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from consent.audit.note import SignerKey
from consent.blind_index import BlindIndex
from consent.keys.provider import KeyProvider
from consent.pseudonyms import Pseudonyms
from consent.vault import Vault
from integrations import registry
from integrations.contract.destination import Destination, Health
from integrations.contract.manifest import Manifest
from integrations.contract.source import Source, WebhookSource
from leadgate.pipeline import balance
from leadgate.pipeline.admit import AdmitCount, Admitter
from leadgate.pipeline.balance import Balance, Promise
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.dispatch import Dispatcher
from leadgate.pipeline.receive import Receiver
from leadgate.pipeline.retention import Retention, RetentionCount
from leadgate.pipeline.seal import SealCount, Sealer
from leadgate.settings import Settings, compose_policies, load
from leadgate.storage import outbox, schema
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger
from leadgate.wiring.credentials import Credentials, environment_credentials
from leadgate.wiring.keys import open_keyring, open_log_key
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy, DeliveryRules

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


class House:
    """Everything is opened when it is first needed; ``close`` gives it back."""

    def __init__(self, settings: Settings, *, credentials: Credentials, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.credentials = credentials
        self.clock = clock
        self._connectors: dict[str, Destination] = {}

    # -- parts --------------------------------------------------------------------------------------------------------------

    @cached_property
    def ledger(self) -> Ledger:
        """The database, of the version this code was written for."""
        ledger = Ledger(self.settings.ledger_url)
        schema.check(ledger)
        return ledger

    @cached_property
    def keys(self) -> KeyProvider:
        """The key provider."""
        return open_keyring(self.settings)

    @cached_property
    def log_key(self) -> SignerKey:
        """The key that signs checkpoints."""
        return open_log_key(self.settings)

    @cached_property
    def vault(self) -> Vault:
        """The vault."""
        return Vault(self.keys, self.settings.tenant)

    @cached_property
    def index(self) -> BlindIndex:
        """The blind indexes."""
        return BlindIndex(self.keys, self.settings.tenant)

    @cached_property
    def manifests(self) -> Mapping[str, Manifest]:
        """The manifest of every connector a destination uses, by connector."""
        return {each.connector: registry.manifest(each.connector) for each in self.settings.destinations.values()}

    @cached_property
    def policies(self) -> Mapping[str, BrandPolicy]:
        """The policy of every brand."""
        return compose_policies(self.settings, self.manifests)

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Every source, able to parse; without the secrets that verifying needs."""
        return {name: registry.source(entry.settings) for name, entry in self.settings.sources.items()}

    def webhook_sources(self) -> Mapping[str, WebhookSource]:
        """The sources that are spoken to over HTTP, with their secrets."""
        found: dict[str, WebhookSource] = {}
        for name, entry in self.settings.sources.items():
            if not isinstance(self.sources[name], WebhookSource):
                continue
            secrets = self.credentials(entry.connection).secrets() if entry.connection else ()
            source = registry.source(entry.with_secrets(*secrets))
            if isinstance(source, WebhookSource):
                found[name] = source
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

    # -- verbs ----------------------------------------------------------------------------------------------------------------

    @cached_property
    def receiver(self) -> Receiver:
        """Commits submissions."""
        return Receiver(ledger=self.ledger, vault=self.vault, clock=self.clock)

    @cached_property
    def admitter(self) -> Admitter:
        """Decides submissions."""
        lengths = {
            name: self.manifests[each.connector].capabilities.key_length for name, each in self.settings.destinations.items()
        }
        return Admitter(
            ledger=self.ledger,
            vault=self.vault,
            index=self.index,
            pseudonyms=Pseudonyms(self.keys, self.settings.tenant),
            sources=self.sources,
            policies=self.policies,
            key_lengths=lengths,
            clock=self.clock,
        )

    def admit(self, *, seconds: float = 50, progress: Callable[[AdmitCount], None] | None = None) -> AdmitCount:
        """Decide what waits in the inbox."""
        return self.admitter.run(seconds=seconds, progress=progress)

    def destinations(self) -> list[str]:
        """Destinations with something due now."""
        with self.ledger.snapshot() as tx:
            due = outbox.destinations_with_work(tx, to_micros(self.clock()))
        return [name for name in due if name in self.settings.destinations]

    def dispatcher(self, destination: str, *, rules: DeliveryRules | None = None) -> Dispatcher:
        """Sends what is due at one destination."""
        return Dispatcher(
            ledger=self.ledger,
            vault=self.vault,
            policies=self.policies,
            connector=self.destination(destination),
            rules=rules or self.settings.delivery,
            worker=f"{socket.gethostname()[:32]}-{os.getpid()}-{os.urandom(4).hex()}",
            clock=self.clock,
        )

    def dispatch(
        self, destination: str, *, seconds: float = 50, progress: Callable[[DispatchCount], None] | None = None
    ) -> DispatchCount:
        """Send what is due at one destination."""
        return self.dispatcher(destination).run(seconds=seconds, progress=progress)

    def seal(self) -> SealCount:
        """Order the pending leaves and sign a checkpoint."""
        return Sealer(ledger=self.ledger, signer=self.log_key, clock=self.clock).run()

    def balance(self) -> Balance:
        """The balance, stored and answered."""
        return balance.take(self.ledger, clock=self.clock, promise=self.settings.promise.answer_within)

    def promise(self) -> Promise:
        """How the promised time stands."""
        limits = self.settings.promise
        return balance.promise(self.ledger, now=self.clock(), warn_after=limits.warn_after, answer_within=limits.answer_within)

    def apply_retention(self, *, dry_run: bool = False, actor: str = "system") -> RetentionCount:
        """Destroy what is due, or say what would be."""
        return self.retention.run(dry_run=dry_run, actor=actor)

    @cached_property
    def retention(self) -> Retention:
        """The retention rules over this ledger."""
        valid_for = {
            (brand.brand, purpose.code): purpose.valid_for
            for brand in self.settings.brands.values()
            for purpose in brand.purposes.values()
        }
        return Retention(ledger=self.ledger, rules=self.settings.retention, valid_for=valid_for, clock=self.clock)

    def check(self, destination: str) -> Health:
        """Sign in at a destination and look, write nothing."""
        return self.destination(destination).check()

    def upgrade(self) -> tuple[str | None, str]:
        """Make or migrate the ledger; answer (version before, version after)."""
        if self.settings.ledger_url.startswith("sqlite:///"):
            Path(self.settings.ledger_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(self.settings.ledger_url)
        try:
            return schema.upgrade(ledger)
        finally:
            ledger.close()

    # -- closing ------------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give back connections. Safe to call twice."""
        for connector in self._connectors.values():
            connector.close()
        self._connectors.clear()
        if "ledger" in self.__dict__:
            self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@contextmanager
def open_house(
    *, config: Path | None = None, credentials: Credentials | None = None, clock: Clock = utc_now
) -> Iterator[House]:
    """The house from leadgate.yaml and the environment. Raises ConfigurationError naming the place to mend."""
    settings = load(config)
    with House(settings, credentials=credentials or environment_credentials(os.environ), clock=clock) as house:
        yield house
