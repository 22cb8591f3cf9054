"""Bulk API 2.0 of the simulated org, as far as erasing needs it: a job is opened, its CSV uploaded, closed, polled, read.

Only ``hardDelete`` is carried out, and only if the org grants the permission (``allowed``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from integrations.testing.knobs import Call
from integrations.testing.simulator import Answer, Exchange


class BulkJobs:
    """The ingest jobs of one org. ``destroy`` erases record ids and answers those it knew."""

    def __init__(self, destroy: Callable[[Sequence[str]], set[str]]) -> None:
        self.allowed = True
        self._destroy = destroy
        self._jobs: dict[str, dict[str, Any]] = {}

    def respond(self, exchange: Exchange, call: Call) -> Answer:  # noqa: ARG002 - the shape of every operation
        parts = exchange.path.partition("/jobs/ingest")[2].strip("/").split("/")
        match exchange.method, parts:
            case "POST", [""]:
                return self._open(json.loads(exchange.body))
            case "PUT", [job, "batches"] if job in self._jobs:
                self._jobs[job]["csv"] = exchange.body.decode()
                return Answer(status=201)
            case "PATCH", [job] if job in self._jobs:
                self._run(self._jobs[job])
                return _json({"id": job, "state": "UploadComplete"})
            case "GET", [job] if job in self._jobs:
                return _json({"id": job, "state": self._jobs[job]["state"]})
            case "GET", [job, "successfulResults"] if job in self._jobs:
                return Answer(body=self._jobs[job]["done"].encode(), media_type="text/csv")
        return _json([{"errorCode": "NOT_FOUND", "message": "no such job"}], status=404)

    def _open(self, order: dict[str, Any]) -> Answer:
        if order.get("operation") != "hardDelete" or not self.allowed:
            return _json(
                [{"errorCode": "FEATURENOTENABLED", "message": "hardDelete operation requires permission"}], status=400
            )
        job = f"7505e0000{len(self._jobs):06d}"
        self._jobs[job] = {"state": "Open", "csv": "", "done": ""}
        return _json({"id": job, "state": "Open"})

    def _run(self, job: dict[str, Any]) -> None:
        ids = [row["Id"] for row in csv.DictReader(io.StringIO(job["csv"]))]
        known = self._destroy(ids)
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["sf__Id", "sf__Created", "Id"])
        writer.writerows([[record, "false", record] for record in ids if record in known])
        job.update(state="JobComplete", done=out.getvalue())


def _json(data: Any, *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(data).encode())
