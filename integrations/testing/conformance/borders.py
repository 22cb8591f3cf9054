# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""Borders: how much, to whom, how little, and exactly the bytes the fixtures say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Endpoint
from integrations.testing.conformance.stage import Stage, promise
from integrations.testing.replay import Fixture, Replay, perform, sent_by
from integrations.testing.server import SimulatorServer
from schemas.delivery import Disclosure
from schemas.errors import TerminalError


class Borders(Stage):
    """What a connector must not cross."""

    @promise
    def test_batch_too_large_is_refused(self, server: SimulatorServer, destination: Destination) -> None:
        answer = self.attempt(destination.deliver, self.batch(self.size + 1))
        assert isinstance(answer, TerminalError)
        assert answer.code == "batch_too_large"
        assert not server.simulator.world.rows()

    @promise
    def test_key_twice_is_refused(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        if self.size > 1:
            answer = self.attempt(destination.deliver, [some[0], some[0]])
            assert isinstance(answer, TerminalError)
            assert not server.simulator.world.rows()

    @promise
    def test_check(self, server: SimulatorServer, destination: Destination) -> None:
        health = destination.check()
        self.said.append(repr(health))
        assert health.ok, health
        assert server.simulator.world.rows() == [], "a check writes nothing"

    @promise
    def test_foreign_host_is_refused(self, server: SimulatorServer, some: list[Disclosure]) -> None:
        endpoint = self.endpoint(server)
        elsewhere = Endpoint(
            destination=endpoint.destination,
            base_url=endpoint.base_url,
            hosts=frozenset({"vendor.example.org"}),
            login=endpoint.login,
            secret=endpoint.secret,
            options=endpoint.options,
        )

        def deliver(batch: Sequence[Disclosure]) -> Any:
            return registry.destination(self.connector, elsewhere).deliver(batch)

        answer = self.attempt(deliver, some)
        assert isinstance(answer, TerminalError)
        assert answer.code == "foreign_host"
        assert not server.simulator.world.calls, "nothing was sent"

    @promise
    def test_closing_twice_is_harmless(self, destination: Destination, some: list[Disclosure]) -> None:
        self.attempt(destination.deliver, some)
        destination.close()
        destination.close()

    @promise
    def test_discloses_no_more_than_it_uses(self) -> None:
        """What the vault opens is what is sent: a field that is opened and mapped nowhere is one too many."""
        words = msgspec.json.encode([self.manifest.mapping, self.manifest.transport]).decode()
        unused = {name for fields in self.manifest.discloses.values() for name in fields if name not in words}
        assert not unused

    @promise
    def test_fixtures_replay(self) -> None:
        folder = registry.folder(self.connector) / "fixtures"
        situations = sorted(found for found in folder.glob("*") if found.is_dir())
        assert situations, "a connector brings fixtures"
        for situation in situations:
            fixture = Fixture.read(situation)
            replay = Replay(fixture)
            replay.__class__.base_path = self.simulator.base_path
            with SimulatorServer(replay) as server:
                destination = registry.destination(self.connector, self.endpoint(server))
                assert perform(destination, fixture.disclosure) == fixture.expected, situation.name
                destination.close()
            assert sent_by(replay, fixture, self.read_body) == fixture.requests, situation.name
