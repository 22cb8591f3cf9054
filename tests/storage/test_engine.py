"""One door to the database: what is committed stays, what fails leaves nothing, races are run again, and nobody is quoted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.storage import inbox, people, properties
from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Ledger, RaceError
from leadgate.storage.ids import new_ids, stream_of_ids
from schemas.errors import StorageUnavailableError

_ROOT = Path(__file__).parents[2]
#: What must never be found in an error: a value that a statement carried.
SECRET = "Ненастоящая-4217"


def _submissions(count: int, *, prefix: str = "e", at: int = 1_000_000) -> list[tuple[object, ...]]:
    return [
        (each, "source", f"{prefix}{number}", "application/json", at, "received", b"wrapped", 1, b"sealed")
        for number, each in enumerate(new_ids(count, at))
    ]


# -- time ------------------------------------------------------------------------------------------------------------------


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2262, 1, 1)))  # noqa: DTZ001 - made aware below
def test_micros_are_exact_both_ways(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert from_micros(to_micros(aware)) == aware
    assert to_micros(aware + timedelta(microseconds=1)) == to_micros(aware) + 1


def test_micros_mean_the_same_moment_in_every_zone_and_refuse_a_naive_one() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert to_micros(noon.astimezone(timezone(timedelta(hours=7)))) == to_micros(noon) == 1_780_315_200_000_000
    with pytest.raises(TypeError):
        to_micros(datetime(2026, 6, 1))  # noqa: DTZ001 - the point


@given(st.integers(min_value=1, max_value=50), st.integers(min_value=0, max_value=2**47 * 1000))
def test_ids_are_uuid7_unique_and_sort_by_time(count: int, micros: int) -> None:
    ids = new_ids(count, micros)
    assert len(set(ids)) == count
    assert ids == sorted(ids), "in the order of a batch, too"
    for each in ids:
        assert len(each) == 36
        assert each[14] == "7"
        assert each[19] in "89ab"
        assert int(each.replace("-", "")[:12], 16) == micros // 1000
    assert max(ids) < new_ids(1, micros + 1000)[0]


def test_more_ids_than_fit_a_millisecond_still_ascend() -> None:
    ids = new_ids(10_000, 0)
    assert ids == sorted(set(ids))


def test_a_stream_of_ids_ascends_over_its_blocks_and_over_a_millisecond() -> None:
    ids = list(islice(stream_of_ids(0, block=700), 10_000))
    assert ids == sorted(set(ids))
    assert [each[:18] for each in ids] == [each[:18] for each in new_ids(10_000, 0)], "as if they had been made at once"


# -- transactions --------------------------------------------------------------------------------------------------------------


def test_a_failing_block_leaves_nothing(ledger: Ledger) -> None:
    def die() -> None:
        with ledger.transaction() as tx:
            assert len(inbox.add(tx, _submissions(3))) == 3
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    with ledger.transaction() as tx:
        assert inbox.take(tx, 10) == []


def test_a_snapshot_sees_one_moment_and_cannot_write(ledger: Ledger) -> None:
    with ledger.snapshot() as tx:
        assert properties.read(tx, "a") is None
        other = Ledger(ledger.url.render_as_string(hide_password=False))
        with other.transaction() as writing:
            properties.keep(writing, "a", "1")
        other.close()
        assert properties.read(tx, "a") is None
    with ledger.snapshot() as tx:
        assert properties.read(tx, "a") == "1"


def test_bulk_insert_and_update_speak_both_dialects(ledger: Ledger) -> None:
    rows = _submissions(1_200)
    with ledger.transaction() as tx:
        assert len(inbox.add(tx, rows)) == 1_200
    ids = [str(row[0]) for row in rows]
    with ledger.transaction() as tx:
        tx.update(
            "submission",
            "submission_id",
            {"state": "text", "decided_at": "bigint", "sealed": "bytea", "findings": "text"},
            [
                (each, "refused", place, None, 'back\\slash, tab\t, "quote", nul-free, кириллица')
                for place, each in enumerate(ids)
            ],
        )
    with ledger.snapshot() as tx:
        read = tx.rows_in(
            "select submission_id, state, decided_at, sealed, findings from submission where submission_id in :values", ids
        )
    assert len(read) == 1_200
    assert {row[0]: row[2] for row in read} == {each: place for place, each in enumerate(ids)}
    assert {(row[1], row[3], row[4]) for row in read} == {("refused", None, 'back\\slash, tab\t, "quote", nul-free, кириллица')}


def test_copy_keeps_every_byte(ledger: Ledger) -> None:
    everything = bytes(range(256)) * 3
    with ledger.transaction() as tx:
        people.add(tx, [(new_ids(1, 0)[0], "lada", "known", 2**62, everything, 2**31 - 1)])
        assert bytes(tx.rows("select wrapped_key from person")[0][0]) == everything
        tx.insert("audit_pending", ("about", "body"), [(None, everything), ("x", b"")])
        assert [bytes(row[0]) for row in tx.rows("select body from audit_pending order by pending_id")] == [everything, b""]


def test_an_in_list_of_any_length(ledger: Ledger) -> None:
    digests = [number.to_bytes(32, "big") for number in range(25_000)]
    with ledger.transaction() as tx:
        people.add(tx, [("p", "lada", "known", 0, b"k", 1)])
        people.add_identifiers(tx, [(digest, "p", "phone", 1) for digest in digests[::2]])
        assert set(people.find(tx, digests)) == set(digests[::2])
        assert people.find(tx, []) == {}


# -- races -----------------------------------------------------------------------------------------------------------------


def test_a_lost_race_is_run_again_and_sees_the_winner(ledger: Ledger) -> None:
    tries: list[int] = []
    url = ledger.url.render_as_string(hide_password=False)

    def work(tx: object) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise RaceError
        return "done"

    assert ledger.retrying(work) == "done"
    assert len(tries) == 2

    # A real one: two transactions insert the same person's digest.
    seen = threading.Barrier(2, timeout=20)

    def meet(_: int) -> str:
        mine = Ledger(url)
        first = [True]

        def step(tx: object) -> str:
            known = people.find(tx, [b"digest"])  # type: ignore[arg-type] # a Transaction
            if known:
                return "found"
            if first[0]:
                first[0] = False
                if ledger.postgres:  # SQLite lets one writer in at a time: there is nothing to meet
                    seen.wait()
            person = new_ids(1, 0)[0]
            people.add(tx, [(person, "lada", "known", 0, b"k", 1)])  # type: ignore[arg-type] # as above
            people.add_identifiers(tx, [(b"digest", person, "phone", 1)])  # type: ignore[arg-type] # as above
            return "made"

        try:
            return mine.retrying(step)
        finally:
            mine.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(meet, range(2))) == ["found", "made"]
    with ledger.snapshot() as tx:
        assert tx.rows("select count(*) from person")[0][0] == 1


def test_a_race_that_never_ends_is_told_to_the_operator(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        people.add_identifiers(tx, [(b"digest", "p", "phone", 1)])
    with pytest.raises(StorageUnavailableError) as caught:
        ledger.retrying(lambda tx: people.add_identifiers(tx, [(b"digest", SECRET, "phone", 1)]))
    assert caught.value.code == "database_contended"
    assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_two_writers_of_one_sqlite_file_wait_for_each_other(empty_ledgers: Path, tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    path.write_bytes(empty_ledgers.read_bytes())
    program = (
        "import sys; from leadgate.storage import inbox; from leadgate.storage.engine import Ledger\n"
        "from leadgate.storage.ids import new_ids\n"
        "ledger = Ledger(sys.argv[1])\n"
        "for turn in range(40):\n"
        "    with ledger.transaction() as tx:\n"
        "        inbox.add(tx, [(new_ids(1, turn)[0], sys.argv[2], str(turn), 'x', 0, 'received', b'', 1, b'')])\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", program, f"sqlite:///{path}", name], cwd=_ROOT, stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    assert [worker.communicate(timeout=120)[1] for worker in workers] == [b"", b""]
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from submission").fetchone() == (80,)


# -- trouble ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(empty_ledgers: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A SQLite ledger on a disk that is nearly full."""
    path = tmp_path / "full.db"
    path.write_bytes(empty_ledgers.read_bytes())
    ledger = Ledger(f"sqlite:///{path}")
    with ledger.transaction() as tx:
        pages = tx.rows("pragma page_count")[0][0]
        tx.rows(f"pragma max_page_count = {pages + 8}")
    yield ledger
    ledger.close()


