"""An audit export carries what witnesses signed, so that a policy can be asked of it, as of the published folder."""

from __future__ import annotations

from pathlib import Path

from consent.audit.note import VerifierKey
from consent.audit.policy import Policy
from consent.audit.verify import verify
from tests.houses.house import TestHouse
from tests.houses.witnesses import watched, witness


def test_the_export_and_the_folder_hold_the_quorum(house: TestHouse, tmp_path: Path) -> None:
    with witness(tmp_path / "one", "one", house) as one:
        watched(house, one.settings)
        house.receive(*house.invented.many(3))
        house.house.seal()
        house.receive(*house.invented.many(3, start=20))
        house.house.seal()
        policy = house.house.logbook.policy
        now = house.clock.now
        exported, published = tmp_path / "export", house.settings.log.publish_to
        house.house.export(exported)
        keys = [signer.verifier for signer in house.house.log_keys]
        for folder in (exported, published):
            report = verify(folder, keys, policy=policy, now=now)
            assert report.findings == ()
            assert len(report.witnesses) == 1
        one.kill()
        house.receive(*house.invented.many(3, start=40))
        house.house.seal()
        house.house.export(tmp_path / "later")
        for folder in (tmp_path / "later", published):
            (finding,) = verify(folder, keys, policy=policy, now=now).findings
            assert finding.code == "quorum_missing"


def test_each_of_the_two_keys_is_enough_and_the_house_checks_both(house: TestHouse, tmp_path: Path) -> None:
    house.receive(*house.invented.many(2))
    house.house.seal()
    house.house.export(tmp_path / "export")
    lines = house.settings.log_key_path.with_suffix(".pub").read_text().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert verify(tmp_path / "export", [VerifierKey.parse(line)], now=house.clock.now).ok
        policy = Policy.parse(f"log {line}\nquorum none\n")
        assert verify(tmp_path / "export", [], policy=policy, now=house.clock.now).ok
    assert house.house.verify().ok
