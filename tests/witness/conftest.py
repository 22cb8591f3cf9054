"""A witness in a folder of its own, and a log to watch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leadgate.witness import Office, State, Witness
from tests.houses.house import Clock
from tests.witness.loghouse import InventedLog

NAME = "witness.example.org/office"


@pytest.fixture
def log() -> InventedLog:
    return InventedLog()


@pytest.fixture
def office(tmp_path: Path, log: InventedLog) -> Office:
    """A folder with a key, trusting ``log``."""
    made = Office(tmp_path / "witness")
    made.create(NAME)
    made.trust(log.vkey)
    return made


@pytest.fixture
def state(office: Office) -> Iterator[State]:
    opened = office.state()
    yield opened
    opened.close()


@pytest.fixture
def witness(office: Office, state: State, clock: Clock) -> Witness:
    return office.witness(state, clock=clock)
