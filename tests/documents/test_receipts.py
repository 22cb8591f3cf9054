"""Receipts: a person holds in their hands what the ledger says, in their language, with a proof that works without us."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leadgate.documents.paper import words
from leadgate.wiring.documents import Issued
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Language
from tests.documents.auditor import audit
from tests.documents.printing import Screen, attachments_of, opened, text_of
from tests.houses.house import TestHouse


def lived(house: TestHouse) -> str:
    """One person of lada is admitted and delivered to both recipients; answers the lead."""
    lead = house.invented.lead(1, brand="lada")
    assert house.admit(lead)[0][0] == "admitted"
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=20)
    house.clock.advance(minutes=5)
    house.house.seal()
    return str(house.rows("select lead_id from lead")[0][0])


def withdraw(house: TestHouse) -> str:
    """The same person takes everything back; answers the withdrawal."""
    phone = phone_or_none(house.invented.lead(1, brand="lada").document["phone"], "RU")
    assert phone is not None
    house.clock.advance(minutes=5)
    return str(
        house.house.recipients.withdraw(Withdrawal(brand="lada", phone=Personal(phone)), actor="officer-1").withdrawal_id
    )


def issue(house: TestHouse, kind: str, word: str, target: Path, **more: Any) -> Issued:
    house.house.seal()
    given: dict[str, Any] = {"language": None, "with_identity": False, "alone": False} | more
    return house.house.documents.receipt(kind, word, target, actor="officer-1", **given)


def document(target: Path) -> dict[str, Any]:
    return dict(json.loads(target.with_name(f"{target.name}.json").read_text(encoding="utf-8")))


def _title(policy: Any, language: Language) -> str:
    titles = policy.purposes["callback"].title
    return str(titles.get(language) or next(iter(titles.values())))


def key(house: TestHouse) -> str:
    return str(house.house.log_key.verifier)


def names(house: TestHouse) -> Mapping[str, str]:
    found = house.invented.lead(1, brand="lada").document
    said = {name: found[name] for name in ("given_name", "family_name", "phone", "email") if found.get(name)}
    return said | {"phone": "".join(each for each in said["phone"] if each in "+0123456789")}  # as the vault keeps it


@pytest.mark.parametrize("language", Language)
def test_a_consent_receipt_says_what_was_agreed(house: TestHouse, tmp_path: Path, language: Language) -> None:
    lead = lived(house)
    done = issue(house, "consent", lead, tmp_path / "receipt", language=language)
    said = words("consent_receipt", language)
    consent = house.rows("select consent_id, text_sha256 from consent_record")[0]
    paper = text_of((tmp_path / "receipt.pdf").read_bytes())
    screen = Screen((tmp_path / "receipt.html").read_text(encoding="utf-8")).words
    policy = house.house.policies["lada"]
    for shown in (
        said["title"], consent[0], consent[1], policy.controller.name, policy.controller.address,  # type: ignore[union-attr] # it has one
        _title(policy, language), policy.controller.withdrawal_method[language],  # type: ignore[union-attr] # as above
        policy.controller.rights_url, done.receipt_id, house.settings.log_origin,  # type: ignore[union-attr] # as above
    ):  # fmt: skip
        assert shown in paper, shown
        assert shown in screen, shown
    assert stat.S_IMODE((tmp_path / "receipt.pdf").stat().st_mode) == 0o600
    assert not any(value in paper + screen for value in names(house).values())


def test_a_receipt_is_proven_by_the_auditors_script(house: TestHouse, tmp_path: Path) -> None:
    done = issue(house, "consent", lived(house), tmp_path / "receipt")
    said = audit(tmp_path / "receipt.json", "--key", key(house))
    assert said.code == 0, said.text
    assert f"leaf {done.facts.leaf_index}: in the log" in said.text
    proof = next(each for each in done.files if each.suffix == ".tlog-proof")
    inside = attachments_of((tmp_path / "receipt.pdf").read_bytes())
    assert inside["receipt.json"] == (tmp_path / "receipt.json").read_bytes()
    assert inside[f"leaf-{done.facts.leaf_index}.tlog-proof"] == proof.read_bytes()
    leaf = [json.loads(body) for _, body in house.house.leaves_of(done.facts.person_ids[0])]
    house.house.seal()
    rows = house.rows("select body from audit_leaf where about = :person", person=done.facts.person_ids[0])
    issued = [json.loads(bytes(row[0])) for row in rows if b"receipt.issued" in bytes(row[0])]
    assert [each["facts"]["document_sha256"] for each in issued] == [done.sha256]
    assert leaf


_CHANGES: dict[str, Any] = {
    "purposes": lambda receipt: receipt["records"][0]["columns"].update(purposes=["callback"]),
    "given": lambda receipt: receipt["records"][0]["columns"].update(given_at=1),
    "notice": lambda receipt: receipt["notices"][0].update(text=receipt["notices"][0]["text"] + " "),
    "leaf": lambda receipt: receipt["proofs"][0].update(leaf=receipt["proofs"][0]["leaf"].replace("callback", "callbock")),
    "index": lambda receipt: receipt["proofs"][0].update(proof=receipt["proofs"][0]["proof"].replace("index ", "index 1", 1)),
    "hash": lambda receipt: receipt["proofs"][0].update(proof=_flipped(receipt["proofs"][0]["proof"], 3)),
    "root": lambda receipt: receipt["proofs"][0].update(proof=_flipped(receipt["proofs"][0]["proof"], -4)),
    "no proof": lambda receipt: receipt.update(proofs=[]),
    "no record": lambda receipt: receipt.update(records=[]),
}


def _flipped(proof: str, line: int) -> str:
    lines = proof.split("\n")
    at = line if line > 0 else next(number for number, each in enumerate(lines) if number > 2 and not each) + 3
    lines[at] = ("B" if lines[at][0] != "B" else "C") + lines[at][1:]
    return "\n".join(lines)


@pytest.mark.parametrize("change", _CHANGES)
def test_a_changed_receipt_is_found_out(house: TestHouse, tmp_path: Path, change: str) -> None:
    issue(house, "consent", lived(house), tmp_path / "receipt")
    receipt = document(tmp_path / "receipt")
    _CHANGES[change](receipt)
    (tmp_path / "changed.json").write_text(json.dumps(receipt, ensure_ascii=False), encoding="utf-8")
    said = audit(tmp_path / "changed.json", "--key", key(house))
    assert said.code == 1, said.text
    assert said.findings


def test_a_machine_reads_a_kantara_receipt_and_a_27560_record(house: TestHouse, tmp_path: Path) -> None:
    done = issue(house, "consent", lived(house), tmp_path / "receipt")
    receipt = document(tmp_path / "receipt")
    said = receipt["kantara"]
    assert said["version"] == "KI-CR-v1.1.0"
    assert said["consentReceiptID"] == done.receipt_id
    assert said["services"][0]["purposes"][0].keys() >= {"purpose", "consentType", "piiCategory", "thirdPartyDisclosure"}
    assert said["piiControllers"][0].keys() == {"piiController", "contact", "address"}
    assert receipt["iso27560"]["record_id"] == done.facts.record.consent_id  # type: ignore[union-attr] # a consent receipt has one
    assert {each["event_state"] for each in receipt["iso27560"]["events"]} == {"given"}


def test_who_the_person_is_stands_in_it_only_if_asked(house: TestHouse, tmp_path: Path) -> None:
    lead = lived(house)
    issue(house, "consent", lead, tmp_path / "plain")
    issue(house, "consent", lead, tmp_path / "named", with_identity=True)
    plain = "".join(each.read_bytes().decode("latin-1") for each in tmp_path.glob("plain*"))
    paper = text_of((tmp_path / "named.pdf").read_bytes())
    for value in names(house).values():
        assert value not in plain
        assert value in paper
    house.house.seal()
    bodies = [bytes(row[0]) for row in house.rows("select body from audit_leaf")]
    assert sum(b"identity.opened" in each for each in bodies) == 1


def test_a_withdrawal_receipt_tells_the_truth_as_it_grows(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    withdrawal = withdraw(house)
    first = issue(house, "withdrawal", withdrawal, tmp_path / "first", language=Language.EN)
    assert not first.facts.withdrawal.complete  # type: ignore[union-attr] # a withdrawal receipt has one
    said = words("withdrawal_receipt", Language.EN)
    paper = text_of((tmp_path / "first.pdf").read_bytes())
    assert said["open"] in paper
    assert paper.count("to be told") == 2
    assert audit(tmp_path / "first.json", "--key", key(house)).code == 0
    for name in ("lada_calls", "lada_crm"):
        house.house.recipients.tell(name, seconds=20)
    house.clock.advance(minutes=1)
    second = issue(house, "withdrawal", withdrawal, tmp_path / "second", language=Language.EN)
    later = text_of((tmp_path / "second.pdf").read_bytes())
    assert "to be told" not in later
    states = {each.fact.state.value for each in second.facts.told}
    assert states <= {"erased", "suppressed", "by_hand"}, states
    assert "erased" in states
    told = audit(tmp_path / "second.json", "--key", key(house))
    assert told.code == 0, told.text
    screen = Screen((tmp_path / "second.html").read_text(encoding="utf-8")).words
    for each in second.facts.told:
        assert each.name in later
        assert each.name in screen


def test_a_consent_receipt_after_the_withdrawal_says_so(house: TestHouse, tmp_path: Path) -> None:
    lead = lived(house)
    withdraw(house)
    issue(house, "consent", lead, tmp_path / "receipt", language=Language.EN)
    assert "taken back" in text_of((tmp_path / "receipt.pdf").read_bytes())


def test_a_receipt_never_takes_another_files_place(house: TestHouse, tmp_path: Path) -> None:
    lead = lived(house)
    issue(house, "consent", lead, tmp_path / "receipt")
    before = (tmp_path / "receipt.pdf").read_bytes()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        issue(house, "consent", lead, tmp_path / "receipt")
    assert (tmp_path / "receipt.pdf").read_bytes() == before


def test_what_is_not_known_is_said_without_a_receipt(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    for kind in ("consent", "withdrawal"):
        with pytest.raises(ConfigurationError) as refused:
            issue(house, kind, "0199f000-0000-7000-8000-000000000000", tmp_path / "receipt")
        assert refused.value.code == f"unknown_{kind}"
    assert not list(tmp_path.glob("receipt*"))


def test_a_receipt_fits_two_pages(house: TestHouse, tmp_path: Path) -> None:
    issue(house, "consent", lived(house), tmp_path / "receipt", language=Language.RU)
    with opened((tmp_path / "receipt.pdf").read_bytes()) as paper:
        assert len(paper) <= 2
