"""A keyring says what is wrong with it without saying what is in it, and its keys follow the published constructions."""

from __future__ import annotations

import base64
import hmac
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from consent.keys.keyring import Keyring, keyring_from_json, new_keyring
from consent.keys.provider import STABLE_VERSION, Wrapped, key_context, keyring_identity, require_tenant
from schemas.errors import ConfigurationError, VaultError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTEXT = key_context(tenant="acme", table="leads", field="lead_ref", purpose="crm")


def counting_bytes(seed: int = 0) -> Any:
    """Random bytes of a test: reproducible, and never the same twice."""
    state = [seed]

    def draw(length: int) -> bytes:
        state[0] += 1
        return hmac.digest(b"test", str(state[0]).encode(), "sha512")[:length]

    return draw


@pytest.fixture
def keyring() -> Keyring:
    return new_keyring(tenant="acme", now=NOW, random_bytes=counting_bytes())


def document(keyring: Keyring) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(keyring.to_json())
    return loaded


# -- published vectors ---------------------------------------------------------------------------------------------------


def test_hkdf_is_that_of_rfc_5869_case_1() -> None:
    derived = HKDF(
        algorithm=SHA256(),
        length=42,
        salt=bytes.fromhex("000102030405060708090a0b0c"),
        info=bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
    ).derive(bytes.fromhex("0b" * 22))
    assert derived.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"


@pytest.mark.parametrize(
    ("plain", "wrapped"),
    [
        ("c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_key_wrap_is_that_of_rfc_5649_section_6(plain: str, wrapped: str) -> None:
    kek = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    assert aes_key_wrap_with_padding(kek, bytes.fromhex(plain)).hex() == wrapped
    assert aes_key_unwrap_with_padding(kek, bytes.fromhex(wrapped)).hex() == plain


def test_derive_is_hkdf_of_the_root_with_context_and_version(keyring: Keyring) -> None:
    root = base64.b64decode(document(keyring)["keys"][0]["root"])
    extracted = hmac.digest(bytes(32), root, "sha256")  # RFC 5869 2.2 without a salt
    first = hmac.digest(extracted, b"leadgate/v1|acme|leads|lead_ref|crm|1\x01", "sha256")  # 2.3, T(1)
    second = hmac.digest(extracted, first + b"leadgate/v1|acme|leads|lead_ref|crm|1\x02", "sha256")
    assert keyring.derive(CONTEXT, 32) == first
    assert keyring.derive(CONTEXT, 48) == (first + second)[:48]


# -- keys ------------------------------------------------------------------------------------------------------------------


def test_every_context_and_version_has_a_key_of_its_own(keyring: Keyring) -> None:
    ring = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50))
    contexts = [
        key_context(tenant="acme", table=table, field=field, purpose=purpose)
        for table in ("a", "b")
        for field in ("a", "b")
        for purpose in ("a", "b")
    ]
    keys = {ring.derive(context, 32, version) for context in contexts for version in (STABLE_VERSION, 1, 2)}
    assert len(keys) == len(contexts) * 3


@pytest.mark.parametrize(
    "info",
    [
        "",
        "leads",
        "leadgate/v1|acme|leads|fields",
        "leadgate/v1|acme||fields|wrap",
        "leadgate/v1|acme|leads|fields|",
        "leadgate/v2|acme|leads|fields|wrap",
        "leadgate/v1|acme|leads|fields|wrap|more",
        "leadgate/v1|acme|leads|fi elds|wrap",
        "leadgate/v1|acme|leads|fields|wrap\n",
    ],
)
def test_a_missing_context_is_refused(keyring: Keyring, info: str) -> None:
    with pytest.raises(VaultError) as refused:
        keyring.derive(info, 32)
    assert refused.value.code == "context_missing"


@pytest.mark.parametrize("part", ["tenant", "table", "field", "purpose"])
def test_a_context_part_is_neither_empty_nor_holds_the_separator(part: str) -> None:
    good = {"tenant": "acme", "table": "leads", "field": "fields", "purpose": "wrap"}
    for bad in ("", "a|b", "\u0430"):  # the last one is a Cyrillic a
        with pytest.raises(VaultError, match="context_missing"):
            key_context(**{**good, part: bad})


def test_another_tenants_roots_are_refused(keyring: Keyring) -> None:
    assert require_tenant(keyring, "acme") == "acme"
    for tenant in ("", "other"):
        with pytest.raises(VaultError, match="wrong_tenant"):
            require_tenant(keyring, tenant)


def test_wrap_opens_under_its_version_only(keyring: Keyring) -> None:
    dek = bytes(range(40))
    old = keyring.wrap(dek)
    ring = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50))
    new = ring.wrap(dek)
    assert (old.version, new.version) == (1, 2)
    assert ring.unwrap(old) == ring.unwrap(new) == dek
    assert [wrapped.version for wrapped in ring.wrap_many([dek, dek])] == [2, 2]
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        keyring.unwrap(new)
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        keyring.derive(CONTEXT, 32, 2)
    with pytest.raises(VaultError, match="key_version_mismatch"):
        ring.unwrap(Wrapped(bytes=old.bytes, version=2))
    forged = old.bytes[:5] + (2).to_bytes(4, "big") + old.bytes[9:]
    with pytest.raises(VaultError, match="not_authentic"):
        ring.unwrap(Wrapped(bytes=forged, version=2))


