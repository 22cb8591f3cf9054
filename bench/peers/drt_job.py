"""The job in drt, through its public engine: ``run_sync`` from a source of ours to its own REST destination.

No rate limit, the body written by one ``tojson``, no ledger, no audit trail, no dead letters: nothing of it survives a crash,
and a second run sends everything again. Its batch size is an argument. With 200 a batch is a request, as one would write it
down; drt then opens a client for each. With 10,000, cut into requests of 200, it keeps a client for fifty requests.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drt.config.models import SyncConfig
from drt.destinations.rest_api import RestApiDestination
from drt.engine.sync import run_sync
from lead import MASKED, read
from worker import serve

SOURCE, URL, BATCH = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
SYNC = {
    "name": "leads",
    "model": "select 1",  # drt wants a query; the source below reads its file whatever it says
    "destination": {
        "type": "rest_api",
        "url": URL,
        "body_mode": "batch",
        "batch_template": '{"leads": {{ rows | tojson_safe }}}',
        "max_records_per_request": 200,
        "headers": {"Content-Type": "application/json"},
    },
    "sync": {"batch_size": BATCH, "rate_limit": {"requests_per_second": 0}, "mask": dict.fromkeys(MASKED, "hash")},
}


class JsonLines:
    """A drt source: ``extract`` yields records."""

    def extract(self, query: str, config: Any, *, query_tags: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:  # noqa: ARG002 - drt's protocol
        yield from read(SOURCE)

    def test_connection(self, config: Any) -> bool:  # noqa: ARG002 - drt's protocol
        return SOURCE.exists()


def work() -> dict[str, Any]:
    """Run the sync once."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_sync(sync, JsonLines(), RestApiDestination(), None, Path(folder))  # type: ignore[arg-type] # needs no profile
    return {"leads": result.success, "failed": result.failed}


sync = SyncConfig.model_validate(SYNC)
serve(work)
