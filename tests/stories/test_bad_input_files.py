"""Files as people really save them: in other code pages, with other delimiters, with formulas, cut, locked, empty. What can be
read for certain is read; a file that cannot lies beside its reason, in Russian and English; a bad row costs itself alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import pytest

from integrations.sources.moderation_export.rejection import RUSSIAN
from integrations.testing.invented_leads import Invented
from tests.houses.house import document
from tests.stories.outside import Office, columns_of, csv_text, flat, json_lines, workbook

Leads = Sequence[Invented]
Save = Callable[[Leads], bytes]


def three(office: Office) -> list[Invented]:
    """Three people whose names no code page for Russian lacks."""
    return [document(office.russian(start), text=f"Перезвоните, {start}") for start in (70, 170, 270)]


def rows_of(leads: Leads) -> list[list[str]]:
    names = columns_of(leads)
    return [names, *([dict(flat(lead.document)).get(name, "") for name in names] for lead in leads)]


def computed(leads: Leads) -> list[list[str]]:
    """The brand as a formula whose result Excel saved."""
    rows = rows_of(leads)
    place = rows[0].index("brand")
    for row in rows[1:]:
        row[place] = f'<c t="str"><f>LOWER("LADA")</f><v>{row[place]}</v></c>'
    return rows


HEADER = {"brand": "Бренд", "phone": "Телефон", "given_name": "Имя", "text": "Сообщение", "consent.given_at": "Дата согласия"}

#: A file that is read to its last row: its name, and how it was saved.
READ: dict[str, tuple[str, Save]] = {
    "CSV in UTF-8": ("a.csv", lambda leads: csv_text(leads).encode()),
    "CSV with a byte order mark": ("a.csv", lambda leads: csv_text(leads).encode("utf-8-sig")),
    "CSV in CP1251 with semicolons, as Excel in Russia": (
        "a.csv",
        lambda leads: csv_text(leads, delimiter=";").encode("cp1251"),
    ),
    "CSV in CP1251 with a Russian header": ("a.csv", lambda leads: csv_text(leads, header=HEADER).encode("cp1251")),
    "CSV in UTF-16 with tabs, as Excel's Unicode text": (
        "a.csv",
        lambda leads: csv_text(leads, delimiter="\t").encode("utf-16"),
    ),
    "CSV in UTF-16 without its mark": ("a.csv", lambda leads: csv_text(leads).encode("utf-16-le")),
    "CSV with tabs": ("a.tsv", lambda leads: csv_text(leads, delimiter="\t").encode()),
    "CSV with bars": ("a.csv", lambda leads: csv_text(leads, delimiter="|").encode()),
    "CSV that says its delimiter": ("a.csv", lambda leads: b"sep=;\r\n" + csv_text(leads, delimiter=";").encode()),
    "CSV with a column that is not ours": (
        "a.csv",
        lambda leads: csv_text(leads, header={"moderator": "Кто вёл диалог"}).encode(),
    ),
    "JSON Lines with a byte order mark": ("a.jsonl", lambda leads: b"\xef\xbb\xbf" + json_lines(*leads)),
    "JSON Lines in UTF-16": ("a.jsonl", lambda leads: json_lines(*leads).decode().encode("utf-16")),
    "JSON Lines with Windows ends and blank lines": ("a.jsonl", lambda leads: json_lines(*leads).replace(b"\n", b"\r\n\r\n")),
    "JSON Lines without a last line end": ("a.ndjson", lambda leads: json_lines(*leads).rstrip()),
    "XLSX": ("a.xlsx", lambda leads: workbook(rows_of(leads))),
    "XLSX with formulas that Excel computed": ("a.xlsx", lambda leads: workbook(computed(leads))),
}


@pytest.mark.parametrize("what", READ)
def test_a_file_as_people_save_it_is_read_to_the_last_letter(
    office: Office, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, save = READ[what]
    leads = three(office)
    with caplog.at_level("DEBUG"):
        count = office.take(name, save(leads))
        assert (count.processed, count.rows, count.new) == (1, 3, 3), count.reports
        assert office.findings() == []
        office.settled(good=3)
    held = {record["fields"]["givenName"] for record in office.world("lada_calls").records()}
    assert held == {lead.document["given_name"] for lead in leads}, "not a letter became another one"
    office.names_nobody(*leads, log=caplog.records)


#: A file that is refused as a whole: its name, how it was saved, code, a piece of the English sentence.
REFUSED: dict[str, tuple[str, Save, str, str]] = {
    "CSV in KOI8-R": ("b.csv", lambda leads: csv_text(leads).encode("koi8_r"), "encoding_unknown", "neither UTF-8 nor CP1251"),
    "CSV in the code page of DOS": (
        "b.csv",
        lambda leads: csv_text(leads).encode("cp866"),
        "encoding_unknown",
        "neither UTF-8",
    ),
    "CSV in half of UTF-16": ("b.csv", lambda leads: csv_text(leads).encode("utf-16")[:-1], "encoding_broken", "UTF-16"),
    "CSV without a column that a lead needs": (
        "b.csv",
        lambda leads: csv_text(leads, header={"consent.text_sha256": "", "channel": ""}).encode(),
        "columns_missing",
        "channel, consent.text_sha256",
    ),
    "CSV without its header": (
        "b.csv",
        lambda leads: csv_text(leads).partition("\n")[2].encode(),
        "columns_missing",
        "must name these columns",
    ),
    "CSV with a column twice": (
        "b.csv",
        lambda leads: csv_text(leads, header={"email": "Телефон"}).encode(),
        "columns_twice",
        "phone",
    ),
    "CSV of nothing": ("b.csv", lambda _leads: b"", "file_empty", "he file "),
    "CSV of blank lines": ("b.csv", lambda _leads: b"\r\n \r\n", "file_empty", "no row"),
    "CSV whose header never ends": ("b.csv", lambda leads: b'"' + csv_text(leads).encode(), "header_unreadable", "first row"),
    "XLSX with a cell in the far corner": (
        "b.xlsx",
        lambda leads: workbook([*rows_of(leads), ['<c r="XFD1048576"><v>1</v></c>']]),
        "xlsx_too_large",
        "too many cells",
    ),
    "XLSX of formulas nobody computed": (
        "b.xlsx",
        lambda leads: workbook([*rows_of(leads), *[["<c><f>A1</f></c>"] * 100] * 501]),
        "formulas_without_values",
        "never calculated",
    ),
    "one JSON array": (
        "b.jsonl",
        lambda leads: b"[" + b",\n".join(lead.body for lead in leads) + b"]",
        "json_array",
        "one document a line",
    ),
    "XLSX cut in the middle": ("b.xlsx", lambda leads: workbook(rows_of(leads))[:-200], "xlsx_broken", "save it again"),
    "CSV called XLSX": ("b.xlsx", lambda leads: csv_text(leads).encode(), "xlsx_broken", "save it again"),
    "XLSX with a password, or XLS": ("b.xlsx", lambda _leads: b"\xd0\xcf\x11\xe0" + bytes(2_000), "xlsx_locked", "password"),
    "XLSX without our header": ("b.xlsx", lambda leads: workbook(rows_of(leads)[1:]), "columns_missing", "must name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_cannot_be_read_lies_beside_its_reason_and_the_others_go_on(
    office: Office, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, save, code, sentence = REFUSED[what]
    leads = three(office)
    office.drop("a.jsonl", json_lines(*leads[:2]))
    office.drop("c.csv", csv_text(leads[2:]).encode())
    with caplog.at_level("DEBUG"):
        count = office.take(name, save(leads))
        assert (count.processed, count.rejected, count.new) == (2, 1, 3)
        reason = office.reason_beside(name)
        assert sentence in reason
        assert f"code: {code}" in reason
        assert RUSSIAN[code].split(":")[0] in reason
        assert "Исправьте файл и положите его снова" in reason
        office.settled(good=3)
    office.names_nobody(*leads, log=caplog.records)


def test_a_file_larger_than_a_file_may_be(office: Office) -> None:
    leads = three(office)
    endless = office.drop("endless.jsonl", json_lines(*leads))
    os.truncate(endless, 256 * 1024 * 1024 + 1)  # a hole: it takes no space
    os.utime(endless, (office.clock.now.timestamp() - 60,) * 2)
    count = office.take("good.jsonl", json_lines(*leads))
    assert (count.processed, count.rejected, count.new) == (1, 1, 3)
    assert "code: file_too_large" in office.reason_beside("endless.jsonl")
    office.settled(good=3)
    office.names_nobody(*leads)


#: A bad row of a table: how the rows are written, the row's number, field, a piece of the hint.
BAD_ROW: dict[str, tuple[str, Save, int, str | None, str]] = {
    "a cell with an open quotation mark": ("d.csv", lambda leads: _spoilt(leads, b'"' + leads[1].event_id.encode()), 3, None,
        "quotation mark"),
    "more cells than the header": ("d.csv", lambda leads: _spoilt(leads, b"," * 60 + b"x"), 3, None, "more cells"),
    "fewer cells than the header": ("d.csv", lambda leads: _spoilt(leads, b"instead of a lead"), 3, "brand", "required"),
    "bytes of another code page": ("d.csv", lambda leads: _spoilt(leads, "Никто,".encode("cp1251")), 3, None, "no text"),
    "ten megabytes in one row": ("d.csv", lambda leads: _spoilt(leads, b"z" * 10_000_000), 3, None, "longer than one lead"),
    "a formula nobody computed": ("d.xlsx", lambda leads: workbook(_cell(leads, "phone", "<c><f>A1+1</f></c>")), 3, "phone",
        "formula"),
    "an Excel error": ("d.xlsx", lambda leads: workbook(_cell(leads, "phone", '<c t="e"><f>1/0</f><v>#DIV/0!</v></c>')), 3,
        "phone", "Excel error"),
    "a formula where a name is": ("d.xlsx", lambda leads: workbook(_cell(leads, "topic.code", "=HYPERLINK(1)")), 3,
        "topic.code", "not a topic"),
}  # fmt: skip


def _spoilt(leads: Leads, line: bytes) -> bytes:
    lines = csv_text(leads).encode().splitlines()
    lines[2] = line
    return b"\r\n".join([*lines, b""])


def _cell(leads: Leads, name: str, value: str) -> list[list[str]]:
    rows = rows_of(leads)
    rows[2][rows[0].index(name)] = value
    return rows


@pytest.mark.parametrize("what", BAD_ROW)
def test_a_bad_row_of_a_table_costs_itself_alone(office: Office, what: str, caplog: pytest.LogCaptureFixture) -> None:
    name, save, number, field, hint = BAD_ROW[what]
    leads = three(office)
    with caplog.at_level("DEBUG"):
        count = office.take(name, save(leads))
        assert (count.processed, count.new) == (1, 3), count.reports
        (found,) = office.findings()
        assert found[0][1] == field
        assert hint in found[0][2]
        assert f"{count.reports[0].ref}:{number} " in office.listing()
        assert office.settled(good=2).quarantined == 1
    office.names_nobody(*leads, log=caplog.records)


def test_a_file_that_is_still_written_waits(office: Office) -> None:
    lead = office.invented.lead(1, brand="lada")
    office.drop("whole.jsonl.part", json_lines(lead))
    office.drop("young.jsonl", json_lines(lead))
    (office.inbox / "young.jsonl").touch()
    (office.inbox / "photo.png").write_bytes(b"\x89PNG")
    count = office.collect()
    assert (count.files, count.waiting, count.foreign) == (0, 1, 2)
    office.clock.advance(minutes=5)
    assert office.collect().new == 1
    office.house.admit()
    office.settled(good=1)


def test_a_folder_that_takes_nothing_loses_nothing(office: Office) -> None:
    """The disk is full or somebody put a file in the folder's place: rows are in the ledger, the file stays, red stays."""
    leads = three(office)
    (office.inbox / "processed").write_bytes(b"in the way")
    (office.inbox / "rejected").write_bytes(b"in the way")
    office.drop("bad.csv", b"")
    office.drop("good.csv", csv_text(leads).encode())
    count = office.collect()
    assert (count.failed, count.new, {report.code for report in count.reports}) == (2, 3, {"FileExistsError"})
    again = office.collect()
    assert (again.failed, again.new, again.repeated) == (2, 0, 3)
    for name in ("processed", "rejected"):
        (office.inbox / name).unlink()
    mended = office.collect()
    assert (mended.processed, mended.rejected, mended.new) == (1, 1, 0)
    office.house.admit()
    assert office.settled(good=3).received == 3


