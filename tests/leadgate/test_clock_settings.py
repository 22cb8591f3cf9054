"""Clocks and calendars in leadgate.yaml: old files stay valid, a brand goes by its home country, a wrong line is named."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from consent.clocks import rule_of
from leadgate.settings import SettingsError, load
from schemas.clocks import ClockKind, TermUnit
from tests.houses.house import CONFIG

SHIPPED = Path(__file__).parents[2] / "leadgate.yaml"


def written(folder: Path, **parts: object) -> Path:
    """The tests' file with more parts."""
    document = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    for notice in (each for brand in document["brands"].values() for each in brand["notices"]):
        for key in ("valid_from", "valid_until"):
            if key in notice:
                notice[key] = notice[key].isoformat()
    document.update(parts)
    path = folder / "leadgate.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_a_file_without_clocks_has_the_defaults() -> None:
    terms = load(CONFIG, {}).brands["lada"].clocks
    assert (terms.jurisdiction, terms.calendar.country, terms.calendar.zone) == ("RU", "RU", "Europe/Moscow")
    assert rule_of(terms, ClockKind.WITHDRAWAL, "RU").term.word == "30d"


def test_what_is_shipped_says_every_russian_term() -> None:
    terms = load(SHIPPED, {}).brands["s7"].clocks
    said = {kind: rule.term.word for (place, kind), rule in terms.rules.items() if place == "RU"}
    assert said == {
        "marketing_stop": "now",
        "stop_demand": "10wd",
        "withdrawal": "30d",
        "destruction_blocked": "6mo",
        "inaccurate": "7wd",
        "unlawful_stop": "3wd",
        "unlawful_destroy": "10wd",
        "incident_notice": "24h",
        "incident_report": "72h",
        "purpose_achieved": "30d",
        "subject_request": "10wd",
    }
    assert load(SHIPPED, {}).keep_identifiers == timedelta(days=90)


def test_a_brand_goes_by_its_home_country(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        clocks={"rules": {"RU": {"stop_demand": {"term": "3wd", "law": "our promise", "warn_before": "1d"}}}},
        calendars={"RU": {"timezone": "Asia/Yekaterinburg", "days_off": ["2026-06-15"], "working_days": ["2026-06-13"]}},
    )
    terms = load(path, {}).brands["lada"].clocks
    rule = rule_of(terms, ClockKind.STOP_DEMAND, "RU")
    assert (rule.term.amount, rule.term.unit, rule.warn_before) == (3, TermUnit.WORKING_DAYS, timedelta(days=1))
    assert terms.calendar.zone == "Asia/Yekaterinburg"
    assert terms.calendar.days_off == {date(2026, 6, 15)}


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"clocks": {"rules": {"RU": {"withdrawal": {"term": "30", "law": "x"}}}}}, "clocks.rules.RU.withdrawal.term"),
        ({"clocks": {"rules": {"RU": {"withdrawal": {"term": "30d"}}}}}, "clocks.rules.RU.withdrawal.law"),
        ({"clocks": {"rules": {"RU": {"withdrawl": {"term": "30d", "law": "x"}}}}}, "clocks.rules.RU"),
        ({"clocks": {"rules": {"Russia": {}}}}, "clocks.rules"),
        (
            {"clocks": {"rules": {"RU": {"complaint": {"term": "now", "extension": "5wd", "law": "x"}}}}},
            "clocks.rules.RU.complaint.extension",
        ),
        ({"calendars": {"RU": {"timezone": "Moscow"}}}, "calendars.RU.timezone"),
        ({"calendars": {"RU": {"days_off": ["8 May"]}}}, "calendars.RU.days_off[0]"),
        (
            {"calendars": {"RU": {"days_off": ["2026-05-08"], "working_days": ["2026-05-08"]}}},
            "calendars.RU.working_days",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, parts: dict[str, object], place: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, **parts), {})
    assert place in refused.value.diagnostics()
