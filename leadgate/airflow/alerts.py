"""Where an alert goes: the log, and one line in ``$AIRFLOW_HOME/.airflow/alerts.jsonl``. Ids and counts only, never a person.

The UI shows a failed task or a missed deadline by itself; the file is what monitoring (or ``tail -f``) reads at night, and it
outlives Airflow's own records. A disk that is full loses the line, not the task: an alert never fails what it reports.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.errors import LeadgateError

logger = logging.getLogger(__name__)


def alert(kind: str, /, **facts: str | int | None) -> None:
    """Write one alert. ``kind`` is a stable word to search for."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(), "alert": kind, **facts}, sort_keys=True)
    logger.error("leadgate alert: %s", line)
    path = Path(os.environ.get("AIRFLOW_HOME", ".")) / ".airflow" / "alerts.jsonl"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # one write to a file opened for appending: lines of several processes do not mix
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        logger.warning("leadgate: the alert could not be written to %s (%s)", path.name, type(error).__name__)


def task_failed(context: Mapping[str, Any]) -> None:
    """Airflow's ``on_failure_callback``: the last try of a task failed."""
    instance = context["ti"]
    error = context.get("exception")
    alert(
        "task_failed",
        dag=instance.dag_id,
        run=instance.run_id,
        task=instance.task_id,
        map_index=instance.map_index,
        tries=instance.try_number,
        error=type(error).__name__ if error else None,
        code=error.code if isinstance(error, LeadgateError) else None,
    )
