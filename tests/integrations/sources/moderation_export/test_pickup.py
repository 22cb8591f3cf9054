"""The inbox folder: each file once by content, none before it is whole, and no step after which a crash loses a row."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from upath import UPath

from integrations.contract.source import SourceSettings
from integrations.sources.moderation_export import ModerationExport
from integrations.sources.moderation_export.pickup import Collection, FileOutcome, PickupRules, collect, look
from schemas.errors import StorageUnavailableError
from schemas.submission import Received, Submission

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOURCE = ModerationExport(SourceSettings(name="export", connector="moderation_export", brand="lada"))
LEADS = b'{"brand": "lada", "given_name": "A"}\n{"brand": "lada"}\nbroken\n'


class Ledger:
    """A world that remembers what was committed, and can be out of order."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], bytes] = {}
        self.commits = 0
        self.fail_at: int | None = None

    def commit(self, submissions: Sequence[Submission]) -> Received:
        self.commits += 1
        if self.commits == self.fail_at:
            raise StorageUnavailableError("disk_full", "the ledger cannot be written")
        new = 0
        for each in submissions:
            new += (each.source, each.event_id) not in self.stored
            self.stored.setdefault((each.source, each.event_id), each.body.reveal())
        return Received(new=new, repeated=len(submissions) - new)


def digest(stream: BinaryIO) -> str:
    keyed = hmac.new(b"key", digestmod=hashlib.sha256)
    while piece := stream.read(1024):
        keyed.update(piece)
    return keyed.hexdigest()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def drop(inbox: Path, name: str, data: bytes = LEADS, *, age: float = 60) -> Path:
    path = inbox / name
    path.write_bytes(data)
    then = NOW.timestamp() - age
    os.utime(path, (then, then))
    return path


def run(inbox: Any, ledger: Ledger, **rules: Any) -> Collection:
    return collect(inbox, SOURCE, commit=ledger.commit, digest=digest, now=NOW, rules=PickupRules(**rules))


def test_a_finished_file_is_committed_then_moved(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "leads.jsonl")
    (report,) = run(tmp_path, ledger).reports
    assert (report.outcome, report.rows, report.new, report.repeated) == (FileOutcome.PROCESSED, 3, 3, 0)
    assert len(ledger.stored) == 3
    assert [path.name for path in (tmp_path / "processed").iterdir()] == [f"leads.{report.ref[:8]}.jsonl"]
    assert run(tmp_path, ledger).reports == ()


def test_files_being_written_and_files_of_others_are_left_alone(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "fresh.jsonl", age=1)
    drop(tmp_path, "leads.jsonl.part")
    drop(tmp_path, ".leads.jsonl")
    drop(tmp_path, "notes.pdf")
    (tmp_path / "sub.csv").mkdir()
    collection = run(tmp_path, ledger)
    assert (collection.reports, collection.waiting, collection.foreign) == ((), 1, 3)
    assert ledger.commits == 0


def test_a_clock_ahead_of_ours_settles_too(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "leads.jsonl", age=-3600)
    assert run(tmp_path, ledger).reports[0].outcome is FileOutcome.PROCESSED


def test_a_marker_says_finished_at_once_and_goes_with_the_file(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "leads.jsonl", age=1)
    drop(tmp_path, "leads.jsonl.done", b"", age=0)
    assert run(tmp_path, ledger).reports[0].outcome is FileOutcome.PROCESSED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["processed"]


def test_a_marker_of_an_earlier_file_does_not_count(tmp_path: Path) -> None:
    drop(tmp_path, "leads.jsonl.done", b"", age=3600)
    drop(tmp_path, "leads.jsonl", age=1)
    assert look(tmp_path, SOURCE, now=NOW, rules=PickupRules()).waiting == 1


def test_a_marker_may_be_demanded(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "leads.jsonl")
    assert run(tmp_path, ledger, require_marker=True).waiting == 1


def test_the_same_content_under_another_name_is_the_same_rows(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "a.jsonl", age=90)
    drop(tmp_path, "b.jsonl", age=60)
    first, second = run(tmp_path, ledger).reports
    assert (first.new, second.new, second.repeated) == (3, 0, 3)
    assert len(ledger.stored) == 3


def test_the_same_name_with_other_content_keeps_both_files(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "a.jsonl")
    run(tmp_path, ledger)
    drop(tmp_path, "a.jsonl", LEADS * 2)
    run(tmp_path, ledger)
    assert len(list((tmp_path / "processed").iterdir())) == 2


def test_a_file_that_cannot_be_read_is_set_aside_with_the_reason_in_two_languages(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "bad.csv", "Мария;+79000000001\n".encode())
    drop(tmp_path, "good.jsonl")
    reports = run(tmp_path, ledger).reports
    assert {report.outcome for report in reports} == {FileOutcome.REJECTED, FileOutcome.PROCESSED}
    moved, reason = sorted((tmp_path / "rejected").iterdir())
    assert moved.name + ".reason.txt" == reason.name
    text = reason.read_text()
    assert "не хватает столбцов: channel" in text
    assert "must name these columns: channel" in text
    assert "Мария" not in text


