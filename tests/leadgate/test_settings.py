"""leadgate.yaml: what loads, and that every mistake is named with its place and its mend."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from integrations.contract.manifest import Limits
from leadgate.settings import Settings, SettingsError, load
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import Language, RecipientKind

ROOT = Path(__file__).resolve().parents[2]

Change = Callable[[Any], object]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the repository's own configuration."""
    shutil.copy(ROOT / "leadgate.yaml", tmp_path)
    shutil.copytree(ROOT / "notices", tmp_path / "notices")
    return tmp_path / "leadgate.yaml"


class _Plain(yaml.SafeDumper):
    """Writes a value that stands twice out twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's hook
        return True


def rewrite(file: Path, change: Change) -> None:
    document = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 - keeps every scalar as text
    document["version"] = int(document["version"])
    delivery = document["delivery"]
    for number in ("attempts", "breaker_failures", "batches_per_claim"):
        delivery[number] = int(delivery[number])
    for number in ("k", "l_diversity"):
        document["analytics"][number] = int(document["analytics"][number])
    change(document)
    file.write_text(yaml.dump(document, Dumper=_Plain, allow_unicode=True), encoding="utf-8")


def mistakes(file: Path, change: Change | None = None, **env: str) -> list[tuple[str, str]]:
    if change:
        rewrite(file, change)
    with pytest.raises(SettingsError) as caught:
        load(file, env)
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.field == caught.value.problems[0].place
    return [(problem.place, problem.mend) for problem in caught.value.problems]


def test_the_repository_s_own_file_loads() -> None:
    settings = load(ROOT / "leadgate.yaml", {})
    assert set(settings.brands) == {"lada", "s7"}
    lada = settings.brands["lada"]
    assert lada.countries == {"RU", "BY", "KZ"}
    assert lada.purposes["callback"].valid_for == timedelta(days=90)
    assert lada.purposes["callback"].recipients == {RecipientKind.CALL_CENTER}
    assert lada.topics["service"].fields == {"car_model": True, "dealer": True}
    assert {language for _, _, language in lada.notices} == {Language.RU, Language.EN}
    assert settings.promise.answer_within == timedelta(hours=4)
    assert settings.promise.warn_after == timedelta(hours=3)
    assert settings.destinations["s7_crm"].country == "DE"
    assert settings.destinations["s7_crm"].transfer_basis
    assert settings.retention.lead_by_purpose == {"callback": timedelta(days=14)}
    assert settings.delivery.attempts == 12


def test_a_notice_is_pinned_by_the_bytes_of_its_text() -> None:
    for brand in load(ROOT / "leadgate.yaml", {}).brands.values():
        for notice in brand.notices.values():
            assert hashlib.sha256(notice.text.encode()).hexdigest() == notice.text_sha256
            assert notice.text == notice.text.strip()


def test_the_file_is_found_through_the_environment(house: Path) -> None:
    assert load(env={"LEADGATE_CONFIG": str(house)}).path == house


def test_places_of_state(house: Path, tmp_path: Path) -> None:
    plain = load(house, {})
    assert plain.ledger_url == f"sqlite:///{tmp_path}/.leadgate/ledger.db"
    assert plain.keyring_path == tmp_path / ".leadgate" / "keyring.json"
    assert plain.log_key_path == tmp_path / ".leadgate" / "log.key"
    assert plain.sources["lada_export"].inbox == str(tmp_path / ".leadgate/inbox/lada")
    moved = load(
        house,
        {
            "LEADGATE_STATE": "elsewhere",
            "LEADGATE_DATABASE_URL": "postgresql://leadgate:hunter2@db/leadgate",
            "LEADGATE_KEYRING": "/keys/ring.json",
            "LEADGATE_LOG_KEY": "keys/log.key",
        },
    )
    assert moved.state == tmp_path / "elsewhere"
    assert moved.keyring_path == Path("/keys/ring.json")
    assert moved.log_key_path == tmp_path / "keys/log.key"
    assert "hunter2" not in repr(moved)


def test_an_inbox_may_be_a_url(house: Path) -> None:
    rewrite(house, lambda document: document["sources"]["s7_export"].update(inbox="s3://exports/s7"))
    assert load(house, {}).sources["s7_export"].inbox == "s3://exports/s7"


def test_a_wrong_database_is_said_without_its_value(house: Path) -> None:
    found = mistakes(house, LEADGATE_DATABASE_URL="mysql://root:hunter2@db/x")
    assert found == [("LEADGATE_DATABASE_URL", "must begin with sqlite:// or postgresql://")]


def test_secrets_reach_a_source_from_outside(house: Path) -> None:
    entry = load(house, {}).sources["lada_webhook"]
    assert entry.connection == "leadgate_lada_webhook"
    assert entry.settings.secrets == ()
    assert entry.with_secrets(Personal("new"), Personal("old")).secrets == (Personal("new"), Personal("old"))


#: A change, the place that is named, words of the mend.
CASES: list[tuple[Change, str, str]] = [
    (lambda d: d.pop("tenant"), "tenant", "is required"),
    (lambda d: d.update(tenant="Primer Co"), "tenant", "lower-case"),
    (lambda d: d.update(version=2), "version", "must be 1"),
    (lambda d: d.update(brnads={}), "brnads", "did you mean 'brands'?"),
    (lambda d: d.update(brands=[]), "brands", "must be a mapping"),
    (lambda d: d["brands"].update({"LADA": d["brands"]["lada"]}), "brands.LADA", "lower-case"),
    (lambda d: d["brands"]["lada"].update(colour="red"), "brands.lada.colour", "known are: "),
    (lambda d: d["brands"]["lada"].update(countries=["RU", "Russia"]), "brands.lada.countries[1]", "two letters"),
    (lambda d: d["brands"]["lada"].update(default_region="XX"), "brands.lada.default_region", "two letters"),
    (lambda d: d["brands"]["lada"].update(duplicate_window="1"), "brands.lada.duplicate_window", "as in 90d"),
    (lambda d: d["brands"]["lada"].update(duplicate_window="0h"), "brands.lada.duplicate_window", "as in 90d"),
    (lambda d: d["brands"]["lada"].update(notices=[]), "brands.lada.notices", "at least one"),
    (
        lambda d: d["brands"]["lada"]["notices"][2].update(valid_from="2026-03-01T00:00:00"),
        "brands.lada.notices[2].valid_from",
        "offset from UTC",
    ),
    (
        lambda d: d["brands"]["lada"]["notices"][0].update(valid_until="2020-01-01T00:00:00Z"),
        "brands.lada.notices[0].valid_until",
        "later than valid_from",
    ),
    (
        lambda d: d["brands"]["lada"]["notices"][0].update(language="de"),
        "brands.lada.notices[0].language",
        "must be one of: ru, en",
    ),
    (lambda d: d["brands"]["lada"]["notices"][0].update(text="x"), "brands.lada.notices[0].text_file", "exactly one of"),
    (
        lambda d: d["brands"]["lada"]["notices"][1].update(version="1"),
        "brands.lada.notices[1].version",
        "publish a new version",
    ),
    (
        lambda d: d["brands"]["lada"]["notices"][0].update(purposes=["calback"]),
        "brands.lada.notices[0].purposes[0]",
        "did you mean 'callback'?",
    ),
    (
        lambda d: d["brands"]["lada"]["notices"][0].update(text_file="notices/none.txt"),
        "brands.lada.notices[0].text_file",
        "FileNotFoundError",
    ),
    (
        lambda d: d["brands"]["lada"]["notices"][0].update(text_file="notices/lada-contact-ru-2.txt"),
        "brands.lada.notices[0].text_sha256",
        "never changes",
    ),
    (
        lambda d: d["brands"]["lada"]["purposes"]["callback"].update(fields=["phone", "surname"]),
        "brands.lada.purposes.callback.fields[1]",
        "no personal field",
    ),
    (
        lambda d: d["brands"]["lada"]["purposes"]["callback"].update(recipients=["bank"]),
        "brands.lada.purposes.callback.recipients[0]",
        "must be one of: call_center, crm",
    ),
    (
        lambda d: d["brands"]["lada"]["purposes"].update(telepathy=d["brands"]["lada"]["purposes"]["callback"]),
        "brands.lada.purposes.telepathy",
        "no notice names this purpose",
    ),
    (
        lambda d: d["brands"]["lada"]["topics"]["price"].update(phone="required"),
        "brands.lada.topics.price.phone",
        "choose another name",
    ),
    (
        lambda d: d["brands"]["lada"]["topics"]["price"].update(dealer="maybe"),
        "brands.lada.topics.price.dealer",
        "required or optional",
    ),
    (lambda d: d["promise"].update(warn_after="5h"), "promise.warn_after", "shorter than answer_within"),
    (lambda d: d["retention"].pop("withdrawn"), "retention.withdrawn", "is required"),
    (
        lambda d: d["retention"]["lead_by_purpose"].update(calback="1d"),
        "retention.lead_by_purpose.calback",
        "did you mean 'callback'?",
    ),
    (lambda d: d["delivery"].update(attempts=0), "delivery.attempts", "at least 1"),
    (lambda d: d["delivery"].update(express="sometimes"), "delivery.express", "must be true or false"),
    (lambda d: d.update(keys={"provider": "vault_transit"}), "keys.connection", "Vault's address"),
    (lambda d: d.update(keys={"provider": "cloud"}), "keys.provider", "vault_transit"),
    (lambda d: d["analytics"].update(k=2), "analytics.k", "at least 3"),
    (lambda d: d["analytics"]["places"]["RU"].update(Elsewhere=["Москва"]), "analytics.places.RU", "twice"),
    (lambda d: d["log"].update(origin="https://leadgate.example.org"), "log.origin", "without scheme"),
    (lambda d: d["sources"]["lada_vk"].update(brand="ladaa"), "sources.lada_vk.brand", "did you mean 'lada'?"),
    (lambda d: d["destinations"]["lada_crm"].pop("connection"), "destinations.lada_crm.connection", "is required"),
    (
        lambda d: d["destinations"]["lada_crm"].update(purposes={"lada": ["crm_folowup"]}),
        "destinations.lada_crm.purposes.lada[0]",
        "did you mean 'crm_followup'?",
    ),
    (
        lambda d: d["destinations"]["lada_crm"].update(purposes={"lda": ["callback"]}),
        "destinations.lada_crm.purposes.lda",
        "did you mean 'lada'?",
    ),
    (
        lambda d: (d["destinations"]["s7_crm"].pop("transfer_basis"), d["brands"]["s7"].pop("cross_border")),
        "destinations.s7_crm.transfer_basis",
        "152-FZ Art. 12",
    ),
    (lambda d: d["destinations"]["lada_crm"].update(limits={"burst": 0}), "destinations.lada_crm.limits.burst", "at least 1"),
    (
        lambda d: d["destinations"]["lada_crm"].update(options={"api_token": "x"}),
        "destinations.lada_crm.options.api_token",
        "a secret never stands in this file",
    ),
    (
        lambda d: d["sources"]["lada_webhook"].update(options={"nested": [{"Signing_Key": "x"}]}),
        "sources.lada_webhook.options.nested[0].Signing_Key",
        "a secret never stands in this file",
    ),
    (
        lambda d: d["destinations"]["lada_crm"].update(options={"mirror": "https://user:hunter2@crm.example.org"}),
        "destinations.lada_crm.options.mirror",
        "a secret never stands in this file",
    ),
]


@pytest.mark.parametrize(("change", "place", "mend"), CASES, ids=[case[1] + " " + case[2][:20] for case in CASES])
def test_every_mistake_is_named_with_its_place(house: Path, change: Change, place: str, mend: str) -> None:
    found = mistakes(house, change)
    assert [at for at, _ in found] == [f"leadgate.yaml: {place}"]
    assert mend in found[0][1]


def test_all_mistakes_are_told_at_once(house: Path) -> None:
    def change(document: Any) -> None:
        document["brands"]["lada"]["title"] = ""
        document["brands"]["s7"]["notices"][1]["language"] = "xx"
        document["destinations"]["s7_crm"]["contry"] = "DE"
        document["destinations"]["s7_crm"]["options"] = {"password": "hunter2"}

    found = mistakes(house, change)
    assert {at.removeprefix("leadgate.yaml: ") for at, _ in found} == {
        "brands.lada.title",
        "brands.s7.notices[1].language",
        "destinations.s7_crm.contry",
        "destinations.s7_crm.options.password",
    }
    with pytest.raises(SettingsError) as caught:
        load(house, {})
    for place, _ in found:
        assert place in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "mend"),
    [
        (b"\xff\xfe", "must be UTF-8"),
        (b"tenant: [", "line 1, column 10: this is not valid YAML"),
        (b"tenant: a\ntenant: b\n", "line 2, column 1: a key stands twice"),
        (b"1: a\n", "line 1, column 1: a key must be text"),
        (b"- a\n", "must be a mapping"),
        (b"", "must be a mapping"),
        (b"a: !!python/object/apply:os.system [ls]\n", "this is not valid YAML"),
        (b"a: &a [x]\nb: *a\n", "line 2, column 4: an alias is not read here"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, mend: str) -> None:
    file = tmp_path / "leadgate.yaml"
    file.write_bytes(content)
    found = mistakes(file)
    assert any(mend in said for _, said in found), found


def test_no_file(tmp_path: Path) -> None:
    assert mistakes(tmp_path / "leadgate.yaml") == [
        ("leadgate.yaml", "there is no such file; say where it is with LEADGATE_CONFIG or --config")
    ]


def test_norway_is_a_country(house: Path) -> None:
    text = house.read_text(encoding="utf-8").replace("countries: [RU, BY, KZ]", "countries: [RU, NO]")
    house.write_text(text, encoding="utf-8")
    assert load(house, {}).brands["lada"].countries == {"RU", "NO"}


def test_limits_override_only_what_is_said(house: Path) -> None:
    def change(document: Any) -> None:
        document["destinations"]["lada_crm"]["limits"] = {"read_timeout": "10s", "burst": 3}

    rewrite(house, change)
    settings: Settings = load(house, {})
    limits = settings.destinations["lada_crm"].limits(Limits(calls_per_second=2.0))
    assert limits == Limits(calls_per_second=2.0, burst=3, read_timeout=10.0)
    assert settings.destinations["s7_crm"].limits(Limits()) is None
