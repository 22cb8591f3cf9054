"""Requests of data subjects and legal clocks, as the doors say them. Each verb is safe to say twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from leadgate.logging import get_logger
from leadgate.pipeline import clock_board, clocks
from leadgate.pipeline.case_file import Asked
from leadgate.pipeline.case_steps import CaseCount, CaseSteps, How, Preview
from leadgate.pipeline.cases import Cases, Did
from leadgate.pipeline.clock_board import Board
from leadgate.pipeline.corrections import Corrections
from leadgate.pipeline.erase import Erased
from leadgate.pipeline.recorder import Recorder
from leadgate.pipeline.rectify import Rectifier
from leadgate.storage import clocks as stored
from leadgate.storage import log
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from leadgate.wiring.destruction import DestructionDesk
from leadgate.wiring.parts import Parts
from schemas.cases import CaseStepName, SubjectCase
from schemas.clocks import Clock, ClockKind, ClockSubject
from schemas.errors import ConfigurationError
from schemas.vocabulary import WriteMode

_log = get_logger(__name__)


class _House(Protocol):
    """What of the house a request needs beside its parts."""

    @property
    def destruction(self) -> DestructionDesk: ...
    def erase(self, person_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Erased: ...


class CaseDesk:
    """Everything about requests. One a house."""

    def __init__(self, parts: Parts, house: _House) -> None:
        self._parts = parts
        self._house = house

    @cached_property
    def cases(self) -> Cases:
        """Opened, listed, answered, closed."""
        parts = self._parts
        return Cases(
            ledger=parts.ledger,
            vault=parts.vault,
            index=parts.index,
            policies=parts.policies,
            keep=parts.settings.keep_identifiers,
            clock=parts.clock,
        )

    @cached_property
    def corrections(self) -> Corrections:
        """Recipients that hold a wrong value."""
        parts = self._parts
        return Corrections(
            ledger=parts.ledger,
            vault=parts.vault,
            policies=parts.policies,
            write_mode=self._write_mode,
            connector=parts.destination,
            clock=parts.clock,
        )

    @cached_property
    def steps(self) -> CaseSteps:
        """Carries out what a request asks for."""
        parts = self._parts
        return CaseSteps(
            cases=self.cases,
            ledger=parts.ledger,
            vault=parts.vault,
            index=parts.index,
            rectifier=Rectifier(vault=parts.vault, index=parts.index, corrections=self.corrections),
            corrections=self.corrections,
            erase=lambda person, actor: self._house.erase(person, actor=actor, reason="subject_request"),
            would_erase=lambda person: self._house.erase(person, actor="system", reason="subject_request", dry_run=True),
            strays=self._house.destruction.strays,
            clock=parts.clock,
        )

    # -- requests ------------------------------------------------------------------------------------------------------------

    def open(self, asked: Asked, *, owner: str) -> tuple[SubjectCase, list[Clock]]:
        """Record a request; the same is said whether anybody is known or not."""
        return self.cases.open(asked, owner=owner)

    def preview(self, case_id: str) -> Preview:
        """What the next step would do."""
        return self.steps.preview(case_id)

    def step(self, case_id: str, how: How) -> tuple[CaseStepName, Did]:
        """Do the next step."""
        return self.steps.run(case_id, how)

    def lift(self, case_id: str, *, actor: str) -> int:
        """End a restriction; answer how many deliveries are before the gate again."""
        return self.steps.lift(case_id, actor=actor)

    def go_on(self) -> CaseCount:
        """What a machine does by itself: looks again at what waits for recipients, and forgets what is due to be forgotten."""
        count = self.steps.carry_on()
        _log.info("requests looked at", counts=count.as_dict())
        return count

    def _write_mode(self, destination: str) -> WriteMode:
        configured = self._parts.settings.destinations.get(destination)
        if configured is None:  # it was taken out of leadgate.yaml: nobody but a person reaches it
            return WriteMode.APPEND_ONLY
        return self._parts.manifests[configured.connector].capabilities.write_mode


class ClockDesk:
    """Every legal clock. One a house."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def board(self, *, met: int = 0) -> Board:
        """How every clock stands now, with the newest ``met`` of those that were met."""
        return clock_board.take(self._parts.ledger, now=self._parts.clock(), met=met)

    def counts(self) -> dict[str, int]:
        """How many stand how; numbers only."""
        with self._parts.ledger.snapshot() as tx:
            return stored.counts(tx, to_micros(self._parts.clock()))

    def start(
        self, kinds: Sequence[ClockKind], *, brand: str, subject: ClockSubject, at: datetime, about: str | None, actor: str
    ) -> list[Clock]:
        """Start clocks by hand, for an incident or whatever else this program cannot see.

        Raises ConfigurationError for a moment in the future: here nobody's withdrawal hangs on it.
        """
        now = self._parts.clock()
        policy = self._parts.policies.get(brand)
        if policy is None:
            raise ConfigurationError("unknown_brand", "leadgate.yaml has no such brand", field="--brand")
        if at > now:
            raise ConfigurationError("in_future", "a clock starts with what happened, not before it", field="--at")
        ident = about or new_ids(1, to_micros(now))[0]

        def work(tx: Transaction) -> list[Clock]:
            recorder = Recorder(at=now, actor=actor)
            started = clocks.start(
                tx,
                recorder,
                terms=policy.clocks,
                kinds=kinds,
                subject=subject,
                about=ident,
                brand=brand,
                started_at=at,
                now=now,
            )
            log.append(tx, recorder.leaves)
            return started

        return self._parts.ledger.retrying(work)

    def meet(self, clock_ids: Collection[str], *, outcome: str, actor: str) -> list[Clock]:
        """Say that clocks are met. Only those of incidents: all others are met by what the ledger sees done."""
        now = self._parts.clock()

        def work(tx: Transaction) -> list[Clock]:
            recorder = Recorder(at=now, actor=actor)
            done = clocks.meet_by_hand(tx, recorder, clock_ids=list(clock_ids), now=now, outcome=outcome)
            log.append(tx, recorder.leaves)
            return done

        return self._parts.ledger.retrying(work)

    def extend(self, clock_id: str, *, reason: str, notice: str, actor: str) -> Clock:
        """Use a clock's extension; ``notice`` is the reference of what told the person why."""
        now = self._parts.clock()

        def work(tx: Transaction) -> Clock:
            recorder = Recorder(at=now, actor=actor)
            moved = clocks.extend(tx, recorder, clock_id=clock_id, reason=reason, notice=notice, now=now)
            log.append(tx, recorder.leaves)
            return moved

        return self._parts.ledger.retrying(work)
