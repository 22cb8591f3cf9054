"""The trigger says "look" at once, repeats itself for as long as it is true, and outlives an outage of the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from leadgate.airflow.questions import Question, connect
from leadgate.airflow.triggers import LONGEST_REPEAT_SECONDS, REPEAT_SECONDS, LedgerTrigger, Rhythm
from leadgate.postgres import EmbeddedPostgres
from leadgate.storage.tables import metadata

_SUBMISSION = (
    "insert into submission (submission_id, source, event_id, media_type, received_at, state)"
    " values ('s1', 'export', 'e1', 'application/json', 0, 'received')"
)
_DELIVERY = (
    "insert into delivery (delivery_id, lead_id, person_id, destination, purpose, key, state, attempt, created_at, not_before,"
    " lease_until) values ('d1', 'l1', 'p1', 'crm', 'callback', 'k1', '{state}', 1, 0, {not_before}, {lease_until})"
)
_TELLING = (
    "insert into telling (delivery_id, lead_id, person_id, destination, purpose, key, cause, wants, state, attempt, created_at,"
    " not_before) values ('d1', 'l1', 'p1', 'crm', 'callback', 'k1', 'withdrawal', 'erase', '{state}', 0, 0, {not_before})"
)
_HAND_OVER = (
    "insert into hand_over (destination, first_id, last_id, worker, lease_until) values ('crm', 'd1', 'd1', 'w', {lease_until})"
)
_BREAKER = "insert into destination_state (destination, failures, open_until, next_call_at) values ('crm', 3, {open_until}, 0)"
_PAST = 1
_FUTURE = 4_000_000_000_000_000


class Database:
    """A ledger of its own for each test: its URL, and a way to write to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        engine = create_engine(url)
        metadata.create_all(engine)
        engine.dispose()

    def write(self, *statements: str) -> None:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection, connection:
                for statement in statements:
                    connection.execute(statement)
            return
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as server:
        yield server.start(tmp_path_factory.mktemp("postgres") / "data")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        server: EmbeddedPostgres = request.getfixturevalue("postgres")
        name = f"ledger_{time.monotonic_ns()}"
        server.create_database(name)
        found = Database(server.url(name))
    monkeypatch.setenv("LEADGATE_DATABASE_URL", found.url)
    return found


async def _ask(question: Question) -> bool:
    asker = await connect(question)
    try:
        return await asker.ask()
    finally:
        await asker.close()


def _answer(question: Question) -> bool:
    return asyncio.run(_ask(question))


def test_an_empty_ledger_wakes_nobody(database: Database) -> None:
    assert not _answer(Question.INBOX)
    assert not _answer(Question.OUTBOX)
    assert not _answer(Question.RECIPIENTS)


@pytest.mark.parametrize(
    ("state", "not_before", "delivery", "due"),
    [
        ("queued", _PAST, "accepted", True),
        ("queued", _FUTURE, "accepted", False),
        ("suppressed", _PAST, "accepted", True),
        ("suppressed", "null", "accepted", False),
        ("waiting", "null", "claimed", False),
        ("waiting", "null", "accepted", True),
        ("erased", "null", "accepted", False),
    ],
)
def test_somebody_to_be_told_wakes_the_teller(
    database: Database, state: str, not_before: object, delivery: str, due: object
) -> None:
    database.write(_TELLING.format(state=state, not_before=not_before))
    database.write(_DELIVERY.format(state=delivery, not_before="null", lease_until="null"))
    assert _answer(Question.RECIPIENTS) is due
    database.write(_BREAKER.format(open_until=_FUTURE))
    assert _answer(Question.RECIPIENTS) is (due and state == "waiting"), "a destination that rests is left alone"


def test_a_submission_wakes_admit(database: Database) -> None:
    database.write(_SUBMISSION)
    assert _answer(Question.INBOX)
    database.write("update submission set state = 'admitted'")
    assert not _answer(Question.INBOX)


@pytest.mark.parametrize(
    ("state", "not_before", "lease_until", "due"),
    [
        ("queued", _PAST, "null", True),
        ("deferred", _PAST, "null", True),
        ("deferred", _FUTURE, "null", False),
        ("uncertain", _PAST, "null", True),
        ("uncertain", _FUTURE, "null", False),
        ("claimed", _PAST, _FUTURE, False),
        ("claimed", _PAST, _PAST, True),
        ("accepted", _PAST, "null", False),
        ("dead", _PAST, "null", False),
    ],
)
def test_what_is_due_wakes_dispatch(
    database: Database, state: str, not_before: int, lease_until: int | str, *, due: bool
) -> None:
    database.write(_DELIVERY.format(state=state, not_before=not_before, lease_until=lease_until))
    assert _answer(Question.OUTBOX) is due


