"""The evidence package: whoever gets it can check it without us, and it says no more than it must."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leadgate.pipeline.evidence import Packed
from leadgate.pipeline.evidence_parts import Scope
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.documents.auditor import SCRIPT, audit
from tests.documents.big_log import WITNESSES, cosign, seal, witnessed
from tests.houses.house import BEGIN, TestHouse


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


def told(house: TestHouse, event: str) -> list[dict[str, Any]]:
    """The leaves of one event."""
    leaves = (json.loads(bytes(row[0])) for row in house.rows("select body from audit_leaf order by leaf_index"))
    return [each for each in leaves if each["event"] == event]


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


def test_who_the_person_is_stands_in_a_folder_of_its_own_and_is_proven(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    person = person_of(house)
    pack(house, tmp_path / "named.zip", person=person, with_identity=True)
    with zipfile.ZipFile(tmp_path / "named.zip") as archive:
        outside = b"".join(archive.read(name) for name in archive.namelist() if not name.startswith("identity/"))
        inside = json.loads(archive.read("identity/leads.jsonl").splitlines()[0])
        archive.extractall(tmp_path / "named")
    fields = json.loads(inside["document"])
    assert fields["phone"].startswith("+7900000")
    assert fields["phone"].encode() not in outside
    assert audit(tmp_path / "named.zip", "--key", key_of(house)).code == 0
    inside["document"] = inside["document"].replace(fields["phone"], "+79000000099")
    (tmp_path / "named" / "identity" / "leads.jsonl").write_text(json.dumps(inside) + "\n", encoding="utf-8")
    said = audit(tmp_path / "named", "--key", key_of(house))
    assert "identity_changed" in said.codes
    house.house.seal()
    assert len(told(house, "identity.opened")) == 1


def test_a_package_is_the_same_bytes_and_its_digest_stands_in_the_log(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    packed = [pack(house, tmp_path / f"{at}.zip", person=person_of(house)) for at in range(2)]
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    assert packed[0].sha256 == hashlib.sha256((tmp_path / "0.zip").read_bytes()).hexdigest()
    assert packed[0].size == (tmp_path / "0.zip").stat().st_size
    house.house.seal()
    assert {each["facts"]["document_sha256"] for each in told(house, "evidence.issued")} == {packed[0].sha256}


def test_without_the_quorum_nothing_goes_out_unless_somebody_insists(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    watched = witnessed(house)
    person = person_of(house)
    try:
        with pytest.raises(ConfigurationError) as refused:
            pack(watched, tmp_path / "refused.zip", person=person)
        assert refused.value.code == "missing_quorum"
        assert not list(tmp_path.glob("*.zip"))
        assert not list(tmp_path.glob(".*partial"))
        insisted = pack(watched, tmp_path / "insisted.zip", person=person, without_quorum=True)
        assert insisted.quorum != "met"
        policy = tmp_path / "policy"
        policy.write_text(watched.house.logbook.policy_text(), encoding="utf-8")
        assert "missing_quorum" in audit(tmp_path / "insisted.zip", "--policy", policy).codes
        said = audit(tmp_path / "insisted.zip", "--policy", policy, "--without-quorum")
        assert said.code == 0, said.text
        assert "WITHOUT the quorum" in said.text
        cosign(watched, WITNESSES[0])
        pack(watched, tmp_path / "met.zip", person=person)
        assert audit(tmp_path / "met.zip", "--policy", policy).code == 0
    finally:
        watched.close()


def test_what_is_not_under_the_witnesses_signature_yet_stops_a_persons_package(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    watched = witnessed(house)
    try:
        cosign(watched, WITNESSES[0])
        person = person_of(house)
        house.house.erase(person, actor="officer-1", reason="subject_request")
        with pytest.raises(ConfigurationError) as refused:
            pack(watched, tmp_path / "late.zip", person=person)
        assert refused.value.code == "not_sealed"
        seal(watched)
        with pytest.raises(ConfigurationError):
            pack(watched, tmp_path / "late.zip", person=person)
        cosign(watched, WITNESSES[0])
        packed = pack(watched, tmp_path / "erased.zip", person=person, with_identity=True)
        assert packed.counts["identity"] == 0
        policy = tmp_path / "policy"
        policy.write_text(watched.house.logbook.policy_text(), encoding="utf-8")
        said = audit(tmp_path / "erased.zip", "--policy", policy)
        assert said.code == 0, said.text
        assert packed.counts["destructions"] == 1
    finally:
        watched.close()


def test_a_withdrawal_and_what_recipients_answered(house: TestHouse, tmp_path: Path) -> None:
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=20)
    phone = phone_or_none(lead.document["phone"], "RU")
    assert phone is not None
    house.clock.advance(minutes=1)
    house.house.recipients.withdraw(Withdrawal(brand="lada", phone=Personal(phone)), actor="officer-1")
    house.clock.advance(minutes=1)
    house.house.recipients.tell("lada_crm", seconds=20)
    house.house.seal()
    packed = pack(house, tmp_path / "evidence.zip", person=person_of(house))
    said = audit(tmp_path / "evidence.zip", "--key", key_of(house))
    assert said.code == 0, said.text
    assert packed.counts["withdrawals"] == 1
    assert packed.counts["recipients"] == 1
    assert packed.counts["events"] >= 1
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        told = [json.loads(line) for line in archive.read("records/recipients.jsonl").splitlines()]
        stopped = [json.loads(line) for line in archive.read("records/deliveries.jsonl").splitlines()]
    assert told[0]["state"] in {"erased", "suppressed"}
    assert {each["state"] for each in stopped} == {"accepted", "suppressed"}


def test_a_period_in_the_past_carries_what_its_records_stand_on(house: TestHouse, tmp_path: Path) -> None:
    """Leads admitted before the period, delivered within it, and changed after it."""
    house.admit(*(house.invented.lead(number, brand="lada") for number in range(3)))
    house.house.seal()
    house.clock.advance(days=2)
    begin = house.clock.now - timedelta(hours=1)
    house.dispatcher("lada_crm").run(seconds=20)
    house.house.seal()
    house.clock.advance(days=2)
    house.dispatcher("lada_calls").run(seconds=20)
    house.house.seal()
    target = tmp_path / "evidence.zip"
    packed = house.house.documents.pack(Scope(begin=begin, end=begin + timedelta(days=1)), target, actor="officer-1")
    said = audit(target, "--key", key_of(house))
    assert said.code == 0, said.text
    assert packed.counts["leads"] == 3
    assert packed.counts["context"] >= 3
    with zipfile.ZipFile(target) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert 0 < manifest["scope"]["first"] < manifest["scope"]["end"] < manifest["tree_size"] + 1


def test_a_dry_run_writes_nothing_and_says_how_much(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    packed = house.house.documents.pack(Scope(person_id=person_of(house)), None, actor="officer-1")
    assert packed.leaves > 0
    assert packed.size == 0
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        (Scope(person_id="0199f000-0000-7000-8000-000000000000"), "unknown_person"),
        (Scope(begin=BEGIN, end=BEGIN), "bad_period"),
        (Scope(begin=BEGIN + timedelta(days=3), end=BEGIN + timedelta(days=4)), "nothing_happened"),
    ],
)
def test_nothing_is_packed_of_nothing(house: TestHouse, tmp_path: Path, scope: Scope, code: str) -> None:
    lived(house)
    if code == "unknown_person":
        house.run("delete from notice")
    with pytest.raises(ConfigurationError) as refused:
        house.house.documents.pack(scope, tmp_path / "evidence.zip", actor="officer-1")
    assert refused.value.code == code
    assert not list(tmp_path.glob("*evidence*"))


def test_an_archive_is_never_overwritten(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    (tmp_path / "evidence.zip").write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        pack(house, tmp_path / "evidence.zip", person=person_of(house))
    assert (tmp_path / "evidence.zip").read_bytes() == b"mine"
