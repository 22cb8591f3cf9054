"""The log as strangers see it: a real house, a real witness, a web server of the standard library, and an auditor who has an
address, a policy and nothing else of ours but the program.
"""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit import proof as formats
from consent.audit.policy import Policy
from consent.audit.verify import verify
from leadgate.storage import log
from tests.houses.commands import PROGRAM, environment
from tests.houses.house import TestHouse
from tests.houses.witnesses import WitnessProcess, watched, witness


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Any static web server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class Auditor:
    """Somebody with a policy file and an empty folder."""

    folder: Path
    policy: Path

    def audit(self, place: str, *more: str) -> tuple[int, dict[str, Any]]:
        """(exit code, report) of `leadgate log audit`."""
        command = [str(PROGRAM), "log", "audit", place, "--policy", str(self.policy), "--json", *more]
        done = subprocess.run(
            command, cwd=self.folder, env={"HOME": str(self.folder)}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def keep(self, house: TestHouse) -> Path:
        """The checkpoint of today, for the next audit."""
        kept = self.folder / "kept"
        shutil.copyfile(house.settings.log.publish_to / "checkpoint", kept)
        return kept


@pytest.fixture
def one(sqlite_house: TestHouse, tmp_path: Path) -> Iterator[WitnessProcess]:
    """The compliance officer's witness, watching the house."""
    with witness(tmp_path / "officer", "officer", sqlite_house) as running:
        watched(sqlite_house, running.settings)
        yield running


@pytest.fixture
def auditor(sqlite_house: TestHouse, one: WitnessProcess, tmp_path: Path) -> Auditor:
    folder = tmp_path / "auditor"
    folder.mkdir()
    policy = folder / "policy.txt"
    policy.write_text(sqlite_house.house.logbook.policy_text())
    return Auditor(folder=folder, policy=policy)


def a_day(house: TestHouse, start: int) -> None:
    house.admit(*house.invented.many(4, start=start, brand="lada"))
    house.house.seal()


def codes(report: dict[str, Any]) -> set[str]:
    return {each["code"] for each in report["findings"]}


def test_an_auditor_with_an_address_and_a_policy_is_convinced(sqlite_house: TestHouse, auditor: Auditor) -> None:
    a_day(sqlite_house, 0)
    with served(sqlite_house.settings.log.publish_to) as address:
        code, report = auditor.audit(address)
        assert (code, report["ok"], report["findings"]) == (0, True, [])
        kept = auditor.keep(sqlite_house)
        a_day(sqlite_house, 100)
        code, later = auditor.audit(address, "--trusted", str(kept))
        assert (code, later["ok"]) == (0, True)
        assert later["leaves"] > report["leaves"]
    assert auditor.audit(str(sqlite_house.settings.log.publish_to))[0] == 0, "a copied folder is as good"


def test_each_damage_of_the_published_log_is_named(sqlite_house: TestHouse, auditor: Auditor) -> None:
    with sqlite_house.transaction() as tx:
        log.append(tx, [(None, f"leaf {number}".encode()) for number in range(600)])
    a_day(sqlite_house, 0)
    sound = sqlite_house.settings.log.publish_to
    size = sqlite_house.house.logbook.status().tree_size

    def damaged(name: str, change: str) -> Path:
        copy = auditor.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        file = copy / name
        raw = bytearray(file.read_bytes())
        if change == "flip":
            raw[len(raw) // 2] ^= 4
        elif change == "cut":
            del raw[-5:]
        file.write_bytes(raw)
        if change == "lose":
            file.unlink()
        return copy

    policy = Policy.parse(auditor.policy.read_bytes())
    for name, change in (
        ("tile/0/000", "flip"),
        ("tile/0/001", "flip"),
        ("tile/1/000.p/2", "flip"),
        (f"tile/0/002.p/{size % 256}", "flip"),
        ("tile/entries/000", "flip"),
        (f"tile/entries/002.p/{size % 256}", "cut"),
        ("tile/entries/001", "lose"),
        ("tile/0/001", "lose"),
        ("checkpoint", "flip"),
        ("checkpoint", "cut"),
        ("checkpoint", "lose"),
    ):
        report = verify(damaged(name, change), policy.log_keys, policy=policy, now=datetime.now(UTC))
        assert report.findings, (name, change)
    assert auditor.audit(str(damaged("tile/entries/000", "flip")))[0] == 4, "and the command ends with it"


def test_a_log_shortened_behind_the_auditors_back_is_seen(sqlite_house: TestHouse, auditor: Auditor) -> None:
    a_day(sqlite_house, 0)
    old = auditor.folder / "old"
    shutil.copytree(sqlite_house.settings.log.publish_to, old)
    a_day(sqlite_house, 100)
    kept = auditor.keep(sqlite_house)
    code, report = auditor.audit(str(old), "--trusted", str(kept))
    assert code == 4
    assert "log_rolled_back" in codes(report)


def test_a_second_history_finds_no_witness_and_convinces_nobody(
    sqlite_house: TestHouse, one: WitnessProcess, auditor: Auditor, tmp_path: Path
) -> None:
    """The owner of the key restores an old ledger, hides the folder, and writes another history."""
    a_day(sqlite_house, 0)
    sqlite_house.house.ledger.close()
    file = sqlite_house.settings.state / "ledger.db"
    shutil.copyfile(file, tmp_path / "backup.db")
    a_day(sqlite_house, 100)
    sqlite_house.house.close()
    for side in file.parent.glob("ledger.db*"):
        side.unlink()
    shutil.copyfile(tmp_path / "backup.db", file)
    shutil.rmtree(sqlite_house.settings.log.publish_to)
    sqlite_house.house = sqlite_house.another()

    sqlite_house.receive(*sqlite_house.invented.many(60, start=300))
    sealed = sqlite_house.house.seal()
    assert (sealed.quorum, sealed.alarms) == (False, 1)
    one.kill()
    one.start()
    again = sqlite_house.house.logbook.cosign()
    assert (again.cosigned, again.alarms) == (0, 1), "a witness that was killed remembers"
    code, report = auditor.audit(str(sqlite_house.settings.log.publish_to))
    assert code == 4
    assert codes(report) & {"quorum_missing", "missing_quorum", "checkpoint_unwitnessed"}, codes(report)


def test_proofs_convince_without_any_of_it_running(sqlite_house: TestHouse, one: WitnessProcess, tmp_path: Path) -> None:
    a_day(sqlite_house, 0)
    (lead_id,) = sqlite_house.rows("select lead_id from lead limit 1")[0]
    found = sqlite_house.house.logbook.proofs_of(lead_id)
    policy = Policy.parse(sqlite_house.house.logbook.policy_text())
    one.kill()
    sqlite_house.house.close()
    assert len(found) >= 2
    for each in found:
        judged = formats.verify(each.proof, each.leaf, policy=policy)
        assert judged.ok
        assert [each.name for each in policy.witnesses.values()] == list(judged.seen)


def test_the_commands_of_the_log(sqlite_house: TestHouse, one: WitnessProcess, tmp_path: Path) -> None:
    a_day(sqlite_house, 0)
    sqlite_house.house.close()
    config = tmp_path / "leadgate.yaml"
    known = Path(environment(sqlite_house)["LEADGATE_CONFIG"]).read_text()
    section = (
        "log:\n  origin: log.example.org/proof\n  witnesses:\n"
        f"    officer: {{ url: '{one.settings.url}', vkey: '{one.vkey}' }}\n"
    )
    config.write_text(known.replace("log: { origin: log.example.org/proof }\n", section))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**environment(sqlite_house), "LEADGATE_CONFIG": str(config)}
        return subprocess.run([str(PROGRAM), "log", *words], env=env, capture_output=True, text=True, timeout=120, check=False)

    status = run("status", "--json")
    assert status.returncode == 0, status.stderr
    told = json.loads(status.stdout)
    assert (told["quorum"], told["alarms"], told["witnesses"][0]["name"]) == (True, [], "officer")
    assert "Заверено" in run("status", "--lang", "ru").stdout
    audit = run("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert Policy.parse(run("policy").stdout).witnesses.keys() == {"officer"}
    lead_id = sqlite_house.rows("select lead_id from lead limit 1")[0][0]
    assert run("proof", lead_id, "--to", str(tmp_path / "proofs")).returncode == 0
    policy = Policy.parse(run("policy").stdout)
    for file in (tmp_path / "proofs").glob("*.tlog-proof"):
        formats.verify(file.read_bytes(), file.with_suffix(".json").read_bytes(), policy=policy)
    assert "would prune" in run("prune", "--before", "1d").stdout
    assert "would recover" in run("recover").stdout
    one.kill()
    shutil.rmtree(sqlite_house.settings.log.publish_to)
    published = run("publish")
    assert published.returncode == 0, published.stderr
    assert checkpoints.parse((sqlite_house.settings.log.publish_to / "checkpoint").read_bytes()).size > 0


def test_the_log_follows_within_seconds(sqlite_house: TestHouse, tmp_path: Path) -> None:
    sqlite_house.house.seal()
    process = subprocess.Popen(
        [str(PROGRAM), "log", "follow"], env=environment(sqlite_house), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert "following" in process.stderr.readline()
        sqlite_house.receive(*sqlite_house.invented.many(3))
        for _ in range(100):
            if sqlite_house.rows("select count(*) from audit_pending") == [(0,)]:
                break
            threading.Event().wait(0.2)
        else:
            pytest.fail("nobody followed")
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
