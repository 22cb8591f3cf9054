"""Each thing that can be wrong with an envelope has a code, and the layout is the documented one."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from consent.envelope import head, id_name, id_names, names, pack_wrapped, seal, sealed_under, unpack_wrapped, unseal
from schemas.errors import VaultError

DEK = bytes(range(32))
KEY_ID = bytes(range(100, 108))
NONCE = bytes(range(200, 212))
ROW = names("acme", "leads", "fields", "person", "lead")
PLAIN = "Юлия 🌸 canary".encode()
ENVELOPE = seal(DEK, head(7, KEY_ID), NONCE, PLAIN, ROW)


def code(envelope: bytes, *, dek: bytes = DEK, key_id: bytes = KEY_ID, row: bytes = ROW) -> str:
    with pytest.raises(VaultError) as refused:
        unseal(dek, key_id, envelope, row)
    assert "canary" not in f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__context__!r}"
    return refused.value.code


def test_gcm_is_that_of_the_published_test_case_16() -> None:
    # McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, which NIST's validation vectors contain.
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = AESGCM(key).encrypt(
        bytes.fromhex("cafebabefacedbaddecaf888"), plain, bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    )
    assert sealed.hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )


def test_the_layout_is_the_documented_one() -> None:
    magic, version, algorithm, key_version, key_id, row = struct.unpack_from(">3sBBI8sI", ENVELOPE)
    assert (magic, version, algorithm, key_version, key_id, row) == (b"LGE", 1, 1, 7, KEY_ID, crc32(ROW))
    assert ENVELOPE[21:33] == NONCE
    associated = ENVELOPE[:21] + b"\x00\x04acme\x00\x05leads\x00\x06fields\x00\x06person\x00\x04lead"
    assert AESGCM(DEK).decrypt(NONCE, ENVELOPE[33:], associated) == PLAIN
    assert sealed_under(ENVELOPE) == 7


def test_it_opens() -> None:
    assert unseal(DEK, KEY_ID, ENVELOPE, ROW) == PLAIN


def test_each_fault_has_its_code() -> None:
    assert code(ENVELOPE, key_id=bytes(8)) == "wrong_key"
    assert code(ENVELOPE, dek=bytes(32)) == "not_authentic"
    assert code(ENVELOPE, row=names("acme", "leads", "fields", "person", "other")) == "wrong_row"
    assert code(ENVELOPE[:3] + b"\x02" + ENVELOPE[4:]) == "unknown_format"
    assert code(ENVELOPE[:4] + b"\x09" + ENVELOPE[5:]) == "unknown_algorithm"
    assert code(b"XXX" + ENVELOPE[3:]) == "foreign"
    assert code(pack_wrapped(1, bytes(48))) == "unknown_algorithm"
    assert code(ENVELOPE + b"\x00") == "not_authentic"


_NAMES = st.one_of(st.uuids().map(str), st.text(min_size=36, max_size=36), st.text(st.characters(max_codepoint=127)), st.text())


@given(_NAMES, _NAMES)
def test_the_short_way_of_naming_ids_is_the_long_one(one: str, other: str) -> None:
    for short, parts in ((lambda: id_name(one), (one,)), (lambda: id_names(one, other), (one, other))):
        try:
            expected = names(*parts)
        except (VaultError, UnicodeEncodeError) as error:
            with pytest.raises(type(error)):
                short()
        else:
            assert short() == expected


def test_a_row_whose_check_sum_collides_still_fails_at_the_tag() -> None:
    other = names("acme", "leads", "fields", "person", "else")
    lied = ENVELOPE[:17] + crc32(other).to_bytes(4, "big") + ENVELOPE[21:]
    assert code(lied, row=other) == "not_authentic"


def test_cut_off_anywhere_it_says_truncated_or_not_authentic() -> None:
    for length in range(len(ENVELOPE)):
        assert code(ENVELOPE[:length]) == ("truncated" if length < 33 + 16 else "not_authentic")


def test_no_flipped_bit_goes_unseen() -> None:
    for at in range(len(ENVELOPE) * 8):
        changed = bytearray(ENVELOPE)
        changed[at // 8] ^= 1 << at % 8
        code(bytes(changed))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_two_lists_of_names_never_read_alike(one: list[str], other: list[str]) -> None:
    assert (names(*one) == names(*other)) == (one == other)


@pytest.mark.parametrize("parts", [(), ("",), ("a", ""), ("a", "b" * 65536)])
def test_a_missing_name_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(VaultError, match="context_missing"):
        names(*parts)


@given(st.binary(max_size=120))
def test_any_bytes_are_refused_with_a_vault_error(garbage: bytes) -> None:
    with pytest.raises(VaultError):
        unseal(DEK, KEY_ID, garbage, ROW)
    with pytest.raises(VaultError):
        unpack_wrapped(garbage, 1)


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.text(min_size=1, max_size=20))
def test_what_was_sealed_opens(plain: bytes, version: int, row: str) -> None:
    envelope = seal(DEK, head(version, KEY_ID), NONCE, plain, names(row))
    assert unseal(DEK, KEY_ID, envelope, names(row)) == plain
    assert sealed_under(envelope) == version


def test_the_version_of_foreign_bytes_is_not_guessed() -> None:
    for foreign in (b"", b"LGE", b"XXXXXXXXXXXXXXX"):
        with pytest.raises(VaultError, match="foreign"):
            sealed_under(foreign)
