"""How a task shows what others see of the log. Refuses green while nobody vouches, and red for a witness that only sleeps.

Green: published, and a quorum of witnesses has cosigned it (or none is configured). Skipped: work goes on without witnesses.
Red: the folder cannot be written, or a witness says that this is not the log it saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from leadgate.airflow.alerts import alert
from schemas.errors import AuditError, StorageUnavailableError


def vouched_or_marked(told: Mapping[str, Any]) -> None:
    """End the task by what one sealing came to (``LogCount``)."""
    if told["alarms"]:
        alert("witness_accuses", tree_size=int(told["tree_size"]), witnesses=int(told["alarms"]))
        raise AuditError(
            "witness_accuses", "a witness says that this is not the log it saw: stop, call whoever answers for the log"
        )
    if told["published"] < told["tree_size"]:
        raise StorageUnavailableError("log_not_published", "the folder of the published log lags", field="log.publish_to")
    if not told["quorum"]:
        raise AirflowSkipException("the quorum of witnesses has not cosigned yet; 'leadgate log status' says who is missing")
