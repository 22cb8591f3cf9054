"""Receipts and evidence from the command line, as an officer types it; and the receipt in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.vocabulary import Language
from tests.documents.auditor import audit
from tests.documents.printing import Screen
from tests.houses.commands import leadgate
from tests.houses.house import TestHouse


def lived(house: TestHouse) -> str:
    """The commands have the real clock, so what happened before them must have happened today."""
    house.clock.now = datetime.now(UTC)
    lead = house.invented.lead(1, brand="lada")
    house.admit(lead)
    house.dispatcher("lada_crm").run(seconds=20)
    return str(house.rows("select lead_id from lead")[0][0])


def key(house: TestHouse, folder: Path) -> Path:
    (folder / "log.pub").write_text(f"{house.house.log_key.verifier}\n", encoding="utf-8")
    return folder / "log.pub"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_officer_packs_evidence(house: TestHouse, tmp_path: Path) -> None:
    lived(house)
    person = house.rows("select person_id from lead")[0][0]
    looked = leadgate(house, "evidence", "--subject", person, "--lang", "ru")
    assert looked.returncode == 2  # nothing was sealed yet, and a dry run seals nothing
    assert "seal" in looked.stderr
    done = leadgate(house, "evidence", str(tmp_path / "one.zip"), "--subject", person, "--actor", "officer-1", "--yes")
    assert done.returncode == 0, done.stderr
    assert audit(tmp_path / "one.zip", "--key", key(house, tmp_path)).code == 0
    dry = leadgate(house, "evidence", "--subject", person, "--lang", "ru")
    assert "Пробный прогон" in dry.stdout
    year = str(house.clock.now.year)
    whole = leadgate(house, "evidence", str(tmp_path / "year.zip"), "--period", year, "--actor", "officer-1", "--yes", "--json")
    assert whole.returncode == 0, whole.stderr
    assert json.loads(whole.stdout)["counts"]["leads"] == 1
    assert audit(tmp_path / "year.zip", "--key", key(house, tmp_path)).code == 0
    for words in (
        ["--subject", person, "--period", year],
        [],
        ["--period", "yesterday"],
        ["--period", year, "--with-identity"],
    ):
        assert leadgate(house, "evidence", *words).returncode == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_officer_hands_out_receipts(house: TestHouse, tmp_path: Path) -> None:
    lead = lived(house)
    phone = house.invented.lead(1, brand="lada").document["phone"]
    done = leadgate(
        house, "receipt", "consent", lead, "--to", str(tmp_path / "consent"), "--actor", "officer-1", "--paper", "ru"
    )
    assert done.returncode == 0, done.stderr
    taken = leadgate(house, "withdraw", "--brand", "lada", "--actor", "officer-1", "--yes", typed=f"{phone}\n")
    assert taken.returncode == 0, taken.stderr
    person = house.rows("select person_id from lead")[0][0]
    told = leadgate(
        house, "receipt", "withdrawal", person, "--to", str(tmp_path / "stop"), "--actor", "officer-1", "--lang", "ru",
        "--with-identity",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "Ответили не все" in told.stdout
    assert phone not in done.stdout + done.stderr + told.stdout + told.stderr
    for name in ("consent.json", "stop.json"):
        assert audit(tmp_path / name, "--key", key(house, tmp_path)).code == 0
    taken_name = leadgate(house, "receipt", "consent", lead, "--to", str(tmp_path / "consent"), "--actor", "officer-1")
    assert taken_name.returncode == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", Language)
def test_a_browser_shows_a_receipt_and_asks_for_nothing(house: TestHouse, tmp_path: Path, language: Language) -> None:
    """Chromium lays it out where there is one; its words, links and policy are read everywhere."""
    lead = lived(house)
    house.house.seal()
    house.house.documents.receipt(
        "consent", lead, tmp_path / "receipt", actor="officer-1", language=language, with_identity=False, alone=False
    )
    page = tmp_path / "receipt.html"
    source = page.read_text(encoding="utf-8")
    screen = Screen(source)
    assert all(address.startswith("data:") for address in screen.addresses)
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    laid_out = source if browser is None else _laid_out(browser, page)
    shown = Screen(laid_out)
    assert shown.words == screen.words
    assert shown.tags.count("h2") == screen.tags.count("h2")
    assert "script" not in shown.tags


def _laid_out(browser: str, page: Path) -> str:
    """The document as the browser holds it, after everything it would have fetched and run."""
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={page.parent / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout
