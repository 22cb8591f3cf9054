"""Nothing but counts and ids passes to Airflow; whether a task is tried again follows from who must act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from airflow.sdk import RetryAction

from leadgate.airflow.tasks import RETRY_POLICY, counts_only
from schemas import errors
from schemas.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    told: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return self.told


@pytest.mark.parametrize(
    "value",
    [
        0,
        12.5,
        True,
        None,
        "",
        "soap-call-center",
        "0190b6f4-8f2e-7c1a-9b3d-3f0a5c8e7d21",
        "2026-11-22T05:53:00Z",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ["crm", "dialer"],
        {"crm": {"accepted": 3}},
    ],
)
def test_counts_and_ids_pass(value: Any) -> None:
    assert counts_only(Result(told={"key": value})) == {"key": value}


@pytest.mark.parametrize(
    "value",
    [
        "+79000000012",
        "79000000012",
        "8 900 000-00-12",
        "anna@example.org",
        "Анна",
        "Anna Example",
        "call me after six, please",
        b"bytes",
        ["crm", "Анна"],
        {"Анна": 1},
        {"crm": {"last": "+79000000012"}},
    ],
)
def test_a_person_does_not(value: Any) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        counts_only(Result(told={"key": value}))
    assert refusal.value.code == "not_a_count"
    assert "Анна" not in str(refusal.value)
    assert "7900" not in str(refusal.value)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (errors.StorageUnavailableError, RetryAction.RETRY),
        (errors.TransientError, RetryAction.RETRY),
        (errors.UncertainError, RetryAction.RETRY),
        (errors.ConfigurationError, RetryAction.FAIL),
        (errors.TerminalError, RetryAction.FAIL),
        (errors.AuditError, RetryAction.FAIL),
        (errors.VaultError, RetryAction.FAIL),
        (errors.IntakeError, RetryAction.FAIL),
        (ValueError, RetryAction.DEFAULT),
    ],
)
def test_who_must_act_decides_whether_a_task_is_tried_again(error: type[Exception], action: RetryAction) -> None:
    raised = error("code", "message") if issubclass(error, errors.LeadgateError) else error("message")
    assert RETRY_POLICY.evaluate(raised, 1, 3).action is action
