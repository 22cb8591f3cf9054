"""Destroys records past the recycle bin, through Bulk API 2.0. It refuses to wait for long and to call a job done that is not.

The org must grant the permission "Bulk API Hard Delete". simple-salesforce's own bulk client waits for up to a day and aborts
the job on any exception, so the five steps are taken here one by one.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from typing import Any, Final

from integrations.destinations.salesforce.org import Org
from schemas.errors import TransientError

#: Seconds one erasure waits for its job; whatever is not done by then is asked for again later.
_WAIT: Final = 20.0
_PAUSE: Final = 0.5
_ENDED: Final = frozenset({"JobComplete", "Failed", "Aborted"})


def hard_delete(org: Org, table: str, record_ids: Sequence[str]) -> frozenset[str]:
    """Destroy ``record_ids`` and return those the job names as done."""
    if not record_ids:
        return frozenset()
    order = {"object": table, "operation": "hardDelete", "contentType": "CSV", "lineEnding": "LF"}
    job = _id(org.write("POST", "jobs/ingest", order))
    upload = "\n".join(["Id", *record_ids, ""]).encode()
    org.raw("PUT", f"jobs/ingest/{job}/batches", upload, media_type="text/csv")
    org.write("PATCH", f"jobs/ingest/{job}", {"state": "UploadComplete"})
    deadline = time.monotonic() + _WAIT
    while _state(org.read(f"jobs/ingest/{job}")) not in _ENDED:
        if time.monotonic() > deadline:
            return frozenset()
        time.sleep(_PAUSE)
    results = org.raw("GET", f"jobs/ingest/{job}/successfulResults", media_type="text/csv")
    return frozenset(row["sf__Id"] for row in csv.DictReader(io.StringIO(results.decode())) if row.get("sf__Id"))


def _id(answer: Any) -> str:
    job = answer.get("id") if isinstance(answer, dict) else None
    if isinstance(job, str) and job.isalnum():
        return job
    raise TransientError("no_job", "the org opened no job")


def _state(answer: Any) -> str:
    return str(answer.get("state")) if isinstance(answer, dict) else ""
