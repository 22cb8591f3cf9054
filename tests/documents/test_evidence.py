"""The evidence package: whoever gets it can check it without us, and it says no more than it must."""

from __future__ import annotations

import stat
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from leadgate.pipeline.evidence import Packed, Scope
from tests.documents.auditor import SCRIPT, audit
from tests.houses.house import TestHouse


def person_of(house: TestHouse) -> str:
    return str(house.rows("select person_id from lead order by lead_id")[0][0])


def lived(house: TestHouse, *, leads: int = 6) -> None:
    """Some leads are admitted and delivered; the log is sealed twice."""
    house.admit(*(house.invented.lead(number) for number in range(leads)))
    house.house.seal()
    house.clock.advance(minutes=5)
    for name in house.settings.destinations:
        house.dispatcher(name).run(seconds=20)
    house.clock.advance(minutes=5)
    house.house.seal()


def pack(house: TestHouse, target: Path, *, person: str | None = None, **more: Any) -> Packed:
    scope = Scope(person_id=person) if person else Scope(begin=house.clock.now - timedelta(days=1), end=house.clock.now)
    return house.house.documents.pack(scope, target, actor="officer-1", **more)


def key_of(house: TestHouse) -> str:
    return str(house.house.log_key.verifier)


def test_a_persons_package_convinces_somebody_who_knows_only_the_key(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    packed = pack(house, tmp_path / "evidence.zip", person=person_of(house))
    said = audit(tmp_path / "evidence.zip", "--key", key_of(house))
    assert said.code == 0, said.text
    assert "verified: nothing was found" in said.text
    assert packed.counts["leads"] >= 1
    assert packed.counts["deliveries"] >= 1
    assert packed.counts["consents"] >= 1
    assert stat.S_IMODE((tmp_path / "evidence.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        names = archive.namelist()
        assert archive.read("verify_evidence.py") == SCRIPT.read_bytes()
        whole = b"".join(archive.read(name) for name in names).decode("utf-8", "replace")
    assert not any(name.startswith("identity") for name in names)
    for number in range(6):
        document = house.invented.lead(number).document
        assert document["phone"] not in whole
        assert str(document.get("family_name") or "no such name") not in whole


def test_a_period_is_whole(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    packed = pack(house, tmp_path / "evidence.zip")
    said = audit(tmp_path / "evidence.zip", "--key", key_of(house))
    assert said.code == 0, said.text
    assert packed.leaves == house.house.balance(keep=False).tree_size
    assert packed.counts["leads"] == 6
