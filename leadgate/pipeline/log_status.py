"""How the log stands: how large, what waits, what others see, who vouches. Looks at the ledger alone, asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from consent.audit.policy import Policy
from leadgate.pipeline import proofs
from leadgate.pipeline.cosign import ALARMS, Party
from leadgate.storage import log, witness
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Ledger
from leadgate.storage.witness import Cosigned, WitnessRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessStatus:
    """``size`` is the largest checkpoint it cosigned for us; ``code`` why it did not the last time it was asked."""

    name: str
    url: str
    size: int
    cosigned_at: datetime | None
    asked_at: datetime | None
    failures: int
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """Sizes are numbers of leaves; ``vouched`` is the largest size a quorum cosigned."""

    origin: str
    tree_size: int
    signed_at: datetime | None
    pending: int
    published: int
    published_at: datetime | None
    minimum_index: int
    vouched: int
    quorum_needed: int
    witnesses: tuple[WitnessStatus, ...]
    at: datetime

    @property
    def quorum(self) -> bool:
        """Whether enough witnesses have seen all of the log that is sealed."""
        return not self.witnesses or self.vouched >= self.tree_size

    @property
    def alarms(self) -> tuple[WitnessStatus, ...]:
        """Witnesses that say that ours is not the log they saw."""
        return tuple(each for each in self.witnesses if each.code in ALARMS)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "quorum": self.quorum, "alarms": [each.name for each in self.alarms]}


def look(
    ledger: Ledger, *, origin: str, folder: str, parties: Sequence[Party], policy: Policy, needed: int, now: datetime
) -> LogStatus:
    """How it stands at this moment."""
    with ledger.snapshot() as tx:
        newest = log.last_checkpoint(tx)
        (pending,) = tx.rows("select count(*) from audit_pending")[0]
        published = witness.publication(tx, folder)
        lines = witness.cosignatures(tx)
        known = witness.witnesses(tx)
        vouched = proofs.vouched(tx, policy)
    return LogStatus(
        origin=origin,
        tree_size=newest.tree_size if newest else 0,
        signed_at=from_micros(newest.signed_at) if newest else None,
        pending=pending,
        published=published.tree_size if published else 0,
        published_at=from_micros(published.published_at) if published else None,
        minimum_index=published.minimum_index if published else 0,
        vouched=vouched.size if vouched else 0,
        quorum_needed=needed,
        witnesses=tuple(_witness(party, lines, known.get(party.key.name)) for party in parties),
        at=now,
    )


def _witness(party: Party, lines: Sequence[Cosigned], row: WitnessRow | None) -> WitnessStatus:
    latest = max((each for each in lines if each.witness == party.key.name), key=lambda each: each.tree_size, default=None)
    return WitnessStatus(
        name=party.name,
        url=party.url,
        size=latest.tree_size if latest else 0,
        cosigned_at=from_micros(latest.cosigned_at) if latest else None,
        asked_at=from_micros(row.asked_at) if row else None,
        failures=row.failures if row else 0,
        code=row.code if row else None,
    )
