"""An index finds what was indexed, under old and new keys, says nothing about it, and takes normalised input only."""

from __future__ import annotations

import hmac
import io
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from consent.blind_index import BlindIndex, IndexKind, IndexValue, lookup_contexts
from consent.keys.keyring import keyring_from_json, new_keyring
from consent.keys.live import LiveKeys
from consent.keys.provider import STABLE_VERSION
from schemas.errors import VaultError
from schemas.fields.contact import read_email, read_phone
from schemas.fields.text import Identifier

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYRING = new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom)
INDEX = BlindIndex(KEYRING, "acme")
PHONE, EMAIL, USER = "+79000000042", "anna@example.org", "vk:10000042"
VALUES = {IndexKind.PHONE: PHONE, IndexKind.EMAIL: EMAIL, IndexKind.USER: USER}


def test_it_is_the_documented_construction() -> None:
    key = KEYRING.derive("leadgate/v1|acme|blind_index|phone|lookup", 32, 1)
    assert INDEX.phone("volga", PHONE) == hmac.digest(key, b"\x00\x05volga" + PHONE.encode(), "sha256")
    assert len(INDEX.phone("volga", PHONE)) == 32


def test_one_kind_and_any_kind_agree() -> None:
    assert INDEX.current(IndexKind.PHONE, "volga", PHONE).digest == INDEX.phone("volga", PHONE)
    assert INDEX.current(IndexKind.EMAIL, "volga", EMAIL).digest == INDEX.email("volga", EMAIL)
    assert INDEX.current("user", "volga", USER).digest == INDEX.user("volga", USER)
    for kind, value in VALUES.items():
        assert INDEX.candidates(kind, "volga", value) == (INDEX.current(kind, "volga", value),)


def test_brands_and_kinds_share_no_digest() -> None:
    everything = [
        *(INDEX.current(kind, brand, value).digest for kind, value in VALUES.items() for brand in ("volga", "aero")),
        INDEX.fingerprint("volga", PHONE),
        INDEX.fingerprint("aero", PHONE),
    ]
    assert len(set(everything)) == 8
    # "volg" + "a..." must not read like "volga" + "...": the same user id could begin with a letter of the brand.
    assert INDEX.fingerprint("volg", "a") != INDEX.fingerprint("volga", "")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IndexKind.PHONE, value)
        for value in (
            "",
            "79000000042",
            "+7 900 0000042",
            "+7900000004a",
            "+09000000042",
            "+790",
            "+79000000042000000000",
            f"{PHONE}\n",
        )
    ]
    + [(IndexKind.PHONE, "+7٩000000042"), (IndexKind.PHONE, f" {PHONE}"), (IndexKind.PHONE, "+7-900-000-00-42")]
    + [
        (IndexKind.EMAIL, value)
        for value in (
            "",
            "anna",
            "Anna@example.org",
            "anna@Example.org",
            " anna@example.org",
            "a@b@example.org",
            "anna@",
            "@example.org",
        )
    ]
    + [
        (IndexKind.EMAIL, "a\u0308@example.org"),
        (IndexKind.EMAIL, "ann\ud800@example.org"),
        (IndexKind.EMAIL, "a\x00@example.org"),
        (IndexKind.EMAIL, "анна@Example.org"),
        (IndexKind.EMAIL, "Анна@example.org"),
    ]
    + [(IndexKind.USER, value) for value in ("", "vk", "vk:", "ok:1", "VK:1", "vk:1 2", "vk:один", "vk:1\n", "vk:\ud800")],
)
def test_what_is_not_normalised_is_refused_and_not_quoted(kind: IndexKind, value: str) -> None:
    assert not INDEX.accepts(kind, value)
    direct = {IndexKind.PHONE: INDEX.phone, IndexKind.EMAIL: INDEX.email, IndexKind.USER: INDEX.user}[kind]
    for call in (
        lambda: direct("volga", value),
        lambda: INDEX.current(kind, "volga", value),
        lambda: INDEX.candidates(kind, "volga", value),
    ):
        with pytest.raises(VaultError) as refused:
            call()
        assert (refused.value.code, refused.value.field) == ("not_normalised", kind.value)
        assert not value or value not in f"{refused.value} {refused.value!r} {refused.value.__context__!r}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IndexKind.PHONE, PHONE),
        (IndexKind.PHONE, "+442079460000"),
        (IndexKind.EMAIL, EMAIL),
        (IndexKind.EMAIL, "анна@example.org"),
        (IndexKind.EMAIL, "o'neil+tag@example.org"),
        (IndexKind.EMAIL, "anna@\u13a0.example.org"),  # Cherokee
        (IndexKind.USER, "vk:-42"),
        (IndexKind.USER, "instagram:some.name_1"),
        (IndexKind.USER, "facebook:10000000000000042"),
    ],
)
def test_what_is_normalised_is_taken(kind: IndexKind, value: str) -> None:
    assert INDEX.accepts(kind, value)
    assert len(INDEX.current(kind, "volga", value).digest) == 32


