"""The short ways past phonenumbers and email-validator answer what the libraries answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.fields.contact import (
    PhoneNumber,
    read_email,
    read_email_by_library,
    read_phone,
    read_phone_by_library,
)

REGIONS = st.sampled_from(["RU", "KZ", "BY", "US", None])
PUNCTUATION = st.text(alphabet=" -()", max_size=3)


def answer(read: Callable[..., Any], *arguments: object) -> object:
    try:
        return read(*arguments)
    except ValidationError as error:
        return tuple(str(message) for message in error.messages)


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    """Russian mobile numbers as people write them, and what looks like them."""
    prefix = draw(st.sampled_from(["+7", "8", "7", "", "+8", "007", "+77", "810", "+ 7", "++7"]))
    national = draw(st.one_of(st.from_regex(r"9[0-9]{9}", fullmatch=True), st.from_regex(r"[0-9]{8,12}", fullmatch=True)))
    pieces = [draw(PUNCTUATION)]
    for digit in prefix + national:
        pieces += [digit, draw(PUNCTUATION) if draw(st.integers(0, 3)) == 0 else ""]
    return "".join(pieces) + draw(st.sampled_from(["", "", " ", ".", "\u202c", "!", "٣"]))


@settings(max_examples=1500, deadline=None)
@given(written_numbers(), REGIONS)
@example("8 (900) 000-00-01", "RU")
@example("+7(900)000-00-01", None)
@example("9300050000", "RU")  # the mobile range is not simply 9xx
@example("((((9000000001))))", "RU")
@example("-" * 60 + "9000000001", "RU")
def test_phones(written: str, region: str | None) -> None:
    assert answer(read_phone, written, region) == answer(read_phone_by_library, written, region)


def test_the_short_way_is_taken() -> None:
    assert read_phone("8 (900) 000-00-01", "RU") == PhoneNumber("+79000000001", "RU")


LOCAL = st.text(alphabet="abzAZ09._+-'иё%", min_size=0, max_size=70)
DOMAIN = st.one_of(
    st.sampled_from(
        ["example.org", "mail.example.com", "xn--e1afmkfd.xn--p1ai", "пример.рф", "b.test", "a-.org", "-a.org", "a..org"]
    ),
    st.text(alphabet="abz09.-", max_size=30),
    st.just("a" * 64 + ".org"),
    st.just(".".join(["abcdefgh"] * 30)),
)


@settings(max_examples=1500, deadline=None)
@given(LOCAL, DOMAIN)
@example("a" * 64, "example.org")
@example("a" * 65, "example.org")
@example("a..b", "example.org")
@example(".a", "example.org")
@example("a", "EXAMPLE.org")
def test_addresses(local: str, domain: str) -> None:
    written = f"{local}@{domain}"
    assert answer(read_email, written) == answer(read_email_by_library, written)


@settings(max_examples=300, deadline=None)
@given(LOCAL, DOMAIN)
def test_an_address_that_was_read_reads_again_to_the_same(local: str, domain: str) -> None:
    first = answer(read_email, f"{local}@{domain}")
    if isinstance(first, str):
        assert read_email(first) == first
