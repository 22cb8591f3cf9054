"""The witness's folder: made once, never overwritten, and never without its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from consent.audit import checkpoint as checkpoints
from leadgate.witness import Office
from leadgate.witness.request import parse
from schemas.errors import ConfigurationError
from tests.houses.house import Clock
from tests.witness.loghouse import InventedLog


def test_the_key_is_secret_and_the_public_half_is_beside_it(office: Office) -> None:
    assert (office.folder / "witness.key").stat().st_mode & 0o777 == 0o600
    assert (office.folder / "witness.pub").read_text().strip() == str(office.signer().verifier)


def test_nothing_is_made_twice(office: Office) -> None:
    before = (office.folder / "witness.key").read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        office.create("witness.example.org/again")
    assert caught.value.code == "witness_exists"
    assert (office.folder / "witness.key").read_bytes() == before


def test_without_its_memory_it_does_not_begin_anew(office: Office) -> None:
    (office.folder / "witness.db").unlink()
    with pytest.raises(ConfigurationError) as caught:
        office.state()
    assert caught.value.code == "no_witness_state"
    assert not (office.folder / "witness.db").exists()


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough to be read as one" * 100])
def test_a_damaged_memory_is_refused(office: Office, damage: bytes) -> None:
    (office.folder / "witness.db").write_bytes(damage)
    with pytest.raises(ConfigurationError) as caught:
        office.state()
    assert caught.value.code == "witness_state_damaged"


def test_a_cut_memory_is_refused(office: Office) -> None:
    file = office.folder / "witness.db"
    file.write_bytes(file.read_bytes()[:-4096])
    with pytest.raises(ConfigurationError):
        office.state()


def test_trusting_twice_is_trusting_once(office: Office, log: InventedLog) -> None:
    before = office.logs_file.read_text()
    office.trust(log.vkey)
    assert office.logs_file.read_text() == before
    assert list(office.logs()) == [log.origin]


def test_a_list_that_cannot_be_read_names_its_line(office: Office) -> None:
    office.logs_file.write_text("log nonsense\nquorum none\n")
    with pytest.raises(ConfigurationError) as caught:
        office.logs()
    assert "line 1" in caught.value.message


def test_where_there_is_no_witness_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Office(tmp_path).signer()
    assert "leadgate witness init" in caught.value.message


def test_a_post_quantum_witness_signs_too(tmp_path: Path, log: InventedLog) -> None:
    office = Office(tmp_path / "pq")
    key = office.create("witness.example.org/pq", post_quantum=True)
    office.trust(log.vkey)
    state = office.state()
    log.grow(3)
    line = office.witness(state, clock=Clock()).add_checkpoint(parse(log.request(0)))
    assert [each.key for each in checkpoints.cosigned(log.note() + line, [key])] == [key]
    state.close()
