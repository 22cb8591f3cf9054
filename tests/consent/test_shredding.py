"""A shred list proves itself line by line: any bit of any line, any order, any other keyring is seen."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.keys.keyring import new_keyring
from consent.shredding import FIRST, LINE_BYTES, NO_KEY, ShredListKey, key_digest, parse
from schemas.errors import AuditError

BEGIN = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
KEY = ShredListKey(new_keyring(tenant="proof", now=BEGIN, random_bytes=os.urandom), "proof")


def _person(number: int) -> str:
    return f"019e8269-4e80-7000-8000-{number:012x}"


def _lines(count: int) -> list[bytes]:
    lines, before = [], FIRST
    for number in range(1, count + 1):
        at = BEGIN + timedelta(seconds=number)
        lines.append(KEY.line(number=number, at=at, person_id=_person(number), key_sha256=NO_KEY, before=before))
        before = parse(lines[-1], number).mac
    return lines


WHOLE = _lines(5)


def test_what_was_written_is_read() -> None:
    found = list(KEY.read(WHOLE))
    assert [each.person_id for each in found] == [_person(number) for number in range(1, 6)]
    assert [each.at for each in found] == [BEGIN + timedelta(seconds=number) for number in range(1, 6)]
    assert {len(line) for line in WHOLE} == {LINE_BYTES}


@given(at=st.integers(0, 5 * LINE_BYTES - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_is_seen_and_its_line_named(at: int, bit: int) -> None:
    changed = bytearray(b"".join(WHOLE))
    changed[at] ^= 1 << bit
    lines = [bytes(changed[start : start + LINE_BYTES]) for start in range(0, len(changed), LINE_BYTES)]
    with pytest.raises(AuditError, match=f"line {at // LINE_BYTES + 1} "):
        list(KEY.read(lines))


@given(order=st.permutations(range(5)))
def test_any_other_order_is_seen(order: list[int]) -> None:
    lines = [WHOLE[at] for at in order]
    if order == sorted(order):
        assert len(list(KEY.read(lines))) == 5
        return
    with pytest.raises(AuditError):
        list(KEY.read(lines))


def test_a_line_taken_out_or_of_another_keyring_is_seen() -> None:
    with pytest.raises(AuditError):
        list(KEY.read([*WHOLE[:2], *WHOLE[3:]]))
    other = ShredListKey(new_keyring(tenant="proof", now=BEGIN, random_bytes=os.urandom), "proof")
    with pytest.raises(AuditError):
        list(other.read(WHOLE))


def test_a_rotation_leaves_the_list_readable() -> None:
    keyring = new_keyring(tenant="proof", now=BEGIN, random_bytes=os.urandom)
    line = ShredListKey(keyring, "proof").line(number=1, at=BEGIN, person_id=_person(1), key_sha256=NO_KEY, before=FIRST)
    rotated = keyring.with_new_version(now=BEGIN, random_bytes=os.urandom)
    assert next(ShredListKey(rotated, "proof").read([line])).person_id == _person(1)


def test_a_key_is_named_by_its_random_id() -> None:
    head = b"LGE\x01\x01\x00\x00\x00\x01" + b"identity"
    assert key_digest(head) == key_digest(head + b"more")
    assert key_digest(head) != key_digest(head[:-1] + b"x")
    assert key_digest(None) == key_digest(b"torn") == NO_KEY
