"""The act of destruction and its extract: every field of Order 179 on the page, every line with a proof that holds."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pypdfium2
import pytest

from consent.audit import proof
from consent.audit.policy import Policy
from consent.retention import Why
from leadgate.pipeline.act import Act, Given
from leadgate.pipeline.erase import METHOD
from schemas.errors import ConfigurationError, VaultError
from schemas.personal import Personal
from schemas.vocabulary import Language, TellingState
from schemas.words.destruction import COPIES, METHODS, REASONS
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse
from tests.stories.canary import Scanner, telling

DESTROYER = "Вымышленный И. И."
SUBJECT = "Выдуманная Анна Павловна"


def text_of(pdf: bytes) -> str:
    """The words of a document, as a reader's eyes or a search would meet them."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [page.get_textpage().get_text_bounded() for page in document]
    whole = re.sub(r"[\u00ad\ufffe-]\s*\r?\n", "", "\n".join(pages))  # words that were hyphenated over a line
    return " ".join(whole.replace("\u200b", "").split())


def erased(house: TestHouse, number: int = 7001) -> str:
    house.admit(house.invented.lead(number, brand="lada"))
    house.dispatcher("lada_crm").run(seconds=20)
    ((person,),) = house.rows("select person_id from person where wrapped_key is not null")
    house.house.erase(person, actor="officer-1", reason="subject_request")
    return str(person)


