"""Keys in Vault, over real HTTP: what is wrapped opens, what rotates is found, and what goes wrong is loud and says nothing."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consent.blind_index import BlindIndex, IndexKind, lookup_contexts
from consent.keys.keyring import new_keyring
from consent.keys.live import LiveKeys
from consent.keys.provider import STABLE_VERSION, Wrapped, key_context, keyring_identity
from consent.keys.remote import HOLDER_USES, RemoteKeys
from integrations.testing.knobs import Fault, FaultKind, Garbage
from integrations.testing.server import SimulatorServer
from integrations.testing.vault_transit import VaultTransit
from leadgate.transit import TransitAddress, TransitService
from schemas.errors import ConfigurationError, StorageUnavailableError, VaultError
from schemas.personal import Personal

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
CONTEXT = key_context(tenant="acme", table="leads", field="lead_ref", purpose="crm")
ALL = ("encrypt", "decrypt", "hmac", "keys", "login")
PHONE = "+79000000042"


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(VaultTransit()) as running:
        yield running


@pytest.fixture
def vault(server: SimulatorServer) -> VaultTransit:
    assert isinstance(server.simulator, VaultTransit)
    return server.simulator


@pytest.fixture
def address(server: SimulatorServer) -> TransitAddress:
    return TransitAddress(url=server.url, secret=Personal(server.simulator.secret), key="leadgate-acme", timeout=2)


@pytest.fixture
def service(address: TransitAddress) -> TransitService:
    made = TransitService(address)
    assert made.create()
    return made


def remote(service: TransitService) -> RemoteKeys:
    return RemoteKeys(service, tenant="acme")


# -- wrapping ------------------------------------------------------------------------------------------------------------------


def test_what_is_wrapped_opens_also_in_another_process(service: TransitService) -> None:
    deks = [os.urandom(40) for _ in range(5)]
    wrapped = remote(service).wrap_many(deks)
    other = remote(service)
    other.unwrap_ahead(wrapped)
    assert [other.unwrap(each) for each in wrapped] == deks
    assert [each.version for each in wrapped] == [1] * 5
    assert len({each.bytes for each in wrapped}) == 5


def test_a_thousand_keys_cost_a_few_calls(service: TransitService, vault: VaultTransit) -> None:
    keys, other = remote(service), remote(service)
    wrapped = [keys.wrap(os.urandom(40)) for _ in range(1000)]
    assert vault.world.calls["encrypt"] == 1
    other.unwrap_ahead(wrapped)
    assert all(other.unwrap(each) for each in wrapped)
    assert vault.world.calls["decrypt"] == 1
    assert HOLDER_USES >= 1000


def test_a_thousand_keys_open_together_and_the_broken_one_is_left_out(service: TransitService, vault: VaultTransit) -> None:
    deks = [os.urandom(40) for _ in range(1000)]
    wrapped = remote(service).wrap_many(deks)
    broken = Wrapped(bytes=wrapped[3].bytes[:-1] + bytes([wrapped[3].bytes[-1] ^ 1]), version=1)
    torn = Wrapped(bytes=b"", version=1)
    assert remote(service).unwrap_many([*wrapped, broken, torn]) == [*deks, None, None]
    assert vault.world.calls["decrypt"] == 1


def test_no_changed_byte_goes_unseen(service: TransitService) -> None:
    wrapped = remote(service).wrap(os.urandom(40))
    for at in range(len(wrapped.bytes)):
        changed = bytearray(wrapped.bytes)
        changed[at] ^= 1
        with pytest.raises(VaultError):
            remote_unwrap(service, Wrapped(bytes=bytes(changed), version=1))
    for torn in (b"", wrapped.bytes[:-1], wrapped.bytes + b"x"):
        with pytest.raises(VaultError, match="truncated"):
            remote_unwrap(service, Wrapped(bytes=torn, version=1))


def remote_unwrap(service: TransitService, wrapped: Wrapped) -> bytes:
    return remote(service).unwrap(wrapped)


def test_a_key_of_a_file_is_told_from_one_of_vault(service: TransitService) -> None:
    of_file = new_keyring(tenant="acme", now=NOW, random_bytes=os.urandom).wrap(os.urandom(40))
    with pytest.raises(VaultError):
        remote(service).unwrap(of_file)
    assert remote(service).rewrap_many([of_file]) == [None]


def test_one_broken_row_does_not_stop_its_page(service: TransitService) -> None:
    keys = remote(service)
    good, bad = keys.wrap(os.urandom(40)), RemoteKeys(service, tenant="acme").wrap(os.urandom(40))
    broken = Wrapped(bytes=bad.bytes[:20] + bytes([bad.bytes[20] ^ 1]) + bad.bytes[21:], version=1)
    again = remote(service).rewrap_many([good, broken])
    assert again[0] is not None
    assert again[1] is None


# -- derived keys --------------------------------------------------------------------------------------------------------------


def test_derived_keys_are_the_same_everywhere_and_for_one_use_only(service: TransitService) -> None:
    keys, other = remote(service), remote(service)
    assert keys.derive(CONTEXT, 32) == other.derive(CONTEXT, 32, 1)
    contexts = [CONTEXT, key_context(tenant="acme", table="leads", field="lead_ref", purpose="calls")]
    found = {keys.derive(context, 32, version) for context in contexts for version in (STABLE_VERSION, 1)}
    assert len(found) == 4
    assert len(keys.derive(CONTEXT, 64, 1)) == 64
    assert keyring_identity(keys) == keyring_identity(other)
    with pytest.raises(VaultError, match="context_missing"):
        keys.derive("acme", 32)


def test_no_root_leaves_and_nothing_shows_itself(service: TransitService, address: TransitAddress) -> None:
    keys = remote(service)
    assert repr(keys) == "<remote keys of acme, current version 1>"
    assert address.secret.reveal() not in repr(address)
    with pytest.raises(TypeError):
        pickle.dumps(keys)


# -- rotation ------------------------------------------------------------------------------------------------------------------


def test_a_version_is_announced_promoted_and_trimmed(service: TransitService, vault: VaultTransit) -> None:
    live = LiveKeys(lambda: remote(service))
    before = live.wrap(os.urandom(40))
    old_phone = BlindIndex(live, "acme").phone("lada", PHONE)
    assert service.announce(now=NOW) == service.announce(now=NOW) == 2
    live.refresh()
    assert (live.current_version, live.versions) == (1, (2, 1))
    service.promote(2)
    assert live.wrap(os.urandom(40)).version == 2, "Vault refuses the old version, so the process takes the new one up"
    index = BlindIndex(live, "acme")
    layered = index.layered(1, old_phone)
    assert {old_phone, layered.digest} < {each.digest for each in index.candidates(IndexKind.PHONE, "lada", PHONE)}
    again = live.rewrap_many([before])[0]
    assert again is not None

    service.drop(1, keep=lookup_contexts("acme"))
    live.refresh()
    assert (live.versions, live.kept_versions) == ((2,), (1,))
    assert live.unwrap(again) == live.unwrap(live.wrap(live.unwrap(again)))
    with pytest.raises(VaultError, match="key_version_missing"):
        remote(service).unwrap(before)
    after = BlindIndex(remote(service), "acme")
    assert layered.digest in {each.digest for each in after.candidates(IndexKind.PHONE, "lada", PHONE)}
    assert min(vault.keys["leadgate-acme"].versions) == 2

    service.announce(now=NOW)
    service.promote(3)
    service.drop(2)
    assert remote(service).kept_versions == ()
    assert min(vault.keys["leadgate-acme-index"].versions) == 3


def test_a_rotation_that_died_between_the_two_keys_goes_on(service: TransitService, vault: VaultTransit) -> None:
    vault.keys["leadgate-acme-index"].latest += 1
    vault.keys["leadgate-acme-index"].versions[2] = os.urandom(32)
    assert service.announce(now=NOW) == 2
    assert vault.keys["leadgate-acme-index"].latest == vault.keys["leadgate-acme"].latest == 2


def test_what_is_there_is_not_made_anew(service: TransitService, vault: VaultTransit) -> None:
    roots = {name: dict(key.versions) for name, key in vault.keys.items()}
    assert service.create() is False
    assert {name: dict(key.versions) for name, key in vault.keys.items()} == roots
    assert set(roots) == {"leadgate-acme", "leadgate-acme-index", "leadgate-acme-stable"}


def test_a_key_that_somebody_made_by_hand_is_not_guessed_about(service: TransitService, vault: VaultTransit) -> None:
    vault.keys["leadgate-acme"].min_encryption = 0
    with pytest.raises(ConfigurationError, match="vault_key_config"):
        remote(service)


# -- what goes wrong -----------------------------------------------------------------------------------------------------------


def _says(error: ConfigurationError, *values: str) -> None:
    assert error.__cause__ is None
    for value in values:
        assert value not in str(error) + repr(error)


def test_a_sealed_vault_stops_loudly_and_opens_again(service: TransitService, vault: VaultTransit) -> None:
    keys = remote(service)
    wrapped = keys.wrap(os.urandom(40))
    vault.sealed = True
    for call in (lambda: remote(service), lambda: service.wrap(1, b"x" * 32), lambda: service.keyed(1, b"x")):
        with pytest.raises(StorageUnavailableError, match="vault_unavailable"):
            call()
    assert keys.unwrap(wrapped), "a holder that is known is not asked for again"
    vault.sealed = False
    assert remote(service).unwrap(wrapped) == keys.unwrap(wrapped)


def test_an_unreachable_vault_is_no_broken_row(service: TransitService, server: SimulatorServer) -> None:
    wrapped = remote(service).wrap(os.urandom(40))
    fresh = remote(service)
    server.down()
    with pytest.raises(StorageUnavailableError, match="vault_unreachable") as caught:
        fresh.unwrap(wrapped)
    _says(caught.value, server.host)
    with pytest.raises(StorageUnavailableError):
        fresh.rewrap_many([wrapped])
    server.up()
    assert fresh.unwrap(wrapped)


def test_a_slow_vault_is_given_up(address: TransitAddress, service: TransitService, vault: VaultTransit) -> None:
    hasty = TransitService(replace(address, timeout=0.2))
    vault.knobs.slow(0.6, on=ALL)
    with pytest.raises(StorageUnavailableError, match="vault_unreachable"):
        hasty.standing()


@pytest.mark.parametrize("status", [412, 429, 473, 500, 502, 503])
def test_an_answer_that_may_change_is_worth_another_try(service: TransitService, vault: VaultTransit, status: int) -> None:
    vault.knobs.set(Fault(kind=FaultKind.REFUSE, on=frozenset(ALL), status=status, times=1))
    with pytest.raises(StorageUnavailableError, match="vault_unavailable"):
        service.keyed(1, b"a person's number")
    assert service.keyed(1, b"a person's number")


@pytest.mark.parametrize("form", list(Garbage))
def test_garbage_is_no_answer(service: TransitService, vault: VaultTransit, form: Garbage) -> None:
    wrapped = remote(service).wrap(os.urandom(40))
    fresh = remote(service)
    vault.knobs.set(Fault(kind=FaultKind.GARBAGE, on=frozenset(ALL), form=form))
    for call in (
        lambda: fresh.unwrap(wrapped),
        lambda: fresh.derive(CONTEXT, 32),
        lambda: service.wrap(1, b"x" * 32),
        service.standing,
    ):
        with pytest.raises(ConfigurationError, match="vault_"):
            call()


def test_a_wrong_token_is_said_and_not_shown(address: TransitAddress, service: TransitService) -> None:
    wrong = TransitService(replace(address, secret=Personal("hvs.wrong-token")))
    with pytest.raises(ConfigurationError, match="vault_refuses_us") as caught:
        wrong.standing()
    _says(caught.value, "hvs.wrong-token")


def test_a_missing_key_names_the_command(address: TransitAddress) -> None:
    with pytest.raises(ConfigurationError, match="keys init"):
        TransitService(address).standing()


def test_approle_signs_in_and_again_when_the_token_ends(
    address: TransitAddress, vault: VaultTransit, service: TransitService
) -> None:
    by_role = TransitService(replace(address, role_id=vault.role_id))
    assert by_role.standing().current == 1
    vault.tokens.clear()
    assert by_role.standing().current == 1
    with pytest.raises(ConfigurationError, match="vault_refuses_us"):
        TransitService(replace(address, role_id="another")).standing()


@pytest.mark.parametrize("url", ["http://vault.example.org:8200", "vault.example.org", "ftp://127.0.0.1", ""])
def test_a_token_is_never_sent_in_clear(address: TransitAddress, url: str) -> None:
    with pytest.raises(ConfigurationError):
        TransitService(replace(address, url=url))
    with pytest.raises(ConfigurationError, match="vault_without_tls"):
        TransitService(replace(address, url="https://vault.example.org", verify=False))


def test_neither_redirects_nor_the_machines_proxies_are_followed(
    address: TransitAddress, service: TransitService, vault: VaultTransit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.of-somebody-else")
    assert TransitService(address).standing().current == 1
    vault.knobs.set(Fault(kind=FaultKind.REFUSE, on=frozenset(ALL), status=307, times=1))
    with pytest.raises(ConfigurationError, match="vault_unexpected"):
        service.standing()


def test_nothing_is_logged(service: TransitService, vault: VaultTransit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = remote(service)
    wrapped = keys.wrap(b"a data key of forty bytes, and no longer")
    remote(service).unwrap(wrapped)
    assert vault.secret not in caplog.text
    assert "vault:v" not in caplog.text
    assert "a data key" not in caplog.text
