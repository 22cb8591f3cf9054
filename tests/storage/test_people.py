"""The second look: what became of people since their leads were admitted, in one question, on both databases."""

from __future__ import annotations

from leadgate.storage import people
from leadgate.storage.clock import LATEST
from leadgate.storage.engine import Ledger


def test_one_question_names_who_took_something_back_and_who_was_destroyed(ledger: Ledger) -> None:
    names = ("stays", "took-back", "erased", "both", "elsewhere")
    with ledger.transaction() as tx:
        people.add(tx, [(name, "lada", "known", 1, b"wrapped", 1) for name in names])
        people.withdraw(tx, [("took-back", "callback", 5, None), ("took-back", "ads", 7, None), ("both", "callback", 9, None)])
        people.withdraw(tx, [("elsewhere", "callback", 3, None)])
        people.destroy(tx, ["erased", "both"], 11)
    with ledger.glance() as tx:
        withdrawn, erased = people.second_look(tx, ["stays", "took-back", "erased", "both", "nobody"])
        assert withdrawn == people.withdrawals(tx, ["stays", "took-back", "erased", "both", "nobody"])
        assert people.second_look(tx, []) == ({}, set())
    assert withdrawn == {"took-back": {"callback": 5, "ads": 7}, "both": {"callback": 9}}
    assert erased == {"erased", "both"}


def test_a_moment_somebody_wrote_to_counts_as_taken_back_for_good(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        people.withdraw(tx, [("somebody", "callback", -1, None)])
    with ledger.glance() as tx:
        assert people.second_look(tx, ["somebody"]) == ({"somebody": {"callback": LATEST}}, set())
