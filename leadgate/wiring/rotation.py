"""Keys, as the doors say it: status, rotate, re-wrap, re-index, drop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from leadgate.logging import get_logger
from leadgate.pipeline.reindex import ReindexCount, Reindexer
from leadgate.pipeline.rotate import KeyStatus, RewrapCount, Rotation
from leadgate.wiring.keys import key_rotation
from leadgate.wiring.parts import Parts

_log = get_logger(__name__)


class KeyDesk:
    """What rotates. One a house; every verb may be said twice, and beside another process that says it."""

    def __init__(self, house: Parts) -> None:
        self._house = house

    @cached_property
    def rotation(self) -> Rotation:
        """The steps over this ledger and its keyring."""
        house = self._house
        return Rotation(
            ledger=house.ledger,
            keys=house.own_keys,
            index=house.index,
            rotation=key_rotation(house.settings, house.credentials),
            rest=2 * house.settings.delivery.lease,  # a claim is out for one lease, and whoever took it may be late
            clock=house.clock,
        )

    @cached_property
    def reindexer(self) -> Reindexer:
        """Moves the indexes."""
        house = self._house
        return Reindexer(ledger=house.ledger, vault=house.vault, index=house.index, policies=house.policies, clock=house.clock)

    def status(self) -> KeyStatus:
        """Versions, and what hangs on each."""
        return self.rotation.status()

    def rotate(self, *, actor: str) -> tuple[int, int]:
        """(version before, version now); goes on with a rotation that was interrupted."""
        before, now = self.rotation.rotate(actor=actor)
        _log.info("keys rotated", counts={"version": now})
        return before, now

    def rewrap(self, *, actor: str, progress: Callable[[int], None] | None = None) -> RewrapCount:
        """Bring every wrapped key under the current version."""
        count = self.rotation.rewrap(actor=actor, progress=progress)
        _log.info("keys wrapped anew", counts={"rewrapped": sum(count.rewrapped.values())})
        return count

    def reindex(self, *, actor: str, progress: Callable[[int], None] | None = None) -> ReindexCount:
        """Bring what people are found by under the current version."""
        count = self.reindexer.run(actor=actor, progress=progress)
        self.rotation.settle()
        _log.info("indexes made anew", counts=count.as_dict())
        return count

    def drop(self, version: int, *, actor: str, dry_run: bool = False) -> None:
        """Destroy the oldest version. Raises ConfigurationError if something hangs on it, or may still be on its way."""
        self.rotation.drop(version, actor=actor, dry_run=dry_run)
        if not dry_run:
            _log.info("key version destroyed", counts={"version": version})
