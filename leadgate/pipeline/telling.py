"""Telling: who must be told, decided in the transaction of whatever makes it necessary, and what a person does by hand.

A delivery that is with a worker, or in doubt, at that moment is written down as *waiting*: its outcome decides whether there is
anybody to tell. So nothing hangs on a worker's coming back, and a look at the rows that wait is enough after any crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from consent.audit.facts import code_word
from consent.retention import Why
from leadgate.pipeline import withdrawal_clocks
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import log, recipients
from leadgate.storage.clock import to_micros
from leadgate.storage.destruction import Destruction
from leadgate.storage.engine import Transaction
from leadgate.storage.recipients import Holder, Telling
from schemas.audit import LeafValue
from schemas.errors import ConfigurationError
from schemas.vocabulary import Ask, Event, TellingState

#: Why people are destroyed whom a restored backup brought back (``leadgate.pipeline.erase``).
RESTORED: Final = "restored_backup"
#: Why a telling exists, beside the reason of an erasure.
WITHDRAWAL: Final = "withdrawal"
#: Our copy goes because it was delivered, or was never needed: the recipient's own consent stands, and it keeps its record.
_OURS_ALONE: Final = frozenset({Why.PURPOSE_ACHIEVED, Why.SEALED_IN_VAULT, Why.REFUSED, Why.QUARANTINE_OVER})
#: Deliveries of one look.
_PAGE: Final = 500

#: The leaf of each state.
EVENTS: Final = {
    TellingState.QUEUED: Event.RECIPIENT_ASKED,
    TellingState.SUPPRESSED: Event.RECIPIENT_SUPPRESSED,
    TellingState.ERASED: Event.RECIPIENT_ERASED,
    TellingState.NOT_HELD: Event.RECIPIENT_NOT_HELD,
    TellingState.FAILED: Event.RECIPIENT_FAILED,
    TellingState.BY_HAND: Event.RECIPIENT_BY_HAND,
    TellingState.TOLD: Event.RECIPIENT_TOLD,
}


def ask(
    tx: Transaction,
    recorder: Recorder,
    holders: Sequence[Holder],
    *,
    cause: str,
    now: datetime,
    wants: Ask = Ask.ERASE,
    withdrawal_id: str | None = None,
) -> list[Holder]:
    """Write down that these recipients must be told, with a leaf for each that was not asked before."""
    fresh = recipients.ask(tx, holders, cause=cause, wants=wants, now=to_micros(now), withdrawal_id=withdrawal_id)
    for one in fresh:
        facts: dict[str, LeafValue] = {"destination": one.destination, "purpose": one.purpose, "reason": cause}
        if withdrawal_id is not None:
            facts["withdrawal_id"] = withdrawal_id
        recorder.note(
            Event.RECIPIENT_ASKED, lead_id=one.lead_id, person_id=one.person_id, delivery_id=one.delivery_id, facts=facts
        )
    return fresh


def after_erasure(tx: Transaction, done: Iterable[Destruction], now: datetime) -> None:
    """Have the recipients of destroyed people destroy their copies, in the destroying transaction.

    Not where only our own copy is done with: what was delivered under a consent that stands is the recipient's to keep. Of
    people whom a restored backup brought back nobody knows any more which it was, so a person decides.
    """
    for each in done:
        if each.reason in _OURS_ALONE:
            continue
        recorder = Recorder(at=now, actor=each.actor)
        fresh = ask(tx, recorder, recipients.holders_of(tx, each.person_id), cause=each.reason, now=now)
        if each.reason == RESTORED:
            _leave_to_a_person(tx, recipients.of_deliveries(tx, [one.delivery_id for one in fresh]), code=RESTORED, now=now)
        withdrawal_clocks.meet_of_persons(tx, recorder, [each.person_id], now=now)
        log.append(tx, recorder.leaves)


def release(tx: Transaction, *, now: datetime) -> int:
    """Look at what waited for a delivery's outcome: to be told, or nobody holds anything. Answers how many were looked at."""
    found = recipients.decided(tx, limit=_PAGE)
    moment = to_micros(now)
    changed = [
        each._replace(state=TellingState.QUEUED.value, not_before=moment)
        if holds
        else each._replace(state=TellingState.NOT_HELD.value, code="not_delivered", decided_at=moment)
        for each, holds in found
    ]
    _write(tx, [each for each in changed if each.state == TellingState.QUEUED], Recorder(at=now), now=now, quiet=True)
    _write(tx, [each for each in changed if each.state == TellingState.NOT_HELD], Recorder(at=now), now=now)
    return len(found)