def test_a_full_disk_loses_nothing_and_says_so(full: Ledger) -> None:
    with full.transaction() as tx:
        assert len(inbox.add(tx, _submissions(3, prefix="kept"))) == 3
    heavy = [(*row[:-1], SECRET.encode() * 4_000) for row in _submissions(50, prefix="lost")]
    with pytest.raises(StorageUnavailableError) as caught, full.transaction() as tx:
        inbox.add(tx, heavy)
    assert caught.value.code == "database_full"
    assert SECRET not in repr(caught.value)
    with full.transaction() as tx:
        assert sorted(each.event_id for each in inbox.take(tx, 100)) == ["kept0", "kept1", "kept2"]
        assert len(inbox.add(tx, _submissions(1, prefix="after"))) == 1


def test_a_statement_that_fails_quotes_nobody(ledger: Ledger) -> None:
    with pytest.raises(StorageUnavailableError) as caught, ledger.transaction() as tx:
        tx.rows("select * from no_such_table where name = :name", name=SECRET)
    said = f"{caught.value}|{caught.value!r}|{caught.value.diagnostics()}"
    assert SECRET not in said
    assert "no_such_table" not in said
    with pytest.raises(StorageUnavailableError) as caught, ledger.transaction() as tx:
        tx.insert("no_such_table", ("name",), [(SECRET,)])
    assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_database_that_went_away_comes_back(ledger: Ledger) -> None:
    if not ledger.postgres:
        ledger.close()  # a file does not go away; a closed pool opens again
    else:
        with ledger.snapshot() as tx:
            mine = tx.rows("select pg_backend_pid()")[0][0]
        _terminate(ledger, mine)
    with ledger.transaction() as tx:
        assert properties.keep(tx, "alive", "yes") == "yes"


