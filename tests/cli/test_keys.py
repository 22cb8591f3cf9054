"""`leadgate keys` shows before it does, in both languages, and says what hangs on which version."""

from __future__ import annotations

import json
from typing import Any

from tests.houses.commands import leadgate
from tests.houses.house import TestHouse


def told(house: TestHouse, *words: str, code: int = 0) -> Any:
    done = leadgate(house, "keys", *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_rotation_by_hand(sqlite_house: TestHouse) -> None:
    house = sqlite_house
    house.admit(*(house.invented.lead(number, brand="lada") for number in range(3)))
    assert told(house, "rotate") == {"current": 1, "new": 2, "done": False}
    assert told(house, "status")["versions"] == [1]
    assert told(house, "rotate", "--yes", "--actor", "officer-1") == {"before": 1, "current": 2, "done": True}
    status = told(house, "status", code=1)
    assert (status["old"]["person"], status["old"]["identifier"]) == (3, 9)
    russian = leadgate(house, "keys", "status", "--lang", "ru")
    assert "действующая" in russian.stdout
    assert "keys rewrap" in russian.stdout
    refused = leadgate(house, "keys", "drop", "1", "--yes")
    assert refused.returncode == 2
    assert "key_in_use" in refused.stderr
    assert told(house, "rewrap") == {"keys": 3, "done": False}
    assert told(house, "rewrap", "--yes")["rewrapped"] == {"person": 3}
    assert told(house, "reindex", "--yes") == {"people": 3, "reindexed": 9, "layered": 0, "unreadable": 0, "done": True}
    assert not any(told(house, "status")["old"].values())
    early = leadgate(house, "keys", "drop", "1")
    assert early.returncode == 2
    assert "key_may_be_out" in early.stderr
