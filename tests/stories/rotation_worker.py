"""One process of a house under load, while keys rotate: ``python rotation_worker.py ROLE STOP EPOCH``; answers one JSON line.

It lives until the file STOP is there. Each role says at once that it is ready, and at its end what it did; a lookup that fails
ends it with an error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from integrations.testing.invented_leads import Invented, InventedLeads
from leadgate.pipeline.reindex import Reindexer
from leadgate.pipeline.rotate import Rotation
from leadgate.wiring import House, open_house
from leadgate.wiring.keys import key_rotation
from schemas.contact import phone_or_none
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.house import BEGIN, submission

KNOWN = 60
ACTOR = "officer-1"


def main(role: str, stop: Path, epoch: float) -> None:
    begun = datetime.fromtimestamp(epoch, UTC)

    def clock() -> datetime:
        return BEGIN + timedelta(minutes=5) + (datetime.now(UTC) - begun)

    with open_house(config=Path(os.environ["LEADGATE_CONFIG"]), clock=clock) as house:
        assert house.index.versions
        print("ready", flush=True)  # noqa: T201 - the test that started us reads it
        told = ROLES[role](house, lambda: not stop.exists())
    print(json.dumps(told), flush=True)  # noqa: T201 - as above


def admit(house: House, goes_on: Callable[[], bool]) -> dict[str, int]:
    """Receive and decide new people, and requests of known people in between."""
    invented = InventedLeads(house.policies, now=BEGIN)
    for number in count(KNOWN):
        if not goes_on():
            return {"received": number - KNOWN}
        house.receiver.commit([submission(invented.lead(number, brand="lada"))])
        house.admit(seconds=5)
        time.sleep(0.02)
    raise AssertionError("unreachable")


def dispatch(house: House, goes_on: Callable[[], bool]) -> dict[str, int]:
    """Send what is due."""
    accepted = 0
    while goes_on():
        for name in house.destinations():
            accepted += house.dispatch(name, seconds=1).accepted
        time.sleep(0.05)
    return {"accepted": accepted}


def people(house: House, goes_on: Callable[[], bool]) -> dict[str, int]:
    """Look known people up, all the time; take consent back for people nobody knows, and look those up as well."""
    invented = InventedLeads(house.policies, now=BEGIN)
    phones = [known_phone(invented.lead(number, brand="lada")) for number in range(KNOWN)]
    known = {phone: house.persons(withdrawal=named(phone)) for phone in phones}
    assert all(known.values())
    for number in count():
        if not goes_on():
            return {"looked": number, "withdrawn": len(known) - KNOWN}
        if number % 10 == 0 and len(known) < KNOWN + 90:
            stranger = stranger_phone(len(known) - KNOWN)
            house.withdraw(named(stranger), actor=ACTOR)
            known[stranger] = house.persons(withdrawal=named(stranger))
        phone = list(known)[number % len(known)]
        assert house.persons(withdrawal=named(phone)) == known[phone], f"lookup {number} failed"
        time.sleep(0.01)
    raise AssertionError("unreachable")


def rotate(house: House, goes_on: Callable[[], bool]) -> dict[str, int]:
    """A rotation in small pages, from wherever the one before was killed."""
    rotation = Rotation(
        ledger=house.ledger,
        keys=house.own_keys,
        index=house.index,
        rotation=key_rotation(house.settings, house.credentials),
        rest=timedelta(0),
        clock=house.clock,
        page=5,
    )
    indexer = Reindexer(
        ledger=house.ledger, vault=house.vault, index=house.index, policies=house.policies, clock=house.clock, page=5
    )
    if not any(rotation.status().old().values()):
        rotation.rotate(actor=ACTOR)
    moved = 0
    while any(rotation.status().old().values()) and goes_on():
        moved += sum(rotation.rewrap(actor=ACTOR).rewrapped.values())
        moved += indexer.run(actor=ACTOR).reindexed
    rotation.settle()
    return {"moved": moved, "current": house.own_keys.current_version, "old": sum(rotation.status().old().values())}


def known_phone(lead: Invented) -> str:
    """The number of an invented lead, as the index takes it."""
    return str(phone_or_none(str(lead.document["phone"]), "RU"))


def stranger_phone(number: int) -> str:
    """A number that no lead has."""
    return f"+790000099{number:02d}"


def named(phone: str) -> Withdrawal:
    return Withdrawal(brand="lada", phone=Personal(phone), purposes=())


ROLES = {"admit": admit, "dispatch": dispatch, "people": people, "rotate": rotate}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
