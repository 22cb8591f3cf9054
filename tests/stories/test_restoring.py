"""A backup is taken, people are erased, the backup comes back: they are gone again before anything else works, and the log says
so. The list that knows it stands outside of the ledger, and is believed only if every line of it holds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent.shredding import LINE_BYTES
from integrations.testing.sandbox import Sandbox
from leadgate.postgres import EmbeddedPostgres
from leadgate.storage import schema
from leadgate.storage.engine import Ledger
from schemas.contact import phone_or_none
from schemas.errors import AuditError, ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.commands import leadgate, verify
from tests.houses.house import Clock, TestHouse, settings_for


class Machine:
    """A house on a database that can be copied while it stands still, and put back, as an operator does it."""

    def __init__(self, folder: Path, sandbox: Sandbox, clock: Clock, *, postgres: bool) -> None:
        self._data = folder / "postgres" if postgres else folder / "state" / "ledger.db"
        self._copy = folder / "backup"
        self._server: EmbeddedPostgres | None = None
        self._postgres = postgres
        self._sandbox, self._clock = sandbox, clock
        self.state = folder / "state"
        self.house: TestHouse

    @contextmanager
    def running(self) -> Iterator[TestHouse]:
        """The house, until the end of the block; then everything is shut."""
        if self._postgres:
            with EmbeddedPostgres() as server:
                server.start(self._data)
                server.create_database("ledger")
                yield from self._opened(server.url("ledger"))
        else:
            yield from self._opened(f"sqlite:///{self._data}")

    def _opened(self, url: str) -> Iterator[TestHouse]:
        ledger = Ledger(url)
        schema.upgrade(ledger)
        ledger.close()
        house = TestHouse(settings_for(state=self.state, ledger_url=url), self._sandbox, clock=self._clock)
        try:
            yield house
        finally:
            house.close()

    def back_up(self) -> None:
        if self._postgres:
            subprocess.run(["cp", "-a", str(self._data), str(self._copy)], check=True)  # owners and modes too
        else:
            shutil.copyfile(self._data, self._copy)

    def restore(self) -> None:
        if self._postgres:
            shutil.rmtree(self._data)
            subprocess.run(["cp", "-a", str(self._copy), str(self._data)], check=True)
        else:
            for file in self._data.parent.glob("ledger.db*"):
                file.unlink()
            shutil.copyfile(self._copy, self._data)


@pytest.fixture
def machine(database: str, sandbox: Sandbox, keys: Path, tmp_path: Path, clock: Clock) -> Machine:
    shutil.copytree(keys, tmp_path / "state")
    return Machine(tmp_path, sandbox, clock, postgres=database == "postgres")


def _by_phone(phone: str) -> Withdrawal:
    e164 = phone_or_none(phone, "RU")
    assert e164 is not None
    return Withdrawal(brand="lada", phone=Personal(e164))


def test_who_was_erased_stays_erased_after_a_restore(machine: Machine) -> None:
    with machine.running() as house:
        gone, stays = house.invented.lead(6301, brand="lada"), house.invented.lead(6302, brand="lada")
        house.admit(gone, stays)
        house.house.seal()
        (person,) = house.house.persons(withdrawal=_by_phone(gone.document["phone"]))
        phones = gone.document["phone"], stays.document["phone"]
    machine.back_up()
    with machine.running() as house:
        assert house.house.erase(person, actor="officer-1", reason="subject_request").keys == 1
        assert house.verified().ok
        assert (machine.state / "shred.list").stat().st_size == LINE_BYTES
    machine.restore()

    with machine.running() as house:
        # Nothing works on such a ledger: no command, no task, no service.
        for words in (["dispatch", "lada_crm"], ["admit"], ["erase", "--actor", "officer-1", "--person", person]):
            said = leadgate(house, *words)
            assert said.returncode == 2, said.stdout
            assert "shred_list_behind" in said.stderr
        said = leadgate(house, "restore", "check")
        assert "are in it again: 1" in said.stdout
        assert "THE LOG WENT BACK" in said.stdout
        assert said.returncode == 4
        assert leadgate(house, "restore", "replay", "--actor", "officer-1").returncode == 0, "a dry run"
        shown = json.loads(leadgate(house, "restore", "replay", "--actor", "officer-1", "--yes", "--json").stdout)
        assert (shown["destroyed"], shown["behind"]) == (1, False)

        # The person is gone again, the other one is not, and nothing that waited for them is sent.
        assert house.house.persons(withdrawal=_by_phone(phones[0])) == []
        assert house.house.persons(withdrawal=_by_phone(phones[1])) != []
        assert house.rows("select count(*) from lead where person_id = :p and sealed is not null", p=person) == [(0,)]
        house.dispatcher("lada_crm").run(seconds=20)
        assert house.world("lada_crm").stats()["records"] == 1
        assert house.states("lada_crm") == {"accepted": 1, "suppressed": 1}

        # Nothing is signed before the leaves that others have seen are back in their places; then the log says it all.
        with pytest.raises(AuditError) as caught:
            house.house.seal()
        assert caught.value.code == "log_rolled_back"
        assert leadgate(house, "log", "recover", "--actor", "engineer-1", "--yes").returncode == 0
        assert leadgate(house, "restore", "check").returncode == 0
        house.house.seal()
        leaves = [json.loads(row[0]) for row in house.rows("select body from audit_leaf order by leaf_index")]
        erased = [leaf for leaf in leaves if leaf["event"] == "subject.erased"]
        assert [(leaf["person_id"], leaf["facts"]["reason"]) for leaf in erased] == [
            (person, "subject_request"),
            (person, "restored_backup"),
        ]
        assert [leaf["facts"]["erased"] for leaf in leaves if leaf["event"] == "backup.replayed"] == [1]
        assert verify(house) == (0, [])
        again = json.loads(leadgate(house, "restore", "replay", "--actor", "officer-1", "--yes", "--json").stdout)
        assert again["destroyed"] == 0, "twice destroys nobody twice"


def test_withdrawals_of_the_lost_time_are_taken_up_from_the_log(
    empty_ledgers: Path, sandbox: Sandbox, keys: Path, tmp_path: Path, clock: Clock
) -> None:
    shutil.copytree(keys, tmp_path / "state")
    shutil.copyfile(empty_ledgers, tmp_path / "state" / "ledger.db")
    machine = Machine(tmp_path, sandbox, clock, postgres=False)
    with machine.running() as house:
        lead, stranger = house.invented.lead(6305, brand="lada"), house.invented.lead(6306, brand="lada")
        house.admit(lead)
    machine.back_up()
    with machine.running() as house:
        clock.advance(minutes=5)
        for each in (lead, stranger):
            house.house.withdraw(_by_phone(each.document["phone"]), actor="officer-1")
        house.house.seal()
    machine.restore()
    with machine.running() as house:
        clock.advance(minutes=5)
        assert leadgate(house, "log", "recover", "--actor", "engineer-1", "--yes").returncode == 0
        dry = leadgate(house, "restore", "withdrawals", "--actor", "engineer-1")
        assert "Dry run: 1 withdrawals" in dry.stdout
        done = leadgate(house, "restore", "withdrawals", "--actor", "engineer-1", "--yes", "--json")
        assert json.loads(done.stdout) == {"missing": 1, "unknown": 1, "taken_up": 1, "suppressed": 2}
        assert done.returncode == 1, "the stranger's must be sent again"
        assert house.states("lada_calls") | house.states("lada_crm") == {"suppressed": 1}
        again = leadgate(house, "restore", "withdrawals", "--actor", "engineer-1", "--yes", "--json")
        assert json.loads(again.stdout)["missing"] == 0
        clock.now = datetime.now(UTC)  # the commands have the real clock
        assert house.verified().ok


def test_a_list_that_lost_something_is_not_believed(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    house.admit(*(house.invented.lead(6310 + number, brand="lada") for number in range(3)))
    people = [row[0] for row in house.rows("select person_id from person order by person_id")]
    for person in people:
        house.house.erase(person, actor="officer-1", reason="subject_request")
    path = house.settings.shred_list_path
    whole = path.read_bytes()
    assert len(whole) == 3 * LINE_BYTES
    assert all(person.encode() in whole for person in people)

    path.write_bytes(whole[:-LINE_BYTES])
    with pytest.raises(AuditError) as caught:
        _ = house.another().ledger
    assert caught.value.code == "shred_list_truncated"
    path.unlink()
    with pytest.raises(ConfigurationError) as missing:
        _ = house.another().ledger
    assert missing.value.code == "shred_list_missing"

    for at in (5, 40, 60, LINE_BYTES + 90, 2 * LINE_BYTES + 150):  # any character of any line
        changed = bytearray(whole)
        changed[at] = ord("0") if changed[at] != ord("0") else ord("1")
        path.write_bytes(changed)
        said = leadgate(house, "restore", "check")
        assert said.returncode == 4, at
        assert "shred_list_damaged" in said.stderr
    # Two lines exchanged, each of them true.
    path.write_bytes(whole[LINE_BYTES : 2 * LINE_BYTES] + whole[:LINE_BYTES] + whole[2 * LINE_BYTES :])
    assert leadgate(house, "restore", "check").returncode == 4
    path.write_bytes(whole)
    assert leadgate(house, "restore", "check").returncode == 0


def test_a_list_is_not_written_on_after_a_line_that_does_not_hold(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    house.admit(*(house.invented.lead(6320 + number, brand="lada") for number in range(2)))
    one, other = [row[0] for row in house.rows("select person_id from person order by person_id")]
    house.house.erase(one, actor="officer-1", reason="subject_request")
    path = house.settings.shred_list_path
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + (b"00\n" if whole[-3:-1] == b"ff" else b"ff\n"))
    with pytest.raises(AuditError):
        house.house.erase(other, actor="officer-1", reason="subject_request")
    assert house.rows("select count(*) from person where wrapped_key is not null") == [(1,)], "nobody was destroyed"
    path.write_bytes(whole + whole[:17])  # a part of a line: a process died before anything was destroyed for it
    assert house.house.erase(other, actor="officer-1", reason="subject_request").keys == 1
    assert path.stat().st_size == 2 * LINE_BYTES
    assert leadgate(house, "restore", "check").returncode == 0
