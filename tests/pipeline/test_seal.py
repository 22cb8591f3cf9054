"""Sealing: every committed leaf gets one place, in an order that causes come before effects, however many integrators run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from consent.audit import checkpoint as checkpoints
from consent.audit.leaf import decode
from consent.audit.merkle import CompactRange, leaf_hashes
from schemas.errors import AuditError
from schemas.vocabulary import Event
from tests.houses.house import TestHouse


def _leaves(house: TestHouse) -> list[tuple[int, bytes, bytes]]:
    rows = house.rows("select leaf_index, leaf_hash, body from audit_leaf order by leaf_index")
    return [(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


def _waiting(house: TestHouse) -> int:
    return int(house.rows("select count(*) from audit_pending")[0][0])


def test_sealing_nothing_is_harmless(house: TestHouse) -> None:
    first, again = house.house.seal(), house.house.seal()
    assert (first.integrated, first.tree_size, again.integrated, again.tree_size) == (0, 0, 0, 0)
    assert house.rows("select count(*) from checkpoint") == [(1,)]
    assert house.house.verify().ok


def test_leaves_are_numbered_from_zero_and_signed_over(house: TestHouse) -> None:
    house.admit(*house.invented.many(5))
    waiting = _waiting(house)
    assert waiting >= 10, "five received, five admitted"
    assert house.house.seal().integrated == waiting
    house.dispatcher("lada_crm").run(seconds=9)
    last = house.house.seal()
    leaves = _leaves(house)
    assert [index for index, _, _ in leaves] == list(range(last.tree_size))
    tree = CompactRange()
    tree.extend(leaf_hashes(body for _, _, body in leaves))
    assert tree.root().hex() == last.root
    notes = [row[0] for row in house.rows("select note from checkpoint order by tree_size")]
    signed = [checkpoints.verify(note, [house.house.log_key.verifier]) for note in notes]
    assert [each.size for each in signed] == [waiting, last.tree_size]
    assert signed[-1].root.hex() == last.root
    assert house.rows("select count(*) from audit_pending") == [(0,)]


def test_causes_stand_before_effects(house: TestHouse) -> None:
    for start in range(0, 12, 4):
        house.admit(*house.invented.many(4, start=start, brand="lada"))
        house.dispatcher("lada_calls").run(seconds=9)
    house.house.seal()
    seen: set[tuple[str, Event]] = set()
    for _, _, body in _leaves(house):
        entry = decode(body)
        if entry.event is Event.LEAD_ADMITTED:
            assert (entry.submission_id, Event.SUBMISSION_RECEIVED) in seen
        if entry.event is Event.DELIVERY_ACCEPTED:
            assert (entry.lead_id, Event.LEAD_ADMITTED) in seen
        seen |= {(each, entry.event) for each in (entry.submission_id, entry.lead_id) if each}


def test_integrators_at_once_give_out_no_place_twice(house: TestHouse) -> None:
    house.receive(*house.invented.many(40))

    def work(number: int) -> int:
        mine = house.another()
        try:
            if number == 0:
                mine.admitter.run(seconds=20, batch=5)
                return 0
            return sum(mine.seal().integrated for _ in range(6))
        finally:
            mine.close()

    with ThreadPoolExecutor(3) as pool:
        integrated = sum(pool.map(work, range(3)))
    last = house.house.seal()
    assert integrated + last.integrated == last.tree_size >= 80
    assert [index for index, _, _ in _leaves(house)] == list(range(last.tree_size))
    assert house.house.verify().ok


def test_a_damaged_tree_is_never_signed_over(house: TestHouse) -> None:
    house.admit(*house.invented.many(3))
    house.house.seal()
    house.receive(house.invented.lead(9))
    house.run("update checkpoint set root = :root", root=b"\0" * 32)
    with pytest.raises(AuditError) as caught:
        house.house.seal()
    assert caught.value.code == "frontier_damaged"
    assert house.rows("select count(*) from audit_pending") == [(1,)], "nothing was integrated"


def test_what_is_not_sealed_yet_is_exported_and_no_finding(house: TestHouse) -> None:
    house.admit(*house.invented.many(3))
    sealed = house.house.seal().tree_size
    house.admit(*house.invented.many(3, start=50))
    report = house.house.verify()
    assert (report.ok, report.sealed, report.leaves) == (True, sealed, sealed + 6)
