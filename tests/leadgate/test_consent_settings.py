"""Terms of consent in leadgate.yaml: what is read, what is refused, and that a file without them means what it meant."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from integrations import registry
from leadgate.settings import Settings, SettingsError, compose_policies, load
from leadgate.settings.policies import policy_version
from schemas.controller import StoragePlace
from schemas.policy import Adequacy, CallingWindow, CrossBorder, Marketing
from schemas.vocabulary import Language

ROOT = Path(__file__).resolve().parents[2]
MARKETING = "        # marketing: call"
ONE_PURPOSE = "    # one_purpose_from:\n    #   RU: "


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of the repository's own configuration."""
    shutil.copy(ROOT / "leadgate.yaml", tmp_path)
    shutil.copytree(ROOT / "notices", tmp_path / "notices")
    return tmp_path / "leadgate.yaml"


def with_(file: Path, old: str, new: str) -> Path:
    text = file.read_text("utf-8")
    assert old in text, "the shipped file has changed: mend this test"
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


def read(file: Path) -> Settings:
    return load(file, {})


def test_what_is_shipped(file: Path) -> None:
    settings = read(file)
    lada, s7 = settings.brands["lada"], settings.brands["s7"]
    assert settings.storage == StoragePlace(country="RU", location="Moscow, invented data centre 1")
    assert lada.controller is not None
    assert lada.controller.withdrawal_method.keys() == {Language.RU, Language.EN}
    assert lada.controller.authority is not None
    assert s7.cross_border["DE"] == CrossBorder(
        country="DE",
        adequacy=Adequacy.ADEQUATE,
        notification_ref="RKN-TB-2025-000000",
        notified_on=date(2025, 8, 1),
        decision_ref=None,
        allowed_from=datetime(2025, 8, 2, tzinfo=UTC),
    )
    assert lada.calling_windows["RU"] == CallingWindow(begin=time(9), end=time(21))
    assert lada.notices["lada-form", "1", Language.RU].one_purpose
    assert lada.purposes["callback"].category == "CommunicationForCustomerCare"
    assert all(each.party for each in settings.destinations.values())


def test_what_can_be_switched_on(file: Path) -> None:
    assert (
        read(with_(file, MARKETING, "        marketing: call")).brands["lada"].purposes["callback"].marketing is Marketing.CALL
    )
    with_(file, ONE_PURPOSE, "    one_purpose_from:\n      RU: ")
    assert read(file).brands["lada"].one_purpose_from == {"RU": datetime(2025, 8, 31, 21, tzinfo=UTC)}
    review = "adequacy: not_adequate, decided_on: 2025-08-20"
    basis = read(with_(file, "adequacy: adequate", review)).brands["s7"].cross_border["DE"]
    assert basis.allowed_from == datetime(2025, 8, 21, tzinfo=UTC), "the day of the decision has passed everywhere"
    renewal = "        valid_from: 2026-03-01T00:00:00+03:00\n        requires_renewal: true\n        renew_within: 14d\n"
    with_(file, "        valid_from: 2026-03-01T00:00:00+03:00\n", renewal)
    notice = read(file).brands["lada"].notices["lada-contact", "2", Language.RU]
    assert notice.renewal_from == datetime(2026, 3, 14, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("storage:\n  country: RU", "storage:\n  country: DE", "storage.country"),
        ("adequacy: adequate", "adequacy: not_adequate", "brands.s7.cross_border.DE.decided_on"),
        ("adequacy: adequate", "adequacy: not_adequate, decided_on: 2025-07-01", "brands.s7.cross_border.DE.decided_on"),
        ("adequacy: adequate", "adequacy: yes", "brands.s7.cross_border.DE.adequacy"),
        ("date: 2025-08-01", "date: 01.08.2025", "brands.s7.cross_border.DE.date"),
        ('RU: { from: "09:00"', 'RU: { from: "22:00"', "brands.lada.calling_windows.RU.until"),
        ('RU: { from: "09:00"', "RU: { from: 9", "brands.lada.calling_windows.RU.from"),
        ('RU: { from: "09:00"', 'RU: { zone: Moscow, from: "09:00"', "brands.lada.calling_windows.RU.zone"),
        ("      rights_url: https://cars.example.org/privacy/rights\n", "", "brands.lada.controller.rights_url"),
        ("        one_purpose: true", "        renew_within: 3d", "brands.lada.notices[3].renew_within"),
        ("purposes: [callback, crm_followup]", "one_purpose: true\n        purposes: [callback, crm_followup]",
         "brands.lada.notices[0].purposes"),
        ("        category: CustomerCare", "        category: CustomerCare\n        marketing: call",
         "brands.s7.purposes.service_followup.marketing"),
        ('address: "5 Example Street, Tver, Russia", ', "", "destinations.lada_call_center.party.address"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(file: Path, old: str, new: str, place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(with_(file, old, new))
    assert [problem.place for problem in caught.value.problems] == [f"leadgate.yaml: {place}"]


def test_a_file_without_terms_keeps_its_policy_and_one_with_them_has_another(file: Path) -> None:
    settings = read(file)
    manifests = {each.connector: registry.manifest(each.connector) for each in settings.destinations.values()}
    policies = compose_policies(settings, manifests)
    lada = dataclasses.replace(settings.brands["lada"], calling_windows={}, cross_border={}, controller=None)
    bare = policy_version(lada, policies["lada"].recipients)
    assert bare != policies["lada"].version
    purposes = {**lada.purposes, "callback": dataclasses.replace(lada.purposes["callback"], marketing=Marketing.CALL)}
    notices = {key: dataclasses.replace(each, renewal_from=each.valid_from) for key, each in lada.notices.items()}
    changes = [
        {"purposes": purposes},
        {"notices": notices},
        {"one_purpose_from": {"RU": datetime(2025, 9, 1, tzinfo=UTC)}},
        {"calling_windows": {"RU": CallingWindow(begin=time(9), end=time(20))}},
    ]
    versions = [policy_version(dataclasses.replace(lada, **change), policies["lada"].recipients) for change in changes]  # type: ignore[arg-type] # a test's shorthand
    assert len({bare, *versions}) == len(changes) + 1