def _named(index: BlindIndex, brand: str, fields: Mapping[str, str]) -> list[tuple[str, tuple[IndexValue, ...]]]:
    """The long way: each kind that is given, the strongest first."""
    return [(kind.value, index.candidates(kind, brand, fields[kind])) for kind in IndexKind if fields.get(kind)]


def test_a_lead_is_identified_by_the_candidates_of_its_identifiers() -> None:
    announced = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom, announce=True)
    promoted = announced.with_current(2)
    dropped = promoted.without_version(1, keep=lookup_contexts("acme"))
    for index in (INDEX, *(BlindIndex(keyring, "acme") for keyring in (announced, promoted, dropped))):
        for brand in ("volga", "aero", "volga"):
            for fields in (VALUES, {"email": "анна@example.org", "city": "Nowhere"}, {"user": USER, "phone": ""}, {}):
                named = {str(kind): value for kind, value in fields.items()}
                assert index.identify(brand, named) == _named(index, brand, named)
        for number in range(200):  # more brands than are remembered
            assert index.identify(f"brand{number}", {"phone": PHONE}) == _named(index, f"brand{number}", {"phone": PHONE})


@given(st.sampled_from(list(IndexKind)), st.text(max_size=20) | st.emails() | st.from_regex(r"[!-~]{1,9}@[!-~]{1,9}"))
@example(IndexKind.EMAIL, "anna@Example.org")
@example(IndexKind.EMAIL, "@example.org")
@example(IndexKind.EMAIL, "a@b\n")
def test_it_identifies_by_nothing_that_is_not_normalised(kind: IndexKind, value: str) -> None:
    if INDEX.accepts(kind, value) or not value:
        assert INDEX.identify("volga", {kind.value: value}) == _named(INDEX, "volga", {kind.value: value})
        return
    with pytest.raises(VaultError) as refused:
        INDEX.identify("volga", {kind.value: value})
    assert (refused.value.code, refused.value.field) == ("not_normalised", kind.value)
    assert value not in f"{refused.value.__context__!r}"


def _normal_email(email: str) -> bool:
    """The rule in full: one "@" with something at both sides, no white space, lower case, NFC."""
    local, at, domain = email.partition("@")
    if not at or "@" in domain or re.search(r"[\s\x00-\x1f\x7f]", email) or not (0 < len(local) <= 256 > len(domain) > 0):
        return False
    return email.isascii() and email == email.lower()


@given(st.from_regex(r"[!-~]{1,9}@?[!-~]{0,9}", fullmatch=True) | st.emails() | st.text(st.characters(max_codepoint=127)))
def test_an_address_in_ascii_is_normal_by_the_rule_in_full(email: str) -> None:
    if email.isascii():
        assert INDEX.accepts(IndexKind.EMAIL, email) == _normal_email(email)


def test_every_number_the_schema_lets_through_has_an_index() -> None:
    """A lead that the schema admits and the index refuses would stop the whole batch."""
    taken = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None and phonenumbers.is_valid_number(example):
                written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
                assert INDEX.accepts(IndexKind.PHONE, read_phone(written, None).e164), (region, kind)
                taken += 1
    assert taken > 1000


@given(st.text(max_size=12), st.sampled_from(["example.org", "EXAMPLE.com", "пример.рф", "Bücher.example", "a-b.c.example"]))
@example("ΑΣ", "example.org")
@example("İ", "example.org")
@example("a\u0308", "example.org")
@example("K", "example.org")  # the Kelvin sign
def test_every_address_the_schema_lets_through_has_an_index(local: str, domain: str) -> None:
    try:
        address = read_email(f"{local}@{domain}")
    except ValidationError:
        return
    assert INDEX.accepts(IndexKind.EMAIL, address)