def drawn_up(house: TestHouse, person: str, language: Language = Language.RU, subject: str = SUBJECT) -> Act:
    given = Given(destroyer=Personal(DESTROYER), subject=Personal(subject))
    return house.house.destruction.draw_up(person, given=given, position=None, language=language, actor="officer-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "paper"


def test_every_field_of_the_order_stands_on_the_act(house: TestHouse) -> None:
    person = erased(house)
    made = drawn_up(house, person)
    text = text_of(made.act_pdf)
    for field, said in {
        "operator": "Invented Cars",
        "address": "3 Example Street, Tver",
        "processor": "ООО «Вымышленный контакт-центр»",
        "processor's address": "г. Вымышленск, ул. Придуманная, 2",
        "subject": SUBJECT,
        "identifier": person,
        "destroyer": DESTROYER,
        "position": "Специалист по защите персональных данных",
        "signature": "Подпись",
        "categories": "номер телефона",
        "system": "ИСПДн «Вымышленные лиды»",
        "method": "Безвозвратное уничтожение индивидуального ключа шифрования субъекта",
        "reason": "требование субъекта персональных данных",
        "date": "1 июня 2026 г., 12:00:00 UTC+03:00",
        "media": "Материальные носители не уничтожались",
        "recipient": "lada_crm",
        "said of the recipient": "Уничтожено не везде",
    }.items():
        assert said in text, field
    extract = text_of(made.extract_pdf)
    for field, said in {
        "subject": SUBJECT,
        "categories": "номер телефона",
        "system": "ИСПДн «Вымышленные лиды»",
        "reason": "требование субъекта персональных данных",
        "date": "1 июня 2026 г., 12:00:00 UTC+03:00",
        "the leaf itself": "subject.erased",
        "a proof": "c2sp.org/tlog-proof@v1",
    }.items():
        assert said in extract, field


def test_each_line_of_the_extract_is_proven_offline(house: TestHouse) -> None:
    made = drawn_up(house, erased(house))
    document = json.loads(made.document)
    policy = Policy.parse(house.house.logbook.policy_text())
    assert document["facts"]["lines"]
    for line in document["facts"]["lines"]:
        read = proof.parse(document["proofs"][line["file"]].encode())
        assert read.index == line["index"]
        proof.verify(read, line["leaf"].encode(), policy=policy)
        told = json.loads(line["leaf"])
        assert SUBJECT not in line["leaf"]
        assert told["event"] in {"subject.erased", "recipient.asked", "recipient.erased", "recipient.not_held"}


def test_what_nobody_knows_any_more_is_said_so_and_english_is_whole(house: TestHouse) -> None:
    person = erased(house)
    made = drawn_up(house, person, Language.EN, subject="")
    text = text_of(made.act_pdf)
    assert "not known to the operator any more" in text
    assert "the person demanded it" in text
    assert "1 June 2026, 12:00:00 UTC+03:00" in text


def test_an_act_is_kept_sealed_and_printed_again_to_the_byte(house: TestHouse) -> None:
    person = erased(house)
    made = drawn_up(house, person)
    house.clock.advance(days=30)
    again = house.house.destruction.acts.again(made.act_id)
    assert again.files == made.files
    assert house.house.destruction.acts.same(again)
    stored = house.rows("select sealed, document_sha256 from destruction_act where act_id = :a", a=made.act_id)[0]
    assert SUBJECT.encode() not in bytes(stored[0])
    leaves = [str(body) for _, body in house.house.leaves_of(house.house.leads_of_person(person)[0])]
    assert any("act.drawn_up" in leaf and stored[1] in leaf for leaf in leaves)
    assert not any(SUBJECT in leaf or DESTROYER in leaf for leaf in leaves)
    assert house.verified().ok

    # Three years later the evidence ends, and only it.
    house.clock.advance(days=1070)
    assert "destroy_evidence.evidence_over" in house.house.apply_retention(dry_run=True).counts
    house.house.apply_retention()
    with pytest.raises(VaultError) as caught:
        house.house.destruction.acts.again(made.act_id)
    assert caught.value.code == "key_destroyed"


def test_the_command_asks_writes_for_the_owner_only_and_tells_nobody(house: TestHouse, folder: Path) -> None:
    folder.mkdir()
    lead = house.invented.lead(7005, brand="lada")
    house.admit(lead)
    ((person,),) = house.rows("select person_id from person")
    refused = leadgate(house, "act", "--person", person, "--out", str(folder / "a.pdf"), "--actor", "officer-1")
    assert refused.returncode == 2
    assert "not_destroyed" in refused.stderr
    house.house.erase(person, actor="officer-1", reason="subject_request")
    words = ("act", "--person", person, "--out", str(folder / "a.pdf"), "--actor", "officer-1", "--lang", "ru")
    done = leadgate(house, *words, typed=f"{DESTROYER}\n{SUBJECT}\n")
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["a.extract.pdf", "a.json", "a.pdf"]
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in files} == {0o600}
    assert SUBJECT not in done.stdout + done.stderr
    assert DESTROYER not in done.stdout + done.stderr
    scanner = Scanner(telling([lead]))
    for name in files:
        assert scanner.text(name, (folder / name).read_bytes().decode("latin-1")) == []
    assert leadgate(house, *words, typed=f"{DESTROYER}\n\n").returncode == 2, "a document is never overwritten"


def test_an_act_that_would_lack_a_field_is_refused(house: TestHouse) -> None:
    person = erased(house)
    with pytest.raises(ConfigurationError) as caught:
        house.house.destruction.draw_up(
            person,
            given=Given(destroyer=Personal(" "), subject=Personal("")),
            position=None,
            language=Language.RU,
            actor="officer-1",
        )
    assert caught.value.code == "no_destroyer"


def test_an_erasure_during_a_delivery_stands_on_the_act_until_its_outcome_is_known(house: TestHouse) -> None:
    house.admit(house.invented.lead(7010, brand="lada"))
    ((person,),) = house.rows("select person_id from person")
    house.run("update delivery set state = 'claimed', worker = 'w', lease_until = :u where destination = 'lada_crm'", u=2**52)
    assert house.house.erase(person, actor="officer-1", reason="subject_request").recipients == ("lada_crm",)
    document = json.loads(drawn_up(house, person).document)
    (copy,) = document["facts"]["copies"]
    assert (copy["open"], copy["state"]) == (True, "передача выполнялась; ожидается её исход")


def test_every_state_and_reason_has_words() -> None:
    assert {*TellingState} <= COPIES.keys()
    assert {*Why} <= REASONS.keys()
    assert METHOD in METHODS
