"""An act is sealed under a key of its own, bound to its row, and its digest proves its documents while that key is there."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from consent.act_seal import ActSeal
from consent.keys.keyring import new_keyring
from schemas.errors import VaultError
from schemas.personal import Personal

SEAL = ActSeal(new_keyring(tenant="proof", now=datetime(2026, 6, 1, tzinfo=UTC), random_bytes=os.urandom), "proof")
ACT = "019e8269-4e80-7000-8000-000000000001"


def test_what_was_sealed_opens_and_nothing_else_does() -> None:
    sealed = SEAL.seal(ACT, Personal("Выдуманная".encode()), [b"page"])
    assert SEAL.open(ACT, sealed.wrapped_key, sealed.key_version, sealed.envelope).reveal() == "Выдуманная".encode()
    with pytest.raises(VaultError) as moved:
        SEAL.open(ACT[:-1] + "2", sealed.wrapped_key, sealed.key_version, sealed.envelope)
    assert moved.value.code == "wrong_row"
    with pytest.raises(VaultError) as gone:
        SEAL.open(ACT, None, 0, sealed.envelope)
    assert gone.value.code == "key_destroyed"
    assert "Выдуманная" not in repr(sealed)


def test_the_digest_is_of_these_documents_in_this_order_under_this_key() -> None:
    sealed = SEAL.seal(ACT, Personal(b"{}"), [b"one", b"two"])
    assert SEAL.digest(sealed.wrapped_key, sealed.key_version, [b"one", b"two"]) == sealed.keyed_sha256
    for other in ([b"two", b"one"], [b"one"], [b"onetwo"], [b"one", b"two", b""]):
        assert SEAL.digest(sealed.wrapped_key, sealed.key_version, other) != sealed.keyed_sha256
    assert SEAL.seal(ACT, Personal(b"{}"), [b"one", b"two"]).keyed_sha256 != sealed.keyed_sha256, "nobody can guess it"
