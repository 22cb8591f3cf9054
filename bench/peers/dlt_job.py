"""The job in dlt: a resource of ours, its pipeline, and a function as destination (``dlt.destination``, reverse ETL).

Set up as fast as its options allow: no columns or tables of its own, names left alone, its typed JSON lines between the steps,
pages of 200 instead of single records. Its working files are written but never synced to the disk.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import dlt
import orjson
import requests
from lead import MASKED, read
from worker import serve

SOURCE, URL = Path(sys.argv[1]), sys.argv[2]
PAGE = 200


def mask(record: dict[str, Any]) -> dict[str, Any]:
    """Hide four fields, as drt's ``hash`` does."""
    for name in MASKED:
        value = record.get(name)
        if value is not None:
            record[name] = hashlib.sha256(value.encode()).hexdigest()
    return record


@dlt.resource(name="leads")
def leads() -> Iterator[list[dict[str, Any]]]:
    """Checked and masked records, by the page."""
    records = read(SOURCE)
    while page := [mask(record) for record in islice(records, PAGE)]:
        yield page


session = requests.Session()
sent = 0


@dlt.destination(batch_size=PAGE, skip_dlt_columns_and_tables=True, naming_convention="direct", max_parallel_load_jobs=1)
def sink(items: list[dict[str, Any]], table: Any) -> None:  # noqa: ARG001 - dlt's signature
    global sent  # noqa: PLW0603 - dlt calls a plain function
    answer = session.post(URL, data=orjson.dumps({"leads": items}), headers={"Content-Type": "application/json"}, timeout=30)
    answer.raise_for_status()
    sent += len(items)


def work() -> dict[str, Any]:
    """Extract, normalise, load."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("bench", destination=sink, dataset_name="bench", pipelines_dir=folder)
        pipeline.run(leads())
    return {"leads": sent, "failed": 0}


serve(work)
