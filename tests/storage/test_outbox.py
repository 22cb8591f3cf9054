"""Claims: each due delivery goes to one worker, a dead worker's become doubts, and nobody settles what is not theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from leadgate.storage import leads, outbox, people, reports, throttle
from leadgate.storage.engine import Ledger, Transaction
from leadgate.storage.ids import new_ids
from schemas.vocabulary import Outcome

_NOW = 1_000_000_000
_LEASE = _NOW + 60_000_000


def _queue(ledger: Ledger, count: int, *, due: int = _NOW, destination: str = "crm") -> list[str]:
    ids = new_ids(3 * count, _NOW)
    deliveries = ids[2 * count :]
    with ledger.transaction() as tx:
        for lead_id, consent_id, delivery_id in zip(ids[:count], ids[count : 2 * count], deliveries, strict=True):
            people.add(tx, [(f"p{lead_id[1:]}", "lada", "known", 0, b"key", 1)])
            leads.add(
                tx,
                [
                    (
                        lead_id,
                        f"p{lead_id[1:]}",
                        "s",
                        consent_id,
                        "lada",
                        "vk",
                        "ru",
                        "price",
                        "RU",
                        "phone",
                        5,
                        6,
                        "c",
                        b"s",
                        b"f",
                    )
                ],
                [(consent_id, f"p{lead_id[1:]}", "lada", "callback", "n", "1", "ru", "t", "comment", "", 3, 4, "1")],
            )
            row = (delivery_id, lead_id, f"p{lead_id[1:]}", destination, "callback", "k" * 26, "queued", 0, 0, due, None, None)
            outbox.add(tx, [row])
    return deliveries


def _claim(tx: Transaction, worker: str, limit: int = 100, now: int = _NOW) -> set[str]:
    claimed = outbox.claim(tx, destination="crm", worker=worker, limit=limit, now=now, lease_until=now + 60_000_000)
    return {one.delivery_id for one in claimed}


def _row(delivery_id: str, state: Outcome, *, not_before: int | None = None) -> tuple[object, ...]:
    return (delivery_id, state.value, "why", "ref", None, not_before, _NOW, 1)


def test_a_claim_takes_what_is_due_and_nothing_else(ledger: Ledger) -> None:
    due, later = _queue(ledger, 3), _queue(ledger, 2, due=_NOW + 1)
    _queue(ledger, 2, destination="elsewhere")
    with ledger.transaction() as tx:
        assert _claim(tx, "a") == set(due)
        assert _claim(tx, "b") == set()
    with ledger.transaction() as tx:
        assert _claim(tx, "b", now=_NOW + 1) == set(later)


def test_the_oldest_come_first(ledger: Ledger) -> None:
    young, old = _queue(ledger, 2, due=_NOW), _queue(ledger, 2, due=_NOW - 5)
    with ledger.transaction() as tx:
        assert _claim(tx, "a", limit=2) == set(old)
        assert _claim(tx, "a", limit=9) == set(young)


def test_workers_at_once_claim_disjoint_sets(ledger: Ledger) -> None:
    due = set(_queue(ledger, 120))

    def work(name: str) -> set[str]:
        mine = Ledger(ledger.url.render_as_string(hide_password=False))
        taken: set[str] = set()
        while True:
            with mine.transaction() as tx:
                more = _claim(tx, name, limit=7)
            if not more:
                mine.close()
                return taken
            assert not more & taken
            taken |= more

    with ThreadPoolExecutor(4) as pool:
        sets = list(pool.map(work, ["a", "b", "c", "d"]))
    assert set().union(*sets) == due
    assert sum(map(len, sets)) == len(due), "no delivery went to two workers"


@pytest.mark.postgres
def test_a_claim_passes_by_what_another_transaction_holds(postgres_ledger: str) -> None:
    # SQLite lets one writer in at a time: there is nobody to pass by
    ledger, other = Ledger(postgres_ledger), Ledger(postgres_ledger)
    with ledger.transaction() as tx:
        tx.run("delete from delivery")
    _queue(ledger, 6)
    with ledger.transaction() as tx:
        mine = _claim(tx, "a", limit=4)
        with other.transaction() as beside:
            theirs = _claim(beside, "b", limit=4)
    ledger.close()
    other.close()
    assert (len(mine), len(theirs), mine & theirs) == (4, 2, set())


def test_only_the_holder_settles(ledger: Ledger) -> None:
    one, two = _queue(ledger, 2)
    with ledger.transaction() as tx:
        _claim(tx, "a")
    with ledger.transaction() as tx:
        assert outbox.settle(tx, "b", [_row(one, Outcome.ACCEPTED)]) == set()
        assert outbox.settle(tx, "a", [_row(one, Outcome.ACCEPTED), _row(two, Outcome.QUEUED, not_before=_NOW)]) == {one, two}
        assert outbox.settle(tx, "a", [_row(one, Outcome.REJECTED)]) == set(), "a final outcome is final"
        assert _claim(tx, "b") == {two}


def test_a_lease_that_ran_out_becomes_a_doubt_and_the_first_to_look_ends_it(ledger: Ledger) -> None:
    (one,) = _queue(ledger, 1)
    with ledger.transaction() as tx:
        _claim(tx, "dead")
        assert outbox.expire_leases(tx, destination="crm", now=_LEASE - 1, look_at=0) == []
        assert [each.delivery_id for each in outbox.expire_leases(tx, destination="crm", now=_LEASE, look_at=_LEASE + 5)] == [
            one
        ]
        assert _claim(tx, "b", now=_LEASE + 9) == set(), "a doubt is not sent again"
        look: dict[str, Any] = {"destination": "crm", "limit": 9, "look_again": _LEASE + 100}
        assert outbox.claim_doubtful(tx, worker="b", now=_LEASE + 4, **look) == []
        assert [each.delivery_id for each in outbox.claim_doubtful(tx, worker="b", now=_LEASE + 5, **look)] == [one]
        assert outbox.claim_doubtful(tx, worker="c", now=_LEASE + 6, **look) == []
        assert outbox.settle(tx, "dead", [_row(one, Outcome.QUEUED, not_before=0)]) == set(), "it is b's to end"
        assert outbox.settle(tx, "b", [_row(one, Outcome.ACCEPTED)]) == {one}


def test_a_worker_that_was_only_slow_may_still_say_what_it_knows(ledger: Ledger) -> None:
    (one,) = _queue(ledger, 1)
    with ledger.transaction() as tx:
        _claim(tx, "slow")
        outbox.expire_leases(tx, destination="crm", now=_LEASE, look_at=_LEASE + 5)
        assert outbox.settle(tx, "slow", [_row(one, Outcome.ACCEPTED)]) == {one}
        assert outbox.claim_doubtful(tx, worker="b", destination="crm", limit=9, now=_LEASE + 9, look_again=_LEASE + 99) == []


def test_a_doubt_whose_reader_died_is_due_again(ledger: Ledger) -> None:
    (one,) = _queue(ledger, 1)
    with ledger.transaction() as tx:
        _claim(tx, "dead")
        outbox.expire_leases(tx, destination="crm", now=_LEASE, look_at=_LEASE)
        look: dict[str, Any] = {"destination": "crm", "limit": 9}
        outbox.claim_doubtful(tx, worker="b", now=_LEASE, look_again=_LEASE + 100, **look)
        again = outbox.claim_doubtful(tx, worker="c", now=_LEASE + 100, look_again=_LEASE + 200, **look)
        assert [each.delivery_id for each in again] == [one]


def test_work_is_seen_where_it_is_due(ledger: Ledger) -> None:
    _queue(ledger, 1, due=_NOW + 10)
    with ledger.transaction() as tx:
        assert outbox.destinations_with_work(tx, _NOW) == []
        assert outbox.destinations_with_work(tx, _NOW + 10) == ["crm"]
        _claim(tx, "a", now=_NOW + 10)
        assert outbox.destinations_with_work(tx, _NOW + 20) == [], "it is with a worker"
        assert outbox.destinations_with_work(tx, _NOW + 10 + 60_000_000) == ["crm"], "the worker is dead"
        throttle.record(tx, destination="crm", code="x", failures=9, open_until=_NOW + 90_000_000, success_at=None)
        assert outbox.destinations_with_work(tx, _NOW + 80_000_000) == [], "the breaker is open"
        assert outbox.destinations_with_work(tx, _NOW + 90_000_000) == ["crm"]


def test_turns_are_given_out_at_the_rate_and_an_untaken_one_is_not_spent(ledger: Ledger) -> None:
    rate: dict[str, Any] = {"destination": "crm", "interval": 100, "latest": 10**12}
    with ledger.transaction() as tx:
        assert [throttle.reserve(tx, now=1_000, burst=1, **rate) for _ in range(3)] == [1_000, 1_100, 1_200]
        late = {**rate, "latest": 1_250}
        assert [throttle.reserve(tx, now=1_000, burst=1, **late) for _ in range(5)] == [None] * 5
        assert throttle.reserve(tx, now=1_000, burst=1, **rate) == 1_300, "nobody was pushed back"
        assert throttle.reserve(tx, now=9_000, burst=1, **rate) == 9_000, "an idle time is no credit"
        other = {**rate, "destination": "burst"}
        assert [throttle.reserve(tx, now=1_000, burst=3, **other) for _ in range(5)] == [1_000, 1_000, 1_000, 1_100, 1_200]


def test_turns_are_shared_by_workers_at_once(ledger: Ledger) -> None:
    url = ledger.url.render_as_string(hide_password=False)

    def take(_: int) -> list[int | None]:
        mine = Ledger(url)
        turns = [
            mine.retrying(lambda tx: throttle.reserve(tx, destination="crm", now=0, interval=7, burst=1, latest=10**9))
            for _ in range(10)
        ]
        mine.close()
        return turns

    with ThreadPoolExecutor(3) as pool:
        turns = [turn for some in pool.map(take, range(3)) for turn in some]
    assert sorted(turn for turn in turns if turn is not None) == [7 * number for number in range(30)]


# -- hand-overs -------------------------------------------------------------------------------------------------------------


def _hand_over(ledger: Ledger, count: int, *, worker: str = "admits", destination: str = "crm") -> list[str]:
    """Deliveries that were claimed when they were queued, as admission hands them over."""
    ids = _queue(ledger, count, destination=destination)
    with ledger.transaction() as tx:
        rows = [(each, "claimed", None, _LEASE, worker) for each in ids]
        columns = {"state": "text", "not_before": "bigint", "lease_until": "bigint", "worker": "text"}
        tx.update("delivery", "delivery_id", columns, rows)
        outbox.add_hand_overs(tx, [(destination, ids[0], ids[-1], worker, _LEASE)])
    return ids


def _expired(tx: Transaction, now: int) -> set[str]:
    return {one.delivery_id for one in outbox.expire_leases(tx, destination="crm", now=now, look_at=_LEASE + 5)}


def test_a_hand_over_that_lapsed_becomes_doubts(ledger: Ledger) -> None:
    handed, other = _hand_over(ledger, 3), _hand_over(ledger, 2, worker="another")
    elsewhere = _hand_over(ledger, 1, destination="elsewhere")
    with ledger.transaction() as tx:
        tx.run("update hand_over set lease_until = :later where first_id = :one", later=_LEASE + 1, one=other[0])
        assert _expired(tx, _LEASE - 1) == set()
        assert _expired(tx, _LEASE) == set(handed), "nobody else's, and nowhere else"
        assert _expired(tx, _LEASE) == set()
        assert {row[0] for row in tx.rows("select first_id from hand_over")} == {other[0], elsewhere[0]}
        look: dict[str, Any] = {"destination": "crm", "limit": 9, "look_again": _LEASE + 100}
        assert len(outbox.claim_doubtful(tx, worker="b", now=_LEASE + 5, **look)) == 3


def test_a_hand_over_never_ends_a_lease_that_still_runs(ledger: Ledger) -> None:
    first, second = _hand_over(ledger, 2)
    with ledger.transaction() as tx:
        tx.run("update delivery set lease_until = :later where delivery_id = :id", later=_LEASE + 1, id=second)
        assert _expired(tx, _LEASE) == {first}
        assert tx.rows("select first_id from hand_over") == [(first,)], "it still speaks for one"
        assert _expired(tx, _LEASE + 1) == {second}
        assert tx.rows("select first_id from hand_over") == []


def test_what_was_settled_of_a_hand_over_is_no_doubt(ledger: Ledger) -> None:
    one, two, three = _hand_over(ledger, 3)
    with ledger.transaction() as tx:
        settled = [_row(one, Outcome.ACCEPTED), _row(two, Outcome.QUEUED, not_before=_NOW)]
        assert outbox.settle(tx, "admits", settled) == {one, two}
        assert _claim(tx, "b") == {two}, "what was given back is anybody's"
        assert _expired(tx, _LEASE) == {two, three}
        assert outbox.settle(tx, "admits", [_row(three, Outcome.ACCEPTED)]) == {three}, "it was only slow"


def test_what_is_in_hand_is_counted_and_becomes_work_when_it_lapses(ledger: Ledger) -> None:
    handed = _hand_over(ledger, 3)
    with ledger.transaction() as tx:
        assert outbox.due_counts(tx, _NOW) == [("crm", "lada", "callback", "claimed", 3, 3)]
        kind, waiting, received_at = reports.oldest_unanswered(tx) or ("", "", 0)
        assert (kind, waiting in handed, received_at) == ("delivery", True, 5)
        assert outbox.destinations_with_work(tx, _LEASE - 1) == []
        assert outbox.destinations_with_work(tx, _LEASE) == ["crm"]
        outbox.settle(tx, "admits", [_row(each, Outcome.ACCEPTED) for each in handed])
        outbox.end_hand_over(tx, destination="crm", first_id=handed[0])
        assert outbox.due_counts(tx, _NOW) == []
        assert reports.oldest_unanswered(tx) is None
        assert outbox.destinations_with_work(tx, _LEASE) == []
