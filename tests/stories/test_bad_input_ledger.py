"""The ledger goes away under the house: the server stops, the disk is full, the file may only be read. Nobody is told 2xx for
what was not committed, nothing that was is lost, and when it is back everything goes on where it stood.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from integrations.testing.invented_leads import Invented
from integrations.testing.sandbox import Sandbox
from leadgate.postgres import EmbeddedPostgres
from leadgate.storage import schema
from leadgate.storage.engine import Ledger
from schemas.errors import StorageUnavailableError
from tests.stories.outside import Door, Office, csv_text, intake, json_lines

BOTH = ["callback", "crm_followup"]


def lada(office: Office, *numbers: int) -> list[Invented]:
    return [office.invented.lead(number, brand="lada", purposes=BOTH) for number in numbers]


def told_to_come_back(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["error"]) == (503, "storage_unavailable")
    assert response.json()["message"] == "the ledger cannot be written; nothing was stored"
    assert int(response.headers["retry-after"]) > 0


def says_not_ready(door: Door) -> bool:
    return (door.client.get("/readyz").status_code, door.client.get("/healthz").status_code) == (503, 200)


# -- Postgres --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of our own, to be stopped: the path is short, so that its address stays the same."""
    with tempfile.TemporaryDirectory(prefix="lg-") as folder, EmbeddedPostgres() as started:
        Path(folder).chmod(0o755)
        yield started.start(Path(folder) / "pg")
        started.stop()


