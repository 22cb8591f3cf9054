"""Paper: data never becomes source, the same facts make the same bytes, nothing is fetched, and nothing unsaid gets printed."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leadgate.documents import Attachment, html, pdf, said_date, said_moment, words, write_private
from leadgate.documents.paper import TEMPLATES
from leadgate.documents.saying import prepared
from schemas.errors import ConfigurationError
from schemas.personal import Personal
from schemas.vocabulary import Language
from schemas.words import Said
from tests.documents.printing import AT, Screen, attachments_of, fonts_of, opened, page, text_of

#: Means something to typst, to HTML, to jinja2 or to a terminal.
HOSTILE = """#panic("x") [a](b) $x$ *b* _i_ `c` \\ </p><script>alert(1)</script> {{ 7*7 }} {% raw %} "q" 'q' & @label <label>"""
PROOF = Attachment(
    name="receipt.tlog-proof", content="c2sp.org/tlog-proof@v1\nindex 143\n" + "Zm9v" * 40 + "\n", description="Proof"
)


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "notice": "Read this.",
        "facts": [{"label": "Moment", "value": AT}, {"label": "Said", "value": Said("yes", "да")}],
        "digest": "ab" * 32,
        "headings": ["One", "Two", "Three"],
        "rows": [["a", "слово", "3"], ["b", "word", "4"]],
        "text": "Exact words.\nSecond line.",
        "roles": ["Director"],
    } | changes


@pytest.mark.parametrize("language", Language)
def test_both_kinds_say_the_same(language: Language) -> None:
    paper = text_of(pdf("sample", sample(), language, page=page(), attachments=[PROOF]))
    screen = Screen(html("sample", sample(), language, page=page(), attachments=[PROOF])).words
    moment = said_moment(AT, language)
    for said in (
        words("sample", language)["title"], words("sample", language)["heading"], words("layout", language)["made"], moment,
        "ООО «Пример»", "ab" * 32, "Read this.", "Exact words.", "слово", "Director", "0199f000-0000-7000-8000-000000000001",
        "leadgate.example.org/primer", "143", "да" if language is Language.RU else "yes",
    ):  # fmt: skip
        assert said in paper, said
        assert said in screen, said


@pytest.mark.parametrize("language", Language)
def test_data_is_never_source(language: Language) -> None:
    facts = sample(notice=HOSTILE, text=HOSTILE, rows=[[HOSTILE, HOSTILE, HOSTILE]], roles=[HOSTILE], digest=HOSTILE)
    around = page(operator=HOSTILE, subtitle=HOSTILE, document_id=HOSTILE)
    attached = Attachment(name="a.txt", content=HOSTILE, description=HOSTILE)
    shown = " ".join(HOSTILE.split())
    made = pdf("sample", facts, language, page=around, attachments=[attached])
    assert text_of(made).count("".join(shown)) >= 1
    assert attachments_of(made) == {"a.txt": HOSTILE.encode()}
    screen = Screen(html("sample", facts, language, page=around, attachments=[attached]))
    assert screen.words.count(shown) >= 6
    assert not {"script", "iframe", "img", "object", "link", "base", "form"} & set(screen.tags)
    assert not [name for name in screen.tags if name.startswith("on")]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("Перезвоните 🙂", "Перезвоните [U+1F642 slightly smiling face]"),
        ("\u2764\ufe0f 👩\u200d🔧", "[U+1F469 woman][U+1F527 wrench]"),
        ("«Да» — № 5 ☃\ufe0f 🙂", "«Да» — № 5"),
        ("王小明", "[U+738B][U+5C0F][U+660E]"),
        ("김 Kim", "[U+AE40 hangul syllable gim] Kim"),
        ("Ünïted Ďáblík Ёжик Ұлттық", "Ünïted Ďáblík Ёжик Ұлттық"),
    ],
)
def test_what_no_font_has_is_named_and_not_lost(written: str, printed: str) -> None:
    made = pdf("sample", sample(text=written), Language.RU, page=page(operator=written), attachments=[PROOF])
    assert printed in " ".join(text_of(made).split())
    assert attachments_of(made)[PROOF.name] == PROOF.content.encode()


def test_the_same_facts_make_the_same_bytes() -> None:
    made = [pdf("sample", sample(), Language.RU, page=page(), attachments=[PROOF]) for _ in range(2)]
    assert made[0] == made[1]
    assert pdf("sample", sample(), Language.RU, page=page(made_at=AT + timedelta(seconds=1))) != made[0]
    shown = [html("sample", sample(), Language.EN, page=page(), attachments=[PROOF]) for _ in range(2)]
    assert shown[0] == shown[1]


