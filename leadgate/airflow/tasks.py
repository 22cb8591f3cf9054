"""What every task of ours shares: how it opens the house, what it may hand to Airflow, and when it is tried again.

Airflow keeps what a task returns in clear and serves it to every viewer, so ``counts_only`` refuses anything but numbers, flags
and identifiers: a name, a phone number or a sentence cannot pass by accident.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from leadgate.airflow.alerts import alert, task_failed
from schemas.errors import AuditError, ConfigurationError, IntakeError

#: Ids, names of ours, times in RFC 3339, digests. A phone number in E.164 has a plus sign first, an e-mail an at sign: neither
#: fits; no word of more than one alphabet does.
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,99}|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|\d{4}-\d\d-\d\dT[\d:.]+Z?")

_ERRORS = "schemas.errors"

#: First match wins, so the exception to the rule stands before the rule (StorageUnavailableError is a ConfigurationError).
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=f"{_ERRORS}.StorageUnavailableError",
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=15),
            reason="the ledger was not reachable; nothing was acknowledged to anybody",
        ),
        RetryRule(
            exception=[f"{_ERRORS}.TransientError", f"{_ERRORS}.UncertainError"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(seconds=30),
            reason="the destination was not reachable, or its answer was lost: what is in doubt is read back first",
        ),
        RetryRule(
            exception=[
                f"{_ERRORS}.ConfigurationError",
                f"{_ERRORS}.TerminalError",
                f"{_ERRORS}.AuditError",
                f"{_ERRORS}.VaultError",
                f"{_ERRORS}.IntakeError",
            ],
            action=RetryAction.FAIL,
            reason="trying again changes nothing: a person must act, the message names the place",
        ),
    ]
)

#: For every DAG of ours.
DEFAULT_ARGS: Mapping[str, Any] = {
    "owner": "leadgate",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": RETRY_POLICY,
    "on_failure_callback": task_failed,
}


@contextmanager
def house() -> Iterator[Any]:
    """The house with the credentials of Airflow's connections; closed at the end of the block."""
    from leadgate.airflow.connections import airflow_credentials  # noqa: PLC0415 - parsing a DAG must not cost what a task costs
    from leadgate.wiring import open_house  # noqa: PLC0415 - as above

    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # two lines in every log that help nobody
    with open_house(credentials=airflow_credentials) as opened:
        yield opened


def counts_only(result: Any) -> dict[str, Any]:
    """``result.as_dict()``, if every value may be seen by anybody. Raises ConfigurationError naming the key, no value."""
    told: dict[str, Any] = result.as_dict()
    _check(told, "result")
    return told


def by_hand() -> bool:
    """Whether a person asked for this: by *Trigger* for the run, or by *Clear* for the task."""
    context = get_current_context()
    instance = context["ti"]
    # clearing a task gives it its tries once more, and that is all it leaves behind
    return context["dag_run"].run_type == "manual" or instance.max_tries > (instance.task.retries or 0)


def skip_unless(told: Mapping[str, Any], key: str) -> None:
    """End the task as skipped if there was nothing to do, so that it wakes no other DAG and the grid shows who worked."""
    if not told[key]:
        raise AirflowSkipException("nothing was waiting")


def refuse_failed_files(told: Mapping[str, Any]) -> None:
    """Raise if a file could neither be taken nor put aside: it stays where it is until a person looks, and so does the red."""
    if told["failed"]:
        alert("file_failed", count=int(told["failed"]))
        raise IntakeError("file_failed", "a file can be neither read nor moved; 'leadgate collect' names it and the reason")


def sealed_or_stop(report: Any) -> dict[str, int]:
    """The figures of a verification. Raises AuditError naming the kinds of what was found, if anything was."""
    if not report.ok:
        codes = " ".join(sorted({finding.code for finding in report.findings}))
        alert("log_does_not_verify", codes=codes, findings=len(report.findings) + report.unlisted)
        raise AuditError("log_does_not_verify", "stop, repair nothing, call whoever answers for the log", field=codes)
    return {"leaves": report.leaves, "sealed": report.sealed, "checkpoints": report.checkpoints}


def _check(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check(key, f"{where}: a key")
            _check(inner, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check(inner, where)
    elif isinstance(value, str):
        if value and not _IDENTIFIER.fullmatch(value):
            raise ConfigurationError("not_a_count", "a task may hand Airflow counts and ids only", field=where)
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise ConfigurationError("not_a_count", "a task may hand Airflow counts and ids only", field=where)