@given(st.text(st.characters(min_codepoint=1, max_codepoint=300), max_size=210))
def test_every_user_the_schema_lets_through_has_an_index(written: str) -> None:
    try:
        user = Identifier().read(written)
    except ValidationError:
        return
    assert user is None or INDEX.accepts(IndexKind.USER, f"vk:{user}")


def test_a_missing_context_is_refused() -> None:
    for call in (
        lambda: INDEX.phone("", PHONE),
        lambda: INDEX.candidates(IndexKind.EMAIL, "", EMAIL),
        INDEX.fingerprint,
        lambda: INDEX.fingerprint("", ""),
    ):
        with pytest.raises(VaultError, match="context_missing"):
            call()
    with pytest.raises(VaultError, match="unknown_kind"):
        INDEX.current("name", "volga", "anna")
    with pytest.raises(VaultError, match="wrong_tenant"):
        BlindIndex(KEYRING, "other")


# -- rotation -------------------------------------------------------------------------------------------------------------


def test_no_lookup_fails_while_the_key_rotates() -> None:
    """Three processes: one from before, one that knows the announced version, one that already writes under it."""
    announced = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom, announce=True)
    promoted = announced.with_current(2)
    waiting, writing = BlindIndex(announced, "acme"), BlindIndex(promoted, "acme")
    assert waiting.versions == (1, 2)
    assert writing.versions == (2, 1)
    for kind, value in VALUES.items():
        old, new = INDEX.current(kind, "volga", value), writing.current(kind, "volga", value)
        assert (old.version, new.version) == (1, 2)
        assert waiting.current(kind, "volga", value) == old
        for index in (waiting, writing):
            assert index.candidates(kind, "volga", value)[0] == index.current(kind, "volga", value)
            found = {(each.version, each.digest) for each in index.candidates(kind, "volga", value)}
            assert found == {(each.version, each.digest) for each in (old, new, writing.layered(old.version, old.digest))}
        # who knows only of the announcement writes both, so that whoever writes the new one alone meets it
        assert [each.version for each in waiting.candidates(kind, "volga", value) if each.write] == [1, 2]
        assert [each.version for each in writing.candidates(kind, "volga", value) if each.write] == [2]
    assert writing.fingerprints(("volga", PHONE))[1] == INDEX.fingerprint("volga", PHONE)
    assert BlindIndex(promoted.without_version(1), "acme").candidates(IndexKind.PHONE, "volga", PHONE) == (
        writing.current(IndexKind.PHONE, "volga", PHONE),
    )


def test_a_layered_digest_is_found_over_any_number_of_rotations() -> None:
    """Nobody has the value any more; what stands is brought from key to key, and the roots before are destroyed."""
    keyring, digest = KEYRING, INDEX.current(IndexKind.PHONE, "volga", PHONE)
    first = digest
    for version in (2, 3, 4):
        keyring = keyring.with_new_version(now=NOW, random_bytes=os.urandom)
        index = BlindIndex(keyring, "acme")
        assert digest.digest in {each.digest for each in index.candidates(IndexKind.PHONE, "volga", PHONE)}
        digest = index.layered(digest.version, digest.digest)
        assert digest.version == version
        keyring = keyring.without_version(version - 1, keep=lookup_contexts("acme"))
        assert keyring.kept_versions == tuple(range(1, version))
        after = BlindIndex(keyring_from_json(keyring.to_json(), where="test"), "acme")
        found = after.candidates(IndexKind.PHONE, "volga", PHONE)
        assert digest.digest in {each.digest for each in found}
        assert first.digest not in {each.digest for each in found}
        assert [each.version for each in found if each.write] == [version]
        assert digest.digest not in {each.digest for each in after.candidates(IndexKind.PHONE, "s7", PHONE)}
    with pytest.raises(VaultError, match="key_version_missing"):  # what was kept opens nothing
        keyring.derive("leadgate/v1|acme|keys|dek|wrap", 32, 1)
    forgotten = keyring.with_new_version(now=NOW, random_bytes=os.urandom).without_version(4)
    assert forgotten.kept_versions == ()


