"""The gate. It refuses every lead whose consent it cannot prove, and says all the reasons, in one order, without a value.

A lead passes only if every line holds; the numbers stand in the code below.

 1. the brand is the policy's, the topic is the brand's
 2. the notice is known in that version and language   GDPR 7(1), 152-FZ 9(3): the operator proves consent, so it knows the text
 3. the text shown is the text of that notice          ISO/IEC TS 27560; ANCR B2: a rewritten notice is detected
 4. consent was given, and not in the future           ANCR B1: notice, then agreement, then use
 5. ... not before the notice existed                  ANCR B1
 6. ... not after the notice was retired               GDPR 7(2): the person saw what was in force
    ... and no newer version asks for new consent      see ``consent.notices``: stale by rule, not by accident
 7. each purpose is one the brand knows                GDPR 5(1)(b), 152-FZ 5(2)
 8. ... and one the notice names                       GDPR 7(2), recital 42; 152-FZ 9(1)
 9. ... and its term is not over                       152-FZ 9(4): consent names its term
10. ... and it was not withdrawn since                 GDPR 7(3); 152-FZ 9(2), 15(2); 38-FZ 18(1): stop at once
    ... and it stands alone, with evidence              where it is for marketing: 152-FZ 15(1), 38-FZ 18(1); where the law of
                                                       the person's country asks for one purpose each: 152-FZ 9(1)
11. the person's country is one the brand serves
12. a destination may have it                          kind, fields, country: see ``consent.policy``
    ... and the border to it is open by now             152-FZ 12: notified, and where it must be, reviewed
13. ... and can use it, and reach the person            GDPR 5(1)(c): what cannot be used is not handed over
14. the same request is not already under way

Lines 8 to 10 are about one purpose each: consent is given and taken back by purpose (152-FZ practice: one purpose, one
consent), so a lead whose other purpose still stands is admitted for that one, and the verdict says what fell away.

``may_send`` asks lines 2 to 10 and 12 again in the moment of sending, from the record alone. Evidence and the person's country
were weighed at admission and cannot change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

from consent.notices import stale_from
from consent.policy import Permission, closed_borders, permissions_of
from schemas.lead import ConsentClaim, Lead
from schemas.policy import BrandPolicy, Notice
from schemas.verdict import Finding, Route, Verdict
from schemas.vocabulary import Decision, Language, Reason

#: How far a moderator's clock may be ahead of ours, as a duration.
CLOCK_SKEW: Final = timedelta(minutes=5)
#: A withdrawal of everything, wherever withdrawals are given by purpose.
ALL_PURPOSES: Final = "*"
#: ISO 3166-1 user-assigned: nobody said which country.
_NO_COUNTRY: Final = "ZZ"

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
#: A call back needs one of these; where a destination needs a certain one, its manifest requires it.
_WAYS: Final = frozenset({"phone", "email"})

_NONE: Final[frozenset[str]] = frozenset()
#: Combinations of purposes and field names that a policy's topics and senders bring about.
_MOST_SHAPES: Final = 512

#: A person can mend these; everything else must not be used.
MENDABLE: Final = frozenset(
    {
        Reason.UNPARSABLE,
        Reason.INVALID_FIELD,
        Reason.UNKNOWN_BRAND,
        Reason.UNKNOWN_TOPIC,
        Reason.UNKNOWN_NOTICE,
        Reason.UNKNOWN_PURPOSE,
        Reason.NOTICE_TEXT_MISMATCH,
        Reason.CONSENT_IN_FUTURE,
        Reason.CONSENT_BEFORE_NOTICE,
        Reason.NO_WAY_TO_REACH,
        Reason.NO_EVIDENCE,
        Reason.NO_TRANSFER_BASIS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known about the person and the request. ``withdrawn`` maps a purpose, or ``"*"``, to its last withdrawal."""

    withdrawn: Mapping[str, datetime] = field(default_factory=dict)
    duplicate_of: str | None = None


class Shown(Protocol):
    """What a person was shown, and when they agreed: of a claim, or of what is stored of it."""

    @property
    def text_sha256(self) -> str: ...
    @property
    def given_at(self) -> datetime: ...


class Agreement(Shown, Protocol):
    """What the gate reads of a consent record in the moment of sending."""

    @property
    def brand(self) -> str: ...
    @property
    def purposes(self) -> tuple[str, ...]: ...
    @property
    def notice_id(self) -> str: ...
    @property
    def notice_version(self) -> str: ...
    @property
    def notice_language(self) -> Language: ...
    @property
    def withdrawn(self) -> tuple[tuple[str, datetime], ...]: ...


