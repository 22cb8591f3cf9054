"""The short ways inside the text fields answer what the long way answers."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import text

PLAIN_NAMES = st.from_regex(re.compile(rf"[{text._LETTER}]+(?:[ '-][{text._LETTER}]+)*"), fullmatch=True)
PLAIN_LINES = st.from_regex(re.compile(rf"[{text._VISIBLE}]+(?: [{text._VISIBLE}]+)*"), fullmatch=True)


def test_every_letter_of_the_short_way_is_a_letter_that_nfc_leaves_alone() -> None:
    letters = [chr(point) for point in range(0x10000) if re.fullmatch(rf"[{text._LETTER}]", chr(point))]
    assert len(letters) > 600
    for letter in letters:
        assert letter.isalpha(), hex(ord(letter))
        assert unicodedata.normalize("NFC", letter) == letter
        assert unicodedata.combining(letter) == 0
    # Two of them never become one.
    everything = "".join(first + second for first in letters[:80] for second in letters)
    assert unicodedata.normalize("NFC", everything) == everything


@settings(max_examples=300, deadline=None)
@given(PLAIN_NAMES)
def test_plain_names(written: str) -> None:
    assert text._is_plain_name(written)
    if len(written) <= text.NAME_LIMIT:
        assert text.Name().read(written) == written == text.one_line(written, text.NAME_LIMIT)


@settings(max_examples=300, deadline=None)
@given(PLAIN_LINES)
def test_plain_lines(written: str) -> None:
    assert text._is_plain_line(written)
    if len(written) <= text.LINE_LIMIT:
        assert text.Line().read(written) == written == text.one_line(written, text.LINE_LIMIT)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_line_reads_again_to_the_same(written: str) -> None:
    try:
        once = text.one_line(written, 60)
    except text.ValidationError:
        return
    assert text.one_line(once, 60) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_free_text_reads_again_to_the_same(written: str) -> None:
    once = text.FreeText().read(written)
    assert once is None or text.FreeText().read(once) == once
