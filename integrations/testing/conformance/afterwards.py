# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""After the delivery: reading back, stopping the use, destroying. What a vendor cannot do is said loudly."""

from __future__ import annotations

from integrations.contract.destination import Destination
from integrations.testing import invented
from integrations.testing.conformance.stage import Stage, promise
from integrations.testing.knobs import Garbage
from integrations.testing.server import SimulatorServer
from schemas.delivery import DeliveryReceipt, Disclosure
from schemas.errors import DeliveryError, TransientError
from schemas.vocabulary import Outcome


class Afterwards(Stage):
    """What follows a delivery."""

    @promise
    def test_lookup(self, destination: Destination, some: list[Disclosure]) -> None:
        if not self.manifest.capabilities.lookup:
            self.loudly_unsupported(lambda _: destination.lookup([some[0].key]), some)
            return
        keys = [one.key for one in some]
        assert destination.lookup(keys) == {}
        self.attempt(destination.deliver, some)
        found = destination.lookup([*keys, invented.key(9999)])
        assert set(found) == set(keys)
        assert all(one.count == 1 and one.key == key for key, one in found.items())

    @promise
    def test_lookup_that_fails_says_so(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        """An answer that cannot be read must never mean 'certainly not there'."""
        if not self.manifest.capabilities.lookup:
            return
        knobs = server.simulator.knobs
        self.attempt(destination.deliver, some)
        keys = [one.key for one in some]
        for form in Garbage:
            knobs.garbage(form, on=["lookup"])
            assert isinstance(self.attempt(lambda _: destination.lookup(keys), some), DeliveryError), form
            knobs.clear()
        for status in (500, 503):
            knobs.refuse(status, on=["lookup"], times=1)
            assert isinstance(self.attempt(lambda _: destination.lookup(keys), some), TransientError)
        server.down()
        assert isinstance(self.attempt(lambda _: destination.lookup(keys), some), TransientError)

    @promise
    def test_suppress(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        if not self.manifest.capabilities.suppress:
            self.loudly_unsupported(destination.suppress, some)
            return
        self.attempt(destination.deliver, some)
        receipts = self.attempt(destination.suppress, some)
        assert set(self.outcomes(receipts)) == {Outcome.ACCEPTED}
        assert [receipt.key for receipt in receipts] == [one.key for one in some]
        assert all(row.suppressed for row in server.simulator.world.rows())

    @promise
    def test_erase(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        keys = [one.key for one in some]
        if not self.manifest.capabilities.erase:
            self.loudly_unsupported(lambda _: destination.erase(keys), some)
            return
        self.attempt(destination.deliver, some)
        for _ in range(2):  # what is not there any more is erased
            receipts: list[DeliveryReceipt] = self.attempt(lambda _: destination.erase(keys), some)
            assert set(self.outcomes(receipts)) == {Outcome.ACCEPTED}
        assert server.simulator.world.rows() == []
