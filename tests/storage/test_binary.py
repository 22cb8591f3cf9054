"""Rows and arrays in binary: whatever goes in comes out again, through COPY and through arrays, on both databases."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadgate.storage.binary import ARRAYS, copy_binary
from leadgate.storage.engine import Ledger, Transaction
from schemas.errors import StorageUnavailableError
from schemas.vocabulary import Outcome

# Postgres holds no NUL, UTF-8 no half of a surrogate pair.
_texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [r"\N", r"\.", "\\", "\t", "a\tb\nc\rd", '"', '","', "{}", "NULL", "null", "", "Ненастоящая 🙂", r"\x00", "%", "100 %b"]
)
_numbers = st.none() | st.integers(min_value=-(2**63), max_value=2**63 - 1)
_bytes = st.none() | st.binary(max_size=40)
_TABLE = "create temporary table bulk (place text, words text, number bigint, bytes {})"
_TEXT, _BIGINT, _BYTEA = 25, 20, 17  # pg_type.dat
_COLUMNS = {"place": "text", "words": "text", "number": "bigint", "bytes": "bytea"}


@given(st.lists(st.tuples(st.none() | _texts, _numbers, _bytes), min_size=1, max_size=8), st.booleans())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out(ledger: Ledger, values: list[tuple[str | None, int | None, bytes | None]], dense: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    if dense:  # whole columns of one type take another way than mixed ones
        values = [(words or "", number or 0, data or b"") for words, number, data in values]
    rows = [(f"{at:03d}", *each) for at, each in enumerate(values)]
    empty = [(place, None, None, None) for place, *_ in rows]
    every = "select place, words, number, bytes from bulk order by place"
    with ledger.transaction() as tx:
        tx.run(_TABLE.format("bytea" if ledger.postgres else "blob"))
        for write in (
            lambda: tx.insert("bulk", list(_COLUMNS), rows),
            lambda: tx.insert_new("bulk", _COLUMNS, rows),
            lambda: (
                tx.insert("bulk", list(_COLUMNS), empty),
                tx.update("bulk", "place", dict(list(_COLUMNS.items())[1:]), rows),
            ),
        ):
            write()
            assert [(*row[:3], None if row[3] is None else bytes(row[3])) for row in tx.rows(every)] == rows
            held = [row[1] for row in rows if row[1] is not None]
            assert len(tx.rows_in("select place from bulk where words in :values", held)) == len(held)
            tx.run("delete from bulk")
        tx.run("drop table bulk")


def test_an_update_with_a_guard_says_whom_it_updated(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        tx.run(_TABLE.format("bytea" if ledger.postgres else "blob"))
        tx.insert("bulk", ["place", "words", "number"], [("a", "mine", 1), ("b", "theirs", 1), ("c", "mine", 2)])
        held = tx.update_where(
            "bulk",
            "place",
            {"number": "bigint"},
            [("a", 7), ("b", 7), ("c", 7), ("d", 7)],
            guard="words = :word",
            always={"words": "'done'"},
            word="mine",
        )
        assert held == {"a", "c"}
        assert tx.rows("select place, words, number from bulk order by place") == [
            ("a", "done", 7),
            ("b", "theirs", 1),
            ("c", "done", 7),
        ]
        assert tx.update_where("bulk", "place", {"number": "bigint"}, [], guard="words = :word", word="mine") == set()
        tx.run("drop table bulk")


def test_words_of_a_vocabulary_are_text_and_other_types_are_refused() -> None:
    assert b"accepted" in b"".join(copy_binary([_TEXT, _BIGINT], [(Outcome.ACCEPTED, 1), (Outcome.DEAD, None)]))
    assert b"accepted" in ARRAYS["text"]([Outcome.ACCEPTED, None]).written()
    for kind, value in ((_TEXT, 1), (_TEXT, b"x"), (_BYTEA, "x"), (_BIGINT, 1.5), (_BIGINT, "1"), (_BIGINT, 2**63)):
        with pytest.raises((TypeError, struct.error)):
            list(copy_binary([kind], [(value,)]))
    for name, value in (("text", 1), ("bytea", "x"), ("bigint", 1.5), ("integer", 2**31)):
        with pytest.raises((TypeError, struct.error)):
            ARRAYS[name]([value]).written()


def test_text_that_no_database_holds_is_refused_without_being_quoted(ledger: Ledger) -> None:
    row = ("name", "Ненастоящая\ud800")
    columns = {"name": "text", "value": "text"}

    def insert(tx: Transaction) -> object:
        return tx.insert("ledger_property", list(columns), [row])

    def insert_new(tx: Transaction) -> object:
        return tx.insert_new("ledger_property", columns, [row])

    def update(tx: Transaction) -> object:
        return tx.update("ledger_property", "name", {"value": "text"}, [row])

    def run(tx: Transaction) -> object:
        return tx.run("delete from ledger_property where value = :value", value=row[1])

    for write in (insert, insert_new, update, run):
        with pytest.raises(StorageUnavailableError) as caught, ledger.transaction() as tx:
            write(tx)
        assert "Ненаст" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
