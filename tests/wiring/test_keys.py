"""The log's key file: a new one holds two keys, an old one goes on with its own and can be given the second."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from consent.audit.cosignature import Kind
from consent.audit.note import SignerKey
from leadgate.settings import Settings
from leadgate.wiring.keys import add_log_key, create_keys, open_log_key, open_log_keys
from schemas.errors import AuditError, ConfigurationError
from tests.houses.house import Clock, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation from before ML-DSA-44: one line in the key file."""
    made = settings_for(state=tmp_path, ledger_url="sqlite://")
    create_keys(made, clock=Clock())
    old = SignerKey(name=made.log_origin, seed=b"\x01" * 32)
    made.log_key_path.write_text(old.line() + "\n")
    made.log_key_path.with_suffix(".pub").write_text(f"{old.verifier}\n")
    return made


def test_a_new_log_signs_with_both(tmp_path: Path) -> None:
    made = settings_for(state=tmp_path, ledger_url="sqlite://")
    create_keys(made, clock=Clock())
    assert [signer.verifier.kind for signer in open_log_keys(made)] == [Kind.ED25519, Kind.ML_DSA_44]
    assert {signer.verifier.name for signer in open_log_keys(made)} == {made.log_origin}
    assert add_log_key(made) is None


def test_an_old_log_goes_on_with_one_and_can_add_the_other(settings: Settings) -> None:
    (old,) = open_log_keys(settings)
    assert create_keys(settings, clock=Clock()) == (old.verifier, [])
    assert len(open_log_keys(settings)) == 1
    added = add_log_key(settings)
    assert added is not None
    assert [signer.verifier for signer in open_log_keys(settings)] == [old.verifier, added]
    assert open_log_key(settings).verifier == old.verifier
    assert settings.log_key_path.with_suffix(".pub").read_text() == f"{old.verifier}\n{added}\n"
    assert stat.S_IMODE(settings.log_key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.log_key_path.with_suffix(".pub").stat().st_mode) == 0o644
    kept = settings.log_key_path.read_bytes()
    assert add_log_key(settings) is None
    assert settings.log_key_path.read_bytes() == kept


def test_a_process_that_died_between_the_two_files_is_made_good(settings: Settings) -> None:
    public = settings.log_key_path.with_suffix(".pub")
    before = public.read_text()
    added = add_log_key(settings)
    public.write_text(before)
    settings.log_key_path.with_name(".log.key.partial").write_text("half a li")
    assert add_log_key(settings) is None
    assert public.read_text() == f"{before}{added}\n"


def test_a_second_key_that_does_not_belong_there_stops_signing(settings: Settings) -> None:
    witness = SignerKey(name=settings.log_origin, seed=b"\x02" * 32, kind=Kind.ED25519_COSIGNATURE)
    stranger = SignerKey(name="other.example.org", seed=b"\x02" * 32)
    first = settings.log_key_path.read_text()
    for line, error in (
        (stranger.line(), ConfigurationError),
        (witness.line(), ConfigurationError),
        ("PRIVATE+KEY+half", AuditError),
    ):
        settings.log_key_path.write_text(f"{first}{line}\n")
        with pytest.raises(error) as caught:
            open_log_keys(settings)
        assert line not in str(caught.value)


def test_an_empty_key_file_is_said_and_not_replaced(settings: Settings) -> None:
    settings.log_key_path.write_text("\n")
    with pytest.raises(ConfigurationError) as caught:
        add_log_key(settings)
    assert caught.value.code == "no_log_key"
    assert settings.log_key_path.read_text() == "\n"
