"""Keys rotate: everything that was wrapped or indexed under the old version moves on, nobody is lost, and the old one goes."""

from __future__ import annotations

import pytest

from consent.keys.file import FileKeyProvider, FileKeyRotation
from integrations.testing.invented_leads import Invented
from leadgate.pipeline import in_step
from leadgate.storage import rotation
from leadgate.storage.clock import to_micros
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from schemas.vocabulary import Reason, SubmissionState
from tests.houses.house import TestHouse, renamed

PHONE = "+79000009999"
ACTOR = "officer-1"


def withdrawal(phone: str = PHONE) -> Withdrawal:
    return Withdrawal(brand="lada", phone=Personal(phone), purposes=())


def phone(lead: Invented) -> str:
    return str(phone_or_none(str(lead.document["phone"]), "RU"))


def old_rows(house: TestHouse) -> dict[str, int]:
    return house.house.key_desk.status().old()


def rotate(house: TestHouse) -> None:
    """All of it, to the end."""
    desk = house.house.key_desk
    before, now = desk.rotate(actor=ACTOR)
    assert now == before + 1
    assert desk.rewrap(actor=ACTOR).broken.get("person", 0) == 0
    desk.reindex(actor=ACTOR)
    assert not any(old_rows(house).values())
    house.clock.advance(hours=1)
    desk.drop(before, actor=ACTOR)


def test_a_whole_rotation_loses_nobody(house: TestHouse) -> None:
    leads = [house.invented.lead(number, brand="lada") for number in range(5)]
    house.admit(*leads[:3])
    house.receive(leads[3])
    house.house.withdraw(withdrawal(), actor=ACTOR)
    stranger = house.house.persons(withdrawal=withdrawal())
    people = {lead.number: house.house.persons(withdrawal=withdrawal(phone(lead))) for lead in leads[:3]}
    assert stranger
    assert all(people.values())
    rotate(house)

    for each in (house.house, house.another()):  # who was there before, and who comes after
        assert each.keys.versions == (2,)
        assert each.persons(withdrawal=withdrawal()) == stranger
        for lead in leads[:3]:
            assert each.persons(withdrawal=withdrawal(phone(lead))) == people[lead.number]
    house.house.admit()
    assert house.state_of(leads[3]) == ("admitted", [])
    house.receive(renamed(leads[0], "same again"))
    house.house.admit()
    assert house.state_of(renamed(leads[0], "same again")) == ("refused", [Reason.DUPLICATE]), "fingerprints move too"
    for name in ("lada_calls", "lada_crm"):
        house.dispatcher(name).run(seconds=20)
        assert house.world(name).stats()["records"] == 4
    assert house.verified().ok
    leaves = b" ".join(bytes(row[0]) for row in house.rows("select body from audit_leaf"))
    assert all(word in leaves for word in (b"keys.rotated", b"keys.rewrapped", b"keys.reindexed", b"keys.dropped"))


def test_who_only_withdrew_is_found_over_three_rotations(house: TestHouse) -> None:
    house.house.withdraw(withdrawal(), actor=ACTOR)
    stranger = house.house.persons(withdrawal=withdrawal())
    for _ in range(3):
        rotate(house)
        assert house.another().persons(withdrawal=withdrawal()) == stranger
    assert house.house.keys.kept_versions == (1, 2, 3)
    assert house.rows("select key_version, layered_from from identifier") == [(4, 1)]
    # a late lead under an older consent is refused, though nobody has the number but the lead
    late = house.invented.lead(1, brand="lada")
    late = renamed(late, "late", phone=PHONE)
    house.receive(late)
    house.house.admit()
    state, reasons = house.state_of(late)
    assert (state, set(reasons)) == ("refused", {Reason.WITHDRAWN})
    house.house.destruction.erase(stranger[0], actor=ACTOR, reason="subject_request")
    rotate(house)
    assert house.house.keys.kept_versions == (), "nobody needs them any more"


def test_a_value_that_comes_back_replaces_its_layers(house: TestHouse) -> None:
    house.house.withdraw(withdrawal(), actor=ACTOR)
    rotate(house)
    house.clock.advance(minutes=1)
    lead = renamed(house.invented.lead(1, brand="lada"), "back", phone=PHONE)
    lead.document["consent"]["given_at"] = house.clock.now.isoformat()
    house.receive(lead)
    house.house.admit()
    assert house.state_of(lead) == ("admitted", [])
    rotate(house)
    assert house.rows("select count(*) from identifier where layered_from is not null") == [(0,)]
    assert len(house.house.persons(withdrawal=withdrawal())) == 1


