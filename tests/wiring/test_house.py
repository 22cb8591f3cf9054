"""The house: parts open when needed and close together; credentials come from connections alone; keys are made once."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from consent.audit.cosignature import Kind
from consent.audit.note import VerifierKey
from leadgate.wiring import environment_credentials, open_house
from leadgate.wiring.keys import create_keys
from schemas.errors import ConfigurationError, TerminalError
from tests.houses.house import CONFIG, Clock, TestHouse, settings_for

# -- credentials ------------------------------------------------------------------------------------------------------------


def _connection(**values: object) -> dict[str, str]:
    return {"AIRFLOW_CONN_CRM": json.dumps({"conn_type": "leadgate_rest", **values})}


def test_a_connection_becomes_an_endpoint() -> None:
    found = environment_credentials(
        _connection(
            host="https://crm.example.org:8443/api", login="us", password="new old", extra={"hosts": "b.example.org", "x": 1}
        )
    )("crm")
    endpoint = found.endpoint("lada_crm", options={"list": "7"}, limits=None)
    assert endpoint.hosts == {"crm.example.org:8443", "b.example.org"}
    assert endpoint.options == {"x": 1, "list": "7"}
    assert [secret.reveal() for secret in found.secrets()] == ["new", "old"]
    assert "new" not in f"{found!r}{endpoint!r}{endpoint.secret!r}"


def test_extra_may_be_written_as_text() -> None:
    found = environment_credentials(_connection(host="https://crm.example.org", extra='{"plain_http": true}'))("crm")
    assert found.extra == {"plain_http": True}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "no_connection"),
        ("http://user:a-secret@crm.example.org", "bad_connection"),
        ("[]", "bad_connection"),
        ('{"extra": "{"}', "bad_connection"),
        ('{"extra": 7}', "bad_connection"),
    ],
)
def test_a_connection_that_cannot_be_read_is_named_and_not_quoted(text: str | None, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment_credentials({"AIRFLOW_CONN_CRM": text} if text is not None else {})("crm")
    assert (caught.value.code, caught.value.field) == (code, "AIRFLOW_CONN_CRM")
    assert "a-secret" not in repr(caught.value)


@pytest.mark.parametrize("host", ["", "crm.example.org", "ftp://crm.example.org", "https://"])
def test_an_address_must_be_a_whole_url(host: str) -> None:
    credential = environment_credentials(_connection(host=host, password="a-secret"))("crm")
    with pytest.raises(ConfigurationError) as caught:
        credential.endpoint("lada_crm", options={}, limits=None)
    assert caught.value.code == "bad_address"
    assert "a-secret" not in repr(caught.value)


# -- the house --------------------------------------------------------------------------------------------------------------


def test_a_house_that_was_not_used_opened_nothing(house: TestHouse, tmp_path: Path) -> None:
    nowhere = replace(house.settings, ledger_url="sqlite:////nowhere/ledger.db", keyring_path=tmp_path / "none")
    opened = type(house.house)(nowhere, credentials=environment_credentials({}), clock=house.clock)
    assert opened.policies.keys() == {"lada", "s7"}
    opened.close()
    opened.close()


def test_an_unknown_destination_is_named(house: TestHouse) -> None:
    for act in (house.house.destination, house.house.plan, house.house.check, house.house.dispatch):
        with pytest.raises(ConfigurationError) as caught:
            act("nowhere")
        assert caught.value.field == "destinations.nowhere"


def test_a_missing_credential_is_named_when_it_is_needed(house: TestHouse) -> None:
    bare = type(house.house)(house.settings, credentials=environment_credentials({}), clock=house.clock)
    house.receive(house.invented.lead(1, brand="lada"))
    assert bare.admit().admitted == 1, "admission needs no destination's secret"
    with pytest.raises(ConfigurationError) as caught:
        bare.dispatch("lada_crm")
    assert caught.value.field == "AIRFLOW_CONN_PROOF_LADA_CRM"
    assert house.states("lada_crm") == {"queued": 1}
    bare.close()


def test_check_answers_and_never_raises(house: TestHouse) -> None:
    for name in house.settings.destinations:
        assert house.house.check(name).ok
        house.simulator(name).knobs.refuse(401, on=["check"])
        answered = house.house.check(name)
        assert not answered.ok
        assert answered.advice


def test_the_house_opens_from_its_environment(house: TestHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADGATE_STATE", str(house.settings.state))
    monkeypatch.setenv("LEADGATE_DATABASE_URL", house.settings.ledger_url)
    house.receive(house.invented.lead(1, brand="lada"))
    with open_house(config=CONFIG, clock=house.clock) as opened:
        assert opened.admit().admitted == 1
        assert opened.destinations() == ["lada_calls", "lada_crm"]


def test_upgrade_makes_the_folder_of_a_file(tmp_path: Path, house: TestHouse) -> None:
    settings = settings_for(
        state=tmp_path / "deep" / "state", ledger_url=f"sqlite:///{tmp_path / 'deep' / 'down' / 'ledger.db'}"
    )
    opened = type(house.house)(settings, credentials=environment_credentials({}), clock=house.clock)
    before, after = opened.upgrade()
    assert (before, opened.upgrade()) == (None, (after, after))
    opened.close()


def test_a_delivery_that_needs_a_person_is_raised_after_it_was_written_down(house: TestHouse) -> None:
    house.admit(*house.invented.many(2, brand="lada"))
    house.simulator("lada_crm").knobs.refuse(403)
    with pytest.raises(TerminalError):
        house.house.dispatch("lada_crm")
    assert house.rows("select last_code from destination_state where destination = 'lada_crm'") == [("forbidden",)]
    assert house.house.dispatch("lada_calls").accepted == 2


# -- keys -------------------------------------------------------------------------------------------------------------------


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    settings = settings_for(state=tmp_path, ledger_url="sqlite://")
    public, made = create_keys(settings, clock=Clock())
    assert made == ["keyring.json", "log.key"]
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert create_keys(settings, clock=Clock()) == (public, [])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == kept
    for name in ("keyring.json", "log.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    first, second = (VerifierKey.parse(line) for line in (tmp_path / "log.pub").read_text().splitlines())
    assert (first, first.kind, second.kind) == (public, Kind.ED25519, Kind.ML_DSA_44)


def test_a_signing_key_of_another_log_is_refused(tmp_path: Path) -> None:
    settings = settings_for(state=tmp_path, ledger_url="sqlite://")
    create_keys(settings, clock=Clock())
    with pytest.raises(ConfigurationError) as caught:
        create_keys(replace(settings, log_origin="log.example.org/other"), clock=Clock())
    assert caught.value.code == "wrong_log_key"


def test_missing_keys_are_never_invented(house: TestHouse) -> None:
    house.settings.log_key_path.unlink()
    fresh = house.another()
    with pytest.raises(ConfigurationError) as caught:
        fresh.seal()
    fresh.close()
    assert caught.value.code == "no_log_key"
    assert not house.settings.log_key_path.exists()
