# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""Answers that did not come, or that nobody can read: what may have been stored is in doubt, what was not sent is not."""

from __future__ import annotations

import pytest

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Limits
from integrations.testing.conformance.stage import IMPATIENT, PATIENT, Stage, promise
from integrations.testing.knobs import FaultKind, Garbage
from integrations.testing.server import SimulatorServer
from schemas.delivery import Disclosure
from schemas.errors import TransientError
from schemas.vocabulary import Outcome


class Silence(Stage):
    """What a lost answer leaves behind."""

    @promise
    def test_connection_refused(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        server.down()
        assert isinstance(self.attempt(destination.deliver, some), TransientError)
        health = destination.check()
        self.said.append(repr(health))
        assert not health.ok
        assert health.advice
        server.up()
        assert set(self.outcomes(self.attempt(destination.deliver, some))) == {Outcome.ACCEPTED}

    @promise
    def test_connection_refused_after_success(
        self, server: SimulatorServer, destination: Destination, some: list[Disclosure]
    ) -> None:
        """The pooled connection is gone too: nothing was sent, and nothing may be called uncertain for it."""
        self.attempt(destination.deliver, some)
        server.down()
        assert isinstance(self.attempt(destination.deliver, some), TransientError)

    @promise
    @pytest.mark.parametrize(
        "kind",
        [FaultKind.TAKE_THEN_HANG, FaultKind.TAKE_THEN_RESET, FaultKind.TAKE_THEN_CUT, FaultKind.TAKE_THEN_REFUSE],
    )
    def test_lost_answer_leaves_doubt(self, server: SimulatorServer, some: list[Disclosure], kind: FaultKind) -> None:
        limits = IMPATIENT if kind is FaultKind.TAKE_THEN_HANG else PATIENT
        destination = registry.destination(self.connector, self.endpoint(server, limits=limits))
        server.simulator.knobs.take_then(kind, times=1)
        assert self.in_doubt(self.attempt(destination.deliver, some))
        assert {row.key for row in server.simulator.world.rows()} == {one.key for one in some}
        self.read_back(registry.destination(self.connector, self.endpoint(server)), some)

    @promise
    @pytest.mark.parametrize("form", list(Garbage))
    def test_garbage_leaves_doubt(
        self, server: SimulatorServer, destination: Destination, some: list[Disclosure], form: Garbage
    ) -> None:
        server.simulator.knobs.garbage(form, times=1)
        assert self.in_doubt(self.attempt(destination.deliver, some))
        self.read_back(destination, some)

    @promise
    def test_oversize_answer_leaves_doubt(self, server: SimulatorServer) -> None:
        limits = Limits(connect_timeout=10.0, read_timeout=60.0, max_response_bytes=64)
        destination = registry.destination(self.connector, self.endpoint(server, limits=limits))
        assert self.in_doubt(self.attempt(destination.deliver, self.batch(min(5, self.size))))
