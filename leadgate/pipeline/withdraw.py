"""Withdraw: what a person takes back is recorded, what waits for them is stopped, and who must be told is written down, all in
one transaction.

A withdrawal of somebody we do not know is recorded just the same: a person without leads is made, so that a lead whose consent
is older than the withdrawal is refused when it arrives late. The answer to the sender is the same in both cases. For the same
reason an identifier that only the withdrawal knows is kept with the person whom its strongest known one names.

Two requests at once are two requests: each is recorded with its clocks, the second finds the queue stopped and the recipients
asked, and nobody is told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from consent.blind_index import BlindIndex, IndexKind
from consent.vault import Vault
from consent.withdrawal import DeliveryEffect, WithdrawalPlan
from consent.withdrawal import plan as planned
from leadgate.pipeline import memory, telling, withdrawal_clocks
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import consents, leads, log, outbox, people, recipients, withdrawals
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.consent_event import ConsentEvent, ConsentOrigin, ConsentState
from schemas.policy import BrandPolicy
from schemas.submission import Withdrawal
from schemas.vocabulary import Event, PersonState


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What one withdrawal did: whom it concerns (random ids), what it stopped, and who holds data and is told."""

    withdrawal_id: str
    person_ids: tuple[str, ...]
    suppressed: int
    recipients: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalPreview:
    """What a withdrawal would do: (destination, purpose) of every delivery it would stop, and of everyone to be told."""

    person_ids: tuple[str, ...]
    stops: tuple[tuple[str, str], ...]
    tells: tuple[tuple[str, str], ...]


def identifiers_of(withdrawal: Withdrawal) -> list[tuple[IndexKind, str]]:
    """(kind, value) of every identifier the withdrawal names."""
    named = ((IndexKind.PHONE, withdrawal.phone), (IndexKind.EMAIL, withdrawal.email), (IndexKind.USER, withdrawal.user))
    return [(kind, value.reveal()) for kind, value in named if value is not None]


def preview(
    tx: Transaction, *, withdrawal: Withdrawal, policy: BrandPolicy, index: BlindIndex, at: datetime
) -> WithdrawalPreview:
    """What ``apply`` would do now; writes nothing."""
    person_ids = _known(tx, withdrawal, index)
    purposes: Sequence[str] = withdrawal.purposes or sorted(policy.purposes)
    plans = [_planned(tx, person_id, purposes=purposes, at=at) for person_id in person_ids]
    changes = [change for plan in plans for change in plan.deliveries if change.effect is not DeliveryEffect.NOTHING]
    stops = [change for change in changes if change.effect is DeliveryEffect.SUPPRESS_NOW]
    return WithdrawalPreview(
        person_ids=tuple(person_ids),
        stops=tuple(sorted((change.destination, change.purpose) for change in stops)),
        tells=tuple(sorted((change.destination, change.purpose) for change in changes if change not in stops)),
    )


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
    origin: ConsentOrigin = ConsentOrigin.WEBHOOK,
) -> Withdrawn:
    """Record ``withdrawal`` as of ``at``, stop what waits, have recipients told, and log it; ``now`` is when we do so."""
    people.lock(tx)
    person_ids = _persons(tx, withdrawal, index=index, vault=vault, now=now)
    purposes: Sequence[str] = withdrawal.purposes or sorted(policy.purposes)
    recorder = Recorder(at=now, actor=actor)
    plans = {person_id: _planned(tx, person_id, purposes=purposes, at=at) for person_id in person_ids}
    withdrawal_id, *event_ids = new_ids(1 + len(person_ids) * len(purposes), to_micros(now))
    people.withdraw(tx, [(person, purpose, to_micros(at), submission_id) for person in person_ids for purpose in purposes])
    _record(tx, plans, withdrawal_id=withdrawal_id, policy=policy, purposes=purposes, at=at, now=now, by=(actor, submission_id))
    consents.add_events(
        tx,
        [
            ConsentEvent(
                event_id=event_ids.pop(),
                person_id=person_id,
                purpose=purpose,
                state=ConsentState.WITHDRAWN,
                event_time=at,
                recorded_at=now,
                origin=origin,
                actor=actor,
                facts={"withdrawal_id": withdrawal_id},
                policy_version=policy.version,
            )
            for person_id in person_ids
            for purpose in purposes
        ],
    )
    memory.remember(tx, index, policy=policy, identifiers=identifiers_of(withdrawal), purposes=purposes, at=at)
    about: dict[str, LeafValue] = {"brand": withdrawal.brand, "purposes": list(purposes), "withdrawal_id": withdrawal_id}
    for person_id, plan in plans.items():
        outbox.suppress(tx, plan.suppress_now, reason="withdrawn", now=to_micros(now))
        _note(recorder, plan, person_id=person_id, submission_id=submission_id, about=about)
        holders = recipients.holders(tx, [change.delivery_id for change in plan.deliveries])
        telling.ask(tx, recorder, holders, cause=telling.WITHDRAWAL, now=now, withdrawal_id=withdrawal_id)
    withdrawals.mark_withdrawn(tx, [person for person, plan in plans.items() if plan.ends_everything])
    withdrawal_clocks.start(
        tx,
        recorder,
        policy=policy,
        withdrawal_id=withdrawal_id,
        person_id=person_ids[0],
        purposes=purposes,
        at=at,
        now=now,
    )
    withdrawal_clocks.meet(tx, recorder, [withdrawal_id], now=now)
    log.append(tx, recorder.leaves)
    return Withdrawn(
        withdrawal_id=withdrawal_id,
        person_ids=tuple(person_ids),
        suppressed=sum(len(plan.suppress_now) for plan in plans.values()),
        recipients=tuple(sorted({name for plan in plans.values() for name in plan.recipients})),
    )


