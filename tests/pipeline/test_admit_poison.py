"""Whatever a submission, a source or a row holds costs nobody else anything; lost keys stop everything; overlap is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from consent.keys.file import FileKeyProvider
from consent.pseudonyms import Pseudonyms
from integrations.contract.source import Source
from integrations.testing.invented_leads import Invented
from leadgate.pipeline.admit import Admitter
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Parsed, Submission, Withdrawal
from schemas.vocabulary import Channel, Reason
from tests.houses.house import TestHouse, renamed, submission


def _person(house: TestHouse, lead: Invented) -> str:
    rows = house.rows("select person_id from submission where event_id = :event", event=lead.event_id)
    return str(rows[0][0])


# -- poison -----------------------------------------------------------------------------------------------------------------


class Breaking(Source):
    """A stranger's source that breaks its promise never to raise."""

    name = "breaking"

    def parse(self, submission: Submission) -> Parsed:
        raise RecursionError(submission.body.reveal().decode())


def _admitter(house: TestHouse, sources: dict[str, Source]) -> Admitter:
    return Admitter(
        ledger=house.ledger,
        vault=house.house.vault,
        index=house.house.index,
        pseudonyms=Pseudonyms(house.house.keys, house.settings.tenant),
        sources={**house.house.sources, **sources},
        policies=house.house.policies,
        key_lengths=dict.fromkeys(house.settings.destinations, 26),
        clock=house.clock,
    )


def test_a_source_that_raises_costs_its_own_submission_only(house: TestHouse) -> None:
    good = list(house.invented.many(3, brand="lada"))
    house.receive(*good)
    house.receive(house.invented.lead(9, brand="lada"), source="breaking")
    settings = replace(house.house.sources["webhook"].settings, name="breaking", secrets=())
    count = _admitter(house, {"breaking": Breaking(settings)}).run(seconds=9)
    assert (count.admitted, count.quarantined) == (3, 1)
    findings = house.rows("select findings from submission where source = 'breaking'")[0][0]
    assert "RecursionError" in findings
    assert house.invented.lead(9, brand="lada").document["family_name"] not in findings


POISON: dict[str, Any] = {
    "nothing": b"",
    "no UTF-8": "Ненастоящая".encode("cp1251"),
    "UTF-16": "Ненастоящая".encode("utf-16"),
    "a number": b"4217",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "deep document": b'{"brand":"lada","consent":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    "a key of somebody's": json.dumps({"brand": "lada", "+79000004217": "x", "Ненастоящая": 1}).encode(),
    "endless keys": json.dumps({"brand": "lada"} | {f"k{n}_{'x' * 30}": n for n in range(3_000)}).encode(),
    "nul bytes": json.dumps({"brand": "lada", "given_name": "\x00", "text": "\ud800 \x00"}).encode(),
    "huge numbers": b'{"brand":"lada","phone":1' + b"0" * 400 + b"}",
    "not a topic": json.dumps({"brand": "lada", "topic": [[[1]]], "consent": [1], "user": {"a": 1}}).encode(),
    "brand is an object": b'{"brand":{"a":1}}',
}


@pytest.mark.parametrize("what", POISON)
def test_poison_is_put_aside_and_the_others_go_on(house: TestHouse, what: str) -> None:
    good = list(house.invented.many(2, brand="lada"))
    poison = msgspec.structs.replace(
        submission(house.invented.lead(3, brand="lada")), event_id="poison", body=Personal(POISON[what])
    )
    house.house.receiver.commit([submission(good[0]), poison, submission(good[1])])
    count = house.house.admit()
    assert (count.taken, count.admitted, count.quarantined + count.refused) == (3, 2, 1)
    assert house.verified().ok


@pytest.mark.parametrize("column", ["sealed", "wrapped_key"])
def test_a_submission_whose_seal_is_broken_is_put_aside(house: TestHouse, column: str) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    house.receive(*leads)
    house.run(f"update submission set {column} = :bytes where event_id = :event", bytes=b"?", event=leads[1].event_id)  # noqa: S608 - our two columns
    count = house.house.admit()
    assert (count.admitted, count.quarantined) == (2, 1)


def test_broken_seals_and_unknown_sources_among_good_ones_cost_themselves_only(house: TestHouse) -> None:
    leads = list(house.invented.many(9, brand="lada"))
    for number, lead in enumerate(leads):
        house.receive(lead, source="nobody" if number % 3 == 1 else "webhook")
    for lead, change in zip(
        leads, ("sealed = :b", "sealed = :b", "wrapped_key = :b", "key_version = length(:b) + 8"), strict=False
    ):
        house.run(f"update submission set {change} where event_id = :event", b=b"?", event=lead.event_id)  # noqa: S608 - our columns
    count = house.house.admit()
    assert (count.admitted, count.quarantined) == (3, 6)
    found = [house.rows("select findings from submission where event_id = :event", event=lead.event_id)[0][0] for lead in leads]
    words = [
        "(foreign)",
        "not configured",
        "(foreign)",
        "(key_version_mismatch)",
        "not configured",
        "",
        "",
        "not configured",
        "",
    ]
    assert all((word in text) if word else text is None for word, text in zip(words, found, strict=True)), found
    assert house.verified().ok