def test_rows_before_the_damage_are_kept_and_both_are_said(tmp_path: Path, ledger: Ledger, workbook: Any) -> None:
    good = ["brand", "phone", "kind"]
    sheets = {"A": {1: good, 2: ["lada", "1", "lead"]}, "B": {1: ["brand", "brand", "phone"], 2: ["lada", "1", "2"]}}
    drop(tmp_path, "two.xlsx", workbook(sheets=sheets))
    (report,) = run(tmp_path, ledger).reports
    assert (report.outcome, report.rows) == (FileOutcome.PROCESSED, 1)
    assert report.notes == ("sheet 2 was not read: its first row is not a header of ours",)


@pytest.mark.parametrize("fail_at", [1, 2, 3])
def test_a_ledger_out_of_order_leaves_the_file_and_the_next_run_finishes(tmp_path: Path, ledger: Ledger, fail_at: int) -> None:
    drop(tmp_path, "leads.jsonl")
    ledger.fail_at = fail_at
    with pytest.raises(StorageUnavailableError):
        run(tmp_path, ledger, chunk=1)
    assert (tmp_path / "leads.jsonl").exists()
    (report,) = run(tmp_path, ledger, chunk=1).reports
    assert (report.rows, report.repeated) == (3, fail_at - 1)
    assert len(ledger.stored) == 3


def test_a_crash_between_commit_and_move_is_repeated_harmlessly(tmp_path: Path, ledger: Ledger) -> None:
    path = drop(tmp_path, "leads.jsonl")
    run(tmp_path, ledger)
    drop(tmp_path, "leads.jsonl")  # as if it had never been moved
    (report,) = run(tmp_path, ledger).reports
    assert (report.outcome, report.new, report.repeated) == (FileOutcome.PROCESSED, 0, 3)
    assert not path.exists()
    assert len(list((tmp_path / "processed").iterdir())) == 1


def test_a_file_written_to_while_it_is_read_stays(tmp_path: Path, ledger: Ledger) -> None:
    path = drop(tmp_path, "leads.jsonl")

    def slow_commit(submissions: Sequence[Submission]) -> Received:
        with path.open("ab") as more:
            more.write(b'{"brand": "lada"}\n')
        return ledger.commit(submissions)

    (report,) = collect(tmp_path, SOURCE, commit=slow_commit, digest=digest, now=NOW).reports
    assert report.outcome is FileOutcome.CHANGED
    assert path.exists()


def test_a_file_another_run_took_is_no_failure(tmp_path: Path, ledger: Ledger) -> None:
    path = drop(tmp_path, "leads.jsonl")

    def other_run(submissions: Sequence[Submission]) -> Received:
        path.unlink()
        return ledger.commit(submissions)

    (report,) = collect(tmp_path, SOURCE, commit=other_run, digest=digest, now=NOW).reports
    assert (report.outcome, report.rows) == (FileOutcome.GONE, 3)


def test_files_that_were_dealt_with_are_removed_when_their_time_is_over(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "good.jsonl", age=8 * 86400)
    drop(tmp_path, "bad.csv", b"x\n", age=60 * 86400)
    first = run(tmp_path, ledger)
    assert first.swept == 1  # the processed one: written long ago, and the ledger has its rows
    assert len(list((tmp_path / "rejected").iterdir())) == 2  # refused just now: somebody has to look
    for path in (tmp_path / "rejected").iterdir():
        os.utime(path, (NOW.timestamp() - 31 * 86400,) * 2)
    assert run(tmp_path, ledger).swept == 2
    assert run(tmp_path, ledger).swept == 0


def test_files_may_be_kept(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "good.jsonl", age=800 * 86400)
    assert run(tmp_path, ledger, keep_processed=None).swept == 0
    assert len(list((tmp_path / "processed").iterdir())) == 1


def test_a_report_names_no_file_by_accident(tmp_path: Path, ledger: Ledger) -> None:
    drop(tmp_path, "Мария Орлова.jsonl")
    assert "Мария" not in repr(run(tmp_path, ledger))


def test_it_works_on_an_object_store(ledger: Ledger) -> None:
    inbox = UPath("memory://inbox-of-test")
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "leads.jsonl").write_bytes(LEADS)
    (inbox / "bad.csv").write_bytes(b"x\n")
    later = datetime.now(UTC) + timedelta(hours=1)
    reports = collect(inbox, SOURCE, commit=ledger.commit, digest=digest, now=later).reports
    assert sorted(report.outcome for report in reports) == [FileOutcome.PROCESSED, FileOutcome.REJECTED]
    assert len(ledger.stored) == 3
    assert sorted(path.name for path in inbox.iterdir()) == ["processed", "rejected"]
    assert len(list((inbox / "rejected").iterdir())) == 2
