"""The facts of one withdrawal, for its receipt and for the officer's list: what the ledger holds now, and no person.

It refuses to round up: a recipient that stopped using a record and cannot destroy it is said to hold it still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from leadgate.storage import clocks, recipients, withdrawals
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.recipients import Telling
from leadgate.storage.withdrawals import StoppedDelivery, WithdrawalRequest
from schemas.clocks import Clock
from schemas.vocabulary import Ask, TellingState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFact:
    """One recipient and one record. ``by_hand``: nothing more happens by itself, and it may still hold the record.

    ``at`` is when the state was reached: what the recipient, or a person of ours, said and when.
    """

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str
    state: TellingState
    wants: Ask
    code: str | None
    attempts: int
    stopped: bool
    ended: bool
    by_hand: bool
    at: datetime | None
    suppressed_at: datetime | None
    erased_at: datetime | None
    told_at: datetime | None
    again_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalFacts:
    """One withdrawal. ``stopped`` never left; ``recipients`` got a record, or may have."""

    withdrawal_id: str
    person_ids: tuple[str, ...]
    brand: str
    purposes: tuple[str, ...]
    withdrawn_at: datetime
    recorded_at: datetime
    actor: str
    submission_id: str | None
    stopped: tuple[StoppedDelivery, ...]
    recipients: tuple[RecipientFact, ...]
    clocks: tuple[Clock, ...]

    @property
    def by_hand(self) -> tuple[RecipientFact, ...]:
        """Whom a person must still tell."""
        return tuple(each for each in self.recipients if each.by_hand)

    @property
    def under_way(self) -> tuple[RecipientFact, ...]:
        """Who is being told by the program."""
        return tuple(each for each in self.recipients if not each.by_hand and not _done(each))

    @property
    def complete(self) -> bool:
        """Whether nobody holds a record under it any more, or was told by a person."""
        return all(_done(each) for each in self.recipients)

    def as_dict(self) -> dict[str, object]:
        """For ``--json`` and documents; moments as they are."""
        return {**asdict(self), "complete": self.complete}


def facts(tx: Transaction, withdrawal_id: str) -> WithdrawalFacts | None:
    """Everything about one request; None if there is none of this id."""
    found = facts_of(tx, withdrawals.by_ids(tx, [withdrawal_id]))
    return found[0] if found else None


def facts_of_persons(tx: Transaction, person_ids: Sequence[str]) -> list[WithdrawalFacts]:
    """Every withdrawal of these people, oldest first."""
    return facts_of(tx, withdrawals.of_persons(tx, person_ids))


def newest(tx: Transaction, *, limit: int) -> list[WithdrawalFacts]:
    """The newest withdrawals, the newest first."""
    return facts_of(tx, withdrawals.newest(tx, limit=limit))


def facts_of(tx: Transaction, requests: Sequence[WithdrawalRequest]) -> list[WithdrawalFacts]:
    """The facts of these requests, in their order."""
    ids = [each.withdrawal_id for each in requests]
    told = recipients.of_withdrawals(tx, ids)
    running: dict[str, list[Clock]] = {}
    for clock in clocks.about(tx, ids):
        running.setdefault(clock.about, []).append(clock)
    return [
        WithdrawalFacts(
            withdrawal_id=each.withdrawal_id,
            person_ids=each.person_ids,
            brand=each.brand,
            purposes=each.purposes,
            withdrawn_at=each.withdrawn_at,
            recorded_at=each.recorded_at,
            actor=each.actor,
            submission_id=each.submission_id,
            stopped=tuple(withdrawals.stopped_by(tx, each.withdrawal_id)),
            recipients=tuple(map(recipient_fact, told[each.withdrawal_id])),
            clocks=tuple(running.get(each.withdrawal_id, ())),
        )
        for each in requests
    ]


def recipient_fact(each: Telling) -> RecipientFact:
    """One row, as it is told."""
    reached = each.decided_at or each.told_at or each.erased_at or each.suppressed_at
    return RecipientFact(
        delivery_id=each.delivery_id,
        lead_id=each.lead_id,
        destination=each.destination,
        purpose=each.purpose,
        state=TellingState(each.state),
        wants=Ask(each.wants),
        code=each.code,
        attempts=each.attempt,
        stopped=each.stopped,
        ended=each.ended,
        by_hand=each.needs_a_person,
        at=_moment(reached),
        suppressed_at=_moment(each.suppressed_at),
        erased_at=_moment(each.erased_at),
        told_at=_moment(each.told_at),
        again_at=_moment(each.not_before),
    )


def _done(each: RecipientFact) -> bool:
    return each.ended or (each.stopped and each.wants is Ask.SUPPRESS)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
