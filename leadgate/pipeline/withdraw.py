"""Withdraw: what a person takes back is recorded, and what waits for them is stopped, in the same transaction.

A withdrawal of somebody we do not know is recorded just the same: a person without leads is made, so that a lead whose consent
is older than the withdrawal is refused when it arrives late. The answer to the sender is the same in both cases. For the same
reason an identifier that only the withdrawal knows is kept with the person whom its strongest known one names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from consent.blind_index import BlindIndex, IndexKind
from consent.vault import Vault
from consent.withdrawal import WithdrawalPlan
from consent.withdrawal import plan as planned
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import leads, log, outbox, people
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.policy import BrandPolicy
from schemas.submission import Withdrawal
from schemas.vocabulary import Event, PersonState


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What one withdrawal did: whom it concerns (random ids), what it stopped, and who holds data and must be told."""

    person_ids: tuple[str, ...]
    suppressed: int
    recipients: tuple[str, ...]


def identifiers_of(withdrawal: Withdrawal) -> list[tuple[IndexKind, str]]:
    """(kind, value) of every identifier the withdrawal names."""
    named = ((IndexKind.PHONE, withdrawal.phone), (IndexKind.EMAIL, withdrawal.email), (IndexKind.USER, withdrawal.user))
    return [(kind, value.reveal()) for kind, value in named if value is not None]


def apply(
    tx: Transaction,
    *,
    withdrawal: Withdrawal,
    policy: BrandPolicy,
    index: BlindIndex,
    vault: Vault,
    at: datetime,
    now: datetime,
    submission_id: str | None,
    actor: str = "system",
) -> Withdrawn:
    """Record ``withdrawal`` as of ``at``, stop what waits, and log it; ``now`` is when we do so."""
    people.lock(tx)
    person_ids = _persons(tx, withdrawal, index=index, vault=vault, now=now)
    purposes: Sequence[str] = withdrawal.purposes or sorted(policy.purposes)
    recorder = Recorder(at=now, actor=actor)
    plans = {person_id: _planned(tx, person_id, purposes=purposes, at=at) for person_id in person_ids}
    people.withdraw(tx, [(person, purpose, to_micros(at), submission_id) for person in person_ids for purpose in purposes])
    for person_id, plan in plans.items():
        stop = set(plan.suppress_now)
        outbox.suppress(tx, plan.suppress_now, reason="withdrawn", now=to_micros(now))
        for lead_id in _leads_concerned(plan) or [None]:  # a leaf for each, so that every lead's trace tells of it
            recorder.note(
                Event.CONSENT_WITHDRAWN,
                person_id=person_id,
                lead_id=lead_id,
                submission_id=submission_id,
                facts={"brand": withdrawal.brand, "purposes": list(purposes), **_effect_on(plan, lead_id)},
            )
        for change in plan.deliveries:
            if change.delivery_id in stop:
                recorder.note(
                    Event.DELIVERY_SUPPRESSED,
                    delivery_id=change.delivery_id,
                    lead_id=change.lead_id,
                    facts={"destination": change.destination, "reason": "withdrawn"},
                )
    log.append(tx, recorder.leaves)
    return Withdrawn(
        person_ids=tuple(person_ids),
        suppressed=sum(len(plan.suppress_now) for plan in plans.values()),
        recipients=tuple(sorted({name for plan in plans.values() for name in plan.recipients})),
    )


def _leads_concerned(plan: WithdrawalPlan) -> list[str | None]:
    return [*dict.fromkeys(change.lead_id for change in plan.deliveries)]


def _effect_on(plan: WithdrawalPlan, lead_id: str | None) -> dict[str, LeafValue]:
    """What was stopped of one lead, and who holds it."""
    mine = replace(plan, deliveries=tuple(change for change in plan.deliveries if change.lead_id == lead_id))
    told: dict[str, LeafValue] = {"recipients": list(mine.recipients)} if mine.recipients else {}
    return {"suppressed": len(mine.suppress_now), **told}


def _planned(tx: Transaction, person_id: str, *, purposes: Sequence[str], at: datetime) -> WithdrawalPlan:
    records, consent_of = leads.consents_of(tx, person_id)
    deliveries = outbox.of_person(tx, person_id)
    return planned(records=records, deliveries=deliveries, consent_of=consent_of, purposes=purposes, withdrawn_at=at)


def _persons(tx: Transaction, withdrawal: Withdrawal, *, index: BlindIndex, vault: Vault, now: datetime) -> list[str]:
    """Everybody the identifiers name, the strongest one's first; somebody new if they name nobody."""
    named = [(kind, index.candidates(kind, withdrawal.brand, text)) for kind, text in identifiers_of(withdrawal)]
    known = people.find(tx, [value.digest for _, values in named for value in values])
    owners = [known[value.digest].person_id for _, values in named for value in values if value.digest in known]
    person_ids = list(dict.fromkeys(owners)) or [_stranger(tx, brand=withdrawal.brand, vault=vault, now=now)]
    fresh = [
        (value.digest, person_ids[0], kind.value, value.version)
        for kind, values in named
        if not any(value.digest in known for value in values)
        for value in values
    ]
    people.add_identifiers(tx, fresh)
    return person_ids


def _stranger(tx: Transaction, *, brand: str, vault: Vault, now: datetime) -> str:
    micros = to_micros(now)
    person_id = new_ids(1, micros)[0]
    key = vault.new_person_key(person_id)
    people.add(tx, [(person_id, brand, PersonState.WITHDRAWN.value, micros, key.wrapped, key.key_version)])
    return person_id