#: Nobody knows this person yet.
NEW: Final = Standing()


def verdict_on(findings: Iterable[Finding], *, policy_version: str = "") -> Verdict:
    """The verdict on a lead with reasons against it: refused if one of them cannot be mended, else quarantined."""
    reasons = tuple(findings)
    mendable = all(finding.reason in MENDABLE for finding in reasons)
    decision = Decision.QUARANTINE if mendable else Decision.REFUSE
    return Verdict(decision=decision, findings=reasons, policy_version=policy_version)


class Gate:
    """The gate of one policy, made once and asked for every lead."""

    def __init__(self, policy: BrandPolicy) -> None:
        self.policy = policy
        self._permissions = permissions_of(policy)
        self._by_route = {(one.destination, one.purpose): one for permitted in self._permissions.values() for one in permitted}
        self._routes = {key: Route(destination=key[0], purpose=key[1]) for key in self._by_route}
        self._last_moment = {code: purpose.valid_for for code, purpose in policy.purposes.items()}
        self._marketing = frozenset(code for code, purpose in policy.purposes.items() if purpose.marketing is not None)
        self._stale_from = stale_from(policy.notices.values())
        self._opens_at = closed_borders(policy)
        #: Where a lead can go hangs on names alone, and most leads have the same: purposes, fields, closed borders.
        self._whereto = lru_cache(maxsize=_MOST_SHAPES)(self._reachable)

    # -- at admission ---------------------------------------------------------------------------------------------------

    def decide(self, lead: Lead, standing: Standing, now: datetime) -> Verdict:
        """Say whether ``lead`` may go, where to, and if not, every reason."""
        policy = self.policy
        against: list[Finding] = []
        if lead.brand != policy.brand:  # 1
            return verdict_on([Finding(reason=Reason.UNKNOWN_BRAND, field="brand")], policy_version=policy.version)
        if lead.topic not in policy.topics:  # 1
            against.append(Finding(reason=Reason.UNKNOWN_TOPIC, field="topic.code"))
        claim = lead.consent
        notice = policy.notices.get((claim.notice_id, claim.notice_version, claim.notice_language))
        against += self._about_notice(notice, claim, now)  # 2 to 6
        usable, fallen = self._usable(claim, notice, standing.withdrawn, now)  # 7 to 10
        if notice is not None and len(notice.purposes) > 1 and _must_be_one(policy, lead.country, claim.given_at):  # 10
            hint = "consent in this country is given for one purpose at a time; this text names several"
            against.append(Finding(reason=Reason.CONSENT_NOT_SEPARATE, field="consent.notice_id", hint=hint))
        # A word nobody knows may be a purpose the person did agree to: somebody looks, even if another purpose stands.
        against += [one for one in fallen if one.reason is Reason.UNKNOWN_PURPOSE] if usable else fallen
        if lead.country not in policy.countries:  # 11
            against.append(_about_country(lead.country))
        routes: tuple[Route, ...] = ()
        if usable:
            routes, unreachable = self._whereto(tuple(usable), tuple(lead.fields.reveal()), self._closed(now))  # 12, 13
            against += unreachable
        if standing.duplicate_of is not None:  # 14
            hint = f"the same request is already under way as lead {standing.duplicate_of}"
            against.append(Finding(reason=Reason.DUPLICATE, hint=hint))
        if against:
            return verdict_on(against, policy_version=policy.version)
        return Verdict(decision=Decision.ADMIT, findings=tuple(fallen), routes=routes, policy_version=policy.version)

    def _usable(
        self, claim: ConsentClaim, notice: Notice | None, withdrawn: Mapping[str, datetime], now: datetime
    ) -> tuple[list[str], list[Finding]]:
        usable: list[str] = []
        fallen: list[Finding] = []
        if not claim.purposes:
            fallen.append(Finding(reason=Reason.NO_CONSENT, field="consent.purposes"))
        for place, code in enumerate(claim.purposes):
            found = self._about_purpose(code, notice, claim.given_at, withdrawn, now)
            if found is None and code in self._marketing and not claim.evidence:  # 10
                found = _about_evidence()
            if found is None:
                usable.append(code)
            else:
                fallen.append(Finding(reason=found[0], field=f"consent.purposes[{place}]", hint=found[1]))
        return usable, fallen

    def _about_purpose(
        self, code: str, notice: Notice | None, given_at: datetime, withdrawn: Mapping[str, datetime], now: datetime
    ) -> tuple[Reason, str] | None:
        valid_for = self._last_moment.get(code)
        if valid_for is None:  # 7
            return Reason.UNKNOWN_PURPOSE, "is no purpose of this brand"
        if notice is not None and code not in notice.purposes:  # 8
            return Reason.NO_CONSENT, "the notice does not name this purpose"
        if now >= given_at + valid_for:  # 9
            return Reason.CONSENT_EXPIRED, "the term of this purpose is over"
        if withdrawn and _withdrawn_since(withdrawn, code, given_at):  # 10
            return Reason.WITHDRAWN, "this purpose was withdrawn after consent was given"
        if code in self._marketing and notice is not None and len(notice.purposes) > 1:  # 10
            return Reason.CONSENT_NOT_SEPARATE, "a marketing purpose needs a text that names it alone"
        return None

    def _about_notice(self, notice: Notice | None, claim: Shown, now: datetime) -> list[Finding]:
        against = _about_notice(notice, claim, now)
        if notice is not None and self._stale_from and now >= self._stale_from.get(notice.key, _NEVER):  # 6
            hint = "a newer version of this notice asks for new consent"
            against.append(Finding(reason=Reason.CONSENT_STALE, field="consent.notice_version", hint=hint))
        return against

    def _closed(self, now: datetime) -> frozenset[str]:
        """Destinations behind a border that is not open yet."""
        if not self._opens_at:
            return _NONE
        return frozenset(destination for destination, moment in self._opens_at.items() if moment > now)

    def _reachable(
        self, usable: tuple[str, ...], present: tuple[str, ...], behind: frozenset[str]
    ) -> tuple[tuple[Route, ...], tuple[Finding, ...]]:
        """Routes, or the reasons why there are none."""
        if _WAYS.isdisjoint(present):
            return (), (Finding(reason=Reason.NO_WAY_TO_REACH, field="phone", hint="neither a phone nor an e-mail is given"),)
        routes: list[Route] = []
        lacking: set[str] = set()
        permitted = closed = False
        for permissions in self._permissions.values():
            for one in permissions:
                if one.purpose not in usable:
                    continue
                if one.destination in behind:
                    closed = True
                    break
                permitted = True
                missing = one.requires.difference(present)
                if not missing:
                    routes.append(self._routes[one.destination, one.purpose])
                    break
                lacking |= missing
        if routes:
            return tuple(routes), ()
        if closed and not permitted:
            return (), (_about_border(),)
        if not permitted:
            return (), (Finding(reason=Reason.NO_DESTINATION, hint="no destination may have this lead under its purposes"),)
        hint = "no destination can use the lead without it"
        return (), tuple([Finding(reason=Reason.NO_WAY_TO_REACH, field=name, hint=hint) for name in sorted(lacking)])

    # -- in the moment of sending -----------------------------------------------------------------------------------------

    def may_send(
        self, record: Agreement, *, destination: str, purpose: str, withdrawn: Mapping[str, datetime], now: datetime
    ) -> Finding | None:
        """Ask again, from the record alone; None if the disclosure may go, else the first reason why not.

        ``withdrawn`` is the person's, by purpose; the record's own withdrawals count too. Whatever was withdrawn on this record
        stays withdrawn, whenever it was given.
        """
        if record.brand != self.policy.brand:
            return Finding(reason=Reason.UNKNOWN_BRAND, field="brand")
        if purpose not in record.purposes:
            return Finding(reason=Reason.NO_CONSENT, field="consent.purposes")
        if record.withdrawn and any(code in (purpose, ALL_PURPOSES) for code, _ in record.withdrawn):
            return Finding(reason=Reason.WITHDRAWN, field="consent.purposes")
        notice = self.policy.notices.get((record.notice_id, record.notice_version, record.notice_language))
        against = self._about_notice(notice, record, now)
        found = self._about_purpose(purpose, notice, record.given_at, withdrawn, now)
        if found is not None:
            against.append(Finding(reason=found[0], field="consent.purposes", hint=found[1]))
        return against[0] if against else self._about_route(destination, purpose, now)

    def _about_route(self, destination: str, purpose: str, now: datetime) -> Finding | None:
        if (destination, purpose) not in self._by_route:  # 12
            return Finding(reason=Reason.NO_DESTINATION, hint="the destination may no longer have it for this purpose")
        if self._opens_at and self._opens_at.get(destination, now) > now:  # 12
            return _about_border()
        return None

    def fields_to_disclose(self, destination: str, purpose: str) -> tuple[str, ...]:
        """The fields the vault may open for this route, in canonical order; empty if the policy permits none."""
        permission: Permission | None = self._by_route.get((destination, purpose))
        return permission.fields if permission else ()


