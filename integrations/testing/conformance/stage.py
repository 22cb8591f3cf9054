# ruff: noqa: S101 - assert is how pytest speaks, and this is a test suite to inherit
"""The stage every conformance test plays on: a simulator as a real server, a destination, invented people, and ears.

Around every test stands ``nothing_leaks``: no canary in any log record, exception, receipt or health, in any spelling.
"""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, ClassVar, TypeVar

import msgspec
import pytest

from integrations import registry
from integrations.contract.destination import Destination
from integrations.contract.manifest import Endpoint, Limits, Manifest
from integrations.testing import invented
from integrations.testing.server import SimulatorServer
from integrations.testing.simulator import Simulator
from schemas.delivery import Disclosure
from schemas.errors import DeliveryError, TerminalError, UncertainError
from schemas.personal import Personal
from schemas.vocabulary import Outcome

F = TypeVar("F", bound=Callable[..., None])
#: Patient: a machine under load must not turn an answer into a timeout. Impatient: for answers that never come.
PATIENT = Limits(connect_timeout=10.0, read_timeout=60.0)
IMPATIENT = Limits(connect_timeout=5.0, read_timeout=0.4)


class ExemptionWarning(UserWarning):
    """A promise the connector does not keep, with the manifest's reason."""


def promise(test: F) -> F:
    """Mark a test as one the manifest may exempt by its name without ``test_``."""

    @wraps(test)
    def run(self: Stage, *args: Any, **options: Any) -> None:
        reason = self.manifest.exemptions.get(test.__name__.removeprefix("test_"))
        if reason is None:
            test(self, *args, **options)
        else:
            warnings.warn(f"{self.connector} is exempt from {test.__name__}: {reason}", ExemptionWarning, stacklevel=1)

    return run  # type: ignore[return-value] # the same parameters


class _Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self._formatter = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("integrations.testing"):  # the vendor's own log is the vendor's
            self.heard.append(self._formatter.format(record))


class Stage:
    """What the tests share. ``endpoint`` and ``read_body`` may be overridden."""

    connector: ClassVar[str]
    simulator: ClassVar[type[Simulator]]
    options: ClassVar[Mapping[str, Any]] = {}

    @property
    def manifest(self) -> Manifest:
        return registry.manifest(self.connector)

    def endpoint(self, server: SimulatorServer, *, limits: Limits = PATIENT, secret: str | None = None) -> Endpoint:
        """How the destination reaches the simulator; override where a vendor signs in otherwise."""
        return Endpoint(
            destination="conformance",
            base_url=server.url,
            hosts=frozenset({server.host}),
            login=self.simulator.login,
            secret=Personal(secret or self.simulator.secret),
            options={**self.simulator.options, **self.options},
            limits=limits,
        )

    @staticmethod
    def read_body(body: bytes) -> Any:
        """A request's body in the shape the fixtures use; override for anything but JSON."""
        return msgspec.json.decode(body)

    @pytest.fixture
    def server(self) -> Iterator[SimulatorServer]:
        with SimulatorServer(self.simulator()) as server:
            yield server

    @pytest.fixture
    def destination(self, server: SimulatorServer) -> Iterator[Destination]:
        destination = registry.destination(self.connector, self.endpoint(server))
        yield destination
        destination.close()

    @pytest.fixture
    def some(self) -> list[Disclosure]:
        return self.batch(min(5, self.size))

    @pytest.fixture(autouse=True)
    def nothing_leaks(self) -> Iterator[None]:
        """Listen at DEBUG to everything, keep everything the connector said, and look for canaries afterwards."""
        ears, root = _Ears(), logging.getLogger()
        level = root.level
        root.addHandler(ears)
        root.setLevel(logging.DEBUG)
        self.said: list[str] = []
        self.shown: set[str] = set()
        try:
            yield
        finally:
            root.removeHandler(ears)
            root.setLevel(level)
        heard = "\n".join([*ears.heard, *self.said])
        found = [value for value in self.shown for trace in invented.traces(value) if trace in heard]
        assert not found, f"{len(found)} canaries were found in what the connector said"
        assert self.simulator.secret not in heard, "the credential was found in what the connector said"

    @property
    def size(self) -> int:
        return self.manifest.capabilities.batch_size

    @property
    def disclosed(self) -> frozenset[str]:
        """The fields of the purpose that is played: the one for all, or the manifest's first."""
        discloses = self.manifest.discloses
        return discloses["*"] if "*" in discloses else next(iter(discloses.values()))

    def batch(self, count: int, *, start: int = 0) -> list[Disclosure]:
        return invented.batch(count, sorted(self.disclosed), start=start)

    def attempt(self, call: Callable[[Sequence[Disclosure]], Any], batch: Sequence[Disclosure]) -> Any:
        """Call with ``batch``; answer the result or the DeliveryError. Keeps what was said for ``nothing_leaks``."""
        self.shown |= invented.canaries(batch)
        try:
            result = call(batch)
        except DeliveryError as error:
            self._keep(error)
            return error
        self.said.append(repr(result))
        return result

    def _keep(self, error: BaseException) -> None:
        self.said += ["".join(traceback.format_exception(error)), repr(error.args), repr(vars(error))]
        for inner in (error.__cause__, error.__context__):
            if inner is not None:
                self._keep(inner)

    @staticmethod
    def outcomes(receipts: Any) -> list[Outcome]:
        assert isinstance(receipts, list), f"receipts expected, got {receipts}"
        return [receipt.outcome for receipt in receipts]

    def in_doubt(self, answer: Any) -> bool:
        """Whether every record of the batch is in doubt, told as one error or by record."""
        return isinstance(answer, UncertainError) or (
            isinstance(answer, list) and set(self.outcomes(answer)) == {Outcome.UNCERTAIN}
        )

    def read_back(self, destination: Destination, batch: list[Disclosure]) -> None:
        """Hold the look-up, if there is one, against a batch that stands at the destination."""
        if self.manifest.capabilities.lookup:
            absent = invented.key(9999)
            found = destination.lookup([*(one.key for one in batch), absent])
            assert set(found) == {one.key for one in batch}

    def loudly_unsupported(self, call: Callable[[Sequence[Disclosure]], Any], batch: list[Disclosure]) -> None:
        """What the manifest does not declare must say so."""
        answer = self.attempt(call, batch)
        assert isinstance(answer, TerminalError)
        assert answer.code == "unsupported"
