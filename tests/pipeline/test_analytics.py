"""Figures of ten thousand invented leads: anonymous by a library's measure, accounted for in the log, and nobody in them."""

from __future__ import annotations

import csv
import json
import stat
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pycanon import anonymity

from consent.anonymize import COLUMNS, HIERARCHIES
from integrations.testing.invented_leads import Invented, InventedLeads
from leadgate.settings.keys import AnalyticsSettings
from leadgate.wiring.analytics import export_analytics
from schemas.contact import phone_or_none
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.submission import Withdrawal
from tests.houses.commands import leadgate
from tests.houses.house import BEGIN, TestHouse

PLACES = {
    "RU": {"Придуманный край": ("Выдумск", "Небылинск"), "Fiction County": ("Fictionville",)},
    "DE": {"Fiction County": ("Sampleton",)},
}


def with_places(house: TestHouse, **changes: object) -> None:
    rules = AnalyticsSettings(places=PLACES, **changes)  # type: ignore[arg-type]
    house.house.settings = replace(house.house.settings, analytics=rules)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_ten_thousand_leads_reach_the_asked_k(sqlite_house: TestHouse, tmp_path: Path) -> None:
    house = sqlite_house
    with_places(house)
    told: list[Invented] = []
    for batch in range(20):  # three weeks of work
        invented = InventedLeads(house.house.policies, now=house.clock.now)
        leads = list(invented.many(500, start=500 * batch))
        house.receive(*leads)
        house.house.admit()
        told += leads
        house.clock.advance(days=1)
    target = tmp_path / "figures.csv"
    done = export_analytics(house.house, target, actor="officer-1")
    table = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == done.rows == done.people - done.suppressed
    assert done.people > 9_000
    assert done.suppressed <= 0.05 * done.people
    k, diversity = anonymity.k_anonymity(table, list(HIERARCHIES)), anonymity.l_diversity(table, list(HIERARCHIES), ["topic"])
    assert (k, diversity) == (done.k_reached, done.l_reached)
    assert k >= 10
    assert diversity >= 2
    assert len(set(table["brand"])) == 2, "something is left to learn"

    text = target.read_text(encoding="utf-8")
    for lead in told[::97]:
        for value in lead.telling():
            assert value not in text
    assert "Примерград" not in text, "a city nobody declared"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    house.house.seal()
    leaf = next(json.loads(row[0]) for row in house.rows("select body from audit_leaf order by leaf_index desc"))
    assert leaf["event"] == "analytics.exported"
    facts = leaf["facts"]
    assert (facts["k"], facts["k_reached"], facts["rows"], facts["persons"]) == (10, k, done.rows, done.people)
    assert facts["measured_by"].startswith("pycanon-")
    assert facts["file_sha256"] == done.file_sha256
    assert house.verified().ok


def crowd(house: TestHouse, count: int = 60) -> list[Invented]:
    leads = [house.invented.lead(number, brand="lada") for number in range(count)]
    house.admit(*leads)
    return leads


def test_who_took_consent_back_or_was_erased_is_not_counted(house: TestHouse) -> None:
    leads = crowd(house)
    house.clock.advance(minutes=1)
    before = export_analytics(house.house, None, k=5, actor="officer-1")
    assert before.people == 60
    phones = [str(phone_or_none(str(lead.document["phone"]), "RU")) for lead in leads[:2]]
    named = [Withdrawal(brand="lada", phone=Personal(phone), purposes=()) for phone in phones]
    house.house.withdraw(named[0], actor="moderator-1")
    house.house.destruction.erase(house.house.persons(withdrawal=named[1])[0], actor="officer-1", reason="subject_request")
    assert export_analytics(house.house, None, k=5, actor="officer-1").people == 58


def test_a_second_request_is_the_same_person(house: TestHouse) -> None:
    leads = crowd(house, 30)
    house.clock.advance(days=2)
    later = InventedLeads(house.house.policies, now=house.clock.now, seed=2)
    house.receive(*(later.lead(number, brand="lada") for number in range(30)))
    house.house.admit()
    house.clock.advance(minutes=1)
    done = export_analytics(house.house, None, k=5, l_diversity=1, actor="officer-1")
    assert done.people == len(leads) == 30
    assert house.rows("select count(*) from lead")[0][0] > 30
    first = export_analytics(house.house, None, k=5, l_diversity=1, until=BEGIN.replace(hour=23), actor="officer-1")
    assert first.people == 30


def test_too_few_people_give_no_file_and_no_leaf(house: TestHouse, tmp_path: Path) -> None:
    crowd(house, 9)
    house.clock.advance(minutes=1)
    with pytest.raises(ConfigurationError, match="too_few_people"):
        export_analytics(house.house, tmp_path / "figures.csv", actor="officer-1")
    assert list(tmp_path.glob("*figures*")) == []
    assert house.rows("select count(*) from audit_pending where body is not null")[0][0] > 0
    house.house.seal()
    assert not any(b"analytics" in bytes(row[0]) for row in house.rows("select body from audit_leaf"))


def test_a_file_is_never_overwritten(house: TestHouse, tmp_path: Path) -> None:
    crowd(house)
    house.clock.advance(minutes=1)
    target = tmp_path / "figures.csv"
    target.write_text("somebody's", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="file_exists"):
        export_analytics(house.house, target, k=5, actor="officer-1")
    assert target.read_text(encoding="utf-8") == "somebody's"
    with pytest.raises(ConfigurationError, match="unwritable"):
        export_analytics(house.house, tmp_path / "nowhere" / "figures.csv", k=5, actor="officer-1")


def test_the_command_shows_first_and_writes_when_told(house: TestHouse, tmp_path: Path) -> None:
    crowd(house)
    target = tmp_path / "figures.csv"
    shown = leadgate(house, "export", "analytics", "--k", "5", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["k_reached"] == 0
    done = leadgate(house, "export", "analytics", "--k", "5", "--l", "2", "--out", str(target), "--lang", "ru")
    assert done.returncode == 0, done.stderr
    assert "pycanon" in done.stdout
    assert len(rows_of(target)) > 50
    folder = tmp_path / "audit"
    assert leadgate(house, "export", str(folder)).returncode == 0, "the audit export is where it was"
    assert folder.is_dir()