def test_a_connection_cut_inside_a_transaction_commits_nothing(ledger: Ledger) -> None:
    def cut() -> None:
        with ledger.transaction() as tx:
            properties.keep(tx, "half", "done")
            if ledger.postgres:
                _terminate(ledger, tx.rows("select pg_backend_pid()")[0][0])
            else:
                tx.connection.connection.close()
            tx.rows("select 1")

    with pytest.raises(StorageUnavailableError):
        cut()
    with ledger.snapshot() as tx:
        assert properties.read(tx, "half") is None


def _terminate(ledger: Ledger, pid: int) -> None:
    killer = Ledger(ledger.url.render_as_string(hide_password=False))
    with killer.transaction() as tx:
        tx.rows("select pg_terminate_backend(:pid)", pid=pid)
    killer.close()


def test_sqlite_commits_are_durable_and_deleted_bytes_are_overwritten(empty_ledgers: Path, tmp_path: Path) -> None:
    path = tmp_path / "durable.db"
    path.write_bytes(empty_ledgers.read_bytes())
    ledger = Ledger(f"sqlite:///{path}")
    with ledger.transaction() as tx:
        assert tx.rows("pragma journal_mode")[0][0] == "wal"
        assert tx.rows("pragma synchronous")[0][0] == 2  # FULL
        assert tx.rows("pragma secure_delete")[0][0] == 1
    ledger.close()
