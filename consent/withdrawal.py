"""Refuses to touch a consent that is newer than the withdrawal, and to leave one delivery of an older one undecided.

What a withdrawal means, as a value. The moment that counts is when the person said it, not when we read it:

1. A record given after that moment is a new consent and stands. Given at that very moment, the withdrawal wins.
2. Of older records the named purposes end, all if none is named; what was taken back earlier keeps its earlier moment.
3. A delivery under an ended purpose: waiting, it is suppressed now; with a worker, as soon as its outcome is known; in doubt,
   it is read back first, and the recipient told if it holds the lead; accepted, the recipient must be told.
4. A recipient that never kept the lead is not told: telling it would be one more disclosure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.consent_record import ConsentRecord
from schemas.delivery import Delivery
from schemas.vocabulary import IN_DOUBT, Outcome


class RecordEffect(StrEnum):
    """What becomes of one consent record."""

    ENDED = "ended"  # no purpose is left
    NARROWED = "narrowed"  # some purposes end, others stand
    UNTOUCHED = "untouched"  # it never held these purposes, or they were taken back before
    NEWER = "newer"  # given after the withdrawal


class DeliveryEffect(StrEnum):
    """What is done about one delivery. The order of the words is the order of urgency."""

    SUPPRESS_NOW = "suppress_now"
    SUPPRESS_AFTER_OUTCOME = "suppress_after_outcome"  # its worker is at it; if it ends accepted, tell
    READ_BACK_THEN_TELL = "read_back_then_tell"  # tell if found there; suppressed if not
    TELL_RECIPIENT = "tell_recipient"
    NOTHING = "nothing"  # the recipient does not hold it, and it will not be sent


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """One record: the purposes that end now, and those that still stand."""

    consent_id: str
    effect: RecordEffect
    ended: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChange:
    """One delivery under an ended purpose. ``renewed``: a newer consent carries the same purpose, so the recipient must end
    this record and not the person.
    """

    delivery_id: str
    lead_id: str
    destination: str
    purpose: str
    effect: DeliveryEffect
    renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalPlan:
    """Everything one withdrawal changes; deliveries that it does not concern are absent."""

    withdrawn_at: datetime
    records: tuple[RecordChange, ...]
    deliveries: tuple[DeliveryChange, ...]

    @property
    def suppress_now(self) -> tuple[str, ...]:
        """Ids of deliveries to suppress in the same transaction."""
        return tuple(change.delivery_id for change in self.deliveries if change.effect is DeliveryEffect.SUPPRESS_NOW)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Destinations that have, or may have, the lead."""
        return tuple(sorted({change.destination for change in self.deliveries if change.effect in _HOLDS_OR_MAY_HOLD}))

    @property
    def ends_everything(self) -> bool:
        """Whether no purpose of any record stands any more."""
        return not any(change.standing for change in self.records)


_HOLDS_OR_MAY_HOLD = frozenset(
    {DeliveryEffect.SUPPRESS_AFTER_OUTCOME, DeliveryEffect.READ_BACK_THEN_TELL, DeliveryEffect.TELL_RECIPIENT}
)

_BY_STATE: Mapping[Outcome, DeliveryEffect] = {
    Outcome.QUEUED: DeliveryEffect.SUPPRESS_NOW,
    Outcome.DEFERRED: DeliveryEffect.SUPPRESS_NOW,
    Outcome.CLAIMED: DeliveryEffect.SUPPRESS_AFTER_OUTCOME,
    Outcome.UNCERTAIN: DeliveryEffect.READ_BACK_THEN_TELL,
    Outcome.ACCEPTED: DeliveryEffect.TELL_RECIPIENT,
    Outcome.REJECTED: DeliveryEffect.NOTHING,
    Outcome.SUPPRESSED: DeliveryEffect.NOTHING,
    # A person could replay it; the gate would refuse, but a list of dead letters must not offer it.
    Outcome.DEAD: DeliveryEffect.SUPPRESS_NOW,
}


def plan(
    *,
    records: Collection[ConsentRecord],
    deliveries: Iterable[Delivery],
    consent_of: Mapping[str, str],
    purposes: Collection[str],
    withdrawn_at: datetime,
) -> WithdrawalPlan:
    """Say what a withdrawal of one person changes.

    ``records`` and ``deliveries`` are all of that person at the brand; ``consent_of`` maps a lead id to the consent id it was
    admitted under; ``purposes`` empty means all. A lead without a known consent is treated as if it were ended.
    """
    changes = tuple(_change(record, purposes, withdrawn_at) for record in records)
    by_consent = {change.consent_id: change for change in changes}
    renewed = {purpose for change in changes if change.effect is RecordEffect.NEWER for purpose in change.standing}
    return WithdrawalPlan(
        withdrawn_at=withdrawn_at,
        records=changes,
        deliveries=tuple(
            DeliveryChange(
                delivery_id=delivery.delivery_id,
                lead_id=delivery.lead_id,
                destination=delivery.destination,
                purpose=delivery.purpose,
                effect=_effect(delivery),
                renewed=delivery.purpose in renewed,
            )
            for delivery in deliveries
            if _concerns(delivery, by_consent.get(consent_of.get(delivery.lead_id, "")), purposes)
        ),
    )


def _effect(delivery: Delivery) -> DeliveryEffect:
    if delivery.state is Outcome.DEAD and delivery.reason == IN_DOUBT:
        return DeliveryEffect.READ_BACK_THEN_TELL  # nobody could say whether it arrived: the recipient may hold it
    return _BY_STATE[delivery.state]


def _change(record: ConsentRecord, purposes: Collection[str], withdrawn_at: datetime) -> RecordChange:
    before = {purpose for purpose, _ in record.withdrawn}
    still = [purpose for purpose in record.purposes if purpose not in before]
    if record.given_at > withdrawn_at:
        return RecordChange(consent_id=record.consent_id, effect=RecordEffect.NEWER, standing=tuple(still))
    ended = tuple(purpose for purpose in still if not purposes or purpose in purposes)
    standing = tuple(purpose for purpose in still if purpose not in ended)
    effect = RecordEffect.UNTOUCHED if not ended else RecordEffect.NARROWED if standing else RecordEffect.ENDED
    return RecordChange(consent_id=record.consent_id, effect=effect, ended=ended, standing=standing)


def _concerns(delivery: Delivery, change: RecordChange | None, purposes: Collection[str]) -> bool:
    if change is None:
        return not purposes or delivery.purpose in purposes
    # Asked by what stands, not by what ended now: the same withdrawal carried out again must find the same deliveries.
    return change.effect is not RecordEffect.NEWER and delivery.purpose not in change.standing