def hand_over(tx: Transaction, destinations: Collection[str], *, code: str, now: datetime) -> int:
    """What these destinations are to be told is a person's to tell: this program cannot reach them."""
    found = recipients.at_destinations(tx, destinations)
    _leave_to_a_person(tx, found, code=code, now=now)
    return len(found)


def _leave_to_a_person(tx: Transaction, found: Sequence[Telling], *, code: str, now: datetime) -> None:
    by_hand, moment = TellingState.BY_HAND.value, to_micros(now)
    changed = [each._replace(state=by_hand, not_before=None, code=code, decided_at=moment) for each in found]
    _write(tx, changed, Recorder(at=now), now=now)


def told_by_hand(tx: Transaction, delivery_ids: Collection[str], *, how: str, now: datetime, actor: str) -> list[Telling]:
    """A person says that the recipient was told. ``how`` is one word: letter, telephone, a register number.

    Raises ConfigurationError if one of them is nobody's to tell.
    """
    if code_word(how) != how:
        raise ConfigurationError("bad_word", "say it in one word of letters and digits, without names", field="--how")
    found = recipients.of_deliveries(tx, delivery_ids, lock=True)
    missing = set(delivery_ids) - {each.delivery_id for each in found}
    if missing or any(each.state not in recipients.OPEN_TO_HAND for each in found):
        raise ConfigurationError("nobody_to_tell", "no recipient waits to be told about one of these", field="DELIVERY")
    moment = to_micros(now)
    changed = [
        each._replace(state=TellingState.TOLD.value, not_before=None, code=how, told_at=moment, decided_at=moment)
        for each in found
    ]
    _write(tx, changed, Recorder(at=now, actor=actor), now=now, reason=how)
    return changed


def retry(tx: Transaction, found: Sequence[Telling], *, now: datetime, actor: str) -> list[Telling]:
    """Ask again, at once, whoever refused, is left to a person, or is being asked with growing pauses."""
    moment = to_micros(now)
    changed = []
    for each in found:
        state = TellingState.SUPPRESSED if each.suppressed_at is not None else TellingState.QUEUED
        changed.append(each._replace(state=state.value, attempt=0, not_before=moment, code=None, decided_at=None))
    recorder = Recorder(at=now, actor=actor)
    for each in changed:
        note(recorder, each, event=Event.RECIPIENT_ASKED, reason="retry")
    recipients.write(tx, changed)
    log.append(tx, recorder.leaves)
    return changed


def may_be_retried(each: Telling) -> bool:
    """Whether asking again could change anything."""
    return each.state != TellingState.WAITING and not each.ended and not (each.stopped and each.wants == Ask.SUPPRESS)


def note(recorder: Recorder, each: Telling, *, event: Event | None = None, reason: str | None = None) -> None:
    """The leaf of how one telling stands now."""
    facts: dict[str, LeafValue] = {"destination": each.destination, "purpose": each.purpose}
    if reason is not None:
        facts["reason"] = reason
    if each.attempt:
        facts["attempt"] = each.attempt
    if each.code:
        facts["code"] = code_word(each.code) or "none"
    if each.withdrawal_id is not None:
        facts["withdrawal_id"] = each.withdrawal_id
    recorder.note(
        event or EVENTS[TellingState(each.state)],
        lead_id=each.lead_id,
        person_id=each.person_id,
        delivery_id=each.delivery_id,
        facts=facts,
    )


def _write(
    tx: Transaction,
    changed: Sequence[Telling],
    recorder: Recorder,
    *,
    now: datetime,
    quiet: bool = False,
    reason: str | None = None,
) -> None:
    """Write rows that no worker settles, their leaves, and the clocks that are met by it."""
    if not changed:
        return
    recipients.write(tx, changed)
    if not quiet:
        for each in changed:
            note(recorder, each, reason=reason)
        withdrawal_clocks.meet_of_deliveries(tx, recorder, [each.delivery_id for each in changed], now=now)
    log.append(tx, recorder.leaves)
