"""A whole house with its keys in Vault: leads walk, keys rotate, and while Vault is away all waits and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integrations.testing.sandbox import Sandbox
from integrations.testing.server import SimulatorServer
from integrations.testing.vault_transit import VaultTransit
from leadgate.settings.keys import KeySettings
from leadgate.wiring import House
from leadgate.wiring.credentials import Credential
from leadgate.wiring.keys import create_keys
from schemas.errors import ConfigurationError, StorageUnavailableError
from schemas.keys_schema import KeyPlace
from schemas.personal import Personal
from tests.houses.house import Clock, TestHouse, renamed, settings_for, submission

ACTOR = "officer-1"


class HouseWithVault(TestHouse):
    """The same house with its keys in a simulated Vault."""

    vault: SimulatorServer

    def another(self) -> House:
        house = super().another()
        known = house.credentials

        def credentials(connection: str) -> Credential:
            if connection == "leadgate_vault":
                return Credential(base_url=self.vault.url, secret=Personal(self.vault.simulator.secret), extra={"timeout": 2})
            return known(connection)

        house.credentials = credentials
        return house


@pytest.fixture
def vault() -> Iterator[SimulatorServer]:
    with SimulatorServer(VaultTransit()) as running:
        yield running


@pytest.fixture
def state(keys: Path, tmp_path: Path) -> Path:
    """A state without a keyring."""
    shutil.copytree(keys, tmp_path / "state")
    (tmp_path / "state" / "keyring.json").unlink()
    return tmp_path / "state"


@pytest.fixture
def house(ledger_url: str, sandbox: Sandbox, state: Path, clock: Clock, vault: SimulatorServer) -> Iterator[TestHouse]:
    """Replaces the house of the file keyring."""
    in_vault = KeySettings(provider=KeyPlace.VAULT_TRANSIT, connection="leadgate_vault")
    settings = replace(settings_for(state=state, ledger_url=ledger_url), keys=in_vault)
    HouseWithVault.vault = vault
    opened = HouseWithVault(settings, sandbox, clock=clock)
    _, made = create_keys(settings, clock=clock, credentials=opened.house.credentials)
    assert made == ["keys in Vault"]
    yield opened
    opened.close()


def test_leads_walk_and_keys_rotate(house: TestHouse, vault: SimulatorServer) -> None:
    leads = [house.invented.lead(number, brand="lada") for number in range(8)]
    house.admit(*leads[:4])
    desk = house.house.key_desk
    assert desk.rotate(actor=ACTOR) == (1, 2)
    house.admit(*leads[4:])
    assert sum(desk.rewrap(actor=ACTOR).rewrapped.values()) == 4
    desk.reindex(actor=ACTOR)
    house.clock.advance(hours=1)
    desk.drop(1, actor=ACTOR)
    simulator = vault.simulator
    assert isinstance(simulator, VaultTransit)
    assert {min(key.versions) for name, key in simulator.keys.items() if not name.endswith("stable")} == {2}
    later = house.another()
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name, house=later).run(seconds=30)
        assert house.world(name).stats()["records"] == 8
    house.receive(*(renamed(lead, f"again {lead.number}") for lead in leads))
    assert later.admit().refused == 8, "people and requests are recognised after the rotation"
    later.close()
    assert house.verified().ok


def test_a_house_asks_vault_a_handful_of_times(house: TestHouse, vault: SimulatorServer) -> None:
    house.admit(*(house.invented.lead(number, brand="lada") for number in range(50)))
    house.dispatcher("lada_crm").run(seconds=30)
    calls = vault.simulator.world.calls
    assert calls["encrypt"] + calls["decrypt"] < 5


@pytest.mark.parametrize("trouble", ["sealed", "down", "refuses", "forgets"])
def test_while_vault_is_away_everything_waits(house: TestHouse, vault: SimulatorServer, trouble: str) -> None:
    simulator = vault.simulator
    assert isinstance(simulator, VaultTransit)
    leads = [house.invented.lead(number, brand="lada") for number in range(6)]
    house.admit(*leads[:3])
    house.receive(*leads[3:])
    before = house.rows("select state, count(*) from submission group by state order by state")
    tokens = set(simulator.tokens)
    later = house.another()
    assert later.vault is not None
    dispatcher = house.dispatcher("lada_calls", house=later)

    if trouble == "sealed":
        simulator.sealed = True
    elif trouble == "down":
        vault.down()
    elif trouble == "refuses":
        simulator.tokens.clear()
    else:
        simulator.knobs.refuse(503, on=("encrypt", "decrypt", "hmac", "keys"))
    expected = ConfigurationError if trouble == "refuses" else StorageUnavailableError
    with pytest.raises(expected):
        dispatcher.run(seconds=5)
    with pytest.raises(expected):
        later.admit()
    with pytest.raises(expected):
        later.receiver.commit([submission(house.invented.lead(9, brand="lada"))])
    with pytest.raises(expected):
        later.key_desk.rewrap(actor=ACTOR)
    assert house.rows("select state, count(*) from submission group by state order by state") == before
    assert house.states("lada_calls") == {"queued": 3}, "given back, not in doubt: nothing was sent"
    assert house.world("lada_calls").stats()["records"] == 0

    simulator.sealed = False
    simulator.knobs.clear()
    simulator.tokens |= tokens
    vault.up()
    assert later.admit().admitted == 3
    dispatcher.run(seconds=20)
    assert house.states("lada_calls") == {"accepted": 6}
    assert house.world("lada_calls").stats()["records"] == 6
    later.close()
    assert house.verified().ok