def _record(
    tx: Transaction,
    plans: dict[str, WithdrawalPlan],
    *,
    withdrawal_id: str,
    policy: BrandPolicy,
    purposes: Sequence[str],
    at: datetime,
    now: datetime,
    by: tuple[str, str | None],
) -> None:
    """The request as it was asked for, and what it means for each delivery of this moment."""
    said, recorded, words = to_micros(at), to_micros(now), " ".join(purposes)
    withdrawals.add(
        tx,
        [(withdrawal_id, person_id, policy.brand, words, said, recorded, *by) for person_id in plans],
        [
            (withdrawal_id, change.delivery_id, change.effect.value)
            for plan in plans.values()
            for change in plan.deliveries
            if change.effect is not DeliveryEffect.NOTHING
        ],
    )


def _note(
    recorder: Recorder, plan: WithdrawalPlan, *, person_id: str, submission_id: str | None, about: dict[str, LeafValue]
) -> None:
    """A leaf for each lead, so that every lead's trace tells of it, and one for each delivery that is stopped."""
    for lead_id in _leads_concerned(plan) or [None]:
        recorder.note(
            Event.CONSENT_WITHDRAWN,
            person_id=person_id,
            lead_id=lead_id,
            submission_id=submission_id,
            facts={**about, **_effect_on(plan, lead_id)},
        )
    stop = set(plan.suppress_now)
    for change in plan.deliveries:
        if change.delivery_id in stop:
            recorder.note(
                Event.DELIVERY_SUPPRESSED,
                delivery_id=change.delivery_id,
                lead_id=change.lead_id,
                facts={"destination": change.destination, "reason": "withdrawn"},
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


def _known(tx: Transaction, withdrawal: Withdrawal, index: BlindIndex) -> list[str]:
    """Everybody the identifiers name, the strongest one's first."""
    named = [index.candidates(kind, withdrawal.brand, text) for kind, text in identifiers_of(withdrawal)]
    known = people.find(tx, [value.digest for values in named for value in values])
    return list(dict.fromkeys(known[value.digest].person_id for values in named for value in values if value.digest in known))


def _persons(tx: Transaction, withdrawal: Withdrawal, *, index: BlindIndex, vault: Vault, now: datetime) -> list[str]:
    """Everybody the identifiers name; somebody new if they name nobody. What is not known yet is kept with the first."""
    named = [(kind, index.candidates(kind, withdrawal.brand, text)) for kind, text in identifiers_of(withdrawal)]
    known = people.find(tx, [value.digest for _, values in named for value in values])
    owners = [known[value.digest].person_id for _, values in named for value in values if value.digest in known]
    person_ids = list(dict.fromkeys(owners)) or [_stranger(tx, brand=withdrawal.brand, vault=vault, now=now)]
    fresh = [
        (value.digest, person_ids[0], kind.value, value.version)
        for kind, values in named
        if not any(value.digest in known for value in values)
        for value in values
        if value.write
    ]
    people.add_identifiers(tx, fresh)
    return person_ids


def _stranger(tx: Transaction, *, brand: str, vault: Vault, now: datetime) -> str:
    micros = to_micros(now)
    person_id = new_ids(1, micros)[0]
    key = vault.new_person_key(person_id)
    people.add(tx, [(person_id, brand, PersonState.WITHDRAWN.value, micros, key.wrapped, key.key_version)])
    return person_id
