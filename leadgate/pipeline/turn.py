"""A turn at a destination's door: keeps the rate limit that all workers share, and refuses one that comes after the lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from integrations.contract.destination import Destination
from leadgate.storage import throttle
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger


def wait(
    ledger: Ledger,
    connector: Destination,
    *,
    latest: datetime,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> bool:
    """Wait for our turn to call; False, at once, if it would come too late. Without a rate limit it is always our turn."""
    limits = connector.limits
    rate = limits.calls_per_second
    if not rate:
        return True
    now = to_micros(clock())
    begins = ledger.retrying(
        lambda tx: throttle.reserve(
            tx,
            destination=connector.endpoint.destination,
            now=now,
            interval=round(1e6 / rate),
            burst=limits.burst,
            latest=to_micros(latest) - 1,
        )
    )
    if begins is None:
        return False
    if begins > now:
        sleep((begins - now) / 1e6)
    return True
