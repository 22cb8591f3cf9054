"""A full inbox in many batches, by two at once: each submission is decided once, whatever happens to one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from consent.pseudonyms import Pseudonyms
from leadgate.pipeline.admit import AdmitCount, Admitter
from schemas.vocabulary import Channel
from tests.houses.house import TestHouse


class _BrokenError(Exception):
    """Something nobody foresaw."""


def _admitter(house: TestHouse, clock: object) -> Admitter:
    return Admitter(
        ledger=house.ledger,
        vault=house.house.vault,
        index=house.house.index,
        pseudonyms=Pseudonyms(house.house.keys, house.settings.tenant),
        sources=house.house.sources,
        policies=house.house.policies,
        key_lengths=dict.fromkeys(house.settings.destinations, 26),
        clock=clock,  # type: ignore[arg-type] # a callable that breaks, in one test
    )


def _two(house: TestHouse, *, batch: int) -> AdmitCount:
    """What two came to that worked off the inbox side by side, as two processes would."""
    with house.another() as one, house.another() as other, ThreadPoolExecutor(max_workers=2) as pool:
        runs = [pool.submit(each.admitter.run, seconds=60, batch=batch) for each in (one, other)]
        return runs[0].result() + runs[1].result()


def test_a_full_inbox_is_decided_once_and_adds_up(house: TestHouse) -> None:
    leads = list(house.invented.many(40, brand="lada"))
    again = [house.invented.again(lead, channel=Channel.INSTAGRAM) for lead in leads[:10]]
    house.receive(*leads, *again)
    seen: list[AdmitCount] = []
    count = _admitter(house, house.clock).run(seconds=60, batch=7, progress=seen.append)
    assert (count.taken, count.admitted, count.refused) == (50, 40, 10), "a second request is a duplicate in whichever batch"
    assert [each.taken for each in seen] == sorted(each.taken for each in seen)
    assert seen[-1] == count
    assert house.rows("select count(*), count(distinct lead_id) from delivery") == [(80, 40)]
    assert house.rows("select count(*) from person") == [(40,)]
    assert house.verified().ok


def test_a_request_and_its_repetition_in_batches_side_by_side_are_one(house: TestHouse) -> None:
    leads = list(house.invented.many(42, brand="lada"))
    house.admit(*leads[:7])  # these people are known, the others are new to both batches
    for start in range(0, 42, 7):
        fresh = leads[start : start + 7] if start else [house.invented.lead(100 + at, brand="lada") for at in range(7)]
        again = [house.invented.again(lead, channel=Channel.INSTAGRAM) for lead in leads[start : start + 7]]
        house.receive(*fresh, *again)
    count = _two(house, batch=7)
    assert (count.taken, count.admitted, count.refused) == (84, 42, 42)
    assert house.rows("select count(*) from person") == [(49,)]
    assert house.rows("select count(distinct person_id), count(*) from identifier") == [(49, 49 * 3)]
    assert house.verified().ok


def test_who_breaks_in_the_midst_loses_nothing(house: TestHouse) -> None:
    house.receive(*house.invented.many(60, brand="lada"))
    calls = iter(range(100))

    def clock() -> datetime:
        if next(calls) >= 3:
            raise _BrokenError
        return house.clock()

    with pytest.raises(_BrokenError):
        _admitter(house, clock).run(seconds=60, batch=5)
    assert house.rows("select state, count(*) from submission group by 1 order by 1") == [("admitted", 15), ("received", 45)]
    assert _two(house, batch=5).admitted == 45
    assert house.rows("select count(*), count(distinct lead_id) from delivery") == [(120, 60)]
    assert house.verified().ok
