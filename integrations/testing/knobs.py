"""What a simulator can be told to do wrong. A fault is data: set in-process or as JSON over the control address, for a number
of calls or until cleared. Faults that take first and misbehave afterwards are the ones that make doubles elsewhere.

Each call of a client is given one ``Call``, drawn under a lock: what goes wrong in it is decided once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class FaultKind(StrEnum):
    """What goes wrong. The ``take_`` kinds carry the request out before they misbehave; the others store nothing."""

    REFUSE = "refuse"  # answer ``status``
    THROTTLE = "throttle"  # answer ``status`` (429 unless told) with ``retry_after`` as it is written
    RATE = "rate"  # throttle every call beyond ``per_second``
    RESET = "reset"  # reset the connection before anything is taken
    TAKE_THEN_REFUSE = "take_then_refuse"  # store, then answer ``status``: the lost answer of a gateway
    TAKE_THEN_HANG = "take_then_hang"  # store, never answer
    TAKE_THEN_RESET = "take_then_reset"  # store, reset the connection
    TAKE_THEN_CUT = "take_then_cut"  # store, end the answer in the middle
    GARBAGE = "garbage"  # answer in ``form``; stores unless ``take`` is false
    SLOW = "slow"  # wait ``seconds`` first, then go on
    PARTIAL = "partial"  # reject the records in ``keys``, or every ``every``-th, with ``code``
    FIELD = "field"  # reject records whose ``field`` is longer than ``max_length``
    FEWER_RESULTS = "fewer_results"  # store all, leave ``count`` results out of the answer
    ERROR_INSIDE = "error_inside"  # store nothing, answer 200 with an error in the body


class Garbage(StrEnum):
    """Shapes of an answer nobody can read."""

    HTML = "html"
    CUT = "cut"
    WRONG_TYPE = "wrong_type"  # right length and type header, but the body is of another kind
    EMPTY = "empty"


_AFTERWARDS = frozenset(
    {
        FaultKind.TAKE_THEN_REFUSE,
        FaultKind.TAKE_THEN_HANG,
        FaultKind.TAKE_THEN_RESET,
        FaultKind.TAKE_THEN_CUT,
        FaultKind.GARBAGE,
    }
)
_INSTEAD = frozenset({FaultKind.REFUSE, FaultKind.THROTTLE, FaultKind.RATE, FaultKind.RESET})
_PER_RECORD = frozenset({FaultKind.PARTIAL, FaultKind.FIELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One knob. ``on`` names the operations it acts on (write, lookup, suppress, erase, check); ``times`` None is forever."""

    kind: FaultKind
    on: frozenset[str] = frozenset({"write"})
    times: int | None = None
    status: int = 503
    retry_after: str | None = None  # seconds or an HTTP date, sent as it is
    per_second: float = 0.0
    seconds: float = 0.0
    form: Garbage = Garbage.HTML
    take: bool = True
    every: int = 0
    keys: frozenset[str] = frozenset()
    field: str = ""
    max_length: int = 0
    code: str = "INVALID"
    count: int = 1

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """Read a fault as the control address takes it. Raises ValueError for an unknown word."""
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(data.keys() - known):
            raise ValueError(f"unknown knob setting: {', '.join(unknown)}")
        values = dict(data)
        values["kind"] = FaultKind(values.get("kind", ""))
        if "form" in values:
            values["form"] = Garbage(values["form"])
        for name in ("on", "keys"):
            if name in values:
                values[name] = frozenset(values[name])
        if values["kind"] is FaultKind.THROTTLE:
            values.setdefault("status", 429)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What goes wrong in one call: ``instead`` of it, ``afterwards``, and with single records."""

    seconds: float = 0.0
    instead: Fault | None = None
    afterwards: Fault | None = None
    inside: Fault | None = None
    records: tuple[Fault, ...] = ()
    fewer: int = 0

    def rejection(self, key: str, position: int, values: dict[str, Any]) -> Fault | None:
        """The fault that rejects this record (``position`` counts from 1), or None."""
        for fault in self.records:
            if fault.kind is FaultKind.PARTIAL:
                if key in fault.keys or (fault.every and position % fault.every == 0):
                    return fault
            elif len(str(values.get(fault.field, ""))) > fault.max_length:
                return fault
        return None

    def shorten(self, results: Sequence[T]) -> Sequence[T]:
        """``results`` without those the fault leaves out."""
        return results[: len(results) - self.fewer] if self.fewer else results


class Knobs:
    """The knobs of one simulator. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._window: list[float] = []  # moments of the calls of the last second

    # -- set ------------------------------------------------------------------------------------------------------------

    def set(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._window.clear()

    def active(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def refuse(self, status: int, *, times: int | None = None, on: Iterable[str] = ("write",)) -> None:
        self.set(Fault(kind=FaultKind.REFUSE, status=status, times=times, on=frozenset(on)))

    def throttle(
        self, retry_after: str | None = None, *, times: int | None = None, status: int = 429, on: Iterable[str] = ("write",)
    ) -> None:
        self.set(Fault(kind=FaultKind.THROTTLE, status=status, retry_after=retry_after, times=times, on=frozenset(on)))

    def rate(self, per_second: float, *, retry_after: str = "1") -> None:
        self.set(Fault(kind=FaultKind.RATE, per_second=per_second, retry_after=retry_after, status=429))

    def take_then(
        self, kind: FaultKind, *, times: int | None = None, status: int = 503, on: Iterable[str] = ("write",)
    ) -> None:
        self.set(Fault(kind=kind, times=times, status=status, on=frozenset(on)))

    def garbage(self, form: Garbage, *, take: bool = True, times: int | None = None, on: Iterable[str] = ("write",)) -> None:
        self.set(Fault(kind=FaultKind.GARBAGE, form=form, take=take, times=times, on=frozenset(on)))

    def reject(
        self,
        *,
        keys: Iterable[str] = (),
        every: int = 0,
        code: str = "INVALID",
        field: str = "",
        times: int | None = None,
        on: Iterable[str] = ("write",),
    ) -> None:
        """Reject the records in ``keys``, or every ``every``-th of a batch; ``field`` is the vendor's name it blames."""
        self.set(
            Fault(
                kind=FaultKind.PARTIAL, keys=frozenset(keys), every=every, code=code, field=field, times=times, on=frozenset(on)
            )
        )

    def reject_long(self, field: str, *, max_length: int, code: str = "STRING_TOO_LONG") -> None:
        self.set(Fault(kind=FaultKind.FIELD, field=field, max_length=max_length, code=code))

    def fewer_results(self, count: int = 1, *, times: int | None = None) -> None:
        self.set(Fault(kind=FaultKind.FEWER_RESULTS, count=count, times=times))

    def error_inside(self, *, code: str = "INTERNAL", times: int | None = None) -> None:
        self.set(Fault(kind=FaultKind.ERROR_INSIDE, code=code, times=times))

    def slow(self, seconds: float, *, times: int | None = None, on: Iterable[str] = ("write",)) -> None:
        self.set(Fault(kind=FaultKind.SLOW, seconds=seconds, times=times, on=frozenset(on)))

    # -- draw -----------------------------------------------------------------------------------------------------------

    def draw(self, operation: str) -> Call:
        """What goes wrong in this call. Counts ``times`` down. Of several that exclude each other the oldest acts."""
        with self._lock:
            if not self._faults:
                return Call()
            acting: list[Fault] = []
            for fault in self._faults:
                if operation in fault.on and not self._excluded(fault, acting) and self._acts(fault):
                    acting.append(fault)
            self._count_down(acting)
        return Call(
            seconds=sum(fault.seconds for fault in acting if fault.kind is FaultKind.SLOW),
            instead=next((fault for fault in acting if fault.kind in _INSTEAD), None),
            afterwards=next((fault for fault in acting if fault.kind in _AFTERWARDS), None),
            inside=next((fault for fault in acting if fault.kind is FaultKind.ERROR_INSIDE), None),
            records=tuple(fault for fault in acting if fault.kind in _PER_RECORD),
            fewer=sum(fault.count for fault in acting if fault.kind is FaultKind.FEWER_RESULTS),
        )

    @staticmethod
    def _excluded(fault: Fault, acting: list[Fault]) -> bool:
        decided = any(other.kind in _INSTEAD | _AFTERWARDS for other in acting)
        return decided and fault.kind in _INSTEAD | _AFTERWARDS

    def _acts(self, fault: Fault) -> bool:
        if fault.kind is not FaultKind.RATE:
            return True
        now = time.monotonic()
        self._window = [moment for moment in self._window if now - moment < 1.0]
        if len(self._window) >= fault.per_second:
            return True
        self._window.append(now)
        return False

    def _count_down(self, acting: list[Fault]) -> None:
        remaining: list[Fault] = []
        for fault in self._faults:
            if fault.times is None or not any(fault is other for other in acting):
                remaining.append(fault)
            elif fault.times > 1:
                remaining.append(replace(fault, times=fault.times - 1))
        self._faults = remaining
