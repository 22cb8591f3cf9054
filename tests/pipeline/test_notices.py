"""Notices are remembered as they were first seen; whoever rewrites one is noticed, wherever they do it."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta

import pytest

from leadgate.pipeline import notices
from leadgate.storage import notices as stored
from leadgate.storage.engine import Ledger
from leadgate.wiring.notices import registered
from schemas.errors import ConfigurationError
from schemas.policy import BrandPolicy, Notice
from tests.consent.agreements import DAY, NOW, notice, policy

TEXT = "Согласен, чтобы мне позвонили."
FIRST = notice("1", text=TEXT, text_sha256=hashlib.sha256(TEXT.encode()).hexdigest())
SECOND = notice("2", text=TEXT + " И только.", text_sha256=hashlib.sha256((TEXT + " И только.").encode()).hexdigest())


def start(ledger: Ledger, *ours: Notice, day: int = 0) -> None:
    """A start of the program with these notices in leadgate.yaml."""
    policies: dict[str, BrandPolicy] = {"lada": policy(notices={one.key: one for one in ours})}
    registered(policies, ledger, now=NOW + day * DAY)


def found(ledger: Ledger, *ours: Notice) -> list[tuple[str, str, str]]:
    with ledger.snapshot() as tx:
        return [(each.version, each.what, each.where) for each in notices.check(tx, {"lada": ours})]


def test_each_notice_is_registered_once_with_its_leaf(ledger: Ledger) -> None:
    start(ledger, FIRST)
    start(ledger, FIRST, day=1)
    start(ledger, FIRST, SECOND, day=2)
    with ledger.snapshot() as tx:
        known = stored.published(tx)
        leaves = tx.rows("select about from audit_pending")
    assert [(each.notice, each.published_at) for each in known] == [(FIRST, NOW), (SECOND, NOW + 2 * DAY)]
    assert [row[0] for row in leaves] == [notices.reference("lada", each.notice) for each in known]
    assert found(ledger, FIRST, SECOND) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"text": "other", "text_sha256": hashlib.sha256(b"other").hexdigest()}, "text"),
        ({"purposes": frozenset({"callback", "crm_followup", "more"})}, "purposes"),
        ({"valid_from": NOW - 200 * DAY}, "valid_from"),
        ({"renewal_from": NOW}, "requires_renewal"),
        ({"one_purpose": True}, "one_purpose"),
    ],
)
def test_a_notice_rewritten_in_the_file_stops_the_start(ledger: Ledger, changes: dict[str, object], what: str) -> None:
    start(ledger, FIRST, SECOND)
    rewritten = dataclasses.replace(FIRST, **changes)  # type: ignore[arg-type] # a test's shorthand
    with pytest.raises(ConfigurationError) as refused:
        start(ledger, rewritten, SECOND)
    assert refused.value.code == "notice_rewritten"
    assert f"lada: contact 1 (ru): {what}" in str(refused.value.diagnostics())
    assert "contact 2" not in str(refused.value.diagnostics())
    assert found(ledger, rewritten, SECOND) == [("1", what, "file")]


def test_a_notice_rewritten_in_the_ledger_is_found_by_its_digest_and_by_its_leaf(ledger: Ledger) -> None:
    start(ledger, FIRST)
    with ledger.transaction() as tx:
        tx.run("update notice set text = 'other'")
    assert found(ledger) == [("1", "text", "ledger")]
    with ledger.transaction() as tx:
        tx.run("update notice set text_sha256 = :digest", digest=hashlib.sha256(b"other").hexdigest())
    assert found(ledger) == [("1", "text_sha256", "log")]
    with ledger.transaction() as tx:
        tx.run("delete from audit_pending")
    assert found(ledger) == [("1", "leaf", "log")]


def test_a_retirement_is_no_rewriting(ledger: Ledger) -> None:
    start(ledger, FIRST)
    retired = dataclasses.replace(FIRST, valid_until=NOW + timedelta(hours=1))
    start(ledger, retired)
    start(ledger, retired)
    with ledger.snapshot() as tx:
        assert [each.notice for each in stored.published(tx)] == [retired]
        assert tx.rows("select count(*) from audit_pending")[0][0] == 2, "one leaf for the notice, one for its end"
    assert found(ledger, retired) == []


def test_a_notice_that_left_the_file_is_remembered(ledger: Ledger) -> None:
    start(ledger, FIRST)
    start(ledger, SECOND)
    with ledger.snapshot() as tx:
        assert [each.notice.version for each in stored.published(tx)] == ["1", "2"]
