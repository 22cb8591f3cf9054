"""A whole house for tests: real settings, keys, ledger and connectors, with simulators behind real HTTP and a clock that a test
moves. Nothing of it is replaced; what a test wants to see otherwise it sets as an operator would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consent.audit.findings import Report
from integrations import registry
from integrations.contract.destination import Destination
from integrations.sources.document import DOCUMENT
from integrations.testing.invented_leads import Invented, InventedLeads
from integrations.testing.sandbox import Sandbox, Stand
from integrations.testing.server import SimulatorServer
from integrations.testing.simulator import Simulator
from integrations.testing.world import World
from leadgate.pipeline.dispatch import Dispatcher
from leadgate.settings import Settings, load
from leadgate.storage.engine import Ledger, Transaction
from leadgate.wiring import House, environment_credentials
from schemas.personal import Personal
from schemas.policy import DeliveryRules
from schemas.submission import Received, Submission

CONFIG = Path(__file__).with_name("leadgate.yaml")
BEGIN = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
#: The invented secrets of the two webhooks.
WEBHOOK_SECRET = "whsec_cHJvb2YtcHJvb2YtcHJvb2YtcHJvb2YtcHJvb2Y="
VK_SECRET = "proof-of-vk"
_SOURCES = {
    "AIRFLOW_CONN_PROOF_WEBHOOK": json.dumps({"conn_type": "http", "password": WEBHOOK_SECRET}),
    "AIRFLOW_CONN_PROOF_VK": json.dumps({"conn_type": "http", "password": VK_SECRET}),
}


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def stands() -> Sandbox:
    """The four destinations of ``leadgate.yaml``."""
    return Sandbox(
        [
            Stand(simulator="soap_call_center", name="lada_calls", connection="proof_lada_calls"),
            Stand(simulator="json_crm", name="lada_crm", connection="proof_lada_crm"),
            Stand(simulator="soap_call_center", name="s7_calls", connection="proof_s7_calls"),
            Stand(simulator="json_crm", name="s7_crm", connection="proof_s7_crm"),
        ]
    )


def settings_for(*, state: Path, ledger_url: str, config: Path = CONFIG) -> Settings:
    """The settings with their state in ``state``; of the configuration in the checkout, the inbox folders too."""
    settings = load(config, {"LEADGATE_STATE": str(state), "LEADGATE_DATABASE_URL": ledger_url})
    if config != CONFIG:
        return settings
    sources = {
        name: replace(entry, inbox=str(state / "inbox" / name)) if entry.inbox else entry
        for name, entry in settings.sources.items()
    }
    return replace(settings, sources=sources)


class TestHouse:
    """A house, its clock, its simulators, and an inventor of leads."""

    __test__ = False  # pytest takes the name for a test's

    def __init__(self, settings: Settings, sandbox: Sandbox, *, clock: Clock) -> None:
        self.settings = settings
        self.sandbox = sandbox
        self.clock = clock
        self.house = self.another()
        self.invented = InventedLeads(self.house.policies, now=clock.now)

    def another(self) -> House:
        """The same house in other hands: as another process would open it."""
        credentials = environment_credentials({**self.sandbox.environment(), **_SOURCES})
        return House(self.settings, credentials=credentials, clock=self.clock)

    def close(self) -> None:
        self.house.close()

    # -- in ---------------------------------------------------------------------------------------------------------------

    def receive(self, *leads: Invented, source: str = "webhook") -> Received:
        """Commit submissions as the source would hand them in."""
        return self.house.receiver.commit([submission(lead, source=source) for lead in leads])

    def admit(self, *leads: Invented) -> list[tuple[str, list[str]]]:
        """Receive and decide; answer (state, reasons) in the order of ``leads``."""
        self.receive(*leads)
        self.house.admit()
        return [self.state_of(lead) for lead in leads]

    def state_of(self, lead: Invented, *, source: str = "webhook") -> tuple[str, list[str]]:
        """(state, reasons) of a submission."""
        rows = self.rows(
            "select state, findings from submission where event_id = :event and source = :source",
            event=lead.event_id,
            source=source,
        )
        assert len(rows) == 1, "a submission is one row"
        return rows[0][0], [each["reason"] for each in json.loads(rows[0][1] or "[]")]

    # -- out --------------------------------------------------------------------------------------------------------------

    def server(self, destination: str) -> SimulatorServer:
        return self.sandbox.servers[destination]

    def simulator(self, destination: str) -> Simulator:
        return self.server(destination).simulator

    def world(self, destination: str) -> World:
        return self.simulator(destination).world

    def dispatcher(
        self,
        destination: str,
        *,
        rules: DeliveryRules | None = None,
        connector: Destination | None = None,
        worker: str = "worker-1",
        house: House | None = None,
    ) -> Dispatcher:
        """A dispatcher with a name of its own, that never really sleeps: it moves the clock."""
        of = house or self.house
        return Dispatcher(
            ledger=of.ledger,
            vault=of.vault,
            policies=of.policies,
            connector=connector or of.destination(destination),
            rules=rules or self.settings.delivery,
            worker=worker,
            clock=self.clock,
            sleep=lambda seconds: self.clock.advance(seconds=seconds),
        )

    def slowed(self, destination: str, **limits: Any) -> Destination:
        """The destination's connector with other limits, as leadgate.yaml could set them."""
        known = self.house.destination(destination)
        name = self.settings.destinations[destination].connector
        return registry.destination(name, replace(known.endpoint, limits=replace(known.limits, **limits)))

    def deliveries(self, destination: str) -> dict[str, str]:
        """Delivery id -> state."""
        rows = self.rows("select delivery_id, state from delivery where destination = :name", name=destination)
        return dict(tuple(row) for row in rows)

    def states(self, destination: str) -> dict[str, int]:
        """State -> count."""
        rows = self.rows("select state, count(*) from delivery where destination = :name group by state", name=destination)
        return dict(tuple(row) for row in rows)

    # -- look -------------------------------------------------------------------------------------------------------------

    def rows(self, statement: str, /, **values: Any) -> list[Any]:
        with self.house.ledger.snapshot() as tx:
            return tx.rows(statement, **values)

    def run(self, statement: str, /, **values: Any) -> int:
        """Write past the program, as somebody with a database client would."""
        with self.house.ledger.transaction() as tx:
            return tx.run(statement, **values)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.house.ledger.transaction() as tx:
            yield tx

    @property
    def ledger(self) -> Ledger:
        return self.house.ledger

    def verified(self) -> Report:
        """Seal, export, verify."""
        self.house.seal()
        return self.house.verify()

    def with_rules(self, **changes: Any) -> DeliveryRules:
        return replace(self.settings.delivery, **changes)


def submission(lead: Invented, *, source: str = "webhook") -> Submission:
    """What a source makes of an invented lead."""
    return Submission(source=source, event_id=lead.event_id, media_type=DOCUMENT, body=Personal(lead.body))


def document(lead: Invented, **changes: Any) -> Invented:
    """The same submission with some keys of its document exchanged, under the same event id."""
    return replace(lead, document={**lead.document, **changes})


def renamed(lead: Invented, event_id: str, **changes: Any) -> Invented:
    """Another event with the same document but for ``changes``."""
    return replace(lead, event_id=event_id, document={**lead.document, **changes})


def consent(lead: Invented, **changes: Any) -> Mapping[str, Any]:
    """The lead's consent with some keys exchanged."""
    return {**lead.document["consent"], **changes}


def totals(counts: Mapping[str, Sequence[Any] | int]) -> int:
    return sum(value for value in counts.values() if isinstance(value, int))