def test_one_broken_key_costs_the_others_nothing(keyring: Keyring) -> None:
    deks = [bytes(range(at, at + 40)) for at in range(2)]
    first, last = keyring.wrap_many(deks)
    ring = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50))
    page = [first, Wrapped(bytes=b"?", version=1), last]
    assert ring.unwrap_many(page) == [deks[0], None, deks[1]]
    again = ring.rewrap_many(page)
    assert [each and (each.version, ring.unwrap(each)) for each in again] == [(2, deks[0]), None, (2, deks[1])]
    with pytest.raises(ConfigurationError, match="keyring_stale"):  # which is no fault of a key
        keyring.unwrap_many([first, *ring.wrap_many(deks)])


def test_a_keyring_is_recognised_over_rotations_and_told_from_another(keyring: Keyring) -> None:
    rotated = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50)).without_version(1)
    other = new_keyring(tenant="acme", now=NOW, random_bytes=counting_bytes(90))
    assert keyring_identity(rotated) == keyring_identity(keyring) != keyring_identity(other)
    assert len(keyring_identity(keyring)) == 32


def test_no_flipped_bit_of_a_wrapped_key_goes_unseen(keyring: Keyring) -> None:
    wrapped = keyring.wrap(bytes(range(40)))
    for at in range(len(wrapped.bytes) * 8):
        changed = bytearray(wrapped.bytes)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(VaultError):
            keyring.unwrap(Wrapped(bytes=bytes(changed), version=1))
    for length in range(len(wrapped.bytes)):
        with pytest.raises(VaultError, match="truncated"):
            keyring.unwrap(Wrapped(bytes=wrapped.bytes[:length], version=1))
    with pytest.raises(VaultError, match="truncated"):
        keyring.unwrap(Wrapped(bytes=wrapped.bytes + b"x", version=1))


def test_version_0_wraps_nothing(keyring: Keyring) -> None:
    forged = keyring.wrap(bytes(40)).bytes
    with pytest.raises(VaultError, match="key_version_missing"):
        keyring.unwrap(Wrapped(bytes=forged[:5] + bytes(4) + forged[9:], version=STABLE_VERSION))


# -- rotation ----------------------------------------------------------------------------------------------------------------


def test_a_version_is_announced_promoted_and_dropped(keyring: Keyring) -> None:
    announced = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50), announce=True)
    assert (announced.current_version, announced.versions) == (1, (2, 1))
    promoted = announced.with_current(2)
    assert (promoted.current_version, promoted.versions) == (2, (2, 1))
    assert promoted.derive(CONTEXT, 32, STABLE_VERSION) == keyring.derive(CONTEXT, 32, STABLE_VERSION)
    dropped = promoted.without_version(1)
    assert dropped.versions == (2,)
    with pytest.raises(VaultError, match="key_version_missing"):
        dropped.unwrap(keyring.wrap(bytes(40)))
    for wrong in (1, 2, 3):
        with pytest.raises(ConfigurationError):
            promoted.with_current(wrong)
    for wrong in (0, 2, 3):
        with pytest.raises(ConfigurationError):
            promoted.without_version(wrong)


