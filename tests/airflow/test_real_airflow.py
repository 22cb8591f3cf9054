"""A real Airflow of separate processes runs the DAGs: leads go through, late ones turn red, a killed component is no loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import ConfigurationError

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.timeout(900)]

_VERIFIED = {"verify": "success", "balance": "success", "published": "success"}
DAGS = {
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
BOTH_ACCEPTED = {"lada_call_center": "accepted", "lada_crm": "accepted"}


def test_every_component_is_healthy_and_every_dag_parses(running: Any, until: Callable[..., Any]) -> None:
    assert set(running.airflow.health().values()) == {"healthy"}
    until(lambda: DAGS.issubset(each["dag_id"] for each in running.airflow.get("dags")["dags"]))
    assert running.airflow.get("importErrors")["total_entries"] == 0
    assert not [each["dag_id"] for each in running.airflow.get("dags")["dags"] if each["is_paused"]]


def test_the_connection_types_have_forms(running: Any) -> None:
    forms = {each["connection_type"]: each for each in running.airflow.get("/ui/connections/hook_meta")}
    for kind in ("leadgate-json-crm", "leadgate-soap-call-center", "leadgate-salesforce"):
        assert forms[kind]["hook_name"].startswith("Leadgate: ")
        assert forms[kind]["extra_fields"]


@pytest.mark.parametrize(("kind", "vendor"), [("leadgate-json-crm", "crm"), ("leadgate-soap-call-center", "call_center")])
def test_a_connection_can_be_tested(running: Any, kind: str, vendor: str) -> None:
    server = getattr(running, vendor)
    body = {
        "connection_id": "being_typed_in",
        "conn_type": kind,
        "host": server.url,
        "login": server.simulator.login,
        "password": server.simulator.secret,
    }
    assert running.airflow.post("connections/test", body)["status"] is True
    refused = running.airflow.post("connections/test", {**body, "password": "wrong-password"})
    assert refused["status"] is False
    assert len(refused["message"]) > len("refused")
    assert "wrong-password" not in refused["message"]
    unreachable = running.airflow.post("connections/test", {**body, "host": "http://127.0.0.1:9"})
    assert unreachable["status"] is False


def test_a_saved_connection_can_be_tested_as_the_page_does_it(running: Any) -> None:
    """The page sends the password masked and, where there is no port, 0 (apache/airflow#73298)."""
    saved = {"connection_id": "typed_in", "conn_type": "leadgate-json-crm", "host": running.crm.url}
    running.airflow.post("connections", {**saved, "password": running.crm.simulator.secret})
    blank = {"description": "", "extra": "{}", "login": "", "schema": ""}
    assert running.airflow.post("connections/test", {**saved, **blank, "password": "***", "port": 0})["status"] is True


def test_a_viewer_looks_and_does_not_touch(running: Any) -> None:
    assert running.airflow.get("dags", user="auditor")["total_entries"] >= len(DAGS)
    with pytest.raises(ConfigurationError):
        running.airflow.post("dags/leadgate_seal/dagRuns", {"logical_date": None}, user="auditor")


def test_a_lead_goes_through_by_itself_once(running: Any, until: Callable[..., Any]) -> None:
    event = running.receive(1)
    until(lambda: running.outcomes(event) == BOTH_ACCEPTED)
    assert [row.fields["phone"] for row in running.crm.simulator.world.rows()].count("+79000000001") == 1
    assert running.crm.simulator.world.doubles() == []
    assert running.call_center.simulator.world.doubles() == []


def _tasks(running: Any, dag_id: str, task_id: str) -> list[dict[str, Any]]:
    """The successful instances of a task, of every run."""
    return [
        each
        for run in running.runs(dag_id)
        for each in running.airflow.get(f"dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
        if each["task_id"] == task_id and each["state"] == "success"
    ]


def _returned(running: Any, task: dict[str, Any]) -> dict[str, Any]:
    path = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/xcomEntries/return_value"
    found: dict[str, Any] = running.airflow.get(f"{path}?map_index={task['map_index']}&deserialize=true")["value"]
    return found


def test_admission_sends_at_once_what_it_admits(running: Any, until: Callable[..., Any]) -> None:
    event = running.receive(21)
    until(lambda: running.outcomes(event) == BOTH_ACCEPTED)

    def accepted() -> int:
        return sum(_returned(running, each)["accepted"] for each in _tasks(running, "leadgate_admit", "admit"))

    assert until(lambda: accepted() >= 2 and accepted())


def test_the_grid_names_destinations_and_xcom_holds_counts(running: Any, until: Callable[..., Any]) -> None:
    running.airflow.trigger("leadgate_dispatch")  # by hand every destination is tried, whether or not anything is due

    def sent() -> dict[str, Any]:
        return {each["rendered_map_index"]: each for each in _tasks(running, "leadgate_dispatch", "send")}

    found = until(lambda: {"lada_crm", "lada_call_center"} <= sent().keys() and sent())
    assert all(isinstance(count, int) for count in _returned(running, found["lada_crm"]).values())


def test_a_killed_triggerer_loses_nothing(running: Any, until: Callable[..., Any]) -> None:
    running.airflow.component("triggerer").kill()
    until(running.airflow.ended)
    event = running.receive(3)
    assert running.airflow.revive() == ["triggerer"]
    until(lambda: running.outcomes(event) == BOTH_ACCEPTED)
    running.airflow.wait_until_healthy()
    assert running.airflow.ended() == []


def _finished(running: Any, until: Callable[..., Any], dag_id: str) -> dict[str, Any]:
    """Trigger a DAG and wait: state of the run and of its tasks."""
    path = f"dags/{dag_id}/dagRuns/{running.airflow.trigger(dag_id)}"
    until(lambda: running.airflow.get(path)["state"] in {"success", "failed"})
    tasks = running.airflow.get(f"{path}/taskInstances")["task_instances"]
    return {each["task_id"]: each["state"] for each in tasks}


def test_the_log_is_sealed_and_verified(running: Any, until: Callable[..., Any]) -> None:
    assert _finished(running, until, "leadgate_seal") == {"seal": "success", "vouched": "success"}
    assert _finished(running, until, "leadgate_verify") == _VERIFIED
    assert _finished(running, until, "leadgate_retention") == {"apply": "success", "sweep": "success"}


def test_a_destination_that_is_down_delays_no_other_and_a_late_lead_turns_red(running: Any, until: Callable[..., Any]) -> None:
    running.crm.down()
    event = running.receive(4)
    until(lambda: running.outcomes(event) == {"lada_call_center": "accepted", "lada_crm": "deferred"})
    running.age(event, hours=5)
    assert _finished(running, until, "leadgate_promise") == {"oldest": "success", "at_risk": "failed", "kept": "failed"}
    assert "promise_broken" in {each["alert"] for each in running.alerts()}
    # somebody who makes a lead look older than it is has changed what the log says of it
    assert _finished(running, until, "leadgate_verify") == {
        "verify": "failed",
        "balance": "success",
        "published": "upstream_failed",
    }
    assert [each["codes"] for each in running.alerts() if each["alert"] == "log_does_not_verify"] == ["lead_changed"]
    running.age(event, hours=-5)
    running.crm.up()
    running.change("update delivery set not_before = 1 where state = 'deferred'")
    running.change("update destination_state set open_until = null")
    until(lambda: running.outcomes(event) == BOTH_ACCEPTED)
    assert _finished(running, until, "leadgate_promise") == {"oldest": "success", "at_risk": "success", "kept": "success"}
    assert _finished(running, until, "leadgate_verify") == _VERIFIED


def test_a_run_that_is_late_is_told_to_the_engineer(running: Any, until: Callable[..., Any]) -> None:
    until(lambda: "late_test" in {each["dag_id"] for each in running.airflow.get("dags")["dags"]})
    run = running.airflow.trigger("late_test")
    told = until(lambda: [each for each in running.alerts() if each["alert"] == "run_is_late"])
    assert (told[0]["dag"], told[0]["run"]) == ("late_test", run)


def test_no_person_is_in_airflow(running: Any) -> None:
    """Logs of every component and task, secrets' folder aside, and every byte of the database's directory."""
    assert running.phones
    words = [b"79000000001", "Канарейкина".encode(), "Светозара".encode(), b"7900000000"]
    read = 0
    for path in running.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            read += len(content)
            assert not [word for word in words if word in content], path.name
    assert read > 1_000_000