def _about_notice(notice: Notice | None, claim: Shown, now: datetime) -> list[Finding]:
    if notice is None:  # 2
        hint = "this brand has no notice of that id, version and language"
        return [Finding(reason=Reason.UNKNOWN_NOTICE, field="consent.notice_id", hint=hint)]
    against: list[Finding] = []
    if claim.text_sha256 != notice.text_sha256:  # 3
        hint = "the text that was shown is not the text of this notice"
        against.append(Finding(reason=Reason.NOTICE_TEXT_MISMATCH, field="consent.text_sha256", hint=hint))
    given_at = claim.given_at
    if given_at > now + CLOCK_SKEW:  # 4
        against.append(Finding(reason=Reason.CONSENT_IN_FUTURE, field="consent.given_at", hint="lies in the future"))
    if given_at < notice.valid_from:  # 5
        hint = "lies before the notice existed"
        against.append(Finding(reason=Reason.CONSENT_BEFORE_NOTICE, field="consent.given_at", hint=hint))
    if notice.valid_until is not None and given_at >= notice.valid_until:  # 6
        hint = "lies after this version of the notice was retired"
        against.append(Finding(reason=Reason.NOTICE_RETIRED, field="consent.given_at", hint=hint))
    return against


def _must_be_one(policy: BrandPolicy, country: str, given_at: datetime) -> bool:
    since = policy.one_purpose_from.get(country)
    return since is not None and given_at >= since


