"""The terms a law or a newer notice sets: stale by rule, one purpose each, marketing with proof, borders not open yet."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.gate import NEW, Gate, Standing, decide, may_send
from consent.notices import stale_from
from schemas.lead import ConsentClaim
from schemas.policy import Adequacy, BrandPolicy, CrossBorder, Marketing, Notice
from schemas.vocabulary import Decision, Language, Reason
from tests.consent.agreements import CALLS, CARDS, DAY, DIGEST, NOW, claim, lead, notice, policy, record


def under(*notices: Notice, **changes: object) -> BrandPolicy:
    return policy(notices={one.key: one for one in notices}, **changes)


def reasons(policy_: BrandPolicy, consent: ConsentClaim, now: datetime = NOW, **changes: object) -> list[Reason]:
    verdict = decide(lead(consent=consent, **changes), policy_, NEW, now)
    return [finding.reason for finding in verdict.findings]


def sending(policy_: BrandPolicy, now: datetime = NOW, *, purpose: str = "callback", **changes: object) -> Reason | None:
    destination = "calls" if purpose == "callback" else "cards"
    finding = may_send(record(**changes), destination=destination, purpose=purpose, policy=policy_, withdrawn={}, now=now)
    return finding.reason if finding else None


# -- stale ---------------------------------------------------------------------------------------------------------------


def test_a_newer_version_makes_a_consent_stale_only_if_it_says_so() -> None:
    silent = under(notice("2"), notice("3", valid_from=NOW - DAY))
    asking = under(notice("2"), notice("3", valid_from=NOW - DAY, renewal_from=NOW - DAY))
    assert reasons(silent, claim(given_at=NOW - 2 * DAY)) == []
    assert reasons(asking, claim(given_at=NOW - 2 * DAY)) == [Reason.CONSENT_STALE]
    assert decide(lead(), asking, NEW, NOW).decision is Decision.REFUSE
    assert reasons(asking, claim(notice_version="3", given_at=NOW)) == []


def test_a_queued_lead_stops_when_its_consent_becomes_stale() -> None:
    asking = under(notice("2"), notice("3", valid_from=NOW - DAY, renewal_from=NOW + DAY))
    assert sending(asking, NOW) is None
    assert sending(asking, NOW + DAY) is Reason.CONSENT_STALE


def test_stale_concerns_earlier_versions_of_the_same_notice_only() -> None:
    first = notice("1", valid_from=NOW - 9 * DAY)
    other = notice("1", notice_id="form", valid_from=NOW - 9 * DAY)
    newer = notice("2", valid_from=NOW - DAY, renewal_from=NOW)
    later_translation = notice("2", language=Language.EN, valid_from=NOW)
    last = notice("3", valid_from=NOW + DAY)
    assert stale_from([first, other, newer, later_translation, last]) == {first.key: NOW}
    assert stale_from([first, other]) == {}


# -- one purpose each ----------------------------------------------------------------------------------------------------


def test_where_the_law_asks_for_one_purpose_a_text_with_two_is_refused() -> None:
    russia = policy(one_purpose_from={"RU": NOW - DAY})
    assert reasons(russia, claim(given_at=NOW - DAY)) == [Reason.CONSENT_NOT_SEPARATE]
    assert reasons(russia, claim(given_at=NOW - 2 * DAY)) == [], "before the law"
    assert reasons(russia, claim(), country="KZ") == [], "another country"
    assert reasons(russia, claim(notice_version="3", purposes=("callback",))) == [], "a text for one purpose"


# -- marketing -----------------------------------------------------------------------------------------------------------


def advertising(*notices: Notice) -> BrandPolicy:
    plain = policy()
    purposes = {**plain.purposes, "callback": dataclasses.replace(plain.purposes["callback"], marketing=Marketing.CALL)}
    return policy(purposes=purposes, **({"notices": {one.key: one for one in notices}} if notices else {}))


def test_a_marketing_call_needs_a_text_of_its_own_and_evidence() -> None:
    alone = claim(notice_version="3", purposes=("callback",))
    assert reasons(advertising(), msgspec.structs.replace(alone, evidence=(DIGEST,))) == []
    assert reasons(advertising(), alone) == [Reason.NO_EVIDENCE]
    assert decide(lead(consent=alone), advertising(), NEW, NOW).decision is Decision.QUARANTINE, "a person can attach it"
    together = claim(evidence=(DIGEST,))
    verdict = decide(lead(consent=together), advertising(), NEW, NOW)
    assert [finding.reason for finding in verdict.findings] == [Reason.CONSENT_NOT_SEPARATE]
    assert [route.purpose for route in verdict.routes] == ["crm_followup"], "what was agreed beside it stands"


def test_a_purpose_that_became_marketing_stops_at_sending() -> None:
    assert sending(policy()) is None
    assert sending(advertising()) is Reason.CONSENT_NOT_SEPARATE
    assert sending(advertising(), notice_version="3", purposes=("callback",)) is None


# -- borders -------------------------------------------------------------------------------------------------------------


def basis(allowed_from: datetime) -> CrossBorder:
    return CrossBorder(
        country="DE",
        adequacy=Adequacy.ADEQUATE,
        notification_ref="RKN-1",
        notified_on=date(2026, 1, 1),
        decision_ref=None,
        allowed_from=allowed_from,
    )


def abroad(cross_border: CrossBorder | None) -> BrandPolicy:
    calls = dataclasses.replace(CALLS, country="DE", cross_border=cross_border)
    return policy(recipients={"calls": calls, "cards": CARDS})


@pytest.mark.parametrize(
    ("cross_border", "at_admission", "at_sending"),
    [
        (None, [Reason.NO_DESTINATION], Reason.NO_DESTINATION),
        (basis(NOW + DAY), [Reason.NO_TRANSFER_BASIS], Reason.NO_TRANSFER_BASIS),
        (basis(NOW), [], None),
    ],
)
def test_a_border_is_crossed_only_under_a_basis_that_holds_by_now(
    cross_border: CrossBorder | None, at_admission: list[Reason], at_sending: Reason | None
) -> None:
    one = claim(purposes=("callback",))
    assert reasons(abroad(cross_border), one) == at_admission
    assert sending(abroad(cross_border)) is at_sending


def test_a_closed_border_does_not_close_the_way_at_home() -> None:
    verdict = decide(lead(), abroad(basis(NOW + DAY)), NEW, NOW)
    assert [route.destination for route in verdict.routes] == ["cards"]


_WARM = Gate(abroad(basis(NOW)))
_CODES = ("callback", "crm_followup", "unserved", "unknown")


@given(
    st.lists(st.sampled_from(_CODES), unique=True).map(tuple),
    st.lists(st.sampled_from(("phone", "email", "city", "given_name")), unique=True),
    st.sampled_from((timedelta(-40), timedelta(-1), timedelta(microseconds=-1), timedelta(0), timedelta(95))),
    st.sampled_from((NEW, Standing(withdrawn={"callback": NOW}), Standing(duplicate_of="lead-1"))),
)
def test_a_gate_that_has_seen_much_decides_as_a_new_one(
    codes: tuple[str, ...], fields: list[str], later: timedelta, standing: Standing
) -> None:
    one = lead(consent=claim(purposes=codes, given_at=NOW - DAY), fields=dict.fromkeys(fields, "x"))
    assert _WARM.decide(one, standing, NOW + later) == Gate(_WARM.policy).decide(one, standing, NOW + later)
