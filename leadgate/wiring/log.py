"""The published log as the house runs it: integrate, publish, gather cosignatures, prove. Refuses a witness without a key.

Each step is safe alone and again: what one did not finish the next run does. Only an accusation stops the house (AuditError:
the ledger is not the log that others have seen); a folder that cannot be written, or a witness that does not answer, is noted,
marked in the counts, and tried again the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from consent.audit.findings import Report
from consent.audit.note import SignerKey, VerifierKey
from consent.audit.policy import Policy
from consent.audit.verify import verify
from leadgate.logging import get_logger
from leadgate.pipeline import proofs
from leadgate.pipeline.cosign import CosignCount, Gatherer, Party
from leadgate.pipeline.log_status import LogStatus, look
from leadgate.pipeline.proofs import LeafProof
from leadgate.pipeline.prune import Pruned, prune
from leadgate.pipeline.publish import PublishCount, Publisher, folder_name
from leadgate.pipeline.recover import Recovered, Recovery
from leadgate.pipeline.seal import SealCount, Sealer
from leadgate.pipeline.shelf import Shelf
from leadgate.settings import Settings
from leadgate.storage import log
from leadgate.storage.engine import Ledger
from leadgate.wiring.keys import open_log_keys
from schemas.errors import AuditError, ConfigurationError, StorageUnavailableError

_log = get_logger(__name__)

#: Seconds between two looks of ``follow``: how long a leaf waits for its place at most, when all is well.
FOLLOW_SECONDS: Final = 2.0
#: Seconds between two tries while the ledger cannot be reached.
_LONGEST_PAUSE: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCount:
    """What one run came to. ``published`` and ``cosigned`` tell how far others see: sizes of the log."""

    integrated: int
    tree_size: int
    root: str
    published: int
    witnesses: int
    cosigned: int  # how many witnesses signed the newest checkpoint
    alarms: int  # how many say that it is not the log they saw
    quorum: bool

    def as_dict(self) -> dict[str, int | str | bool]:
        """Counts for XCom and the console."""
        return asdict(self)


class Logbook:
    """Everything about the log beyond the ledger."""

    def __init__(self, settings: Settings, *, ledger: Callable[[], Ledger], clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._open = ledger
        self._clock = clock

    # -- parts ----------------------------------------------------------------------------------------------------------

    @property
    def _ledger(self) -> Ledger:
        return self._open()

    @cached_property
    def signers(self) -> tuple[SignerKey, ...]:
        """The keys that sign checkpoints, Ed25519 first."""
        return open_log_keys(self._settings)

    @property
    def keys(self) -> list[VerifierKey]:
        """The public keys of the log."""
        return [signer.verifier for signer in self.signers]

    @cached_property
    def parties(self) -> list[Party]:
        """The configured witnesses. Raises ConfigurationError naming the one whose key is none."""
        found = []
        for each in self._settings.log.witnesses:
            try:
                found.append(Party(name=each.name, url=each.url, key=VerifierKey.parse(each.vkey)))
            except AuditError as error:
                raise ConfigurationError(error.code, error.message, field=f"log.witnesses.{each.name}.vkey") from None
        return found

    @cached_property
    def policy(self) -> Policy:
        """Log, witnesses and quorum as C2SP tlog-policy; ``policy_text`` is what an auditor is given."""
        return Policy.parse(self.policy_text())

    def policy_text(self) -> str:
        """The policy as a file."""
        lines = [f"log {key}" for key in self.keys]
        lines += [f"witness {party.name} {party.key} {party.url}" for party in self.parties]
        names = " ".join(party.name for party in self.parties)
        quorum = self._settings.log.quorum
        lines += [f"group witnesses {quorum} {names}", "quorum witnesses"] if names else ["quorum none"]
        return "\n".join(lines) + "\n"

    @cached_property
    def publisher(self) -> Publisher:
        """Writes the folder."""
        return Publisher(ledger=self._ledger, shelf=Shelf(self._settings.log.publish_to), keys=self.keys, clock=self._clock)

    # -- verbs ----------------------------------------------------------------------------------------------------------

    def seal(self) -> LogCount:
        """Integrate, publish, gather, publish what was gathered. Raises AuditError if others have seen another log."""
        sealed = self.integrate()
        published = self._published()
        gathered = self.cosign()
        if gathered.asked:
            published = self._published()
        return LogCount(
            integrated=sealed.integrated,
            tree_size=sealed.tree_size,
            root=sealed.root,
            published=published,
            witnesses=gathered.witnesses,
            cosigned=gathered.cosigned,
            alarms=gathered.alarms,
            quorum=gathered.quorum,
        )

    def follow(self, wait: Callable[[float], bool], *, pause: float = FOLLOW_SECONDS) -> None:
        """Seal whenever something waits, at most every ``pause`` seconds, until ``wait`` (given seconds) says that it is over.

        A ledger that cannot be reached is tried again; AuditError ends it, because then a person must look.
        """
        failures = 0
        while not wait(min(pause * 2**failures, _LONGEST_PAUSE)):
            try:
                with self._ledger.snapshot() as tx:
                    waiting = log.something_pending(tx)
                if waiting:
                    self.seal()
                failures = 0
            except StorageUnavailableError as error:
                if failures == 0:
                    _log.warning("the ledger cannot be reached, trying on", code=error.code)
                failures = min(failures + 1, 6)

    def integrate(self) -> SealCount:
        """Order the pending leaves and sign a checkpoint; nothing that others have seen is signed anew."""
        shown = self.publisher.shown()
        sealer = Sealer(ledger=self._ledger, signers=self.signers, clock=self._clock, published=shown.size if shown else 0)
        count = sealer.run()
        _log.info("log sealed", integrated=count.integrated, tree_size=count.tree_size)
        return count

    def publish(self, *, whole: bool = False) -> PublishCount:
        """Bring the folder up to the newest checkpoint."""
        count = self.publisher.run(whole=whole)
        _log.info("log published", tree_size=count.tree_size, files=count.files)
        return count

    def cosign(self) -> CosignCount:
        """Ask the witnesses. Never raises for anything they do."""
        gatherer = Gatherer(
            ledger=self._ledger,
            parties=self.parties,
            met_by=self.policy.met_by,
            clock=self._clock,
            patience=self._settings.log.witness_timeout,
        )
        count = gatherer.run()
        if count.witnesses and not count.quorum:
            _log.warning("the quorum of witnesses has not cosigned", tree_size=count.tree_size, count=count.cosigned)
        if count.alarms:
            _log.error("a witness says that this is not the log it saw before", tree_size=count.tree_size, count=count.alarms)
        return count

    def proofs_of(self, word: str, *, alone: bool = False) -> list[LeafProof]:
        """The leaves about a lead, submission, delivery, person or case, each with its proof. See ``pipeline.proofs``."""
        with self._ledger.snapshot() as tx:
            return proofs.of(tx, word, policy=self.policy, alone=alone)

    def status(self) -> LogStatus:
        """How it stands, as far as the ledger knows."""
        return look(
            self._ledger,
            origin=self._settings.log_origin,
            folder=folder_name(self._settings.log.publish_to),
            parties=self.parties,
            policy=self.policy,
            needed=self._settings.log.quorum,
            now=self._clock(),
        )

    def audit(self, *, witnessed: bool = True) -> Report:
        """Audit the published folder as a stranger would, with the keys and, if ``witnessed``, the policy alone."""
        known = self.publisher.published()
        return verify(
            self._settings.log.publish_to,
            self.keys,
            policy=self.policy if witnessed else None,
            minimum=known.minimum_index if known else 0,
            now=self._clock(),
        )

    def prune(self, *, before: datetime, actor: str, apply: bool = False) -> Pruned:
        """Give up what is published of the log's old end; a dry run without ``apply``."""
        return prune(self._ledger, self.publisher, before=before, now=self._clock(), actor=actor, apply=apply)

    def recover(self, *, actor: str, apply: bool = False) -> Recovered:
        """Take back leaves that a restored ledger lost; a dry run without ``apply``."""
        return Recovery(ledger=self._ledger, publisher=self.publisher, clock=self._clock).run(apply=apply, actor=actor)

    def _published(self) -> int:
        """How far the folder shows the log; a folder that cannot be written now is tried again the next time."""
        try:
            return self.publish().tree_size
        except StorageUnavailableError as error:
            _log.error("log not published", code=error.code)
        known = self.publisher.published()
        return known.tree_size if known else 0