def test_a_pdf_can_be_archived_and_read_aloud() -> None:
    made = pdf("sample", sample(), Language.RU, page=page(), attachments=[PROOF])
    metadata = made.decode("latin-1")
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert attachments_of(made) == {PROOF.name: PROOF.content.encode()}
    with opened(made) as document:
        assert document.get_metadata_dict()["Title"] == words("sample", Language.RU)["title"]
        assert document.get_metadata_dict()["CreationDate"].startswith("D:20260601090005")
    fonts = fonts_of(made)
    assert {name.partition("-")[0] for name in fonts} == {"LibertinusSerif", "DejaVu Sans Mono"}
    assert all(fonts.values()), "a font is not embedded"


def test_a_long_table_repeats_its_headings_and_pages_are_counted() -> None:
    made = pdf("sample", sample(rows=[[str(at), "слово " * 15, "z"] for at in range(120)]), Language.RU, page=page())
    with opened(made) as document:
        pages = [each.get_textpage().get_text_bounded() for each in document]
    assert len(pages) > 3
    for number, text in enumerate(pages, 1):
        assert f"Страница {number} из {len(pages)}" in text
    assert sum("Three" in text for text in pages) >= len(pages) - 1


def test_a_screen_asks_nobody_for_anything() -> None:
    made = html("sample", sample(), Language.EN, page=page(), attachments=[PROOF])
    assert "default-src 'none'" in made
    assert all(address.startswith("data:") for address in Screen(made).addresses)
    assert not re.search(r"url\(|@import|http", made.partition("<body>")[0].replace("http-equiv", ""))


def test_templates_reach_nothing_but_their_folder() -> None:
    """A typst package is fetched from the network by the mere import of it."""
    for template in TEMPLATES.glob("*.typ"):
        source = template.read_text(encoding="utf-8")
        assert set(re.findall(r'#(?:import|include)\s+"([^"]+)"', source)) <= {"layout.typ"}, template.name
        assert not re.search(r"\b(?:read|eval|plugin|image|xml|yaml|csv|toml|cbor)\(", source), template.name


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.words.json")), ids=lambda path: path.name)
def test_every_sentence_stands_in_both_languages(file: Path) -> None:
    for name, said in json.loads(file.read_text(encoding="utf-8")).items():
        assert set(said) == {"en", "ru"}, name
        assert re.search("[а-яё]", said["ru"], re.IGNORECASE), f"{name}: not Russian"
        assert not re.search("[а-яё]", said["en"], re.IGNORECASE), f"{name}: not English"
        assert set(re.findall(r"\{\w+\}", said["en"])) == set(re.findall(r"\{\w+\}", said["ru"])), f"{name}: other gaps"


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.words.json")), ids=lambda path: path.name)
def test_a_document_is_whole(file: Path) -> None:
    name = file.name.removesuffix(".words.json")
    assert (TEMPLATES / f"{name}.typ").is_file()


_WORDLESS = [1.5, b"bytes", object(), {"deeper": {1, 2}}, AT.replace(tzinfo=None), Personal("+7 900 000-00-01")]


@pytest.mark.parametrize("value", _WORDLESS, ids=lambda value: type(value).__name__)
def test_what_has_no_words_is_refused_without_being_quoted(value: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        prepared({"facts": [value]}, Language.EN)
    assert refused.value.code in {"no_words_for_it", "naive_moment"}
    assert "900" not in str(refused.value)
    assert (refused.value.field or "").startswith("data")


@pytest.mark.parametrize("make", [pdf, html])
def test_a_template_that_lacks_its_data_says_only_its_name(make: Any) -> None:
    facts = sample(text="+7 900 000-00-01")
    del facts["rows"]
    with pytest.raises(ConfigurationError) as refused:
        make("sample", facts, Language.EN, page=page())
    assert refused.value.code == "document_not_made"
    assert "900" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_page_takes_any_moment() -> None:
    moscow = AT.astimezone(ZoneInfo("Europe/Moscow")).replace(microsecond=123_456)
    made = pdf("sample", sample(), Language.RU, page=page(made_at=moscow))
    assert "12:00:05 UTC+03:00" in text_of(made)


def test_moments_are_said_with_their_zone() -> None:
    moscow = datetime(2026, 12, 31, 23, 59, 1, tzinfo=timezone(timedelta(hours=3)))
    assert said_moment(moscow, Language.RU) == "31 декабря 2026 г., 23:59:01 UTC+03:00"
    assert said_moment(moscow.astimezone(UTC), Language.EN) == "31 December 2026, 20:59:01 UTC"
    assert said_moment(moscow.astimezone(timezone(timedelta(hours=-3, minutes=-30))), Language.EN).endswith("UTC-03:30")
    assert said_date(date(2026, 5, 1), Language.RU) == "1 мая 2026 г."


def test_a_private_file_is_nobody_elses_and_never_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "receipt.pdf"
    write_private(target, b"first")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="never overwritten"):
        write_private(target, b"second")
    assert target.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["receipt.pdf"]
    with pytest.raises(ConfigurationError) as refused:
        write_private(tmp_path / "missing" / "Ivanov.pdf", b"third")
    assert "Ivanov" not in str(refused.value)
