"""The clocks of a withdrawal: started with it, and met by what the ledger holds, never by somebody's word that it is done.

1. *Stop* (phone marketing at once; any processing in working days) is met when nothing waits in our queue, which is so from the
   withdrawal's own transaction on, and every recipient that got a record says it uses it no more.
2. *Destroy* is met when we hold no envelope and no sender's copy that only a withdrawn consent carried, and every recipient
   says that it holds nothing, or was told by hand. A lead with another purpose that still stands has a basis of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from leadgate.pipeline import clocks
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import clocks as stored
from leadgate.storage import people, recipients, withdrawals
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.withdrawals import WithdrawalRequest
from schemas.clocks import ClockKind, ClockSubject
from schemas.policy import BrandPolicy

_STOP: Final = frozenset({ClockKind.MARKETING_STOP, ClockKind.STOP_DEMAND})
_DESTROY: Final = frozenset({ClockKind.WITHDRAWAL})


def start(
    tx: Transaction,
    recorder: Recorder,
    *,
    policy: BrandPolicy,
    withdrawal_id: str,
    person_id: str,
    purposes: Collection[str],
    at: datetime,
    now: datetime,
) -> None:
    """Start the clocks of one request; ``at`` is when the person said it."""
    marketing = any(policy.purposes[code].marketing is not None for code in purposes if code in policy.purposes)
    kinds = [ClockKind.STOP_DEMAND, ClockKind.WITHDRAWAL]
    clocks.start(
        tx,
        recorder,
        terms=policy.clocks,
        kinds=[ClockKind.MARKETING_STOP, *kinds] if marketing else kinds,
        subject=ClockSubject.WITHDRAWAL,
        about=withdrawal_id,
        brand=policy.brand,
        started_at=at,
        now=now,
        person_id=person_id,
    )


def meet_of_deliveries(tx: Transaction, recorder: Recorder, delivery_ids: Sequence[str], *, now: datetime) -> None:
    """Stop the clocks that are met now that something became of these deliveries."""
    meet(tx, recorder, withdrawals.concerning(tx, delivery_ids), now=now)


def meet_of_persons(tx: Transaction, recorder: Recorder, person_ids: Sequence[str], *, now: datetime) -> None:
    """Stop the clocks that are met now that something of these people was destroyed."""
    meet(tx, recorder, [each.withdrawal_id for each in withdrawals.of_persons(tx, person_ids)], now=now)


def meet(tx: Transaction, recorder: Recorder, withdrawal_ids: Sequence[str], *, now: datetime) -> int:
    """Stop the clocks of these requests as far as what they ask for is done; answer how many."""
    running = [each for each in stored.about(tx, withdrawal_ids) if each.met_at is None]
    if not running:
        return 0
    open_ids = sorted({each.about for each in running})
    told = recipients.of_withdrawals(tx, open_ids)
    stopped = [each for each in open_ids if all(one.stopped for one in told[each])]
    ended = [each for each in open_ids if all(one.ended for one in told[each])]
    kept = _kept(tx, withdrawals.by_ids(tx, ended))
    done = clocks.meet(tx, recorder, about=stopped, now=now, kinds=_STOP, outcome="stopped") if stopped else []
    destroyed = [each for each in ended if each not in kept]
    if destroyed:
        done += clocks.meet(tx, recorder, about=destroyed, now=now, kinds=_DESTROY, outcome="destroyed")
    return len(done)


def _kept(tx: Transaction, requests: Sequence[WithdrawalRequest]) -> set[str]:
    """Requests of people of whom we still hold something that no other consent carries."""
    everybody = sorted({person for request in requests for person in request.person_ids})
    held = withdrawals.held_by_us(tx, everybody)
    if not held:
        return set()
    taken = people.withdrawals(tx, everybody)
    return {
        request.withdrawal_id
        for request in requests
        for lead in held
        if lead.person_id in request.person_ids
        and lead.given_at <= to_micros(request.withdrawn_at)
        and not any(taken.get(lead.person_id, {}).get(purpose, -1) < lead.given_at for purpose in lead.purposes)
    }
