"""An officer publishes a new text, retires an old one, and is told when somebody has rewritten what people agreed to."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

from tests.houses.commands import leadgate
from tests.houses.house import CONFIG, TestHouse

TEXT = "Вымышленное согласие, версия 9: только звонок.\n"


def test_from_publishing_to_rewriting(house: TestHouse, tmp_path: Path) -> None:
    config = tmp_path / "leadgate.yaml"
    config.write_bytes(CONFIG.read_bytes())
    (tmp_path / "outside").mkdir()
    text = tmp_path / "outside" / "text.txt"
    text.write_text(TEXT, encoding="utf-8")

    def run(*words: str) -> CompletedProcess[str]:
        return leadgate(house, "notice", *words, LEADGATE_CONFIG=str(config))

    new = ("add", "--brand", "lada", "--id", "contact", "--version", "9", "--language", "ru", "--purpose", "callback")
    more = ("--text", str(text), "--actor", "officer-1", "--from", "2099-01-01T00:00:00+03:00", "--replaces", "2")
    dry = run(*new, *more, "--requires-renewal", "--one-purpose", "--lang", "ru")
    assert dry.returncode == 0, dry.stderr
    assert 'version: "9"' in dry.stdout
    assert config.read_bytes() == CONFIG.read_bytes(), "a look changes nothing"

    done = run(*new, *more, "--requires-renewal", "--one-purpose", "--yes")
    assert done.returncode == 0, done.stderr
    assert all(line in config.read_text("utf-8") for line in CONFIG.read_text("utf-8").splitlines()), "comments stay"
    listed = json.loads(run("list", "--brand", "lada", "--json").stdout)
    mine = {(one["version"], one["language"]): one for one in listed if one["id"] == "contact"}
    assert mine["9", "ru"]["state"] == "future"
    assert mine["9", "ru"]["renewal_from"] == "2098-12-31T21:00:00Z"
    assert mine["2", "ru"]["valid_until"] == "2098-12-31T21:00:00Z"
    shown = json.loads(run("show", "--brand", "lada", "--id", "contact", "--version", "9", "--language", "ru", "--json").stdout)
    assert (shown["text"], shown["leaf"]) == (TEXT, None)
    assert leadgate(house, "seal", LEADGATE_CONFIG=str(config)).returncode == 0
    plain = run("show", "--brand", "lada", "--id", "contact", "--version", "9", "--language", "ru", "--lang", "ru")
    assert "запись журнала: #" in plain.stdout
    assert run("verify").returncode == 0

    twice = run(*new, *more, "--yes")
    assert twice.returncode == 2
    assert "stand twice" in twice.stderr

    gone = ("retire", "--brand", "lada", "--id", "contact", "--version", "1", "--actor", "officer-1", "--yes")
    past = run(*gone, "--until", "2026-01-01T00:00:00Z")
    assert past.returncode == 2
    assert "retired_in_the_past" in past.stderr

    # Somebody rewrites the text and its digest: the file is in order, and not what was published.
    before = config.read_text("utf-8")
    rewritten = before.replace(
        "Вымышленное согласие, версия 2: звонок, карточка и опрос.", "Вымышленное согласие, версия 2: всё."
    )
    digest = "4f0f0d29a42f30e9c2bbcb4ab5b0ab5a1c6f6ea38d8a7ab9a7f9b7a5a0f7f0b1"
    config.write_text(rewritten.replace("c1bff0185f0993b78afd24d7fe189fda9c7095e59343d008ef1653743a84ada4", digest), "utf-8")
    told = run("verify")
    assert told.returncode == 2, "the digest does not even pin the new text"
    right = told.stderr.partition("text_sha256: ")[2][:64]
    config.write_text(rewritten.replace("c1bff0185f0993b78afd24d7fe189fda9c7095e59343d008ef1653743a84ada4", right), "utf-8")
    found = run("verify", "--lang", "ru")
    assert found.returncode == 4, found.stdout
    assert "lada: contact 2 (ru): text" in found.stdout
    start = leadgate(house, "admit", LEADGATE_CONFIG=str(config))
    assert start.returncode == 2
    assert "notice_rewritten" in start.stderr
    assert "contact 2 (ru)" in start.stderr