def test_a_person_whose_key_is_broken_costs_their_own_leads_only(house: TestHouse) -> None:
    leads = list(house.invented.many(3, brand="lada"))
    house.admit(*leads)
    house.run("update person set wrapped_key = :bytes where person_id = :person", bytes=b"?", person=_person(house, leads[1]))
    more = [renamed(lead, f"more {lead.number}", topic={"code": "price", "fields": {"car_model": "X"}}) for lead in leads]
    assert [state for state, _ in house.admit(*more)] == ["admitted", "quarantined", "admitted"]


def test_an_honest_row_between_two_poisonous_ones_of_every_size_of_batch(house: TestHouse) -> None:
    leads = list(house.invented.many(23, flawed=0.6))
    house.receive(*leads)
    total = house.house.admitter.run(seconds=20, batch=3)
    assert total.taken == 23
    assert [house.state_of(lead)[0] for lead in leads] == [lead.expected for lead in leads]


# -- keys -------------------------------------------------------------------------------------------------------------------


def test_a_lost_keyring_stops_everything_loudly_and_decides_nothing(house: TestHouse) -> None:
    house.receive(*house.invented.many(3, brand="lada"))
    keyring = house.settings.keyring_path
    kept = keyring.read_bytes()
    keyring.unlink()
    lost = house.another()
    with pytest.raises(ConfigurationError) as caught:
        lost.admit()
    lost.close()
    assert caught.value.code == "no_keyring"
    assert house.rows("select state, count(*) from submission group by 1") == [("received", 3)]
    keyring.write_bytes(kept)
    assert house.house.admit().admitted == 3


def test_another_keyring_is_refused_before_anything_is_touched(house: TestHouse) -> None:
    house.admit(*house.invented.many(3, brand="lada"))
    house.receive(house.invented.lead(9, brand="lada"))
    house.settings.keyring_path.unlink()
    FileKeyProvider.create(house.settings.keyring_path, tenant=house.settings.tenant, now=house.clock.now)
    stranger = house.another()
    acts: list[Callable[[], object]] = [
        stranger.admit,
        lambda: stranger.dispatch("lada_calls"),
        lambda: stranger.receiver,
        lambda: stranger.withdraw(Withdrawal(brand="lada", user=Personal("vk:1")), actor="moderator-1"),
    ]
    for act in acts:
        with pytest.raises(ConfigurationError) as caught:
            act()
        assert caught.value.code == "wrong_keyring"
    stranger.close()
    assert house.rows("select state, count(*) from submission group by 1 order by 1") == [("admitted", 3), ("received", 1)]
    assert house.states("lada_calls") == {"queued": 3}
    assert house.house.admit().admitted == 1, "whoever holds the right one goes on"


def test_people_and_duplicates_are_recognised_over_a_rotation(house: TestHouse) -> None:
    first, second, third = (house.invented.lead(number, brand="lada") for number in range(3))
    house.admit(first)
    path = house.settings.keyring_path
    FileKeyProvider.add_version(path, now=house.clock.now, announce=True)
    before = house.another()  # knows both versions, writes under the old one
    house.receive(second, renamed(first, "first again"))
    before.admit()
    assert house.state_of(renamed(first, "first again")) == ("refused", [Reason.DUPLICATE])
    FileKeyProvider.promote(path, 2)
    after = house.another()  # writes under the new one
    house.receive(third, *(renamed(lead, f"promoted {lead.number}") for lead in (first, second)))
    after.admit()
    house.receive(*(renamed(lead, f"beside {lead.number}") for lead in (first, second, third)))
    before.admit()  # and the one that has not been started anew finds everybody
    for word, leads in (("promoted", (first, second)), ("beside", (first, second, third))):
        for lead in leads:
            assert house.state_of(renamed(lead, f"{word} {lead.number}")) == ("refused", [Reason.DUPLICATE])
    assert house.rows("select count(*) from person") == [(3,)]
    versions = [
        house.rows(
            "select key_version, count(*) from identifier where person_id = :person group by 1 order by 1",
            person=_person(house, lead),
        )
        for lead in (first, second, third)
    ]
    assert versions == [[(1, 3)], [(1, 3), (2, 3)], [(2, 3)]], "an announced version is written too, an old one no more"
    dispatched = [house.dispatcher("lada_calls", house=each).run(seconds=9).accepted for each in (after, before)]
    assert dispatched == [3, 0]
    before.close()
    after.close()


# -- at once ------------------------------------------------------------------------------------------------------------------


def test_admissions_at_once_make_no_double(house: TestHouse) -> None:
    leads = list(house.invented.many(60))
    again = [house.invented.again(lead, channel=Channel.FACEBOOK) for lead in leads]
    house.receive(*(one for pair in zip(leads, again, strict=True) for one in pair))

    def admit(_: int) -> int:
        mine = house.another()
        try:
            return mine.admitter.run(seconds=30, batch=7).taken
        finally:
            mine.close()

    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(admit, range(3)))
    house.house.admit()
    assert sum(taken) <= 120
    assert house.rows("select state, count(*) from submission group by 1 order by 1") == [("admitted", 60), ("refused", 60)]
    assert house.rows("select count(*), count(distinct person_id) from lead") == [(60, 60)]
    assert house.rows("select count(*) from delivery") == [(120,)]
    assert house.verified().ok
