"""An invented brand's policy, leads and consent records, for the tests of the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.consent_record import ConsentRecord
from schemas.lead import ConsentClaim, Lead
from schemas.personal import Personal
from schemas.policy import BrandPolicy, Notice, Purpose, Recipient, Topic
from schemas.vocabulary import Channel, Indication, Language, Reason, RecipientKind

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = "ab" * 32
OTHER = "cd" * 32
#: What test_gate_terms.py tests; the decision table of test_gate.py has the rest.
TERMS = {Reason.CONSENT_STALE, Reason.CONSENT_NOT_SEPARATE, Reason.NO_EVIDENCE, Reason.NO_TRANSFER_BASIS}


def notice(version: str = "2", **changes: Any) -> Notice:
    plain = Notice(
        notice_id="contact",
        version=version,
        language=Language.RU,
        text="text",
        text_sha256=DIGEST,
        purposes=frozenset({"callback", "crm_followup"}),
        valid_from=NOW - 100 * DAY,
        valid_until=None,
    )
    return dataclasses.replace(plain, **changes)


def purpose(code: str, kind: RecipientKind, days: int) -> Purpose:
    fields = frozenset({"given_name", "phone", "email", "car_model"})
    return Purpose(
        code=code, title={Language.RU: code}, fields=fields, recipients=frozenset({kind}), valid_for=timedelta(days=days)
    )


CALLS = Recipient(
    name="calls",
    kind=RecipientKind.CALL_CENTER,
    country="RU",
    purposes=("callback",),
    discloses={"callback": frozenset({"phone", "given_name", "topic", "text"})},
    requires=frozenset({"phone"}),
)
CARDS = Recipient(
    name="cards",
    kind=RecipientKind.CRM,
    country="RU",
    purposes=("crm_followup",),
    discloses={"crm_followup": frozenset({"email", "given_name", "consent_id"})},
    requires=frozenset({"email"}),
)


def policy(**changes: Any) -> BrandPolicy:
    retired = notice("1", valid_from=NOW - 300 * DAY, valid_until=NOW - 100 * DAY, text_sha256=OTHER)
    callback_only = notice("3", purposes=frozenset({"callback"}))
    notices = {(one.notice_id, one.version, one.language): one for one in (retired, notice(), callback_only)}
    plain = BrandPolicy(
        brand="lada",
        title="Brand",
        home_country="RU",
        countries=frozenset({"RU", "KZ"}),
        default_region="RU",
        notices=notices,
        purposes={
            "callback": purpose("callback", RecipientKind.CALL_CENTER, 30),
            "crm_followup": purpose("crm_followup", RecipientKind.CRM, 90),
            "unserved": purpose("unserved", RecipientKind.CRM, 90),
        },
        topics={"test_drive": Topic(code="test_drive", fields={"car_model": True})},
        recipients={"calls": CALLS, "cards": CARDS},
        duplicate_window=DAY,
        version="policy-1",
    )
    return dataclasses.replace(plain, **changes)


def claim(**changes: Any) -> ConsentClaim:
    plain = ConsentClaim(
        purposes=("callback", "crm_followup"),
        notice_id="contact",
        notice_version="2",
        notice_language=Language.RU,
        text_sha256=DIGEST,
        given_at=NOW - DAY,
        indication=Indication.DIRECT_MESSAGE,
    )
    return msgspec.structs.replace(plain, **changes)


def lead(*, consent: ConsentClaim | None = None, fields: Mapping[str, str] | None = None, **changes: Any) -> Lead:
    plain = Lead(
        brand="lada",
        channel=Channel.VK,
        language=Language.RU,
        topic="test_drive",
        country="RU",
        fields=Personal(fields if fields is not None else {"phone": "+79000000001", "email": "a@example.org"}),
        consent=consent or claim(),
    )
    return msgspec.structs.replace(plain, **changes)


def record(**changes: Any) -> ConsentRecord:
    plain = ConsentRecord(
        consent_id="c1",
        person_id="p1",
        brand="lada",
        purposes=("callback", "crm_followup"),
        notice_id="contact",
        notice_version="2",
        notice_language=Language.RU,
        text_sha256=DIGEST,
        indication=Indication.DIRECT_MESSAGE,
        evidence=(),
        given_at=NOW - DAY,
        recorded_at=NOW - DAY,
    )
    return dataclasses.replace(plain, **changes)
