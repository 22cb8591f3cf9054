"""Connectors under other manifests, with something else happening right after a batch was answered: a withdrawal, another
worker, the end of the process. They are the vendors' own connectors otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from integrations.contract.destination import Destination
from integrations.declarative.rest import RestDestination
from integrations.declarative.soap import SoapDestination
from schemas.delivery import DeliveryReceipt, Disclosure
from tests.houses.house import TestHouse


class _Interrupted(Destination):
    """A connector with something else happening each time a batch was answered."""

    afterwards: Callable[[], object]

    def _deliver(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:
        receipts = super()._deliver(batch)  # type: ignore[safe-super] # the vendor's connector stands behind this one
        self.afterwards()
        return receipts


class _InterruptedRest(_Interrupted, RestDestination): ...


class _InterruptedSoap(_Interrupted, SoapDestination): ...


def interrupted(house: TestHouse, name: str, afterwards: Callable[[], object], **capabilities: Any) -> Destination:
    """The destination's own connector under a manifest with other capabilities, as a vendor's folder would declare them."""
    known = house.house.destination(name)
    manifest = replace(known.manifest, capabilities=replace(known.manifest.capabilities, **capabilities))
    if not manifest.capabilities.lookup:
        operations = {verb: each for verb, each in manifest.transport["operations"].items() if verb != "lookup"}
        manifest = replace(manifest, transport={**manifest.transport, "operations": operations})
    kind = _InterruptedRest if isinstance(known, RestDestination) else _InterruptedSoap
    connector = kind(manifest=manifest, endpoint=known.endpoint)
    connector.afterwards = afterwards
    return connector
