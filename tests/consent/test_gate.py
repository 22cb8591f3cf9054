"""The gate's decision table, line by line."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import msgspec
import pytest

from consent.gate import CLOCK_SKEW, MENDABLE, NEW, Standing, decide, fields_to_disclose, may_send, verdict_on
from schemas.lead import Lead
from schemas.policy import Recipient
from schemas.verdict import Finding, Route
from schemas.vocabulary import Decision, Language, Reason, RecipientKind
from tests.consent.agreements import CALLS, CARDS, DAY, NOW, OTHER, TERMS, claim, lead, policy, purpose, record


def test_a_lead_in_order_goes_to_every_destination_its_purposes_allow() -> None:
    verdict = decide(lead(), policy(), NEW, NOW)
    assert verdict.decision is Decision.ADMIT
    assert verdict.findings == ()
    assert verdict.routes == (
        Route(destination="calls", purpose="callback"),
        Route(destination="cards", purpose="crm_followup"),
    )
    assert verdict.policy_version == "policy-1"


#: What is wrong -> the reasons in order, the decision.
TABLE: list[tuple[str, Lead, Standing, list[tuple[Reason, str | None]], Decision]] = [
    ("1 brand", lead(brand="s7"), NEW, [(Reason.UNKNOWN_BRAND, "brand")], Decision.QUARANTINE),
    ("1 topic", lead(topic="baggage"), NEW, [(Reason.UNKNOWN_TOPIC, "topic.code")], Decision.QUARANTINE),
    (
        "2 notice id",
        lead(consent=claim(notice_id="other")),
        NEW,
        [(Reason.UNKNOWN_NOTICE, "consent.notice_id")],
        Decision.QUARANTINE,
    ),
    (
        "2 notice language",
        lead(consent=claim(notice_language=Language.EN)),
        NEW,
        [(Reason.UNKNOWN_NOTICE, "consent.notice_id")],
        Decision.QUARANTINE,
    ),
    (
        "3 text",
        lead(consent=claim(text_sha256=OTHER)),
        NEW,
        [(Reason.NOTICE_TEXT_MISMATCH, "consent.text_sha256")],
        Decision.QUARANTINE,
    ),
    (
        "4 future",
        lead(consent=claim(given_at=NOW + CLOCK_SKEW + timedelta(microseconds=1))),
        NEW,
        [(Reason.CONSENT_IN_FUTURE, "consent.given_at")],
        Decision.QUARANTINE,
    ),
    (
        "5 before the notice",
        lead(consent=claim(purposes=("crm_followup",), given_at=NOW - 100 * DAY - timedelta(microseconds=1))),
        NEW,
        [(Reason.CONSENT_BEFORE_NOTICE, "consent.given_at"), (Reason.CONSENT_EXPIRED, "consent.purposes[0]")],
        Decision.REFUSE,
    ),
    (
        "6 retired notice",
        lead(consent=claim(notice_version="1", text_sha256=OTHER)),
        NEW,
        [(Reason.NOTICE_RETIRED, "consent.given_at")],
        Decision.REFUSE,
    ),
    (
        "7 purpose",
        lead(consent=claim(purposes=("callback", "telepathy"))),
        NEW,
        [(Reason.UNKNOWN_PURPOSE, "consent.purposes[1]")],
        Decision.QUARANTINE,
    ),
    (
        "8 not in the notice",
        lead(consent=claim(notice_version="3", purposes=("crm_followup",))),
        NEW,
        [(Reason.NO_CONSENT, "consent.purposes[0]")],
        Decision.REFUSE,
    ),
    ("8 no purpose", lead(consent=claim(purposes=())), NEW, [(Reason.NO_CONSENT, "consent.purposes")], Decision.REFUSE),
    (
        "9 expired",
        lead(consent=claim(purposes=("callback",), given_at=NOW - 30 * DAY)),
        NEW,
        [(Reason.CONSENT_EXPIRED, "consent.purposes[0]")],
        Decision.REFUSE,
    ),
    (
        "10 withdrawn",
        lead(consent=claim(purposes=("callback",))),
        Standing(withdrawn={"callback": NOW - DAY}),
        [(Reason.WITHDRAWN, "consent.purposes[0]")],
        Decision.REFUSE,
    ),
    (
        "10 everything withdrawn",
        lead(),
        Standing(withdrawn={"*": NOW}),
        [(Reason.WITHDRAWN, "consent.purposes[0]"), (Reason.WITHDRAWN, "consent.purposes[1]")],
        Decision.REFUSE,
    ),
    ("11 country", lead(country="FR"), NEW, [(Reason.COUNTRY_NOT_SERVED, "country")], Decision.REFUSE),
    ("11 no country", lead(country="ZZ"), NEW, [(Reason.INVALID_FIELD, "country")], Decision.QUARANTINE),
    (
        "12 no destination",
        lead(consent=claim(purposes=("unserved",), notice_version="4")),
        NEW,
        [(Reason.UNKNOWN_NOTICE, "consent.notice_id"), (Reason.NO_DESTINATION, None)],
        Decision.REFUSE,
    ),
    (
        "13 nothing to reach by",
        lead(fields={"given_name": "Анна"}),
        NEW,
        [(Reason.NO_WAY_TO_REACH, "phone")],
        Decision.QUARANTINE,
    ),
    (
        "13 not what the destination needs",
        lead(fields={"email": "a@example.org"}, consent=claim(purposes=("callback",))),
        NEW,
        [(Reason.NO_WAY_TO_REACH, "phone")],
        Decision.QUARANTINE,
    ),
    ("14 duplicate", lead(), Standing(duplicate_of="lead-7"), [(Reason.DUPLICATE, None)], Decision.REFUSE),
]


@pytest.mark.parametrize(("_name", "given_lead", "standing", "reasons", "decision"), TABLE, ids=[row[0] for row in TABLE])
def test_decision_table(
    _name: str, given_lead: Lead, standing: Standing, reasons: list[tuple[Reason, str | None]], decision: Decision
) -> None:
    verdict = decide(given_lead, policy(), standing, NOW)
    assert [(finding.reason, finding.field) for finding in verdict.findings] == reasons
    assert verdict.decision is decision
    assert verdict.routes == ()
    assert verdict.policy_version == "policy-1"


def test_every_reason_the_gate_gives_stands_in_the_table() -> None:
    elsewhere = {Reason.UNPARSABLE, *TERMS}  # given by the schema; see test_gate_terms.py
    assert {reason for row in TABLE for reason, _ in row[3]} == set(Reason) - elsewhere


def test_all_reasons_at_once_in_the_order_of_the_rules() -> None:
    wrong = lead(topic="x", country="FR", consent=claim(text_sha256=OTHER, given_at=NOW + DAY, purposes=("telepathy",)))
    verdict = decide(wrong, policy(), Standing(duplicate_of="lead-7"), NOW)
    assert [finding.reason for finding in verdict.findings] == [
        Reason.UNKNOWN_TOPIC,
        Reason.NOTICE_TEXT_MISMATCH,
        Reason.CONSENT_IN_FUTURE,
        Reason.UNKNOWN_PURPOSE,
        Reason.COUNTRY_NOT_SERVED,
        Reason.DUPLICATE,
    ]
    assert verdict.decision is Decision.REFUSE


def test_the_clock_may_be_a_little_ahead() -> None:
    assert decide(lead(consent=claim(given_at=NOW + CLOCK_SKEW)), policy(), NEW, NOW).decision is Decision.ADMIT


def test_edges_of_a_notice_and_of_a_term() -> None:
    old = claim(notice_version="1", text_sha256=OTHER, purposes=("crm_followup",))
    edge = NOW - 100 * DAY
    rules = policy(purposes={**policy().purposes, "crm_followup": purpose("crm_followup", RecipientKind.CRM, 200)})
    retired = decide(lead(consent=msgspec.structs.replace(old, given_at=edge)), rules, NEW, NOW)
    assert [finding.reason for finding in retired.findings] == [Reason.NOTICE_RETIRED]
    in_time = decide(lead(consent=msgspec.structs.replace(old, given_at=edge - timedelta(microseconds=1))), rules, NEW, NOW)
    assert in_time.decision is Decision.ADMIT
    first_moment = decide(lead(consent=claim(purposes=("crm_followup",), given_at=edge)), rules, NEW, NOW)
    assert first_moment.decision is Decision.ADMIT
    last_moment = claim(purposes=("callback",), given_at=NOW - 30 * DAY + timedelta(microseconds=1))
    assert decide(lead(consent=last_moment), policy(), NEW, NOW).decision is Decision.ADMIT


def test_one_purpose_stands_when_the_other_fell() -> None:
    verdict = decide(lead(), policy(), Standing(withdrawn={"crm_followup": NOW}), NOW)
    assert verdict.decision is Decision.ADMIT
    assert verdict.routes == (Route(destination="calls", purpose="callback"),)
    assert [(finding.reason, finding.field) for finding in verdict.findings] == [(Reason.WITHDRAWN, "consent.purposes[1]")]


def test_a_purpose_outside_the_notice_is_left_out_loudly() -> None:
    verdict = decide(lead(consent=claim(notice_version="3")), policy(), NEW, NOW)
    assert verdict.routes == (Route(destination="calls", purpose="callback"),)
    assert [finding.reason for finding in verdict.findings] == [Reason.NO_CONSENT]


def test_consent_given_again_after_a_withdrawal_counts() -> None:
    before = Standing(withdrawn={"callback": NOW - 2 * DAY, "*": NOW - 3 * DAY})
    assert decide(lead(), policy(), before, NOW).decision is Decision.ADMIT
    same_instant = Standing(withdrawn={"*": NOW - DAY})
    assert decide(lead(), policy(), same_instant, NOW).decision is Decision.REFUSE


@pytest.mark.parametrize(
    "calls",
    [
        dataclasses.replace(CALLS, country="DE"),
        dataclasses.replace(CALLS, country="DE", transfer_basis=""),
        dataclasses.replace(CALLS, kind=RecipientKind.CRM),
        dataclasses.replace(CALLS, purposes=("crm_followup",)),
        dataclasses.replace(CALLS, discloses={}),
        dataclasses.replace(CALLS, discloses={"callback": frozenset({"text"})}),
        dataclasses.replace(CALLS, requires=frozenset({"phone", "city"})),
    ],
)
def test_destinations_that_may_not_have_it(calls: Recipient) -> None:
    rules = policy(recipients={"calls": calls})
    verdict = decide(lead(consent=claim(purposes=("callback",))), rules, NEW, NOW)
    assert [finding.reason for finding in verdict.findings] == [Reason.NO_DESTINATION]
    assert fields_to_disclose(rules, "calls", "callback") == ()
    found = may_send(record(), destination="calls", purpose="callback", policy=rules, withdrawn={}, now=NOW)
    assert found is not None
    assert found.reason is Reason.NO_DESTINATION


def test_a_border_is_crossed_only_on_a_recorded_basis() -> None:
    rules = policy(recipients={"calls": dataclasses.replace(CALLS, country="DE", transfer_basis="notification 1")})
    assert decide(lead(), rules, NEW, NOW).routes == (Route(destination="calls", purpose="callback"),)


def test_one_route_a_destination_by_its_first_purpose_that_stands() -> None:
    both_purposes = {"callback", "crm_followup"}
    rules = policy(
        purposes={
            code: dataclasses.replace(one, recipients=frozenset(RecipientKind)) for code, one in policy().purposes.items()
        },
        recipients={
            "calls": dataclasses.replace(
                CALLS,
                purposes=("crm_followup", "callback"),
                discloses=dict.fromkeys(both_purposes, frozenset({"phone"})),
            )
        },
    )
    assert decide(lead(), rules, NEW, NOW).routes == (Route(destination="calls", purpose="crm_followup"),)
    fallen = Standing(withdrawn={"crm_followup": NOW})
    assert decide(lead(), rules, fallen, NOW).routes == (Route(destination="calls", purpose="callback"),)


def test_nobody_is_called_back_without_a_phone_or_an_address() -> None:
    undemanding = dataclasses.replace(CARDS, requires=frozenset())
    verdict = decide(lead(fields={"given_name": "Анна"}), policy(recipients={"cards": undemanding}), NEW, NOW)
    assert [finding.reason for finding in verdict.findings] == [Reason.NO_WAY_TO_REACH]


def test_what_cannot_be_used_is_not_handed_over() -> None:
    verdict = decide(lead(fields={"phone": "+79000000001"}), policy(), NEW, NOW)
    assert verdict.routes == (Route(destination="calls", purpose="callback"),)


def test_disclosure_is_what_manifest_and_purpose_share() -> None:
    rules = policy()
    assert fields_to_disclose(rules, "calls", "callback") == ("given_name", "phone", "topic")  # not the text: nobody agreed
    assert fields_to_disclose(rules, "cards", "crm_followup") == ("given_name", "email", "consent_id")
    assert fields_to_disclose(rules, "cards", "callback") == ()
    assert fields_to_disclose(rules, "nobody", "callback") == ()


def test_a_star_discloses_for_every_purpose_and_topic_fields_come_last() -> None:
    wide = dataclasses.replace(CALLS, discloses={"*": frozenset({"car_model", "brand", "phone", "city"})})
    assert fields_to_disclose(policy(recipients={"calls": wide}), "calls", "callback") == ("phone", "brand", "car_model")


def test_verdict_on_refuses_if_one_reason_cannot_be_mended() -> None:
    mend, refuse = Finding(reason=Reason.INVALID_FIELD), Finding(reason=Reason.NO_CONSENT)
    assert verdict_on([mend]).decision is Decision.QUARANTINE
    assert verdict_on([mend, refuse]).decision is Decision.REFUSE
    assert set(Reason) > MENDABLE


def test_policies_that_replace_each_other_do_not_share_a_gate() -> None:
    for country in ("RU", "FR") * 100:
        rules = policy(countries=frozenset({country}))
        assert decide(lead(), rules, NEW, NOW).decision is (Decision.ADMIT if country == "RU" else Decision.REFUSE)
