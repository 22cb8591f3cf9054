# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""Answers that came: about single records, about the whole call, and about who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from integrations import registry
from integrations.contract.destination import Destination
from integrations.testing.conformance.stage import Stage, promise
from integrations.testing.server import SimulatorServer
from schemas.delivery import Disclosure
from schemas.errors import DeliveryError, TerminalError, TransientError, UncertainError
from schemas.vocabulary import Outcome


class Answers(Stage):
    """What an answer may say."""

    @promise
    def test_partial_failure(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        bad = some[-1].key
        server.simulator.knobs.reject(keys=[bad], code="INVALID")
        receipts = self.attempt(destination.deliver, some)
        wanted = [Outcome.REJECTED if one.key == bad else Outcome.ACCEPTED for one in some]
        assert self.outcomes(receipts) == wanted
        assert receipts[-1].code, "a rejection says why"
        assert {row.key for row in server.simulator.world.rows()} == {one.key for one in some} - {bad}

    @promise
    def test_fewer_results(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        server.simulator.knobs.fewer_results(1)
        answer = self.attempt(destination.deliver, some)
        if isinstance(answer, list):
            assert Outcome.UNCERTAIN in self.outcomes(answer)
            assert set(self.outcomes(answer)) <= {Outcome.ACCEPTED, Outcome.UNCERTAIN}
        else:
            assert isinstance(answer, UncertainError)

    @promise
    def test_error_inside_success(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        server.simulator.knobs.error_inside()
        answer = self.attempt(destination.deliver, some)
        assert isinstance(answer, DeliveryError) or Outcome.ACCEPTED not in self.outcomes(answer)
        assert not server.simulator.world.rows()

    @promise
    def test_throttle_in_seconds(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        server.simulator.knobs.throttle("7", times=1)
        answer = self.attempt(destination.deliver, some)
        assert isinstance(answer, TransientError)
        assert answer.throttled
        assert answer.retry_after == 7.0  # noqa: PLR2004 - what the knob says
        assert not server.simulator.world.rows()
        assert set(self.outcomes(self.attempt(destination.deliver, some))) == {Outcome.ACCEPTED}

    @promise
    def test_throttle_by_date(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        server.simulator.knobs.throttle(until, times=1)
        answer = self.attempt(destination.deliver, some)
        assert isinstance(answer, TransientError)
        assert answer.throttled
        assert answer.retry_after is not None
        assert 0 < answer.retry_after <= 90  # noqa: PLR2004 - what the knob says
        assert not server.simulator.world.rows()

    @promise
    def test_server_error_leaves_doubt(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        server.simulator.knobs.refuse(500, times=1)
        assert self.in_doubt(self.attempt(destination.deliver, some))

    @promise
    def test_wrong_credentials(self, server: SimulatorServer, some: list[Disclosure]) -> None:
        destination = registry.destination(self.connector, self.endpoint(server, secret="wrong"))  # noqa: S106 - meant
        answer = self.attempt(destination.deliver, some)
        assert isinstance(answer, TerminalError)
        assert not server.simulator.world.rows()
        health = destination.check()
        self.said.append(repr(health))
        assert not health.ok
        assert health.advice