def test_a_dropped_version_number_is_not_given_again(keyring: Keyring) -> None:
    ring = keyring.with_new_version(now=NOW, random_bytes=counting_bytes(50)).without_version(1)
    assert ring.with_new_version(now=NOW, random_bytes=counting_bytes(90)).versions == (3, 2)


# -- documents ----------------------------------------------------------------------------------------------------------------


def test_a_document_reads_back(keyring: Keyring) -> None:
    again = keyring_from_json(keyring.to_json(), where="keys.json")
    assert again.to_json() == keyring.to_json()
    assert again.derive(CONTEXT, 32) == keyring.derive(CONTEXT, 32)


def test_the_time_of_a_key_is_utc() -> None:
    moscow = datetime(2026, 3, 1, 15, 0, tzinfo=timezone(timedelta(hours=3)))
    assert document(new_keyring(tenant="acme", now=moscow, random_bytes=counting_bytes()))["keys"][0]["created_at"] == (
        "2026-03-01T12:00:00Z"
    )


def broken(keyring: Keyring) -> list[tuple[str, bytes]]:
    good = document(keyring)
    key = good["keys"][0]
    short = base64.b64encode(b"x" * 31).decode()
    documents: list[tuple[str, Any]] = [
        ("keyring_unreadable", {**good, "comment": "canary"}),
        ("keyring_unreadable", {**good, "keys": [{**key, "canary": 1}]}),
        ("keyring_unreadable", {name: value for name, value in good.items() if name != "stable"}),
        ("keyring_unreadable", {**good, "current": "canary"}),
        ("keyring_unreadable", []),
        ("keyring_format", {**good, "format": "leadgate-keyring/2"}),
        ("keyring_version", {**good, "keys": [key, key]}),
        ("keyring_version", {**good, "keys": [{**key, "version": 0}]}),
        ("keyring_version", {**good, "keys": [{**key, "version": 2**32}]}),
        ("keyring_current", {**good, "current": 0}),
        ("keyring_current", {**good, "current": 7}),
        ("keyring_current", {**good, "keys": []}),
        ("keyring_root", {**good, "stable": key["root"]}),
        ("keyring_root", {**good, "keys": [key, {**key, "version": 2}]}),
        ("keyring_root", {**good, "stable": short}),
        ("keyring_root", {**good, "stable": "canary!"}),
        ("keyring_root", {**good, "stable": "канарейка"}),
        ("keyring_tenant", {**good, "tenant": ""}),
        ("keyring_tenant", {**good, "tenant": "canary|x"}),
    ]
    texts = [(code, json.dumps(content).encode()) for code, content in documents]
    return [
        *texts,
        ("keyring_unreadable", b""),
        ("keyring_unreadable", b'{"canary'),
        ("keyring_unreadable", b"\xff\xfecanary"),
    ]


def test_a_broken_document_is_refused_and_not_quoted(keyring: Keyring) -> None:
    roots = [key["root"] for key in document(keyring)["keys"]]
    for code, text in broken(keyring):
        with pytest.raises(ConfigurationError) as refused:
            keyring_from_json(text, where="keys.json")
        assert refused.value.code == code, text
        assert refused.value.field is not None
        assert refused.value.field.startswith("keys.json")
        said = f"{refused.value!r} {refused.value} {refused.value.__context__!r}"
        assert "canary" not in said
        assert "канарейка" not in said
        assert not any(root in said for root in roots)


def test_a_keyring_does_not_show_or_pickle_itself(keyring: Keyring) -> None:
    said = f"{keyring!r} {keyring} {keyring._document!r} {keyring._document.keys[0]!r} {keyring.wrap(bytes(40))!r}"
    for secret in (document(keyring)["stable"], document(keyring)["keys"][0]["root"]):
        assert secret not in said
        assert base64.b64decode(secret).hex() not in said
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(keyring)
