"""Clocks: started, extended and met in the transaction of what they are about, each with its leaf.

A machine's clock that was moved back can make a deadline look far away. So the due date is decided once, from the event, and
stored; an event that lies in the future starts its clock now, which is earlier and never later, and the row is flagged; a clock
that is met before it began is flagged too. Neither stops the withdrawal or the erasure it belongs to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from consent.audit.facts import code_word
from consent.clocks import CLOCK_SKEW, deadline
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import clocks
from leadgate.storage.clock import to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.ids import new_ids
from schemas.audit import LeafValue
from schemas.clocks import Clock, ClockKind, ClockSubject, ClockTerms
from schemas.errors import ConfigurationError
from schemas.vocabulary import Event

#: What stands in ``flag``.
START_IN_FUTURE = "start_in_future"


def start(
    tx: Transaction,
    recorder: Recorder,
    *,
    terms: ClockTerms,
    kinds: Collection[ClockKind],
    subject: ClockSubject,
    about: str,
    brand: str,
    started_at: datetime,
    now: datetime,
    person_id: str | None = None,
    jurisdiction: str | None = None,
) -> list[Clock]:
    """Start one clock of each kind, with a leaf for each that did not run yet. Saying it twice is saying it once.

    ``terms`` are a brand's (``BrandPolicy.clocks``). ``about`` is the id of the withdrawal, case, person or incident.
    """
    future = started_at > now + CLOCK_SKEW
    began = now if future else started_at
    ids = new_ids(len(kinds), to_micros(now))
    wanted = []
    for clock_id, kind in zip(ids, kinds, strict=True):
        end = deadline(terms, kind, began, jurisdiction=jurisdiction)
        wanted.append(
            Clock(
                clock_id=clock_id,
                kind=kind,
                jurisdiction=end.jurisdiction,
                term=end.term.word,
                law=end.law,
                subject=subject,
                about=about,
                brand=brand,
                person_id=person_id,
                started_at=began,
                recorded_at=now,
                due_at=end.due_at,
                warn_at=end.warn_at,
                latest_at=end.latest_at,
                flag=START_IN_FUTURE if future else None,
            )
        )
    standing = clocks.start(tx, wanted)
    for each in standing:
        if each.fresh:
            _note(recorder, Event.CLOCK_STARTED, each.clock)
    return [each.clock for each in standing]


def meet(
    tx: Transaction,
    recorder: Recorder,
    *,
    about: Sequence[str],
    now: datetime,
    kinds: Collection[ClockKind] | None = None,
    outcome: str = "done",
) -> list[Clock]:
    """Stop the running clocks about these things (of these kinds, if any are named); answer those stopped by this call."""
    running = [each for each in clocks.about(tx, list(about)) if each.met_at is None and (kinds is None or each.kind in kinds)]
    stopped = clocks.meet(tx, running, now=to_micros(now), outcome=outcome)
    for each in stopped:
        _note(recorder, Event.CLOCK_MET, each, outcome=outcome, late=now > each.due_at)
    return stopped


def meet_by_hand(tx: Transaction, recorder: Recorder, *, clock_ids: Sequence[str], now: datetime, outcome: str) -> list[Clock]:
    """A person says that clocks are met. Raises ConfigurationError for one that something else here meets, or for none."""
    found = clocks.by_ids(tx, clock_ids)
    if len(found) != len(set(clock_ids)):
        raise ConfigurationError("unknown_clock", "there is no clock of this id; `leadgate clocks` prints them", field="CLOCK")
    if any(each.subject is not ClockSubject.INCIDENT for each in found):
        raise ConfigurationError(
            "not_by_hand", "this clock is met by what is done: finish the request or the withdrawal", field="CLOCK"
        )
    if code_word(outcome) != outcome:
        raise ConfigurationError("not_a_word", "say it in one word: no name, no sentence", field="--outcome")
    stopped = clocks.meet(tx, found, now=to_micros(now), outcome=outcome)
    for each in stopped:
        _note(recorder, Event.CLOCK_MET, each, outcome=outcome, late=now > each.due_at)
    return stopped


def extend(tx: Transaction, recorder: Recorder, *, clock_id: str, reason: str, notice: str, now: datetime) -> Clock:
    """Move the end of one clock to its latest one. ``notice`` is the reference of the reasoned notice the person was sent.

    Raises ConfigurationError if the law knows no extension, it is used up, or the clock is over: nobody extends afterwards.
    """
    clock = next(iter(clocks.by_ids(tx, [clock_id])), None)
    if clock is None:
        raise ConfigurationError("unknown_clock", "there is no clock of this id; `leadgate clocks` prints them", field="clock")
    if not reason or not notice:
        raise ConfigurationError("no_notice", "an extension needs its reason and the notice that told it", field="--notice")
    if code_word(reason) != reason or code_word(notice) != notice:
        raise ConfigurationError("not_a_word", "reason and notice are one word each: no name, no sentence", field="--notice")
    if clock.latest_at is None:
        raise ConfigurationError("no_extension", "the law knows no extension of this clock", field="clock")
    if clock.met_at is not None or clock.extended_at is not None or now > clock.due_at:
        raise ConfigurationError("too_late", "this clock was met, extended before, or is over", field="clock")
    warn_at = clock.latest_at - (clock.due_at - clock.warn_at)
    moved = clocks.extend(tx, clock, now=to_micros(now), reason=reason, notice=notice, warn_at=to_micros(warn_at))
    if moved is None:
        raise ConfigurationError("too_late", "somebody met or extended this clock a moment ago", field="clock")
    _note(recorder, Event.CLOCK_EXTENDED, moved, reason=reason, notice_ref=notice)
    return moved


def _note(recorder: Recorder, event: Event, clock: Clock, **more: LeafValue) -> None:
    facts: dict[str, LeafValue] = {
        "clock_id": clock.clock_id,
        "kind": clock.kind.value,
        "subject": clock.subject.value,
        "about": clock.about,
        "brand": clock.brand,
        "jurisdiction": clock.jurisdiction,
        "term": clock.term,
        "started_at": _moment(clock.started_at),
        "due_at": _moment(clock.due_at),
        **more,
    }
    if clock.flag is not None:
        facts["flag"] = clock.flag
    recorder.note(event, person_id=clock.person_id, facts=facts)


def _moment(at: datetime) -> str:
    return f"{at.isoformat(timespec='seconds')[:19]}Z"
