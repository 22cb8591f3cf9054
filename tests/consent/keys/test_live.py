"""A process that runs on takes a rotation up; another keyring, or an older one, it refuses."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime

import pytest

from consent.keys.keyring import Keyring, new_keyring
from consent.keys.live import LiveKeys
from consent.keys.provider import Wrapped, key_context
from schemas.errors import ConfigurationError, VaultError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTEXT = key_context(tenant="acme", table="leads", field="lead_ref", purpose="crm")


@pytest.fixture
def held() -> list[Keyring]:
    """What stands where the keyring is read from."""
    return [new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom)]


def rotated(held: list[Keyring]) -> Keyring:
    return held[0].with_new_version(now=NOW, random_bytes=os.urandom)


def test_a_newer_version_is_read_once_and_then_known(held: list[Keyring]) -> None:
    reads = []

    def read() -> Keyring:
        reads.append(1)
        return held[0]

    live = LiveKeys(read)
    dek = os.urandom(40)
    held[0] = rotated(held)
    wrapped = held[0].wrap(dek)
    assert live.versions == (1,)
    assert live.unwrap(wrapped) == dek
    assert live.derive(CONTEXT, 32, 2) == held[0].derive(CONTEXT, 32, 2)
    assert (live.current_version, live.versions, len(reads)) == (2, (2, 1), 2)
    assert live.rewrap_many([wrapped])[0] is not None
    assert LiveKeys(read).unwrap_many([wrapped]) == [dek]


def test_several_are_opened_after_one_reading(held: list[Keyring]) -> None:
    live, before = LiveKeys(lambda: held[0]), held[0].wrap(bytes(40))
    held[0] = rotated(held)
    after = held[0].wrap(bytes(range(40)))
    assert live.unwrap_many([before, Wrapped(bytes=b"?", version=1), after]) == [bytes(40), None, bytes(range(40))]


def test_what_is_not_there_even_then_stops_loudly(held: list[Keyring]) -> None:
    wrapped = rotated(held).wrap(os.urandom(40))
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        LiveKeys(lambda: held[0]).unwrap(wrapped)
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        LiveKeys(lambda: held[0]).unwrap_many([wrapped])


def test_a_dropped_version_is_not_taken_for_a_stale_keyring(held: list[Keyring]) -> None:
    wrapped = held[0].wrap(os.urandom(40))
    held[0] = rotated(held).without_version(1)
    with pytest.raises(VaultError, match="key_version_missing"):
        LiveKeys(lambda: held[0]).unwrap(wrapped)


def test_another_keyring_is_refused(held: list[Keyring]) -> None:
    live = LiveKeys(lambda: held[0])
    held[0] = new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom)
    with pytest.raises(ConfigurationError, match="wrong_keyring"):
        live.refresh()


def test_an_older_copy_is_refused(held: list[Keyring]) -> None:
    before = held[0]
    held[0] = rotated(held)
    live = LiveKeys(lambda: held[0])
    held[0] = before
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        live.refresh()
    assert live.current_version == 2


def test_it_shows_and_pickles_nothing(held: list[Keyring]) -> None:
    live = LiveKeys(lambda: held[0])
    assert repr(live) == "<live keys of acme, current version 1>"
    with pytest.raises(TypeError):
        pickle.dumps(live)
