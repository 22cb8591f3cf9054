"""Clocks in the ledger: started once, stored for ever, met by what is done; and a machine whose time is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leadgate.airflow.clocks import judge_clocks
from leadgate.pipeline import clock_board, clocks
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import clocks as stored
from leadgate.storage import log
from leadgate.storage.engine import Ledger
from leadgate.storage.ids import new_ids
from schemas.clocks import CalendarRules, Clock, ClockKind, ClockRule, ClockState, ClockSubject, ClockTerms, Term, TermUnit
from schemas.errors import ConfigurationError, LeadgateError
from tests.houses.house import BEGIN
from tests.houses.house import Clock as Time

TERMS = ClockTerms()
BOTH = (ClockKind.STOP_DEMAND, ClockKind.WITHDRAWAL)


def an_id(number: int) -> str:
    return new_ids(1, 1_780_000_000_000_000 + number * 1000)[0]


def started(
    ledger: Ledger,
    about: str,
    *,
    at: datetime = BEGIN,
    now: datetime = BEGIN,
    kinds: tuple[ClockKind, ...] = BOTH,
    terms: ClockTerms = TERMS,
) -> list[Clock]:
    with ledger.transaction() as tx:
        recorder = Recorder(at=now, actor="officer-1")
        found = clocks.start(
            tx,
            recorder,
            terms=terms,
            kinds=kinds,
            subject=ClockSubject.WITHDRAWAL,
            about=about,
            brand="lada",
            started_at=at,
            now=now,
        )
        log.append(tx, recorder.leaves)
    return found


def met(ledger: Ledger, about: str, *, now: datetime, kinds: tuple[ClockKind, ...] | None = None) -> list[Clock]:
    with ledger.transaction() as tx:
        recorder = Recorder(at=now)
        done = clocks.meet(tx, recorder, about=[about], now=now, kinds=kinds)
        log.append(tx, recorder.leaves)
    return done


def leaves(ledger: Ledger) -> list[bytes]:
    with ledger.snapshot() as tx:
        return [bytes(row[0]) for row in tx.rows("select body from audit_pending order by pending_id")]


def test_two_starts_of_one_clock_are_one(ledger: Ledger) -> None:
    about = an_id(1)
    first = started(ledger, about)
    again = started(ledger, about, at=BEGIN + timedelta(hours=5), now=BEGIN + timedelta(hours=6))
    assert [each.clock_id for each in again] == [each.clock_id for each in first]
    assert [each.due_at for each in again] == [each.due_at for each in first]
    assert len(leaves(ledger)) == len(BOTH), "one leaf a clock"
    met(ledger, about, now=BEGIN + timedelta(days=1))
    late = started(ledger, about)  # the same event, said once more after all was done
    assert [each.met_at is None for each in late] == [False, False]


def test_another_event_about_the_same_thing_is_another_clock(ledger: Ledger) -> None:
    about = an_id(1)
    first = started(ledger, about)
    met(ledger, about, now=BEGIN + timedelta(days=1))
    second = started(ledger, about, at=BEGIN + timedelta(days=2), now=BEGIN + timedelta(days=2))
    assert {each.clock_id for each in second}.isdisjoint(each.clock_id for each in first)
    assert all(each.met_at is None for each in second)


def test_a_clock_is_met_once_and_says_whether_it_was_late(ledger: Ledger) -> None:
    about = an_id(1)
    started(ledger, about)
    assert [each.kind for each in met(ledger, about, now=BEGIN, kinds=(ClockKind.STOP_DEMAND,))] == [ClockKind.STOP_DEMAND]
    assert met(ledger, about, now=BEGIN, kinds=(ClockKind.STOP_DEMAND,)) == []
    (late,) = met(ledger, about, now=BEGIN + timedelta(days=40))
    assert late.kind is ClockKind.WITHDRAWAL
    assert b'"late":true' in leaves(ledger)[-1]
    assert len(leaves(ledger)) == 4
    board = clock_board.take(ledger, now=BEGIN + timedelta(days=41), met=10)
    assert {board.state(each) for each in board.met} == {ClockState.MET, ClockState.MET_LATE}


def test_what_is_stored_does_not_move_with_the_rules(ledger: Ledger) -> None:
    about = an_id(1)
    (before,) = started(ledger, about, kinds=(ClockKind.STOP_DEMAND,))
    ours = ClockRule(term=Term(amount=1, unit=TermUnit.HOURS), law="changed")
    other = ClockTerms(rules={("RU", ClockKind.STOP_DEMAND): ours}, calendar=CalendarRules(zone="Asia/Tokyo"))
    (after,) = started(ledger, about, kinds=(ClockKind.STOP_DEMAND,), terms=other)
    assert after == before


def test_an_event_in_the_future_starts_its_clock_now_and_is_flagged(ledger: Ledger) -> None:
    about = an_id(1)
    (clock, _) = started(ledger, about, at=BEGIN + timedelta(days=3), now=BEGIN)
    assert (clock.started_at, clock.flag) == (BEGIN, "start_in_future")
    board = clock_board.take(ledger, now=BEGIN)
    assert (board.counts["flagged"], board.worst) == (2, "at_risk")
    assert b'"flag":"start_in_future"' in leaves(ledger)[0]
    # a moderator's clock may be a little ahead
    (near, _) = started(ledger, an_id(2), at=BEGIN + timedelta(minutes=4), now=BEGIN)
    assert near.flag is None


def test_a_clock_that_is_met_before_it_began_is_flagged(ledger: Ledger) -> None:
    about = an_id(1)
    started(ledger, about)
    done = met(ledger, about, now=BEGIN - timedelta(days=2))
    assert {each.flag for each in done} == {"met_before_start"}


def test_a_machine_whose_time_was_moved_back_is_not_believed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    started(ledger, an_id(1))
    back = clock_board.take(ledger, now=BEGIN - timedelta(days=20))
    assert (back.behind, back.worst) == (True, "at_risk")
    assert clock_board.take(ledger, now=BEGIN).behind is False
    with pytest.raises(LeadgateError) as refused:
        judge_clocks(back.as_dict(), red_in=("at_risk", "overdue"))
    assert refused.value.code == "clock_at_risk"


def test_red_comes_before_a_clock_is_missed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (clock,) = started(ledger, an_id(1), kinds=(ClockKind.STOP_DEMAND,))
    time = Time(clock.warn_at - timedelta(seconds=1))
    judge_clocks(clock_board.take(ledger, now=time()).as_dict(), red_in=("at_risk", "overdue"))
    time.advance(seconds=1)
    found = clock_board.take(ledger, now=time()).as_dict()
    assert found["clocks"] == [clock.clock_id]
    with pytest.raises(LeadgateError, match="clock_at_risk"):
        judge_clocks(found, red_in=("at_risk", "overdue"))
    judge_clocks(found, red_in=("overdue",))
    time.now = clock.due_at + timedelta(seconds=1)
    with pytest.raises(LeadgateError, match="clock_overdue"):
        judge_clocks(clock_board.take(ledger, now=time()).as_dict(), red_in=("overdue",))


def test_urgency_is_the_order(ledger: Ledger) -> None:
    started(ledger, an_id(1))
    started(ledger, an_id(2), at=BEGIN - timedelta(days=20))
    board = clock_board.take(ledger, now=BEGIN)
    assert [each.due_at for each in board.running] == sorted(each.due_at for each in board.running)
    assert board.counts == {"open": 4, "overdue": 1, "at_risk": 0, "flagged": 0}
    assert board.worst == "overdue"


def test_an_extension_needs_its_notice_and_comes_once(ledger: Ledger) -> None:
    (clock,) = started(ledger, an_id(1), kinds=(ClockKind.STOP_DEMAND,))
    (plain,) = started(ledger, an_id(2), kinds=(ClockKind.WITHDRAWAL,))

    def extended(clock_id: str, now: datetime, notice: str = "out-1") -> Clock:
        with ledger.transaction() as tx:
            recorder = Recorder(at=now)
            moved = clocks.extend(tx, recorder, clock_id=clock_id, reason="volume", notice=notice, now=now)
            log.append(tx, recorder.leaves)
        return moved

    for clock_id, now, notice, code in (
        (clock.clock_id, BEGIN, "", "no_notice"),
        (plain.clock_id, BEGIN, "out-1", "no_extension"),
        (an_id(9), BEGIN, "out-1", "unknown_clock"),
        (clock.clock_id, clock.due_at + timedelta(seconds=1), "out-1", "too_late"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            extended(clock_id, now, notice)
        assert refused.value.code == code
    moved = extended(clock.clock_id, BEGIN)
    assert moved.due_at == clock.latest_at
    assert moved.due_at - moved.warn_at == clock.due_at - clock.warn_at
    with pytest.raises(ConfigurationError, match="too_late"):
        extended(clock.clock_id, BEGIN)
    assert b"clock.extended" in leaves(ledger)[-1]


def test_clocks_of_people_are_found(ledger: Ledger) -> None:
    person = an_id(5)
    with ledger.transaction() as tx:
        clocks.start(
            tx,
            Recorder(at=BEGIN),
            terms=TERMS,
            kinds=BOTH,
            subject=ClockSubject.PERSON,
            about=person,
            brand="lada",
            started_at=BEGIN,
            now=BEGIN,
            person_id=person,
        )
        assert len(stored.of_persons(tx, [person])) == len(BOTH)
        assert stored.of_persons(tx, [an_id(6)]) == []
