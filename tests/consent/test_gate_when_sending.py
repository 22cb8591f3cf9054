"""The second look of the gate, in the moment of sending, and the property behind both looks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.gate import CLOCK_SKEW, Gate, Standing, may_send
from schemas.consent_record import ConsentRecord
from schemas.lead import Lead
from schemas.policy import BrandPolicy
from schemas.vocabulary import Decision, Language, Reason
from tests.consent.agreements import CALLS, CARDS, DAY, DIGEST, NOW, OTHER, claim, lead, policy, record

SECOND_LOOK: list[tuple[str, ConsentRecord, str, Mapping[str, datetime], datetime, Reason]] = [
    ("brand", record(brand="s7"), "callback", {}, NOW, Reason.UNKNOWN_BRAND),
    ("purpose never given", record(purposes=("crm_followup",)), "callback", {}, NOW, Reason.NO_CONSENT),
    ("withdrawn on the record", record(withdrawn=(("callback", NOW - DAY),)), "callback", {}, NOW, Reason.WITHDRAWN),
    ("all withdrawn on the record", record(withdrawn=(("*", NOW - DAY),)), "callback", {}, NOW, Reason.WITHDRAWN),
    ("withdrawn by the person", record(), "callback", {"callback": NOW}, NOW, Reason.WITHDRAWN),
    ("expired while queued", record(), "callback", {}, NOW + 29 * DAY, Reason.CONSENT_EXPIRED),
    ("notice gone from the policy", record(notice_version="9"), "callback", {}, NOW, Reason.UNKNOWN_NOTICE),
    ("notice rewritten", record(text_sha256=OTHER), "callback", {}, NOW, Reason.NOTICE_TEXT_MISMATCH),
    ("clock turned back", record(), "callback", {}, NOW - 2 * DAY, Reason.CONSENT_IN_FUTURE),
    ("given under a retired notice", record(notice_version="1", text_sha256=OTHER), "callback", {}, NOW, Reason.NOTICE_RETIRED),
    ("not in that notice", record(notice_version="3"), "crm_followup", {}, NOW, Reason.NO_CONSENT),
    ("purpose gone from the policy", record(purposes=("old",)), "old", {}, NOW, Reason.UNKNOWN_PURPOSE),
]


@pytest.mark.parametrize(
    ("_name", "agreed", "code", "withdrawn", "now", "reason"), SECOND_LOOK, ids=[row[0] for row in SECOND_LOOK]
)
def test_second_look(
    _name: str, agreed: ConsentRecord, code: str, withdrawn: Mapping[str, datetime], now: datetime, reason: Reason
) -> None:
    finding = may_send(agreed, destination="calls", purpose=code, policy=policy(), withdrawn=withdrawn, now=now)
    assert finding is not None
    assert finding.reason is reason


def test_second_look_lets_a_standing_consent_through() -> None:
    rules = policy()
    assert may_send(record(), destination="calls", purpose="callback", policy=rules, withdrawn={}, now=NOW) is None
    earlier = {"callback": NOW - 5 * DAY}
    assert may_send(record(), destination="calls", purpose="callback", policy=rules, withdrawn=earlier, now=NOW) is None
    other = {"crm_followup": NOW}
    assert may_send(record(), destination="calls", purpose="callback", policy=rules, withdrawn=other, now=NOW) is None


def test_second_look_asks_for_this_very_route() -> None:
    finding = may_send(record(), destination="cards", purpose="callback", policy=policy(), withdrawn={}, now=NOW)
    assert finding is not None
    assert finding.reason is Reason.NO_DESTINATION


# -- the property ---------------------------------------------------------------------------------------------------------

MOMENTS = st.integers(-400, 3).map(lambda days: NOW + days * DAY)
CLAIMS = st.builds(
    claim,
    purposes=st.lists(st.sampled_from(["callback", "crm_followup", "unserved", "telepathy"]), unique=True).map(tuple),
    notice_id=st.sampled_from(["contact", "other"]),
    notice_version=st.sampled_from(["1", "2", "3", "9"]),
    notice_language=st.sampled_from(Language),
    text_sha256=st.sampled_from([DIGEST, OTHER]),
    given_at=MOMENTS,
)
STANDINGS = st.builds(
    Standing,
    withdrawn=st.dictionaries(st.sampled_from(["callback", "crm_followup", "*"]), MOMENTS),
    duplicate_of=st.sampled_from([None, None, None, "lead-7"]),
)
LEADS = st.builds(
    lead,
    consent=CLAIMS,
    topic=st.sampled_from(["test_drive", "x"]),
    country=st.sampled_from(["RU", "KZ", "FR", "ZZ"]),
    fields=st.dictionaries(st.sampled_from(["phone", "email", "given_name"]), st.just("x")),
)
POLICIES = st.sampled_from(
    [
        policy(),
        policy(recipients={"calls": dataclasses.replace(CALLS, country="DE"), "cards": CARDS}),
        policy(recipients={"cards": dataclasses.replace(CARDS, country="DE", transfer_basis="1")}),
        policy(recipients={}),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(LEADS, POLICIES, STANDINGS)
def test_nothing_is_admitted_without_a_consent_that_covers_it(given_lead: Lead, rules: BrandPolicy, standing: Standing) -> None:
    gate = Gate(rules)
    verdict = gate.decide(given_lead, standing, NOW)
    assert verdict == gate.decide(given_lead, standing, NOW)
    assert bool(verdict.routes) == (verdict.decision is Decision.ADMIT)
    if verdict.decision is not Decision.ADMIT:
        assert verdict.findings
        return
    agreed = given_lead.consent
    shown = rules.notices[agreed.notice_id, agreed.notice_version, agreed.notice_language]
    assert shown.text_sha256 == agreed.text_sha256
    assert shown.valid_from <= agreed.given_at <= NOW + CLOCK_SKEW
    assert shown.valid_until is None or agreed.given_at < shown.valid_until
    assert given_lead.country in rules.countries
    assert standing.duplicate_of is None
    for route in verdict.routes:
        recipient, use = rules.recipients[route.destination], rules.purposes[route.purpose]
        assert route.purpose in agreed.purposes
        assert route.purpose in shown.purposes
        assert agreed.given_at + use.valid_for > NOW
        assert all(standing.withdrawn.get(code, agreed.given_at - DAY) < agreed.given_at for code in (route.purpose, "*"))
        assert recipient.kind in use.recipients
        assert recipient.country == rules.home_country or recipient.transfer_basis
        told = gate.fields_to_disclose(route.destination, route.purpose)
        assert recipient.requires <= given_lead.fields.reveal().keys() & set(told)
        # What is admitted now may be sent now.
        kept = record(
            purposes=agreed.purposes,
            notice_id=agreed.notice_id,
            notice_version=agreed.notice_version,
            notice_language=agreed.notice_language,
            text_sha256=agreed.text_sha256,
            given_at=agreed.given_at,
        )
        assert (
            gate.may_send(kept, destination=route.destination, purpose=route.purpose, withdrawn=standing.withdrawn, now=NOW)
            is None
        )
