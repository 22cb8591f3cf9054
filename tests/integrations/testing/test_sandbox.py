"""The simulators' frame: failures are real on the wire, worlds outlive their clients and with a journal themselves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from integrations import registry
from integrations.contract.manifest import Endpoint
from integrations.testing import invented
from integrations.testing.json_crm import JsonCrm
from integrations.testing.knobs import Fault, FaultKind, Knobs
from integrations.testing.rest_sink import RestSink
from integrations.testing.sandbox import Sandbox, Stand, simulators, stand_from
from integrations.testing.server import SimulatorServer
from integrations.testing.world import World
from schemas.errors import ConfigurationError
from schemas.personal import Personal

HEADERS = {"Authorization": "Bearer sandbox-secret"}


@pytest.fixture
def crm() -> Iterator[SimulatorServer]:
    with SimulatorServer(JsonCrm()) as server:
        yield server


def upsert(server: SimulatorServer, *keys: str, timeout: float = 30.0) -> requests.Response:
    leads = [{"external_id": key, "phone": "+79000000001"} for key in keys]
    return requests.post(f"{server.url}/v1/leads/upsert", json={"leads": leads}, headers=HEADERS, timeout=timeout)


def test_knobs_over_http(crm: SimulatorServer) -> None:
    def post(knob: dict[str, Any]) -> requests.Response:
        return requests.post(f"{crm.control_url}/knobs", json=knob, timeout=30)

    assert post({"kind": "throttle", "retry_after": "3", "times": 1}).json()["knobs"][0]["status"] == 429
    assert upsert(crm, "a").headers["Retry-After"] == "3"
    assert upsert(crm, "a").status_code == 200
    assert post({"kind": "throtle"}).status_code == 400
    assert post({"kind": "throttle", "colour": "blue"}).json() == {"error": "unknown knob setting: colour"}
    post({"kind": "refuse", "status": 500})
    assert upsert(crm, "b").status_code == 500
    assert requests.delete(f"{crm.control_url}/knobs", timeout=30).json() == {"knobs": []}
    assert upsert(crm, "b").status_code == 200


def test_what_the_world_holds_is_seen_over_http(crm: SimulatorServer) -> None:
    upsert(crm, "a", "b")
    upsert(crm, "a")
    stats = requests.get(f"{crm.control_url}/stats", timeout=30).json()
    assert (stats["records"], stats["writes"], stats["written_more_than_once"]) == (2, 3, ["a"])
    assert stats["calls"] == {"write": 2}
    records = requests.get(f"{crm.url}/_control/records", timeout=30).json()["records"]
    assert [(one["key"], one["writes"]) for one in records] == [("a", 2), ("b", 1)]
    requests.post(f"{crm.control_url}/reset", timeout=30)
    assert requests.get(f"{crm.control_url}/stats", timeout=30).json()["records"] == 0


def test_down_refuses_real_connections_and_up_takes_the_same_port(crm: SimulatorServer) -> None:
    url = crm.url
    requests.post(f"{crm.control_url}/down", timeout=30)
    with pytest.raises(requests.ConnectionError):
        upsert(crm, "a")
    requests.post(f"{crm.control_url}/up", timeout=30)
    assert crm.url == url
    assert upsert(crm, "a").status_code == 200


def test_a_half_request_stores_nothing(crm: SimulatorServer) -> None:
    host, port = crm.host.split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /v1/leads/upsert HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b'{"leads": [')
    assert upsert(crm, "a").json()["results"][0]["status"] == "created"
    assert len(crm.simulator.world.rows()) == 1


def test_rate(crm: SimulatorServer) -> None:
    crm.simulator.knobs.rate(3)
    assert [upsert(crm, "a").status_code for _ in range(5)].count(429) >= 1


def test_faults_that_exclude_each_other_act_in_turn() -> None:
    knobs = Knobs()
    knobs.throttle("1", times=1)
    knobs.take_then(FaultKind.TAKE_THEN_RESET, times=1)
    knobs.reject(every=2)
    first, second, third = (knobs.draw("write") for _ in range(3))
    assert first.instead is not None
    assert first.afterwards is None
    assert second.instead is None
    assert second.afterwards is not None
    assert third.instead is third.afterwards is None
    assert knobs.draw("lookup").records == ()
    assert [third.rejection("k", position, {}) is not None for position in (1, 2, 3, 4)] == [False, True, False, True]


def test_a_fault_survives_json() -> None:
    fault = Fault(kind=FaultKind.PARTIAL, keys=frozenset({"a"}), times=2, code="X")
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault


def test_a_journal_outlives_the_simulator(tmp_path: Path) -> None:
    journal = tmp_path / "world.jsonl"
    world = World(journal)
    world.upsert("a", {"phone": "1"})
    world.upsert("a", {"phone": "2"})
    world.append("b", {})
    world.append("b", {})
    world.suppress("b", marks={"callable": "false"})
    world.upsert("c", {})
    world.erase("c")
    world.close()
    with journal.open("a", encoding="utf-8") as cut:
        cut.write('["upsert", "d", {"pho')  # the process died here
    again = World(journal)
    assert again.records() == world.records()
    assert again.doubles() == ["b"]
    assert again.writes == world.writes
    again.upsert("e", {})
    again.close()
    assert World(journal).records() == again.records()


def test_the_sink_counts_and_answers_every_record() -> None:
    with SimulatorServer(RestSink()) as sink:
        destination = registry.destination(
            "json_crm",
            Endpoint(destination="sink", base_url=sink.url, hosts=frozenset({sink.host}), secret=Personal("any")),
        )
        receipts = destination.deliver(invented.batch(200, ["phone", "given_name"]))
        destination.close()
        stats = requests.get(f"{sink.control_url}/stats", timeout=30).json()
    assert {receipt.outcome for receipt in receipts} == {"accepted"}
    assert stats["calls"] == {"write": 1, "records": 200}


def test_sandbox_describes_what_leadgate_needs() -> None:
    with Sandbox([Stand(simulator="json_crm", name="crm", connection="leadgate_crm"), Stand(simulator="rest_sink")]) as sandbox:
        names = [one["name"] for one in sandbox.describe()]
        connection = json.loads(sandbox.environment()["AIRFLOW_CONN_LEADGATE_CRM"])
        assert requests.get(f"{connection['host']}/v1/me", headers=HEADERS, timeout=30).status_code == 200
    assert names == ["crm", "rest_sink"]
    assert connection["conn_type"] == "leadgate-json-crm"
    assert sandbox.servers == {}


def test_every_connector_has_a_simulator() -> None:
    assert set(registry.destinations()) <= set(simulators())


def test_a_sandbox_that_cannot_start_leaves_nothing_running() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sandbox = Sandbox([Stand(simulator="json_crm"), Stand(simulator="rest_sink", port=taken.getsockname()[1])])
        with pytest.raises(OSError, match="in use"):
            sandbox.start()
    assert sandbox.servers == {}


@pytest.mark.parametrize("word", ["nothing", "json_crm:a", "json_crm:1:2:3", ""])
def test_what_is_no_stand_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError):
        Sandbox([stand_from(word)]).start()


def test_stand_words() -> None:
    assert stand_from("crm=json_crm:8801:8802") == Stand(simulator="json_crm", name="crm", port=8801, control_port=8802)
    assert stand_from("rest_sink") == Stand(simulator="rest_sink")


def test_as_a_process_it_outlives_a_killed_client_and_stops_on_a_signal() -> None:
    command = [sys.executable, "-m", "integrations.testing.sandbox", "crm=json_crm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        (crm,) = json.loads(process.stdout.readline())
        client = (
            "import os, requests\n"
            f"requests.post('{crm['url']}/v1/leads/upsert', json={{'leads': [{{'external_id': 'a', 'phone': '1'}}]}},"
            f" headers={HEADERS!r}, timeout=30)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        killed = subprocess.run([sys.executable, "-c", client], check=False)
        stats = requests.get(f"{crm['control']}/stats", timeout=30).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert killed.returncode == -signal.SIGKILL
    assert stats["records"] == 1
    assert os.environ.get("AIRFLOW_CONN_LEADGATE_CRM") is None
