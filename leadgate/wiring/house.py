"""The house, open for work: one object that knows settings, keys, ledger and connectors, and says every verb."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from upath import UPath

from consent.audit.export import Exported
from consent.audit.findings import Report
from consent.audit.verify import verify
from consent.pseudonyms import Pseudonyms
from integrations.contract.destination import Health
from integrations.contract.source import FileSource
from integrations.sources.moderation_export.pickup import PickupRules
from leadgate.logging import get_logger
from leadgate.pipeline import balance, export, in_step, readmit, replay, withdraw
from leadgate.pipeline.admit import AdmitCount, Admitter
from leadgate.pipeline.balance import Balance, Promise
from leadgate.pipeline.collect import CollectCount, Collector
from leadgate.pipeline.counts import DispatchCount
from leadgate.pipeline.dispatch import Dispatcher
from leadgate.pipeline.erase import Erased
from leadgate.pipeline.express import Express
from leadgate.pipeline.opening import Opener
from leadgate.pipeline.plan import DestinationPlan, Planner
from leadgate.pipeline.receive import Receiver
from leadgate.pipeline.retention import Retention, RetentionCount
from leadgate.pipeline.told import TellCount
from leadgate.pipeline.withdraw import Withdrawn
from leadgate.settings import load
from leadgate.storage import inbox, leads, log, outbox, people, reports, schema
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.outbox import DeadLetter
from leadgate.wiring.cases import CaseDesk, ClockDesk
from leadgate.wiring.credentials import Credentials, environment_credentials
from leadgate.wiring.destruction import DestructionDesk
from leadgate.wiring.documents import DocumentDesk
from leadgate.wiring.log import Logbook, LogCount
from leadgate.wiring.parts import Clock, Parts, unknown_destination, utc_now
from leadgate.wiring.recipients import RecipientDesk
from leadgate.wiring.rotation import KeyDesk
from schemas.errors import ConfigurationError, DeliveryError
from schemas.policy import DeliveryRules
from schemas.submission import Withdrawal
from schemas.vocabulary import PersonState, SubmissionState

_log = get_logger(__name__)


class House(Parts):
    """One method a verb. Each is safe to say twice and beside another process that says it."""

    @cached_property
    def key_desk(self) -> KeyDesk:
        """Rotates keys."""
        return KeyDesk(self)

    @cached_property
    def receiver(self) -> Receiver:
        """Commits submissions."""
        return Receiver(ledger=self.ledger, vault=self.vault, keys=self.own_keys, clock=self.clock)

    @cached_property
    def admitter(self) -> Admitter:
        """Decides submissions."""
        lengths = {
            name: self.manifests[each.connector].capabilities.key_length for name, each in self.settings.destinations.items()
        }
        return Admitter(
            ledger=self.ledger,
            vault=self.vault,
            index=self.index,
            pseudonyms=Pseudonyms(self.own_keys, self.settings.tenant),
            sources=self.sources,
            policies=self.own_policies,
            key_lengths=lengths,
            clock=self.clock,
        )

    def admit(
        self, *, seconds: float = 50, send: bool = False, progress: Callable[[AdmitCount], None] | None = None
    ) -> AdmitCount:
        """Decide what waits in the inbox. ``send``: what is admitted goes out at once, wherever it may."""
        express = self.express() if send else None
        count = self.admitter.run(seconds=seconds, progress=progress, express=express)
        _log.info("inbox decided", counts=count.as_dict())
        for destination, sent in express.counts.items() if express else ():
            _log.info("destination served at once", destination=destination, counts=sent.as_dict())
        return count

    def express(self) -> Express | None:
        """The way at once to every destination that can be spoken to; None if nothing waits or leadgate.yaml forbids it."""
        with self.ledger.glance() as tx:
            if not self.settings.delivery.express or not inbox.waits(tx):
                return None
        ready: dict[str, Dispatcher] = {}
        for name in self.settings.destinations:
            with suppress(ConfigurationError, DeliveryError):  # dispatch, whose task it is, says what is to be mended
                ready[name] = self.dispatcher(name)
        return Express(ready)

    def destinations(self) -> list[str]:
        """Destinations with something due now."""
        with self.ledger.snapshot() as tx:
            due = outbox.destinations_with_work(tx, to_micros(self.clock()))
        return [name for name in due if name in self.settings.destinations]

    def dispatcher(self, destination: str, *, rules: DeliveryRules | None = None) -> Dispatcher:
        """Sends what is due at one destination."""
        return Dispatcher(
            ledger=self.ledger,
            vault=self.vault,
            policies=self.own_policies,
            connector=self.destination(destination),
            rules=rules or self.settings.delivery,
            worker=f"{socket.gethostname()[:32]}-{os.getpid()}-{os.urandom(4).hex()}",
            clock=self.clock,
        )

    def dispatch(
        self,
        destination: str,
        *,
        seconds: float = 50,
        progress: Callable[[DispatchCount], None] | None = None,
        insist: bool = False,
    ) -> DispatchCount:
        """Send what is due at one destination; ``insist``: also while its circuit breaker rests."""
        try:
            count = self.dispatcher(destination).run(seconds=seconds, progress=progress, insist=insist)
        except DeliveryError as error:
            _log.error("destination needs a person", destination=destination, code=error.code)
            raise
        _log.info("destination served", destination=destination, counts=count.as_dict())
        return count

    @cached_property
    def logbook(self) -> Logbook:
        """The log beyond the ledger: published tiles, witnesses, proofs."""
        return Logbook(self.settings, ledger=lambda: self.ledger, clock=self.clock)

    @cached_property
    def documents(self) -> DocumentDesk:
        """Receipts for people, evidence for auditors."""
        return DocumentDesk(self, self.logbook)

    def seal(self) -> LogCount:
        """Order the pending leaves, sign a checkpoint, publish it, and ask the witnesses for theirs."""
        return self.logbook.seal()

    def proof_of(self, word: str, *, alone: bool = False) -> list[bytes]:
        """The .tlog-proof files of the ordered leaves about a lead, submission, delivery, person or case.

        Raises AuditError ``missing_quorum`` while the configured witnesses have not cosigned; ``alone`` does without them.
        """
        return [each.proof for each in self.logbook.proofs_of(word, alone=alone)]

    def balance(self, *, keep: bool = True) -> Balance:
        """The balance, answered and (unless only looked at) stored."""
        return balance.take(self.ledger, clock=self.clock, promise=self.settings.promise.answer_within, keep=keep)

    def promise(self) -> Promise:
        """How the promised time stands."""
        limits = self.settings.promise
        return balance.promise(self.ledger, now=self.clock(), warn_after=limits.warn_after, answer_within=limits.answer_within)

    def apply_retention(self, *, dry_run: bool = False, actor: str = "system", most: int = 0) -> RetentionCount:
        """Destroy what is due, or say what would be; list ``most`` findings one by one."""
        return self.retention.run(dry_run=dry_run, actor=actor, most=most)

    @cached_property
    def retention(self) -> Retention:
        """The retention rules over this ledger."""
        valid_for = {
            (brand.brand, purpose.code): purpose.valid_for
            for brand in self.settings.brands.values()
            for purpose in brand.purposes.values()
        }
        return self.destruction.retention(valid_for)

    @cached_property
    def collector(self) -> Collector:
        """Picks files up."""
        inboxes = {}
        for name, entry in self.settings.sources.items():
            source = self.sources[name]
            if entry.inbox is not None and isinstance(source, FileSource):
                inboxes[name] = (source, entry.inbox)
        return Collector(
            inboxes=inboxes, receiver=self.receiver, digest=self.index.file_digest, clock=self.clock, rules=PickupRules()
        )

    def collect_files(self, *, path: Callable[[str], Any] = UPath) -> CollectCount:
        """Pick up finished files; ``path`` makes a path of a configured place."""
        count = self.collector.run(path)
        for report in count.reports:
            _log.info("file dealt with", outcome=report.outcome, ref=report.ref, rows=report.rows, code=report.code)
            for note in report.notes:
                _log.info("file was read with an assumption", note=note, ref=report.ref)
        _log.info("inboxes looked through", counts=count.as_dict())
        return count

    def plan(self, destination: str) -> DestinationPlan:
        """Dry run of one destination."""
        configured = self.settings.destinations.get(destination)
        if configured is None:
            raise unknown_destination(destination)
        planner = Planner(
            ledger=self.ledger,
            opener=lambda name: Opener(vault=self.vault, policies=self.policies, destination=name),
            manifest=lambda _: self.manifests[configured.connector],
            clock=self.clock,
        )
        return planner.plan(destination)

    def quarantined(
        self, limit: int, state: SubmissionState = SubmissionState.QUARANTINED
    ) -> list[tuple[str, str, str, int, str]]:
        """Submissions that wait for a person; those that were refused, if asked."""
        with self.ledger.snapshot() as tx:
            return reports.put_aside(tx, state, limit)

    def readmit(
        self, *, reason: str | None, submission_ids: Collection[str] | None, apply: bool, actor: str
    ) -> tuple[list[str], int]:
        """(quarantined submissions that are meant, how many went back to the gate)."""
        with self.ledger.transaction() as tx:
            found = readmit.find(tx, reason=reason, submission_ids=submission_ids)
            moved = readmit.apply(tx, found, now=self.clock(), actor=actor) if apply else 0
        return found, moved

    def replay(
        self,
        *,
        destination: str | None,
        delivery_ids: Collection[str] | None,
        include_doubtful: bool,
        apply: bool,
        actor: str,
    ) -> tuple[list[DeadLetter], list[DeadLetter], int]:
        """(letters, letters held back, how many were replayed)."""

        def work(tx: Transaction) -> tuple[list[DeadLetter], list[DeadLetter], int]:
            letters, held = replay.find(
                tx, destination=destination, delivery_ids=delivery_ids, include_doubtful=include_doubtful
            )
            moved = replay.apply(tx, letters, now=self.clock(), actor=actor) if apply else 0
            return letters, held, moved

        return self.ledger.retrying(work)

    @cached_property
    def recipients(self) -> RecipientDesk:
        """Withdraws, and has recipients told."""
        return RecipientDesk(self)

    def withdraw(self, withdrawal: Withdrawal, *, actor: str) -> Withdrawn:
        """Record a withdrawal that a moderator or officer passes on."""
        return self.recipients.withdraw(withdrawal, actor=actor)

    def recipients_due(self) -> list[str]:
        """Destinations that must be told of a withdrawal or an erasure now."""
        return self.recipients.due()

    def tell_recipients(self, destination: str, *, seconds: float = 50, insist: bool = False) -> TellCount:
        """Tell one destination to stop, and to destroy."""
        return self.recipients.tell(destination, seconds=seconds, insist=insist)

    def persons(self, *, lead_id: str | None = None, withdrawal: Withdrawal | None = None) -> list[str]:
        """Random ids of the people a lead or an identifier names."""
        in_step.catch_up(self.ledger, self.index)
        with self.ledger.snapshot() as tx:
            if lead_id is not None:
                found = leads.person_of(tx, lead_id)
                return [found] if found else []
            if withdrawal is None:
                return []
            values = [
                value.digest
                for kind, text in withdraw.identifiers_of(withdrawal)
                for value in self.index.candidates(kind, withdrawal.brand, text)
            ]
            return sorted({person.person_id for person in people.find(tx, values).values()})

    def state_of_person(self, person_id: str) -> PersonState | None:
        """What is known of a person; None for an id nobody ever had."""
        with self.ledger.snapshot() as tx:
            return people.state_of(tx, person_id)

    def leads_of_person(self, person_id: str) -> list[str]:
        """Ids of every lead of a person, oldest first."""
        with self.ledger.snapshot() as tx:
            return people.leads_of(tx, person_id)

    def erase(self, person_id: str, *, actor: str, reason: str, dry_run: bool = False) -> Erased:
        """Destroy one person's key and everything sealed under it."""
        return self.destruction.erase(person_id, actor=actor, reason=reason, dry_run=dry_run)

    @cached_property
    def requests(self) -> CaseDesk:
        """What data subjects ask for."""
        return CaseDesk(self, self)

    @cached_property
    def clocks(self) -> ClockDesk:
        """What the law gives how long for."""
        return ClockDesk(self)

    @cached_property
    def destruction(self) -> DestructionDesk:
        """What destroys, holds back, restores and proves it."""
        return DestructionDesk(self, self.logbook)

    def leaves_of(self, word: str) -> list[tuple[int | None, bytes]]:
        """The leaves about one lead, for its trace. ``word`` is the id of the lead, a delivery, a submission or a record."""
        with self.ledger.snapshot() as tx:
            return log.leaves_of(tx, leads.named_by(tx, word) or word)

    def example_lead(self) -> str | None:
        """Id of a lead with an eventful walk, to show one."""
        with self.ledger.snapshot() as tx:
            return log.eventful_lead(tx)

    def export(self, target: Path) -> Exported:
        """Write the audit export at ``target``."""
        return export.write(self.ledger, target, origin=self.settings.log_origin, clock=self.clock)

    def verify(self) -> Report:
        """Export to a temporary folder and verify that, exactly as an auditor would."""
        with tempfile.TemporaryDirectory(prefix="leadgate-verify-") as folder:
            target = Path(folder) / "export"
            self.export(target)
            return verify(target, [signer.verifier for signer in self.log_keys], now=self.clock())

    def check(self, destination: str) -> Health:
        """Sign in at a destination and look, write nothing."""
        return self.destination(destination).check()

    def upgrade(self) -> tuple[str | None, str]:
        """Make or migrate the ledger; answer (version before, version after)."""
        if self.settings.ledger_url.startswith("sqlite:///"):
            Path(self.settings.ledger_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(self.settings.ledger_url)
        try:
            return schema.upgrade(ledger)
        finally:
            ledger.close()


@contextmanager
def open_house(
    *, config: Path | None = None, credentials: Credentials | None = None, clock: Clock = utc_now
) -> Iterator[House]:
    """The house from leadgate.yaml and the environment. Raises ConfigurationError naming the place to mend."""
    settings = load(config)
    with House(settings, credentials=credentials or environment_credentials(os.environ), clock=clock) as house:
        yield house