def test_an_open_breaker_has_nothing_due(database: Database) -> None:
    database.write(_DELIVERY.format(state="queued", not_before=_PAST, lease_until="null"), _BREAKER.format(open_until=_FUTURE))
    assert not _answer(Question.OUTBOX)
    database.write("update destination_state set open_until = 1")
    assert _answer(Question.OUTBOX)


def test_a_destination_that_is_being_served_needs_nobody_else(database: Database) -> None:
    served = _DELIVERY.format(state="claimed", not_before=_PAST, lease_until=_FUTURE)
    waiting = _DELIVERY.format(state="queued", not_before=_PAST, lease_until="null").replace("'d1', 'l1'", "'d2', 'l2'")
    database.write(served, waiting)
    assert not _answer(Question.OUTBOX)
    database.write(waiting.replace("'d2', 'l2'", "'d3', 'l3'").replace("'crm'", "'dialer'"))
    assert _answer(Question.OUTBOX)


@pytest.mark.parametrize(("lease_until", "due"), [(_FUTURE, False), (_PAST, True)])
def test_what_admission_had_in_hand_wakes_dispatch_when_its_lease_is_over(
    database: Database, lease_until: int, *, due: bool
) -> None:
    handed = _DELIVERY.format(state="claimed", not_before="null", lease_until=lease_until)
    database.write(handed, _HAND_OVER.format(lease_until=lease_until))
    assert _answer(Question.OUTBOX) is due


def test_what_was_queued_this_moment_is_left_to_admit(database: Database) -> None:
    database.write(_DELIVERY.format(state="queued", not_before=time.time_ns() // 1000, lease_until="null"))
    assert not _answer(Question.OUTBOX)


def test_the_trigger_is_restored_from_what_airflow_keeps() -> None:
    path, arguments = LedgerTrigger("inbox").serialize()
    assert path == f"{LedgerTrigger.__module__}.{LedgerTrigger.__qualname__}"
    assert LedgerTrigger(**arguments).question is Question.INBOX


def test_it_speaks_when_something_arrives(database: Database) -> None:
    async def first_event() -> dict[str, str]:
        events = LedgerTrigger("inbox").run()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await asyncio.to_thread(database.write, _SUBMISSION)
        event = await waiting
        await events.aclose()
        return dict(event.payload)

    assert asyncio.run(first_event()) == {"question": "inbox"}


def test_it_outlives_a_ledger_that_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'later.db'}"
    monkeypatch.setenv("LEADGATE_DATABASE_URL", url)

    async def first_event() -> dict[str, str]:
        events = LedgerTrigger("inbox").run()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        database = await asyncio.to_thread(Database, url)
        await asyncio.to_thread(database.write, _SUBMISSION)
        event = await waiting
        await events.aclose()
        return dict(event.payload)

    assert asyncio.run(first_event()) == {"question": "inbox"}


@pytest.mark.postgres
def test_it_outlives_a_server_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_event() -> dict[str, str]:
        with EmbeddedPostgres() as server:
            database = Database(server.start(tmp_path / "data").url())
            monkeypatch.setenv("LEADGATE_DATABASE_URL", database.url)
            events = LedgerTrigger("inbox").run()
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.3)
        assert not waiting.done()
        with EmbeddedPostgres() as server:
            await asyncio.to_thread(server.start, tmp_path / "data")
            database.write(_SUBMISSION)
            event = await waiting
            await events.aclose()
        return dict(event.payload)

    assert asyncio.run(first_event()) == {"question": "inbox"}


def test_a_rhythm_speaks_at_once_then_ever_less_often() -> None:
    rhythm = Rhythm()
    spoken = [tenth / 10 for tenth in range(3000) if rhythm.speaks(yes=True, now=tenth / 10)]
    pauses = [round(later - earlier, 1) for earlier, later in pairwise(spoken)]
    assert spoken[0] == 0
    assert pauses[0] == REPEAT_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_REPEAT_SECONDS


def test_a_rhythm_starts_over_once_the_answer_was_no() -> None:
    rhythm = Rhythm()
    assert rhythm.speaks(yes=True, now=100.0)
    assert not rhythm.speaks(yes=True, now=100.5)
    assert not rhythm.speaks(yes=False, now=100.7)
    assert rhythm.speaks(yes=True, now=100.9)
