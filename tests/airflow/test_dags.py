"""Every DAG parses, explains itself to the engineer at night, and cannot run for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[2] / "dags"

EXPECTED = {
    "leadgate_admit",
    "leadgate_clocks",
    "leadgate_dispatch",
    "leadgate_files",
    "leadgate_promise",
    "leadgate_recipients",
    "leadgate_retention",
    "leadgate_seal",
    "leadgate_verify",
    "leadgate_withdrawals",
}
#: Importing one of these when a DAG is parsed would cost seconds again and again.
HEAVY = ("leadgate.wiring", "leadgate.storage", "zeep", "simple_salesforce", "phonenumbers")


@pytest.fixture(scope="module")
def bag() -> Any:
    return DagBag(dag_folder=str(DAGS), collect_dags=True)


def test_all_dags_parse(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == EXPECTED


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_a_dag_says_what_to_press(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    for heading in ("What it does", "What late means", "What to press"):
        assert heading in dag.doc_md
    assert "leadgate" in dag.tags
    assert not dag.catchup
    assert dag.dagrun_timeout is not None


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_a_task_has_an_owner_a_doc_and_an_end(bag: Any, dag_id: str) -> None:
    for task in bag.dags[dag_id].tasks:
        assert task.owner == "leadgate"
        assert task.doc_md
        if task.retries:
            assert isinstance(task.execution_timeout, timedelta)
            assert task.execution_timeout < bag.dags[dag_id].dagrun_timeout


def test_the_lineage_runs_from_inbox_to_checkpoint(bag: Any) -> None:
    def names(assets: Any) -> set[str]:
        return {asset.name for asset in assets}

    def task(dag_id: str, task_id: str) -> Any:
        return bag.dags[dag_id].get_task(task_id)

    assert names(task("leadgate_files", "collect").outlets) == {"leadgate-inbox"}
    assert names(task("leadgate_admit", "admit").outlets) == {"leadgate-outbox", "leadgate-receipts"}
    assert names(task("leadgate_seal", "seal").inlets) == {"leadgate-receipts"}
    assert names(task("leadgate_seal", "seal").outlets) == {"leadgate-checkpoint"}
    assert names(task("leadgate_verify", "verify").inlets) == {"leadgate-checkpoint"}


def test_parsing_imports_nothing_heavy() -> None:
    import subprocess  # noqa: PLC0415 - a fresh interpreter is the only honest witness
    import sys  # noqa: PLC0415 - as above

    program = (
        "import sys, runpy, pathlib\n"
        f"[runpy.run_path(str(p)) for p in sorted(pathlib.Path({str(DAGS)!r}).glob('*.py'))]\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