def _about_border() -> Finding:
    hint = "the recorded basis of the transfer abroad does not hold yet"
    return Finding(reason=Reason.NO_TRANSFER_BASIS, hint=hint)


def _about_evidence() -> tuple[Reason, str]:
    return Reason.NO_EVIDENCE, "a marketing purpose needs the digest of what shows the agreement"


def _about_country(country: str) -> Finding:
    if country == _NO_COUNTRY:
        return Finding(reason=Reason.INVALID_FIELD, field="country", hint="is not known: give a phone or the country")
    return Finding(reason=Reason.COUNTRY_NOT_SERVED, field="country", hint="this brand does not serve this country")


def _withdrawn_since(withdrawn: Mapping[str, datetime], code: str, given_at: datetime) -> bool:
    for key in (code, ALL_PURPOSES):
        at = withdrawn.get(key)
        # At the same instant the withdrawal counts: in doubt nobody is called.
        if at is not None and at >= given_at:
            return True
    return False


_GATES: dict[int, Gate] = {}
#: More policies than any installation has brands; a process that reloads its settings forgets the old ones here.
_MOST_GATES: Final = 64


def gate_for(policy: BrandPolicy) -> Gate:
    """The gate of ``policy``, made once for each policy object."""
    gate = _GATES.get(id(policy))
    if gate is None or gate.policy is not policy:  # an id is reused once its object is gone; the gate keeps its own alive
        if len(_GATES) >= _MOST_GATES:
            _GATES.clear()
        gate = _GATES[id(policy)] = Gate(policy)
    return gate


def decide(lead: Lead, policy: BrandPolicy, standing: Standing, now: datetime) -> Verdict:
    """As ``Gate.decide``, for callers that hold a policy."""
    return gate_for(policy).decide(lead, standing, now)


def may_send(
    record: Agreement,
    *,
    destination: str,
    purpose: str,
    policy: BrandPolicy,
    withdrawn: Mapping[str, datetime],
    now: datetime,
) -> Finding | None:
    """As ``Gate.may_send``, for callers that hold a policy."""
    return gate_for(policy).may_send(record, destination=destination, purpose=purpose, withdrawn=withdrawn, now=now)


def fields_to_disclose(policy: BrandPolicy, destination: str, purpose: str) -> tuple[str, ...]:
    """As ``Gate.fields_to_disclose``, for callers that hold a policy."""
    return gate_for(policy).fields_to_disclose(destination, purpose)
