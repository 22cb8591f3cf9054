# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""After the delivery: reading back, stopping the use, destroying. What a vendor cannot do is said loudly."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from integrations.contract.destination import Destination
from integrations.contract.vendor_words import ABSENT
from integrations.testing import invented
from integrations.testing.conformance.stage import Stage, promise
from integrations.testing.knobs import Garbage
from integrations.testing.server import SimulatorServer
from schemas.delivery import DeliveryReceipt, Disclosure
from schemas.errors import DeliveryError, TransientError
from schemas.personal import Personal
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
    def test_our_key_is_enough_to_stop(self, server: SimulatorServer, destination: Destination, some: list[Disclosure]) -> None:
        """The person may be erased before the recipient is told: our key and what is declared go out, as often as needed."""
        if not self.manifest.capabilities.suppress:
            return
        self.attempt(destination.deliver, some)
        strangers = [invented.key(9998), invented.key(9999)]
        needed = self.manifest.capabilities.suppress_fields
        bare = [msgspec.structs.replace(one, fields=_only(one.fields, needed)) for one in some]
        bare += [msgspec.structs.replace(bare[0], key=key, delivery_id=key) for key in strangers]
        for _ in range(2):
            receipts: list[DeliveryReceipt] = self.attempt(destination.suppress, bare)
            assert set(self.outcomes(receipts)) == {Outcome.ACCEPTED}
            assert [receipt.key for receipt in receipts if receipt.code == ABSENT] == strangers
        assert all(row.suppressed for row in server.simulator.world.rows())
        assert server.simulator.world.stats()["records"] == len(some), "nobody is created by being suppressed"

    @promise
    def test_a_stop_that_is_not_confirmed_says_so(
        self, server: SimulatorServer, destination: Destination, some: list[Disclosure]
    ) -> None:
        """An answer that cannot be read must never mean 'we stopped'."""
        if not self.manifest.capabilities.suppress:
            return
        knobs = server.simulator.knobs
        self.attempt(destination.deliver, some)
        for form in Garbage:
            knobs.garbage(form, on=["suppress"], take=False)
            answer = self.attempt(destination.suppress, some)
            assert isinstance(answer, DeliveryError) or Outcome.ACCEPTED not in self.outcomes(answer), form
            knobs.clear()
        server.down()
        assert isinstance(self.attempt(destination.suppress, some), TransientError)

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


def _only(fields: Personal[Mapping[str, str]], names: frozenset[str]) -> Personal[Mapping[str, str]]:
    return Personal({name: value for name, value in fields.reveal().items() if name in names})
