"""The base class of every destination. It refuses a batch that is too large or holds one key twice, an answer that cannot be
matched to what was sent, and every exception that is not a DeliveryError.

A connector implements the hooks; the public methods belong to this class. The promises to the pipeline:

1. ``deliver`` MUST answer one receipt for each disclosure, in the same order. A record the vendor said nothing about is
   ``uncertain``: it may have been stored.
2. Only DeliveryError MUST escape. TransientError MUST mean that nothing of the batch was stored; if that is not known it is
   UncertainError.
3. No error, receipt or log line MAY hold a value that was disclosed, a credential or a piece of the vendor's answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from integrations.contract.advice import advice_for
from integrations.contract.manifest import Endpoint, Limits, Manifest
from schemas.delivery import DeliveryReceipt, Disclosure, Found
from schemas.errors import ConfigurationError, DeliveryError, TerminalError, UncertainError
from schemas.vocabulary import Outcome

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Answer of ``check``: what a person reads after pressing 'Test connection'. ``advice`` says what to fix."""

    ok: bool
    message: str
    advice: str = ""


class Destination(ABC):
    """One configured destination. Not thread-safe: one instance per worker."""

    name: ClassVar[str]  # the connector's name, equal to its folder's

    def __init__(self, *, manifest: Manifest, endpoint: Endpoint) -> None:
        self.manifest = manifest
        self.endpoint = endpoint
        self.limits: Limits = endpoint.limits or manifest.limits

    # -- public: owned by this class ---------------------------------------------------------------------------------

    def deliver(self, batch: Sequence[Disclosure]) -> list[DeliveryReceipt]:
        """Send one batch and answer one receipt per record, in order. Raises DeliveryError for the batch as a whole."""
        keys = [disclosure.key for disclosure in batch]
        if not keys:
            return []
        if len(keys) > self.manifest.capabilities.batch_size:
            raise TerminalError(
                "batch_too_large", "the batch is larger than the manifest allows", field=self.endpoint.destination
            )
        if len(set(keys)) != len(keys):
            raise TerminalError("key_twice_in_batch", "one key stands twice in a batch", field=self.endpoint.destination)
        return self._matched_to(keys, self._guarded(lambda: list(self._deliver(batch))))

    def lookup(self, keys: Sequence[str]) -> dict[str, Found]:
        """Read back which of ``keys`` stand at the destination; absent from the answer means certainly not there.

        Raises TerminalError ``unsupported`` if the manifest declares no lookup.
        """
        self._require("lookup", supported=self.manifest.capabilities.lookup)
        return self._guarded(lambda: self._lookup(keys)) if keys else {}

    def suppress(self, batch: Sequence[Disclosure]) -> list[DeliveryReceipt]:
        """Tell the destination to stop using these records (do not call).

        ``fields`` holds no more than ``suppress_fields`` of the capabilities: unless that is declared, the key MUST be enough.

        Safe to repeat. One receipt a record, in order; ``vendor_words.ABSENT`` is the code of one that is not there.
        """
        self._require("suppress", supported=self.manifest.capabilities.suppress)
        keys = [disclosure.key for disclosure in batch]
        return self._matched_to(keys, self._guarded(lambda: list(self._suppress(batch)))) if batch else []

    def erase(self, keys: Sequence[str]) -> list[DeliveryReceipt]:
        """Have the destination destroy these records; a vendor that only hides them does not declare ``erase``.

        Safe to repeat; receipts as those of ``suppress``.
        """
        self._require("erase", supported=self.manifest.capabilities.erase)
        return self._matched_to(keys, self._guarded(lambda: list(self._erase(keys)))) if keys else []

    def check(self) -> Health:
        """Sign in and look, write nothing. Never raises."""
        try:
            return self._guarded(self._check)
        except DeliveryError as error:
            return Health(ok=False, message=error.message, advice=advice_for(error.code))

    def close(self) -> None:  # noqa: B027 - optional hook: most connectors hold nothing open
        """Release connections. Safe to call twice."""

    # -- hooks: the vendor's ------------------------------------------------------------------------------------------

    @abstractmethod
    def _deliver(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]: ...

    @abstractmethod
    def _check(self) -> Health: ...

    def _lookup(self, keys: Sequence[str]) -> dict[str, Found]:  # noqa: ARG002 - a hook
        raise TerminalError("unsupported", "lookup is declared but not implemented", field=self.name)

    def _suppress(self, batch: Sequence[Disclosure]) -> Sequence[DeliveryReceipt]:  # noqa: ARG002 - a hook
        raise TerminalError("unsupported", "suppress is declared but not implemented", field=self.name)

    def _erase(self, keys: Sequence[str]) -> Sequence[DeliveryReceipt]:  # noqa: ARG002 - a hook
        raise TerminalError("unsupported", "erase is declared but not implemented", field=self.name)

    # -- shared --------------------------------------------------------------------------------------------------------

    def _matched_to(self, keys: Sequence[str], receipts: list[DeliveryReceipt]) -> list[DeliveryReceipt]:
        """One receipt a key, in order. A key that was not asked for, or two receipts for one: nothing in the answer counts."""
        by_key = {receipt.key: receipt for receipt in receipts}
        if len(by_key) != len(receipts) or not by_key.keys() <= set(keys):
            raise UncertainError(
                "answer_does_not_match", "the answer cannot be matched to what was sent", field=self.endpoint.destination
            )
        return [
            by_key.get(key) or DeliveryReceipt(key=key, outcome=Outcome.UNCERTAIN, code="missing_in_answer") for key in keys
        ]

    def _require(self, verb: str, *, supported: bool) -> None:
        if not supported:
            raise TerminalError(
                "unsupported", f"this destination cannot {verb}; see its manifest", field=self.endpoint.destination
            )

    def _guarded(self, call: Callable[[], R]) -> R:
        try:
            return call()
        except DeliveryError:
            raise
        except ConfigurationError as error:  # found before anything was sent: a person mends it
            failure: DeliveryError = TerminalError(error.code, error.message, field=error.field)
        except Exception as error:  # noqa: BLE001 - the promise: a bug in a connector may have happened after the send
            failure = UncertainError(
                "connector_fault", f"the connector failed with {type(error).__name__}", field=self.endpoint.destination
            )
        raise failure  # out here: as a context the vendor's exception would travel along, and quote what was sent