@pytest.fixture
def stopped(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The server, running; running again afterwards whatever happened."""
    folder = server._directory
    assert folder is not None
    yield server
    if server._server is None:
        server.start(folder)


@pytest.fixture
def town(stopped: EmbeddedPostgres, sandbox: Sandbox, keys: Path, tmp_path: Path) -> Iterator[Office]:
    """An office on a Postgres that can be stopped."""
    name = f"town_{time.monotonic_ns()}"
    stopped.create_database(name)
    ledger = Ledger(stopped.url(name))
    schema.upgrade(ledger)
    ledger.close()
    shutil.copytree(keys, tmp_path / "state")
    office = Office(tmp_path, sandbox, ledger_url=stopped.url(name))
    yield office
    office.close()


def test_a_server_that_stops_and_comes_back(town: Office, stopped: EmbeddedPostgres, caplog: pytest.LogCaptureFixture) -> None:
    folder = stopped._directory
    assert folder is not None
    before, during, after = lada(town, 1, 2, 3)
    with intake(town) as door, caplog.at_level("DEBUG"):
        assert door.post(before).status_code == 202
        town.drop("night.csv", csv_text(lada(town, 4)).encode())
        stopped.stop()

        told_to_come_back(door.post(during))
        assert says_not_ready(door)
        told = town.command("collect")
        assert (told.code, "database_unavailable [LEADGATE_DATABASE_URL]" in told.err) == (3, True)
        assert (town.inbox / "night.csv").is_file(), "the file waits where it was dropped"
        assert town.command("balance").code == 3
        for verb in (town.house.admit, town.house.balance, town.house.destinations):
            with pytest.raises(StorageUnavailableError):
                verb()

        stopped.start(folder)
        assert [door.post(each).status_code for each in (during, after)] == [202, 202]
        assert door.client.get("/readyz").status_code == 200
        assert town.collect().new == 1
        town.house.admit()
        town.settled(good=4)
        town.said += door.said()
    town.names_nobody(before, during, after, *lada(town, 4), log=caplog.records)


def test_a_server_that_stops_between_sending_and_writing_down(
    town: Office, stopped: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    """The call center has the leads, the ledger does not know: they are read back, not sent again."""
    folder = stopped._directory
    assert folder is not None
    people = lada(town, 1, 2, 3)
    town.admit(*people)
    world = town.world("lada_calls")
    town.simulator("lada_calls").knobs.slow(0.8, times=1)
    failed: list[StorageUnavailableError] = []

    def send() -> None:
        try:
            town.dispatcher("lada_calls", house=town.another()).run(seconds=20)
        except StorageUnavailableError as error:
            failed.append(error)

    with caplog.at_level("DEBUG"):
        worker = threading.Thread(target=send)
        worker.start()
        deadline = time.monotonic() + 20
        while not world.calls["write"] and time.monotonic() < deadline:
            time.sleep(0.01)
        stopped.stop()
        worker.join(30)
        assert [error.code for error in failed] == ["database_unavailable"]
        deadline = time.monotonic() + 20
        while len(world.rows()) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        stopped.start(folder)
        assert town.states("lada_calls") == {"claimed": 3}
        assert town.dispatcher("lada_calls").run(seconds=20).accepted == 0, "the lease still stands"
        town.clock.advance(minutes=5)
        town.settled(good=3)
    assert (world.stats()["writes"], world.stats()["calls"]["write"]) == (3, 1)
    town.said += [failed[0].diagnostics(), repr(failed[0])]
    town.names_nobody(*people, log=caplog.records)


def test_a_server_whose_disk_is_full(town: Office) -> None:
    """The server answers as it does without space (SQLSTATE 53100), and quotes the row as servers do; then space is made."""
    people = lada(town, 1, 2, 3)
    town.run(
        "create function no_space() returns trigger language plpgsql as $$ begin"
        " raise exception 'could not extend file: No space left on device, row %', new using errcode = '53100'; end $$"
    )
    with intake(town) as door:
        assert door.post(people[0]).status_code == 202
        town.run("create trigger full_disk before insert or update on submission for each row execute function no_space()")
        told_to_come_back(door.post(people[1]))
        town.drop("night.jsonl", json_lines(people[2]))
        told = town.command("collect")
        assert (told.code, "database_full [LEADGATE_DATABASE_URL]" in told.err) == (3, True)
        with pytest.raises(StorageUnavailableError) as caught:
            town.house.admit()
        assert caught.value.code == "database_full"
        town.said.append(repr(caught.value))

        town.run("drop trigger full_disk on submission")
        assert door.post(people[1]).status_code == 202
        assert town.collect().new == 1
        town.house.admit()
        town.settled(good=3)
        town.said += door.said()
    town.names_nobody(*people)


# -- SQLite ----------------------------------------------------------------------------------------------------------------


def test_a_disk_without_space_under_the_intake(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """The system lets no file grow any more (a quota, as far as the process can tell); then it does again."""
    before, during, after = lada(office, 1, 2, 3)
    with intake(office) as door, caplog.at_level("DEBUG"):
        assert door.post(before).status_code == 202
        _, hard = resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (4096, hard))
        told_to_come_back(door.post(during))
        told_to_come_back(door.post(during))
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        assert [door.post(each).status_code for each in (during, after)] == [202, 202]
        office.house.admit()
        office.settled(good=3)
        office.said += door.said()
    office.names_nobody(before, during, after, log=caplog.records)


def test_a_full_disk_under_every_step(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Collect, admit, dispatch, seal: each says so, changes nothing, and goes on when there is space."""
    people = [office.invented.lead(number, brand="lada", purposes=BOTH) for number in range(1, 40)]
    office.drop("night.jsonl", json_lines(*people))

    def space(pages: int) -> None:
        with office.transaction() as tx:
            used = tx.rows("pragma page_count")[0][0]
            tx.rows(f"pragma max_page_count = {used + pages}")

    with caplog.at_level("DEBUG"):
        for step in (office.collect, office.house.admit, lambda: office.dispatcher("lada_calls").run(seconds=20)):
            space(0)
            with pytest.raises(StorageUnavailableError) as caught:
                step()
            assert caught.value.code == "database_full"
            office.said.append(repr(caught.value))
            space(1_000_000)
            office.clock.advance(minutes=5)  # what was claimed when the disk was full waits for its lease
            step()
        assert office.settled(good=39).received == 39
    assert office.world("lada_calls").stats()["writes"] == 39
    office.names_nobody(*people, log=caplog.records)


def test_a_ledger_that_may_only_be_read(office: Office) -> None:
    good, kept = lada(office, 1, 2)
    office.receive(good)
    office.drop("night.jsonl", json_lines(kept))
    path = office.settings.ledger_url.removeprefix("sqlite:///")
    readable = f"sqlite:///file:{path}?mode=ro&uri=true"
    with intake(office, LEADGATE_DATABASE_URL=readable) as door:
        told_to_come_back(door.post(kept))
        assert says_not_ready(door)
        office.said += door.said()
    assert office.collect().new == 1
    office.house.admit()
    office.settled(good=2)
    office.names_nobody(good, kept)


# -- what is not there at the start ------------------------------------------------------------------------------------------


def test_a_database_that_is_not_there_is_said_by_every_command(office: Office) -> None:
    for command in (["collect"], ["intake", "--port", "1"]):
        told = office.command(*command, LEADGATE_DATABASE_URL="postgresql://nobody:secret-word@127.0.0.1:1/leadgate")
        assert told.code == 3
        assert "database_unavailable [LEADGATE_DATABASE_URL]: the ledger could not be read or written" in told.err
        assert "secret-word" not in told.err


def test_a_source_without_its_secret_is_closed_and_the_others_listen(office: Office) -> None:
    good, early = lada(office, 1, 2)
    event = b'{"type":"message_deny","group_id":900000001,"event_id":"e","secret":"x","object":{"user_id":1}}'
    with intake(office, AIRFLOW_CONN_PROOF_VK="") as door:
        assert door.post(good).status_code == 202
        shut = door.send(event, {"content-type": "application/json"}, source="vk")
        assert (shut.status_code, shut.json()["error"]) == (503, "source_closed")
        assert shut.headers["retry-after"]
        assert "CLOSED vk" in door.log.read_text(encoding="utf-8")
        assert "no_connection [AIRFLOW_CONN_PROOF_VK]" in door.log.read_text(encoding="utf-8")
        office.said += door.said()
    with intake(office, AIRFLOW_CONN_PROOF_WEBHOOK='{"conn_type": "http", "password": "whsec_c2hvcnQ="}') as door:
        assert door.post(early).json()["error"] == "source_closed"
        said = door.log.read_text(encoding="utf-8")
        assert "secret_invalid [leadgate.yaml: sources.webhook.secrets]: a secret has 24 to 64 bytes" in said
        office.said += door.said()
    told = office.command("intake", AIRFLOW_CONN_PROOF_WEBHOOK="", AIRFLOW_CONN_PROOF_VK="")
    assert (told.code, "no_connection [AIRFLOW_CONN_PROOF_WEBHOOK]" in told.err) == (2, True)
    office.receive(early)
    office.house.admit()
    office.settled(good=2)
    office.names_nobody(good, early)
