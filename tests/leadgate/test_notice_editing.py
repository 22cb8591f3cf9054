"""A notice is put into leadgate.yaml as a person would: everything else stays, to the byte."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leadgate.settings import editing, load
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

ROOT = Path(__file__).resolve().parents[2]
FILE = (ROOT / "leadgate.yaml").read_text(encoding="utf-8")
AT = datetime(2027, 1, 1, tzinfo=UTC)
TEXT = 'Согласен: "да" # и это не комментарий\n'
NEW = {
    "id": "lada-new",
    "version": "1.10",
    "language": "ru",
    "purposes": ["callback"],
    "valid_from": AT,
    "text": TEXT,
    "text_sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
    "one_purpose": True,
    "requires_renewal": True,
    "renew_within": "14d",
}


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "notices").mkdir(exist_ok=True)
    for each in (ROOT / "notices").glob("*.txt"):
        (tmp_path / "notices" / each.name).write_bytes(each.read_bytes())
    (tmp_path / "leadgate.yaml").write_text(text, encoding="utf-8", newline="")
    return tmp_path / "leadgate.yaml"


@pytest.mark.parametrize("brand", ["lada", "s7"])
def test_a_notice_is_added_and_nothing_else_changes(brand: str, tmp_path: Path) -> None:
    after = editing.with_notice(FILE, brand, NEW)
    block = "".join(f"      {line}\n" for line in editing.block_of(NEW))
    assert after.replace(block, "", 1) == FILE
    notice = load(written(tmp_path, after), {}).brands[brand].notices["lada-new", "1.10", Language.RU]
    assert (notice.text, notice.purposes, notice.valid_from, notice.one_purpose) == (TEXT, {"callback"}, AT, True)
    assert notice.renewal_from == datetime(2027, 1, 15, tzinfo=UTC)


def test_a_notice_is_added_after_a_literal_block_and_at_the_end_of_a_file(tmp_path: Path) -> None:
    head, _, _ = FILE.partition("    notices:\n      - id: s7-service")
    block = '    notices:\n      - id: a\n        version: "1"\n        language: ru\n        purposes: [callback]\n'
    ends = ("        text: |\n          Первая.\n\n          Вторая.\n# комментарий\n", "        text: конец")
    for end in ends:
        after = editing.with_notice(head + block + end, "s7", NEW)
        assert after.replace("".join(f"      {line}\n" for line in editing.block_of(NEW)), "", 1).rstrip("\n") == (
            head + block + end
        ).rstrip("\n")
        assert [node.value[0][1].value for node in editing._notices(after, "s7")] == ["a", "lada-new"]


def test_an_end_is_written_or_moved() -> None:
    keys = [("lada-contact", "2", "ru"), ("lada-contact", "2", "en")]
    once = editing.with_end(FILE, "lada", keys, AT)
    assert len(once.splitlines()) == len(FILE.splitlines()) + 2
    later = editing.with_end(once, "lada", keys, datetime(2028, 1, 1, tzinfo=UTC))
    assert later == once.replace("2027-01-01T00:00:00+00:00", "2028-01-01T00:00:00+00:00")
    assert editing.with_end(FILE, "lada", [], AT) == FILE


def test_what_would_not_load_is_not_written(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    twice = editing.with_notice(editing.with_notice(FILE, "lada", NEW), "lada", NEW)
    with pytest.raises(ConfigurationError, match="stand twice"):
        editing.replace_file(path, twice)
    assert path.read_text(encoding="utf-8") == FILE
    assert sorted(each.name for each in tmp_path.iterdir()) == ["leadgate.yaml", "notices"]


@pytest.mark.parametrize("notices", ["notices: []", "notices: [{id: a}]", "nothing: 1", "notices:\n      - {id: a}"])
def test_a_list_in_another_shape_is_refused(notices: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        editing.with_notice(f"brands:\n  lada:\n    {notices}\n", "lada", NEW)
    assert refused.value.field == "brands.lada.notices"
