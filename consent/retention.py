"""Refuses to destroy what is under a legal hold or on its way, and to keep what no consent carries. Says what is due, and why.

1. A submission is raw material: refused, it goes within hours; quarantined, within days; admitted, the vault holds the lead.
2. A lead is kept as long as one purpose carries it: until its consent ends, and for that purpose's retention after it.
   A purpose taken back counts from that moment and by the rule for withdrawals.
3. If being delivered fulfils the purpose (``RetentionRules.delivered``), that ends the lead earlier.
4. A delivery whose worker or read-back is not done yet blocks destruction: the key it needs must not vanish under it. What only
   waits in the queue does not block: it is suppressed first.
5. A person's key is destroyed with the last lead; until then only single envelopes are deleted.
6. Of somebody without a lead we know only that they took something back. That serves as long as a consent from before could
   still carry (``RetentionRules.without_lead``), and ends then.

Nothing here destroys. A ``RetentionPlan`` can be printed (dry run) and is the same value that the pipeline carries out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.policy import RetentionRules
from schemas.vocabulary import FINAL_OUTCOMES, Outcome, SubmissionState

#: These have a worker or a read-back that may still open the lead.
_ON_ITS_WAY = frozenset({Outcome.CLAIMED, Outcome.UNCERTAIN})


class Action(StrEnum):
    """What becomes of one thing now."""

    KEEP = "keep"
    DESTROY_SUBMISSION = "destroy_submission"  # delete its wrapped key and envelope
    DESTROY_LEAD = "destroy_lead"  # delete its envelope; the person's key still serves another lead
    DESTROY_PERSON = "destroy_person"  # delete the wrapped key, index rows and envelopes
    DESTROY_EVIDENCE = "destroy_evidence"  # delete the sealed content of an act; its digest stays
    WAIT = "wait"  # due, but a delivery is on its way
    HOLD = "hold"  # due, but under a legal hold


class Why(StrEnum):
    """The reason that makes a thing due; it stands on the act of destruction."""

    REFUSED = "refused"
    QUARANTINE_OVER = "quarantine_over"
    SEALED_IN_VAULT = "sealed_in_vault"
    CONSENT_ENDED = "consent_ended"
    WITHDRAWN = "withdrawn"
    PURPOSE_ACHIEVED = "purpose_achieved"
    NO_CONSENT = "no_consent"
    NO_LEAD = "no_lead"  # only a withdrawal is known of them
    EVIDENCE_OVER = "evidence_over"  # the act of destruction has been kept as long as it must be
    NOT_DECIDED = "not_decided"  # never due: it waits for the gate


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSubmission:
    """A submission whose bytes are still stored."""

    submission_id: str
    state: SubmissionState
    received_at: datetime
    decided_at: datetime | None = None
    on_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeTerm:
    """One purpose a lead was agreed for: when that consent ends by itself, and when it was taken back, if it was."""

    purpose: str
    ends_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDelivery:
    """What retention needs to know of a delivery: its state and when it got there."""

    state: Outcome
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLead:
    """A lead whose envelope is still stored."""

    lead_id: str
    admitted_at: datetime
    terms: tuple[PurposeTerm, ...]
    deliveries: tuple[HeldDelivery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPerson:
    """A person whose key is still stored, with ALL leads that it opens. ``known_since`` counts for somebody without one: the
    last moment we learned of them.
    """

    person_id: str
    leads: tuple[HeldLead, ...]
    on_hold: bool = False
    known_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEvidence:
    """An act of destruction whose content is still stored."""

    act_id: str
    keep_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionFinding:
    """What the rules say of one thing. ``due_at`` None means that nothing makes it due by itself."""

    action: Action
    why: Why
    due_at: datetime | None
    submission_id: str | None = None
    person_id: str | None = None
    lead_ids: tuple[str, ...] = ()
    purpose: str | None = None  # the one that carried it longest
    act_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """All findings of one run; ids and words only, safe to print and to log."""

    decided_at: datetime
    findings: tuple[RetentionFinding, ...]

    @property
    def destroy(self) -> tuple[RetentionFinding, ...]:
        """What is to be destroyed now."""
        return tuple(f for f in self.findings if f.action in _DESTROYING)

    @property
    def next_due_at(self) -> datetime | None:
        """When the next kept thing becomes due."""
        return min((f.due_at for f in self.findings if f.action is Action.KEEP and f.due_at is not None), default=None)

    def counts(self) -> dict[str, int]:
        """``action.why`` -> how many: the summary of a dry run, and of the log entry of a real one."""
        return dict(sorted(Counter(f"{f.action}.{f.why}" for f in self.findings).items()))


_DESTROYING = frozenset({Action.DESTROY_SUBMISSION, Action.DESTROY_LEAD, Action.DESTROY_PERSON, Action.DESTROY_EVIDENCE})


def plan(
    *,
    submissions: Iterable[HeldSubmission] = (),
    persons: Iterable[HeldPerson] = (),
    evidence: Iterable[HeldEvidence] = (),
    rules: RetentionRules,
    now: datetime,
) -> RetentionPlan:
    """Say what is due at ``now``. Destroys nothing; running it twice says the same."""
    findings = [_of_submission(submission, rules, now) for submission in submissions]
    for person in persons:
        findings.extend(_of_person(person, rules, now) if person.leads else _of_stranger(person, rules, now))
    for act in evidence:
        action = Action.KEEP if now < act.keep_until else Action.DESTROY_EVIDENCE
        findings.append(RetentionFinding(action=action, why=Why.EVIDENCE_OVER, due_at=act.keep_until, act_id=act.act_id))
    return RetentionPlan(decided_at=now, findings=tuple(findings))


def _of_stranger(held: HeldPerson, rules: RetentionRules, now: datetime) -> list[RetentionFinding]:
    if held.known_since is None or rules.without_lead is None:
        return []
    due_at = held.known_since + rules.without_lead
    action = Action.KEEP if now < due_at else Action.HOLD if held.on_hold else Action.DESTROY_PERSON
    return [RetentionFinding(action=action, why=Why.NO_LEAD, due_at=due_at, person_id=held.person_id)]


def _of_submission(held: HeldSubmission, rules: RetentionRules, now: datetime) -> RetentionFinding:
    kept_for = {
        SubmissionState.REFUSED: (rules.refused, Why.REFUSED),
        SubmissionState.QUARANTINED: (rules.quarantined, Why.QUARANTINE_OVER),
        SubmissionState.ADMITTED: (rules.admitted_submission, Why.SEALED_IN_VAULT),
    }.get(held.state)
    if kept_for is None:  # received: an undecided submission is an alarm for a person, never rubbish
        return RetentionFinding(action=Action.KEEP, why=Why.NOT_DECIDED, due_at=None, submission_id=held.submission_id)
    duration, why = kept_for
    due_at = (held.decided_at or held.received_at) + duration
    action = Action.KEEP if now < due_at else Action.HOLD if held.on_hold else Action.DESTROY_SUBMISSION
    return RetentionFinding(action=action, why=why, due_at=due_at, submission_id=held.submission_id)


def _of_person(held: HeldPerson, rules: RetentionRules, now: datetime) -> list[RetentionFinding]:
    ends = [(lead, *_end(lead, rules)) for lead in held.leads]
    over = [(lead, due_at, why) for lead, due_at, why in ends if due_at <= now]

    purposes = {lead.lead_id: _carrying(lead, rules) for lead in held.leads}

    def found(action: Action, why: Why, due_at: datetime, leads: Sequence[HeldLead]) -> RetentionFinding:
        ids = tuple(lead.lead_id for lead in leads)
        purpose = purposes[ids[-1]] if ids else None
        return RetentionFinding(action=action, why=why, due_at=due_at, person_id=held.person_id, lead_ids=ids, purpose=purpose)

    if not over:
        return [found(Action.KEEP, why, due_at, [lead]) for lead, due_at, why in ends]
    blocked = any(delivery.state in _ON_ITS_WAY for lead in held.leads for delivery in lead.deliveries)
    if len(over) == len(ends) and not held.on_hold and not blocked:
        over.sort(key=lambda one: one[1])  # the last lead to end is what ends the person
        _, due_at, why = over[-1]
        return [found(Action.DESTROY_PERSON, why, due_at, [lead for lead, _, _ in over])]
    findings = [found(Action.KEEP, why, due_at, [lead]) for lead, due_at, why in ends if due_at > now]
    for lead, due_at, why in over:
        waits = any(delivery.state in _ON_ITS_WAY for delivery in lead.deliveries)
        action = Action.HOLD if held.on_hold else Action.WAIT if waits else Action.DESTROY_LEAD
        findings.append(found(action, why, due_at, [lead]))
    return findings


def _carrying(lead: HeldLead, rules: RetentionRules) -> str | None:
    """The purpose that carries the lead longest."""
    ends = [(_term_end(term, rules)[0], term.purpose) for term in lead.terms]
    return max(ends)[1] if ends else None


def _end(lead: HeldLead, rules: RetentionRules) -> tuple[datetime, Why]:
    """When the last purpose stops carrying the lead, or its purpose is achieved, whichever is earlier."""
    carried = [_term_end(term, rules) for term in lead.terms]
    until, why = max(carried, default=(lead.admitted_at, Why.NO_CONSENT), key=lambda end: end[0])
    finals = [delivery.decided_at for delivery in lead.deliveries if delivery.state in FINAL_OUTCOMES]
    if rules.delivered is not None and finals and len(finals) == len(lead.deliveries):
        known = [at for at in finals if at is not None]
        if len(known) == len(finals) and max(known) + rules.delivered < until:
            return max(known) + rules.delivered, Why.PURPOSE_ACHIEVED
    return until, why


def _term_end(term: PurposeTerm, rules: RetentionRules) -> tuple[datetime, Why]:
    by_itself = term.ends_at + rules.lead_by_purpose.get(term.purpose, rules.lead)
    if term.withdrawn_at is None:
        return by_itself, Why.CONSENT_ENDED
    # Taking back what is about to end must not keep it longer.
    taken_back = term.withdrawn_at + rules.withdrawn
    return (taken_back, Why.WITHDRAWN) if taken_back < by_itself else (by_itself, Why.CONSENT_ENDED)
