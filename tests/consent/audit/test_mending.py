"""An exchange or a move of leaves is found from the root alone, and nothing else is taken for one."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.audit.mending import mend, out_of_order
from consent.audit.merkle import root_of

HASHES = [sha256(b"%d" % number).digest() for number in range(3000)]
NO_TIMES = [0.0] * 3000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_an_exchange_is_found_without_the_help_of_times(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 90))
    begin = data.draw(st.integers(0, size - 2))
    left, right = sorted(data.draw(st.lists(st.integers(begin, size - 1), min_size=2, max_size=2, unique=True)))
    hashes = HASHES[:100]
    hashes[left], hashes[right] = hashes[right], hashes[left]
    mended = mend(hashes, NO_TIMES, begin=begin, size=size, root=root_of(HASHES[:size]))
    assert mended is not None
    assert (mended.belongs, mended.stands, mended.hashes) == (left, right, HASHES[:100])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_move_is_found_without_the_help_of_times(data: st.DataObject) -> None:
    size = data.draw(st.integers(3, 40))
    begin = data.draw(st.integers(0, size - 3))
    origin, target = data.draw(st.lists(st.integers(begin, size - 1), min_size=2, max_size=2, unique=True))
    hashes = HASHES[:50]
    hashes.insert(target, hashes.pop(origin))
    mended = mend(hashes, NO_TIMES, begin=begin, size=size, root=root_of(HASHES[:size]))
    assert mended is not None
    assert mended.hashes == HASHES[:50]


def test_times_find_an_exchange_and_a_move_in_a_segment_too_wide_to_try_all() -> None:
    root, times = root_of(HASHES), [float(number) for number in range(3000)]
    exchanged, when = list(HASHES), list(times)
    for column in (exchanged, when):
        column[700], column[2400] = column[2400], column[700]  # type: ignore[assignment]
    mended = mend(exchanged, when, begin=500, size=3000, root=root)
    assert mended is not None
    assert (mended.belongs, mended.stands) == (700, 2400)
    moved, when = list(HASHES), list(times)
    for column in (moved, when):
        column.insert(2900, column.pop(520))  # type: ignore[arg-type]
    mended = mend(moved, when, begin=500, size=3000, root=root)
    assert mended is None or mended.hashes == HASHES
    assert out_of_order(when) == [2900]


def test_another_root_is_no_exchange() -> None:
    assert mend(HASHES[:40], NO_TIMES, begin=3, size=40, root=bytes(32)) is None
    assert mend(HASHES[:4], NO_TIMES, begin=3, size=4, root=bytes(32)) is None


@given(st.lists(st.integers(0, 30), max_size=40))
def test_what_is_left_without_the_strangers_never_falls_and_is_longest(times: list[int]) -> None:
    strangers = set(out_of_order([float(time) for time in times]))
    rest = [time for position, time in enumerate(times) if position not in strangers]
    assert rest == sorted(rest)
    longest = [0] * len(times)
    for position, time in enumerate(times):
        longest[position] = 1 + max((longest[at] for at in range(position) if times[at] <= time), default=0)
    assert len(rest) == max(longest, default=0)
