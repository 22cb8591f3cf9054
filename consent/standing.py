"""How a consent stands at one moment, of the past or now. It refuses to call granted what it cannot trace to one record, to one
notice whose text is the text that was shown, and to no word of the person against it.

Events may have arrived in any order: only their moments count. For one purpose, each record is asked in this order; the first
line that holds is the answer, so that the person's word outranks ours, and what never held outranks both.

1. invalidated   its notice is unknown, or is another text, or did not exist yet; or somebody found so. It never held: the
                 answer is the same for every moment, whenever it was found out
2. withdrawn     by the person: on this record, or on everything at or after the moment it was given. At the same moment the
                 withdrawal wins. What is agreed to later is another record; a renewal does not bring this one back
3. terminated    by us: the purpose is achieved, the data destroyed
4. refused       asked again, and the answer was no
5. expired       its term is over, counted from when it was given or last renewed
6. stale         a newer version of its notice asks for new consent
7. granted

Of several records the best is the answer: granted, else stale, else what became of the newest. Without a record the newest of
what the person said or was asked is: withdrawn, refused, requested; and unknown if there is nothing.

``known_at`` asks what could be known at a moment: a withdrawal that was said on Monday and reached us on Tuesday had, on Monday
evening, been said (``at``) and was not known (``known_at``). What happens after a moment never changes the answer for it, but
for line 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from consent.notices import NoticeKey, stale_from
from schemas.consent_event import ConsentEvent, ConsentState
from schemas.consent_record import ConsentRecord
from schemas.policy import Notice


class Standing(StrEnum):
    """Where a consent stands. Only ``granted`` lets data be used."""

    GRANTED = "granted"
    STALE = "stale"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    REFUSED = "refused"
    INVALIDATED = "invalidated"
    REQUESTED = "requested"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """What the answer rests on."""

    RECORD = "record"  # the record stands, nothing speaks against it
    EVENT = "event"  # an event says so
    TERM = "term"  # its term is over
    NEWER_NOTICE = "newer_notice"  # a newer version asks for new consent
    NOTICE_UNKNOWN = "notice_unknown"
    NOTICE_CHANGED = "notice_changed"  # the text that was shown is not the notice's text
    BEFORE_NOTICE = "before_notice"  # agreed to what did not exist yet
    AFTER_NOTICE = "after_notice"  # agreed to what was retired
    NOT_NAMED = "not_named"  # the notice does not name the purpose
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What was in force at a brand: its notices, the terms of its purposes, and which policy each record was admitted under."""

    notices: Mapping[NoticeKey, Notice]
    valid_for: Mapping[str, timedelta]
    policy_of: Mapping[str, str] = field(default_factory=dict)  # consent id -> policy version

    @classmethod
    def of(cls, notices: Iterable[Notice], valid_for: Mapping[str, timedelta], policy_of: Mapping[str, str]) -> Rules:
        """From what is at hand."""
        return cls(notices={one.key: one for one in notices}, valid_for=valid_for, policy_of=policy_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Where a consent for one purpose stands at one moment, and on what that rests.

    ``since`` is when this state began, ``until`` when it ends by itself (its term is over, or a newer notice asks anew).
    ``event_id`` names the event that decided, if one did; ``consent_id`` is None where there is no record.
    """

    standing: Standing
    why: Why
    at: datetime
    purpose: str
    consent_id: str | None = None
    notice: NoticeKey | None = None
    policy_version: str | None = None
    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def granted(self) -> bool:
        """Whether data may be used for the purpose."""
        return self.standing is Standing.GRANTED


#: The best first; what is not listed is worse, and the newest record speaks.
_BEST: Final = {Standing.GRANTED: 0, Standing.STALE: 1}
#: What ends a record, in the order of the lines above.
_ENDS: Final = (
    (ConsentState.INVALIDATED, Standing.INVALIDATED),
    (ConsentState.WITHDRAWN, Standing.WITHDRAWN),
    (ConsentState.TERMINATED, Standing.TERMINATED),
    (ConsentState.REFUSED, Standing.REFUSED),
    (ConsentState.EXPIRED, Standing.EXPIRED),
)
_NEVER_HELD: Final = frozenset({ConsentState.INVALIDATED})
_RENEWABLE: Final = frozenset({ConsentState.REFUSED, ConsentState.EXPIRED})
#: Where there is no record: what was said counts in this order at the same moment.
_SAID: Final[Mapping[ConsentState, tuple[int, Standing]]] = {
    ConsentState.WITHDRAWN: (3, Standing.WITHDRAWN),
    ConsentState.TERMINATED: (2, Standing.TERMINATED),
    ConsentState.REFUSED: (1, Standing.REFUSED),
    ConsentState.REQUESTED: (0, Standing.REQUESTED),
    ConsentState.DEFERRED: (0, Standing.REQUESTED),
}


def standing_of(
    *,
    purpose: str,
    at: datetime,
    records: Iterable[ConsentRecord],
    events: Iterable[ConsentEvent],
    rules: Rules,
    known_at: datetime | None = None,
) -> Answer:
    """Where the consent of one person at one brand stood at ``at`` for ``purpose``, by what is known (by ``known_at``).

    ``records`` and ``events`` are all of that person. What the gate asks at sending (``consent.gate``) agrees with it.
    """
    given = [one for one in records if purpose in one.purposes and one.given_at <= at and _known(one.recorded_at, known_at)]
    said = [one for one in events if one.purpose in (None, purpose) and _known(one.recorded_at, known_at)]
    if not given:
        return _without_record(purpose, at, said)
    stale = stale_from(rules.notices.values())
    answers = [(one.given_at, one.consent_id, _of_record(_Found.of(one, purpose, at, said, rules), stale)) for one in given]
    # The newest of the best: ids are in order of time, so the answer does not hang on the order of arrival.
    newest_first = sorted(answers, key=lambda each: each[:2], reverse=True)
    return min((each[2] for each in newest_first), key=lambda answer: _BEST.get(answer.standing, len(_BEST)))


def _known(recorded_at: datetime, known_at: datetime | None) -> bool:
    return known_at is None or recorded_at <= known_at


def _without_record(purpose: str, at: datetime, said: Sequence[ConsentEvent]) -> Answer:
    past = [one for one in said if one.event_time <= at and one.state in _SAID]
    if not past:
        return Answer(standing=Standing.UNKNOWN, why=Why.NOTHING, at=at, purpose=purpose)
    last = max(past, key=lambda one: (one.event_time, _SAID[one.state][0], one.event_id))
    return Answer(
        standing=_SAID[last.state][1],
        why=Why.EVENT,
        at=at,
        purpose=purpose,
        consent_id=last.consent_id,
        policy_version=last.policy_version,
        event_id=last.event_id,
        since=last.event_time,
    )


def _of_record(found: _Found, stale: Mapping[NoticeKey, datetime]) -> Answer:
    record = found.record
    flaw = _flaw(record, found.purpose, found.rules.notices.get(found.key))
    if flaw is not None:  # 1
        return found.answer(Standing.INVALIDATED, flaw, since=record.given_at)
    for state, standing in _ENDS:  # 1 to 5
        event = found.first(state)
        if event is not None:
            since = record.given_at if state is ConsentState.INVALIDATED else event.event_time
            return found.answer(standing, Why.EVENT, since=since, event=event)
    begun = found.begun
    term = found.rules.valid_for.get(found.purpose)
    ends = begun + term if term is not None else None
    if ends is not None and found.at >= ends:  # 5
        return found.answer(Standing.EXPIRED, Why.TERM, since=ends)
    stale_at = stale.get(found.agreed_key)
    if stale_at is not None and found.at >= stale_at:  # 6
        return found.answer(Standing.STALE, Why.NEWER_NOTICE, since=max(stale_at, begun), until=ends)
    until = min((moment for moment in (ends, stale_at) if moment is not None), default=None)
    return found.answer(Standing.GRANTED, Why.RECORD, since=begun, until=until)  # 7


def _flaw(record: ConsentRecord, purpose: str, notice: Notice | None) -> Why | None:
    """Why the record never held, from the notice alone."""
    if notice is None:
        return Why.NOTICE_UNKNOWN
    if record.text_sha256 != notice.text_sha256:
        return Why.NOTICE_CHANGED
    if record.given_at < notice.valid_from:
        return Why.BEFORE_NOTICE
    if notice.valid_until is not None and record.given_at >= notice.valid_until:
        return Why.AFTER_NOTICE
    return None if purpose in notice.purposes else Why.NOT_NAMED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One record beside the events that speak of it. ``renewals`` are those up to the moment, oldest first."""

    record: ConsentRecord
    purpose: str
    at: datetime
    rules: Rules
    events: Sequence[ConsentEvent]
    renewals: Sequence[ConsentEvent]

    @classmethod
    def of(cls, record: ConsentRecord, purpose: str, at: datetime, said: Sequence[ConsentEvent], rules: Rules) -> _Found:
        mine = [one for one in said if one.consent_id in (None, record.consent_id)]
        renewals = [one for one in mine if record.given_at <= one.event_time <= at and _renews(one, record, rules)]
        renewals.sort(key=_moment)
        return cls(record=record, purpose=purpose, at=at, rules=rules, events=mine, renewals=renewals)

    @property
    def key(self) -> NoticeKey:
        """The notice the record was given under."""
        return self.record.notice_id, self.record.notice_version, self.record.notice_language

    @property
    def agreed_key(self) -> NoticeKey:
        """The notice the person agreed to last: a renewal names its version, in the language of the record."""
        versions = [version for one in self.renewals if isinstance(version := one.facts.get("notice_version"), str)]
        return (self.key[0], versions[-1], self.key[2]) if versions else self.key

    @property
    def begun(self) -> datetime:
        """When it was given or last renewed."""
        return self.renewals[-1].event_time if self.renewals else self.record.given_at

    def first(self, state: ConsentState) -> ConsentEvent | None:
        """The first event of a state that ends this record.

        Of those about everything none from before it was given; what was said on the very record speaks of it whenever it
        was said. A refusal or an end of the term from before a renewal ends nothing any more.
        """
        found = [one for one in self.events if one.state is state and (state in _NEVER_HELD or one.event_time <= self.at)]
        if state in _RENEWABLE:
            found = [one for one in found if one.event_time >= self.begun or not self.renewals]
        found = [one for one in found if one.consent_id is not None or one.event_time >= self.record.given_at]
        return min(found, key=_moment, default=None)

    def answer(
        self,
        standing: Standing,
        why: Why,
        *,
        since: datetime,
        until: datetime | None = None,
        event: ConsentEvent | None = None,
    ) -> Answer:
        """The answer from this record."""
        return Answer(
            standing=standing,
            why=why,
            at=self.at,
            purpose=self.purpose,
            consent_id=self.record.consent_id,
            notice=self.agreed_key,
            policy_version=self.rules.policy_of.get(self.record.consent_id),
            event_id=event.event_id if event else None,
            since=since,
            until=until,
        )


def _moment(event: ConsentEvent) -> tuple[datetime, str]:
    return event.event_time, event.event_id


def _renews(event: ConsentEvent, record: ConsentRecord, rules: Rules) -> bool:
    """Whether the event renews this very record, under a notice that is known and was shown as it is."""
    if event.state is not ConsentState.RENEWED or event.consent_id != record.consent_id:
        return False
    version = event.facts.get("notice_version", record.notice_version)
    notice = rules.notices.get((record.notice_id, str(version), record.notice_language))
    return notice is not None and event.facts.get("text_sha256", notice.text_sha256) == notice.text_sha256