def test_the_operator_and_the_officer_are_told_by_the_commands(office: Office) -> None:
    """The same through real processes: collect, admit, quarantine, dispatch, balance."""
    leads = three(office)
    office.drop("good.csv", csv_text([*leads[:2], document(leads[2], phone="+7 900 00")], delimiter=";").encode("cp1251"))
    office.drop("bad.csv", b"")
    (office.inbox / "processed").write_bytes(b"in the way")
    told = office.command("collect")
    assert told.code == 1
    assert "rejected 1, failed 1" in told.out
    assert "rejected: file_empty; 0 rows taken; its reason lies beside it" in told.out
    assert "failed: FileExistsError; it stays in the inbox" in told.out
    assert "read as CP1251" in told.out
    (office.inbox / "processed").unlink()
    told = office.command("collect")
    assert (told.code, "processed 1" in told.out) == (0, True)
    assert "admitted 2, quarantined 1" in office.command("admit").out
    told = office.command("quarantine")
    assert "invalid_field" in told.out
    assert "phone" in told.out
    assert "too few or too many digits" in told.out
    assert office.command("dispatch").code == 0
    told = office.command("balance", "--lang", "ru")
    assert told.code == 0
    assert "получено 3 = допущено 2 + на разбор 1 + отказано 0" in told.out
    assert "Баланс сходится." in told.out
    office.names_nobody(*leads)