def test_a_version_in_use_is_not_dropped(house: TestHouse) -> None:
    house.admit(house.invented.lead(1, brand="lada"))
    desk = house.house.key_desk
    with pytest.raises(ConfigurationError, match="keyring_version"):
        desk.drop(1, actor=ACTOR)
    desk.rotate(actor=ACTOR)
    with pytest.raises(ConfigurationError, match="key_in_use"):
        desk.drop(1, actor=ACTOR)
    desk.rewrap(actor=ACTOR)
    with pytest.raises(ConfigurationError, match=r"key_in_use.*identifier"):
        desk.drop(1, actor=ACTOR)
    desk.reindex(actor=ACTOR)
    with pytest.raises(ConfigurationError, match="key_may_be_out"):
        desk.drop(1, actor=ACTOR)
    house.clock.advance(hours=1)
    desk.drop(1, actor=ACTOR, dry_run=True)
    assert FileKeyProvider.open(house.settings.keyring_path).versions == (2, 1)
    with pytest.raises(ConfigurationError, match="keyring_version"):
        desk.drop(2, actor=ACTOR)
    desk.drop(1, actor=ACTOR)
    desk.drop(1, actor=ACTOR)  # said twice, done once
    assert FileKeyProvider.open(house.settings.keyring_path).versions == (2,)


def test_an_interrupted_rotation_goes_on_and_is_one(house: TestHouse) -> None:
    """Whatever step the process died after, the next call ends the same rotation."""
    steps = FileKeyRotation(house.settings.keyring_path)
    for version in (2, 3, 4):
        if version == 2:  # died after the announcement in the keyring
            steps.announce(now=house.clock.now)
        elif version == 3:  # after that in the ledger
            steps.announce(now=house.clock.now)
            with house.transaction() as tx:
                rotation.announce(tx, 3, at=to_micros(house.clock.now))
        else:  # after the promotion in the keyring
            steps.announce(now=house.clock.now)
            with house.transaction() as tx:
                rotation.announce(tx, 4, at=to_micros(house.clock.now))
            steps.promote(4)
        assert house.house.key_desk.rotate(actor=ACTOR) == (version - 1, version)
    with house.ledger.snapshot() as tx:
        standing = rotation.standing(tx)
    assert standing is not None
    assert (standing.newest, standing.current, standing.oldest) == (4, 4, 1)


def test_a_process_from_before_goes_on_after_every_step(house: TestHouse) -> None:
    """It was never told; it reads the keyring again when the ledger says so, and loses nothing."""
    leads = [house.invented.lead(number, brand="lada") for number in range(4)]
    house.admit(leads[0])
    for number, _ in enumerate(range(3), 1):
        before = house.another()
        assert before.index.versions[0] == number
        assert before.receiver is not None
        house.house.key_desk.rotate(actor=ACTOR)
        house.receive(leads[number])
        assert before.admit().admitted == 1
        assert before.index.versions[0] == number + 1
        house.receive(renamed(leads[number], f"again {number}"))
        assert before.admit().refused == 1
        before.close()
    assert house.rows("select count(*) from person") == [(4,)]


def test_what_was_wrapped_under_a_dropped_version_is_wrapped_anew(house: TestHouse) -> None:
    """A reception that stood still from before the rotation until after the drop."""
    before = house.another()
    assert before.receiver is not None
    rotate(house)
    lead = house.invented.lead(1, brand="lada")
    mine = house.house
    house.house = before
    try:
        house.receive(lead)
    finally:
        house.house = mine
    assert house.rows("select key_version from submission") == [(2,)]
    assert house.house.admit().admitted == 1
    before.close()


def test_a_keyring_that_was_not_brought_along_stops_loudly_and_nothing_is_decided(house: TestHouse) -> None:
    kept = house.settings.keyring_path.read_bytes()
    before = house.another()
    house.receive(house.invented.lead(1, brand="lada"))
    assert before.index.versions == (1,)
    house.house.key_desk.rotate(actor=ACTOR)
    rotated = house.settings.keyring_path.read_bytes()
    house.settings.keyring_path.write_bytes(kept)  # another machine's copy
    with pytest.raises(ConfigurationError, match="keyring_stale"):
        before.admit()
    assert house.rows("select state from submission") == [(SubmissionState.RECEIVED,)]
    house.settings.keyring_path.write_bytes(rotated)
    assert before.admit().admitted == 1
    before.close()


def test_an_erasure_between_is_not_undone(house: TestHouse) -> None:
    leads = [house.invented.lead(number, brand="lada") for number in range(2)]
    house.admit(*leads)
    person = house.house.persons(withdrawal=withdrawal(phone(leads[0])))[0]
    desk = house.house.key_desk
    desk.rotate(actor=ACTOR)
    mover = desk.reindexer
    with house.ledger.snapshot() as tx:
        ids = rotation.people_to_index(tx, below=2, after="", limit=9)
        page = mover._made(rotation.digests_of(tx, ids), rotation.leads_of(tx, ids), 2)
        wrapped = rotation.wrapped_page(tx, "person", below=2, after="", limit=9)
    again, _ = desk.rotation._wrapped_again(wrapped)
    house.house.destruction.erase(person, actor=ACTOR, reason="subject_request")
    with house.transaction() as tx:
        assert mover._exchange(tx, page=page, version=2, actor=ACTOR).people == 1
        assert desk.rotation._write_page(tx, table="person", rows=again, actor=ACTOR) == 1
    assert house.rows("select count(*) from identifier where person_id = :p", p=person) == [(0,)]
    assert house.rows("select wrapped_key from person where person_id = :p", p=person) == [(None,)]
    in_step.catch_up(house.ledger, house.house.index)