def test_layers_are_hmac_of_the_digest_below() -> None:
    rotated = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom)
    key = rotated.derive("leadgate/v1|acme|blind_index|layer|lookup", 32, 2)
    below = INDEX.phone("volga", PHONE)
    assert BlindIndex(rotated, "acme").layered(1, below) == IndexValue(2, hmac.digest(key, below, "sha256"), write=False)


def test_an_index_takes_a_rotation_up_when_it_is_told_to() -> None:
    held = [KEYRING]
    index = BlindIndex(LiveKeys(lambda: held[0]), "acme")
    held[0] = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom)
    assert index.versions == (1,)
    assert index.identify("volga", VALUES) == INDEX.identify("volga", VALUES)
    index.refresh()
    assert index.identify("volga", VALUES) == BlindIndex(held[0], "acme").identify("volga", VALUES)
    assert index.versions == (2, 1)
    assert index.phone("volga", PHONE) == BlindIndex(held[0], "acme").phone("volga", PHONE)


def test_a_suppression_survives_rotations_and_finds_nothing_else() -> None:
    rotated = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom).without_version(1)
    digest = INDEX.suppression(IndexKind.PHONE, "volga", PHONE)
    assert digest == BlindIndex(rotated, "acme").suppression(IndexKind.PHONE, "volga", PHONE)
    assert digest not in {each.digest for each in INDEX.candidates(IndexKind.PHONE, "volga", PHONE)}
    assert digest != INDEX.suppression(IndexKind.PHONE, "s7", PHONE)
    with pytest.raises(VaultError, match="not_normalised"):
        INDEX.suppression(IndexKind.PHONE, "volga", "8 900")


# -- duplicates -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(), min_size=1, max_size=5), st.lists(st.text(), min_size=1, max_size=5))
def test_fingerprints_are_equal_only_if_the_parts_are(one: list[str], other: list[str]) -> None:
    if any(one) and any(other):
        assert (INDEX.fingerprint(*one) == INDEX.fingerprint(*other)) == (one == other)


@given(st.lists(st.text() | st.text(st.characters(categories=["Cs", "L"])) | st.integers(500, 3000).map("я".__mul__)))
def test_any_parts_are_taken_with_their_lengths(parts: list[str]) -> None:
    if not any(parts):
        return
    raw = [part.encode("utf-8", "surrogatepass") for part in parts]
    key = KEYRING.derive("leadgate/v1|acme|blind_index|fingerprint|lookup", 32, 1)
    message = b"".join(len(each).to_bytes(4, "big") + each for each in raw)
    assert INDEX.fingerprint(*parts) == hmac.digest(key, message, "sha256")


def test_a_fingerprint_is_the_documented_construction() -> None:
    key = KEYRING.derive("leadgate/v1|acme|blind_index|fingerprint|lookup", 32, 1)
    message = b"\x00\x00\x00\x05volga\x00\x00\x00\x00\x00\x00\x00\x04test"
    assert INDEX.fingerprint("volga", "", "test") == hmac.digest(key, message, "sha256")
    assert INDEX.fingerprints(("volga", "", "test")) == (INDEX.fingerprint("volga", "", "test"),)


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a socket or a compressed file does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 700_000])
def test_a_file_digest_is_keyed_and_over_all_bytes(size: int) -> None:
    content = (b"Anna;+79000000042\n" * (size // 18 + 1))[:size]
    key = KEYRING.derive("leadgate/v1|acme|blind_index|file|lookup", 32, STABLE_VERSION)
    digest = INDEX.file_digest(io.BytesIO(content))
    assert digest == hmac.new(key, content, "sha256").hexdigest()
    assert digest != sha256(content).hexdigest()
    assert size > 5000 or digest == INDEX.file_digest(Trickle(content))


def test_a_file_is_recognised_after_a_rotation() -> None:
    rotated = KEYRING.with_new_version(now=NOW, random_bytes=os.urandom).without_version(1)
    content = b"Anna;+79000000042\n"
    assert BlindIndex(rotated, "acme").file_digest(io.BytesIO(content)) == INDEX.file_digest(io.BytesIO(content))
