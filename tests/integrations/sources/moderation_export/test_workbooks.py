"""XLSX files: values as people see them, and archives that mean harm."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from integrations.contract.source import FileOrigin, SourceSettings
from integrations.sources.moderation_export import ModerationExport
from schemas.errors import IntakeError
from schemas.submission import LeadDocument, Submission, Unparsable

ORIGIN = FileOrigin(name="leads.xlsx", digest="e" * 32)
HEADER = ["brand", "phone", "consent.given_at", "topic.fields.car_model"]
Workbook = Callable[..., bytes]


def source(**options: Any) -> ModerationExport:
    return ModerationExport(
        SourceSettings(name="export", connector="moderation_export", options={"required": ("brand",)} | options)
    )


def read(data: bytes, which: ModerationExport | None = None) -> list[Submission]:
    return list((which or source()).read(io.BytesIO(data), ORIGIN))


def documents(data: bytes, which: ModerationExport | None = None) -> list[dict[str, Any]]:
    which = which or source()
    parsed = [which.parse(each) for each in read(data, which)]
    return [dict(each.data.reveal()) for each in parsed if isinstance(each, LeadDocument)]


def refused(data: bytes) -> str:
    with pytest.raises(IntakeError) as caught:
        read(data)
    return caught.value.code


def test_numbers_excel_made_of_phones_are_digits_again(workbook: Workbook) -> None:
    (document,) = documents(workbook({1: HEADER, 2: ["lada", 79000000001.0, None, 2107]}))
    assert document["phone"] == "79000000001"
    assert document["topic"]["fields"]["car_model"] == "2107"


def test_a_date_cell_is_a_local_time_of_the_configured_zone(workbook: Workbook) -> None:
    data = workbook({1: HEADER, 2: ["lada", "x", ('s="1"', "<v>46346.4166666667</v>")]})
    (plain,) = documents(data)
    assert plain["consent"]["given_at"].startswith("2026-11-20T")
    (zoned,) = documents(data, source(timezone="Europe/Moscow"))
    assert zoned["consent"]["given_at"].endswith("+03:00")


def test_the_saved_value_of_a_formula_is_read(workbook: Workbook) -> None:
    data = workbook(
        {1: HEADER, 2: [('t="str"', "<f>LOWER(&quot;LADA&quot;)</f><v>lada</v>"), ("", "<f>A1+1</f><v>79000000001</v>")]}
    )
    (document,) = documents(data)
    assert (document["brand"], document["phone"]) == ("lada", "79000000001")


@pytest.mark.parametrize(
    ("cell", "hint"), [(("", "<f>B3+1</f>"), "formula"), (('t="e"', "<f>1/0</f><v>#DIV/0!</v>"), "Excel error")]
)
def test_a_cell_without_a_value_is_said_by_row_and_field(workbook: Workbook, cell: tuple[str, str], hint: str) -> None:
    data = workbook({1: HEADER, 2: ["lada", cell], 3: ["lada", 79000000001]})
    first, second = (source().parse(each) for each in read(data))
    assert isinstance(first, Unparsable)
    assert first.field == "phone"
    assert "row 2" in first.hint
    assert hint in first.hint
    assert isinstance(second, LeadDocument)


def test_a_table_that_begins_further_down_and_right(workbook: Workbook) -> None:
    rows = {4: [None, None, *HEADER], 6: [None, None, "lada", ("", "<f>X</f>")], 7: [None, None, "lada", 5]}
    submissions = read(workbook(rows))
    assert [each.event_id[-1] for each in submissions] == ["6", "7"]
    first, second = (source().parse(each) for each in submissions)
    assert isinstance(first, Unparsable)
    assert first.field == "phone"
    assert isinstance(second, LeadDocument)


def test_every_sheet_with_our_header_is_read_and_the_others_are_said(workbook: Workbook) -> None:
    sheets = {
        "Справка": {1: ["Как заполнять"]},
        "Ноябрь": {1: HEADER, 2: ["lada", "1"]},
        "Декабрь": {1: HEADER, 2: ["lada", "2"]},
    }
    found = source().read(io.BytesIO(workbook(sheets=sheets)), ORIGIN)
    assert [each.event_id for each in found] == ["e" * 24 + ":2.2", "e" * 24 + ":3.2"]
    assert found.notes == ["sheet 1 was not read: its first row is not a header of ours"]


def test_a_hidden_sheet_is_not_read(workbook: Workbook) -> None:
    sheets = {"Скрытый": {1: HEADER, 2: ["lada", "1"]}, "Лиды": {1: HEADER, 2: ["lada", "2"]}}
    (document,) = documents(workbook(sheets=sheets, hidden=("Скрытый",)))
    assert document["phone"] == "2"


def test_no_sheet_with_our_header_names_what_is_missing(workbook: Workbook) -> None:
    assert refused(workbook({1: ["Мария", "+79000000001"]})) == "columns_missing"
    assert refused(workbook({})) == "file_empty"


def test_a_cell_in_the_far_corner_does_not_exhaust_memory(workbook: Workbook) -> None:
    for corner in ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', '<row r="1048576"><c><v>1</v></c></row>'):
        rows = f'<row r="1">{"".join(f"<c><v>{n}</v></c>" for n in range(40))}</row>{corner}'
        sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'
        assert refused(workbook(sheets={"Leads": sheet})) == "xlsx_too_large"


def test_an_archive_that_grows_beyond_measure_is_refused(workbook: Workbook) -> None:
    bomb = workbook({1: HEADER, 2: ["lada", "1"]}, extra={"xl/media/zeros.bin": bytes(200 * 1024 * 1024)})
    assert len(bomb) < 1024 * 1024
    assert refused(bomb) == "xlsx_too_large"


def test_an_archive_that_lies_about_its_sizes_is_refused(workbook: Workbook) -> None:
    bomb = bytearray(workbook({1: HEADER, 2: ["lada", "1"]}, extra={"xl/sharedStrings.xml": bytes(200 * 1024 * 1024)}))
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        claimed = struct.pack("<I", archive.getinfo("xl/sharedStrings.xml").file_size)
    lying = bytes(bomb).replace(claimed, struct.pack("<I", 10))
    assert refused(lying) == "xlsx_too_large"


@pytest.mark.parametrize("cut", [4, 100, 800, -30, -1])
def test_an_archive_cut_short_is_refused(workbook: Workbook, cut: int) -> None:
    assert refused(workbook({1: HEADER, 2: ["lada", "1"]})[:cut]) == "xlsx_broken"


def test_damage_inside_is_refused(workbook: Workbook) -> None:
    good = workbook({1: HEADER, 2: ["lada", "1"]})
    for at in range(30, len(good) - 30, 17):
        damaged = good[:at] + bytes(value ^ 0xFF for value in good[at : at + 8]) + good[at + 8 :]
        try:
            read(damaged)
        except IntakeError as error:
            assert error.code in {"xlsx_broken", "xlsx_locked", "file_empty", "columns_missing"}  # noqa: PT017 - or it is read


def test_entities_are_not_expanded(workbook: Workbook) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    sheet = (
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<sheetData><row r="1"><c t="inlineStr"><is><t>&l11;</t></is></c></row></sheetData></worksheet>'
    )
    assert refused(workbook(sheets={"Leads": sheet})) in {"xlsx_broken", "columns_missing", "file_empty"}


def test_a_name_that_promises_a_workbook_which_it_is_not() -> None:
    assert refused(b"brand,phone\n") == "xlsx_broken"


def test_a_workbook_called_csv_is_read_as_what_it_is(workbook: Workbook) -> None:
    data = workbook({1: HEADER, 2: ["lada", "1"]})
    found = source().read(io.BytesIO(data), FileOrigin(name="leads.csv", digest="e" * 32))
    assert len(list(found)) == 1
