"""A ledger that an earlier Leadgate wrote opens under today's code: nothing is lost, and all of it works on.

``tests/golden/make_ledger.py`` made it, once. A new version adds a folder beside the old ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.testing.sandbox import Sandbox
from leadgate.storage import schema
from leadgate.storage.engine import Ledger
from schemas.vocabulary import Channel
from tests.houses.house import Clock, TestHouse, settings_for

_GOLDEN = Path(__file__).parents[1] / "golden"
LEDGERS = sorted(path.name for path in _GOLDEN.glob("ledger-*"))


@pytest.fixture(params=LEDGERS)
def old(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[TestHouse]:
    state = tmp_path / "state"
    shutil.copytree(_GOLDEN / str(request.param), state)
    for path in state.iterdir():
        path.chmod(0o600)  # version control keeps no private modes
    settings = settings_for(state=state, ledger_url=f"sqlite:///{state / 'ledger.db'}")
    ledger = Ledger(settings.ledger_url)
    before, after = schema.upgrade(ledger)
    ledger.close()
    assert f"ledger-{before}" == request.param
    assert after == schema.newest()
    house = TestHouse(settings, sandbox, clock=Clock())
    house.clock.advance(hours=1)
    yield house
    house.close()


def test_every_version_of_the_ledger_has_a_golden_one() -> None:
    assert f"ledger-{schema.newest()}" in LEDGERS, "make one with python -m tests.golden.make_ledger before you release it"


def test_its_log_verifies_and_its_people_open(old: TestHouse) -> None:
    assert old.house.verify().ok
    rows = old.rows(
        "select l.lead_id, l.sealed, p.person_id, p.wrapped_key, p.key_version from lead l join person p using (person_id)"
        " where l.sealed is not null"
    )
    assert len(rows) == 11
    for lead_id, sealed, person_id, wrapped, version in rows:
        key = old.house.vault.unwrap_person_key(person_id, wrapped, version)
        assert old.house.vault.open_all(key, lead_id, sealed).reveal()["phone"].startswith("+7900000")
    assert old.rows("select count(*) from lead where sealed is null") == [(1,)], "who was erased stays erased"


def test_it_works_on(old: TestHouse) -> None:
    lead = old.invented.lead(2, brand="lada")
    assert old.receive(lead).repeated == 1, "what was received is known"
    assert old.house.admit().taken == 3
    again = old.invented.again(lead, channel=Channel.INSTAGRAM)
    assert old.admit(again)[0][0] == "refused", "requests under way are known, and so are people"
    for _ in range(2):
        for name in old.settings.destinations:
            old.dispatcher(name).run(seconds=20)
        old.clock.advance(minutes=5)
    balance = old.house.balance()
    assert balance.closes
    assert not old.world("lada_calls").doubles()
    assert old.verified().ok
    assert old.house.apply_retention(dry_run=True).destroyed == 0
