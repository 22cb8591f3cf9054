"""The keys rotate while leads come in, go out, are looked up and taken back; the rotation is killed, and goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.houses.commands import environment
from tests.houses.house import BEGIN, TestHouse
from tests.stories.rotation_worker import known_phone, named, stranger_phone

WORKER = Path(__file__).with_name("rotation_worker.py")
KNOWN, KILLS = 60, 5


class Worker:
    """A process of the house."""

    def __init__(self, house: TestHouse, role: str, stop: Path, epoch: float) -> None:
        self.role = role
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), role, str(stop), str(epoch)],
            env=environment(house),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.ended()

    def ended(self) -> str:
        _, errors = self.process.communicate(timeout=120)
        return f"{self.role}: {errors}"

    def answer(self) -> dict[str, int]:
        out, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, f"{self.role}: {errors}"
        told: dict[str, int] = json.loads(out.splitlines()[-1])
        return told

    def kill(self) -> bool:
        """Whether it was still alive."""
        alive = self.process.poll() is None
        if alive:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=60)
        return alive


@contextmanager
def load(house: TestHouse, stop: Path, epoch: float) -> Iterator[list[Worker]]:
    """Who works while the keys rotate; nobody is left behind, whatever happens."""
    workers = [Worker(house, role, stop, epoch) for role in ("admit", "dispatch", "people")]
    try:
        for worker in workers:
            worker.ready()
        yield workers
    finally:
        stop.touch()
        for worker in workers:
            if worker.process.poll() is None and sys.exc_info()[0] is not None:
                worker.kill()


def test_keys_rotate_under_load(house: TestHouse, tmp_path: Path) -> None:
    house.admit(*(house.invented.lead(number, brand="lada") for number in range(KNOWN)))
    stop, never, epoch = tmp_path / "stop", tmp_path / "never", time.time()
    chance = random.Random(20261122)
    killed = 0
    with load(house, stop, epoch) as workers:
        for _ in range(KILLS):
            rotator = Worker(house, "rotate", never, epoch)
            rotator.ready()
            time.sleep(chance.uniform(0.01, 0.25))
            killed += rotator.kill()
        first = Worker(house, "rotate", never, epoch).answer()  # what was begun is brought to its end
        second = Worker(house, "rotate", never, epoch).answer()
        assert (first["old"], second["old"]) == (0, 0)
        stop.touch()
        admitted, sent, looked = (worker.answer() for worker in workers)
    assert killed
    assert looked["looked"] > 10
    assert looked["withdrawn"]

    # Every lead is admitted, every delivery is at its destination, once.
    house.clock.now = BEGIN.replace(hour=18)
    house.house.admit()
    total = KNOWN + admitted["received"]
    assert house.rows("select state, count(*) from submission group by state") == [("admitted", total)]
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=60)
        assert house.states(name) == {"accepted": total}
        stats = house.world(name).stats()
        assert (stats["records"], stats["doubles"]) == (total, [])
    assert sent["accepted"]

    # No old version is left; the old roots go, and everybody is still found, by who stood by and by who comes anew.
    desk = house.house.key_desk
    status = desk.status()
    assert not any(status.old().values())
    assert status.current == second["current"]
    desk.rotation.settle()
    house.clock.advance(hours=2)
    for version in range(1, status.current):
        desk.drop(version, actor="officer-1")
    assert house.rows("select count(*) from person") == [(total + looked["withdrawn"],)]
    later = house.another()
    phones = [known_phone(house.invented.lead(number, brand="lada")) for number in range(total)]
    strangers = [stranger_phone(number) for number in range(looked["withdrawn"])]
    for by in (house.house, later):
        found = [by.persons(withdrawal=named(phone)) for phone in (*phones, *strangers)]
        assert [len(each) for each in found] == [1] * len(found)
    later.close()
    house.clock.now = BEGIN.replace(hour=22)
    assert house.verified().ok
