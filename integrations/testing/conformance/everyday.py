# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""The everyday: every record answered for, nothing doubled, nothing changed on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integrations.contract.destination import Destination
from integrations.testing import invented
from integrations.testing.conformance.stage import Stage, promise
from integrations.testing.server import SimulatorServer
from schemas.delivery import Disclosure
from schemas.vocabulary import Outcome, WriteMode


class Everyday(Stage):
    """What happens every day."""

    @promise
    def test_one_receipt_for_each_in_order(self, server: SimulatorServer, destination: Destination) -> None:
        batch = self.batch(self.size)
        receipts = self.attempt(destination.deliver, batch)
        assert set(self.outcomes(receipts)) == {Outcome.ACCEPTED}
        assert [receipt.key for receipt in receipts] == [one.key for one in batch]
        assert {row.key for row in server.simulator.world.rows()} == {one.key for one in batch}
        assert all(receipt.sent_sha256 for receipt in receipts), "the digest of what was sent is part of the proof"

    @promise
    def test_digest_is_of_what_was_sent(self, destination: Destination, some: list[Disclosure]) -> None:
        first, again = (self.attempt(destination.deliver, some) for _ in range(2))
        assert [one.sent_sha256 for one in first] == [one.sent_sha256 for one in again]
        assert len({one.sent_sha256 for one in first}) == len(some)

    @promise
    def test_the_least_is_enough(self, destination: Destination) -> None:
        least = invented.disclosure(1, self.manifest.requires or self.disclosed & {"phone", "email"})
        assert self.outcomes(self.attempt(destination.deliver, [least])) == [Outcome.ACCEPTED]

    @promise
    def test_nothing_to_send_is_no_call(self, server: SimulatorServer, destination: Destination) -> None:
        assert destination.deliver([]) == []
        assert not server.simulator.world.calls["write"]

    @promise
    def test_repeating_a_batch_doubles_nothing(
        self, server: SimulatorServer, destination: Destination, some: list[Disclosure]
    ) -> None:
        self.attempt(destination.deliver, some)
        match self.manifest.capabilities.write_mode:
            case WriteMode.UPSERT | WriteMode.CREATE_ONLY:
                assert set(self.outcomes(self.attempt(destination.deliver, some))) == {Outcome.ACCEPTED}
                assert server.simulator.world.doubles() == []
            case WriteMode.SEARCH_THEN_WRITE:  # the pipeline looks before it repeats, so the look must be right
                found = destination.lookup([one.key for one in some])
                assert {one.count for one in found.values()} == {1}
                assert len(found) == len(some)
            case WriteMode.APPEND_ONLY:
                assert not self.manifest.capabilities.lookup, "what can be found again is search_then_write"

    @promise
    def test_every_script_survives(self, server: SimulatorServer, destination: Destination) -> None:
        """Cyrillic, apostrophes, right-to-left, Han, emoji with joiners, mark-up: stored as it was or refused by field."""
        names = ("Ёлка-Щука", "O’Brien & <Søn>", 'Кавычка "ёж"', "محمد", "李小龍", "👩🏽‍🚀 Ада", "Ĳsbrand\u0301")
        disclosed = self.disclosed
        field = "given_name" if "given_name" in disclosed else "text"
        for number, name in enumerate(names):
            one = invented.disclosure(number, disclosed, **{field: name})
            self._survives(server, self.attempt(destination.deliver, [one]), one, frozenset({field}))

    @promise
    def test_long_values_survive_or_are_refused(self, server: SimulatorServer, destination: Destination) -> None:
        disclosed = self.disclosed
        fields = disclosed & {"given_name", "family_name"}
        one = invented.disclosure(1, disclosed, **dict.fromkeys(fields, "Ж" * 300))
        self._survives(server, self.attempt(destination.deliver, [one]), one, fields)

    def _survives(self, server: SimulatorServer, receipts: Any, one: Disclosure, fields: frozenset[str]) -> None:
        (outcome,) = self.outcomes(receipts)
        if outcome is Outcome.REJECTED:
            assert receipts[0].field in fields, "a refusal names our field"
            return
        assert outcome is Outcome.ACCEPTED
        stored = [str(value) for row in server.simulator.world.find(one.key) for value in _leaves(row.fields)]
        for name in fields:
            assert any(one.fields.reveal()[name] in value for value in stored), f"{name} was changed on the way"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
