"""CSV files as people really send them: every delimiter, encoding and accident; nothing lost, the rest goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.contract.source import FileOrigin, SourceSettings
from integrations.sources.moderation_export import ModerationExport
from integrations.sources.moderation_export.csv_rows import DELIMITERS, rows
from integrations.sources.moderation_export.lines import Lines
from schemas.errors import ConfigurationError, IntakeError
from schemas.submission import LeadDocument, Submission, Unparsable, Withdrawal

ORIGIN = FileOrigin(name="leads.csv", digest="0123456789abcdef0123456789abcdef")


def source(brand: str | None = None, **options: Any) -> ModerationExport:
    return ModerationExport(SourceSettings(name="export", connector="moderation_export", brand=brand, options=options))


def table(header: Iterable[str], *lines: Iterable[str], delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def read(data: bytes, which: ModerationExport | None = None, name: str = "leads.csv") -> list[Submission]:
    return list((which or source()).read(io.BytesIO(data), FileOrigin(name=name, digest=ORIGIN.digest)))


def documents(data: bytes, which: ModerationExport | None = None) -> list[dict[str, Any]]:
    which = which or source()
    parsed = [which.parse(each) for each in read(data, which)]
    assert all(isinstance(each, LeadDocument) for each in parsed)
    return [dict(each.data.reveal()) for each in parsed if isinstance(each, LeadDocument)]


def test_a_row_becomes_the_nested_document(lead_columns: dict[str, str]) -> None:
    (document,) = documents(table(lead_columns, lead_columns.values()).encode())
    assert document["kind"] == "lead"
    assert document["given_name"] == "Мария"
    assert document["message_ids"] == ["m-1", "m-2"]
    assert document["topic"] == {"code": "test_drive", "fields": {"car_model": "Vesta"}}
    assert document["consent"]["purposes"] == ["callback"]
    assert len(document["consent"]["evidence"]) == 2


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_delimiter_in_every_encoding(lead_columns: dict[str, str], delimiter: str, encoding: str, end: str) -> None:
    data = table(lead_columns, lead_columns.values(), delimiter=delimiter, end=end).encode(encoding)
    (document,) = documents(data)
    assert document["text"] == "Позвоните после шести"
    assert document["consent"]["text_sha256"] == "ab" * 32


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_found_and_said(lead_columns: dict[str, str], encoding: str) -> None:
    found = source().read(io.BytesIO(table(lead_columns, lead_columns.values()).encode(encoding)), ORIGIN)
    assert len(list(found)) == 1
    assert found.notes == [f"read as {encoding.upper()} without a byte order mark"]


def test_cp1251_is_said(lead_columns: dict[str, str]) -> None:
    found = source().read(io.BytesIO(table(lead_columns, lead_columns.values()).encode("cp1251")), ORIGIN)
    assert len(list(found)) == 1
    assert found.notes == ["read as CP1251, because the bytes are no UTF-8"]


@pytest.mark.parametrize("encoding", ["koi8-r", "cp866", "cp1252"])
def test_other_code_pages_are_sent_back_by_name(lead_columns: dict[str, str], encoding: str) -> None:
    row = lead_columns | (
        {"given_name": "José", "city": "Málaga", "family_name": "Muñoz", "text": "Llámame mañana"}
        if encoding == "cp1252"
        else {}
    )
    data = table(row, row.values()).encode(encoding)
    with pytest.raises(IntakeError, match="encoding_unknown") as caught:
        read(data)
    assert "UTF-8" in str(caught.value)


def test_an_encoding_may_be_told(lead_columns: dict[str, str]) -> None:
    (document,) = documents(table(lead_columns, lead_columns.values()).encode("koi8-r"), source(encoding="koi8-r"))
    assert document["family_name"] == "Орлова"
    with pytest.raises(IntakeError, match="encoding_broken"):
        read(b"brand\xff\n", source(encoding="utf-8"))


def test_one_broken_byte_in_utf_8_costs_one_row(lead_columns: dict[str, str]) -> None:
    data = table(lead_columns, *[lead_columns.values()] * 3).encode().split(b"\r\n")
    data[2] = data[2].replace("Орлова".encode(), b"\xd0\x9e\xd1")
    parsed = [source().parse(each) for each in read(b"\r\n".join(data))]
    assert [type(each) for each in parsed] == [LeadDocument, Unparsable, LeadDocument]
    assert "row 3" in parsed[1].hint  # type: ignore[union-attr] # seen above


RUSSIAN = ["Бренд", "Канал", "Язык", "Тема", "Имя", "Фамилия", "Телефон", "Эл. почта", "Город", "Модель"]
CONSENT = [
    "Цели согласия",
    "Уведомление",
    "Версия уведомления",
    "Язык уведомления",
    "Хеш текста",
    "Дата согласия",
    "Способ согласия",
]


def test_russian_headers_in_cp1251_as_excel_saves_them() -> None:
    row = ["lada", "vk", "ru", "test_drive", "Пётр", "Ёлкин", "8 900 000-00-02", "petr@example.org", "Самара", "Niva"]
    consent = ["callback", "lada-callback", "3", "ru", "ab" * 32, "20.11.2026 10:00", "direct_message"]
    data = table(RUSSIAN + CONSENT, row + consent, delimiter=";").encode("cp1251")
    (document,) = documents(data, source(timezone="Europe/Moscow"))
    assert document["given_name"] == "Пётр"
    assert document["topic"] == {"code": "test_drive", "fields": {"car_model": "Niva"}}
    assert document["consent"]["given_at"] == "2026-11-20T10:00:00+03:00"


def test_words_people_write_in_cells(lead_columns: dict[str, str]) -> None:
    row = lead_columns | {"channel": "ВКонтакте", "language": "Русский", "consent.indication": "личное сообщение"}
    (document,) = documents(table(row, row.values()).encode())
    assert (document["channel"], document["language"]) == ("vk", "ru")
    assert document["consent"]["indication"] == "direct_message"
    row = lead_columns | {"channel": "Телеграф"}
    (document,) = documents(table(row, row.values()).encode())
    assert document["channel"] == "Телеграф"


def test_a_local_time_stays_as_it_is_without_a_configured_zone(lead_columns: dict[str, str]) -> None:
    row = lead_columns | {"consent.given_at": "20.11.2026 10:00"}
    (document,) = documents(table(row, row.values()).encode())
    assert document["consent"]["given_at"] == "20.11.2026 10:00"


def test_own_headers_and_defaults(lead_columns: dict[str, str]) -> None:
    row = {("Wer" if key == "given_name" else key): value for key, value in lead_columns.items() if key != "channel"}
    (document,) = documents(
        table(row, row.values()).encode(), source(columns={"wer": "given_name"}, defaults={"channel": "facebook"})
    )
    assert document["given_name"] == "Мария"
    assert document["channel"] == "facebook"


def test_excels_first_line_names_the_delimiter(lead_columns: dict[str, str]) -> None:
    (document,) = documents(b"sep=|\r\n" + table(lead_columns, lead_columns.values(), delimiter="|").encode())
    assert document["brand"] == "lada"


def test_commas_in_a_header_cell_do_not_win_over_the_real_delimiter(lead_columns: dict[str, str]) -> None:
    header = [*lead_columns, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3"]
    (document,) = documents(table(header, [*lead_columns.values(), ""], delimiter=";").encode())
    assert document["brand"] == "lada"


def test_line_breaks_and_quotes_inside_cells(lead_columns: dict[str, str]) -> None:
    row = lead_columns | {"text": 'первая\r\nвторая; "третья", 5" экран'}
    (first, second) = documents(table(row, row.values(), lead_columns.values()).encode())
    assert first["text"] == 'первая\r\nвторая; "третья", 5" экран'
    assert second["text"] == lead_columns["text"]


def test_ids_are_lines_and_the_same_at_every_reading(lead_columns: dict[str, str]) -> None:
    row = lead_columns | {"text": "a\nb"}
    data = table(row, row.values(), lead_columns.values(), end="\n").encode()
    ids = [each.event_id for each in read(data)]
    assert ids == [f"{ORIGIN.digest[:24]}:2", f"{ORIGIN.digest[:24]}:4"]
    assert ids == [each.event_id for each in read(data)]


def test_missing_columns_are_all_named_and_nothing_of_the_file_is() -> None:
    with pytest.raises(IntakeError, match="columns_missing") as caught:
        read("Мария,+79000000001,vk\r\n".encode())
    assert "consent.given_at" in str(caught.value)
    assert "phone or email or user" in str(caught.value)
    assert "Мария" not in str(caught.value)
    assert "9000000001" not in repr(caught.value)


def test_a_column_twice_is_refused_even_under_two_names(lead_columns: dict[str, str]) -> None:
    with pytest.raises(IntakeError, match="columns_twice") as caught:
        read(table([*lead_columns, "Телефон"], [*lead_columns.values(), "1"]).encode())
    assert caught.value.field == "phone"


def test_foreign_columns_are_left_out_and_said_by_number(lead_columns: dict[str, str]) -> None:
    data = table(["Смена", *lead_columns, "Смена"], ["ночь", *lead_columns.values(), "ночь"]).encode()
    found = source().read(io.BytesIO(data), ORIGIN)
    assert len(list(found)) == 1
    assert found.notes == [f"columns 1, {len(lead_columns) + 2} are not known and were not read"]


def test_blank_and_trailing_rows(lead_columns: dict[str, str]) -> None:
    data = table(lead_columns, lead_columns.values()).encode() + b"\r\n  ,,,\r\n;;;\r\n\r\n" + "Итого: 1".encode()
    parsed = [source().parse(each) for each in read(data)]
    assert len(parsed) == 3  # the two odd rows are kept for a person to see; blank ones are not
    assert isinstance(parsed[0], LeadDocument)


def test_too_many_cells_is_never_guessed(lead_columns: dict[str, str]) -> None:
    data = table(
        lead_columns, [*lead_columns.values(), "", ""], ["lada", *lead_columns.values()], lead_columns.values()
    ).encode()
    parsed = [source().parse(each) for each in read(data)]
    assert [type(each) for each in parsed] == [LeadDocument, Unparsable, LeadDocument]


def test_nul_bytes_stay_in_their_row(lead_columns: dict[str, str]) -> None:
    data = table(lead_columns, (lead_columns | {"city": "a\0b"}).values(), lead_columns.values()).encode()
    first, second = documents(data)
    assert first["city"] == "a\0b"  # LeadSchema refuses it by name
    assert second["city"] == "Тольятти"


def test_a_line_of_ten_megabytes_costs_one_row_and_stores_little(lead_columns: dict[str, str]) -> None:
    long = (lead_columns | {"text": "ы" * 10_000_000}).values()
    submissions = read(table(lead_columns, lead_columns.values(), long, lead_columns.values()).encode())
    parsed = [source().parse(each) for each in submissions]
    assert [type(each) for each in parsed] == [LeadDocument, Unparsable, LeadDocument]
    assert len(submissions[1].body.reveal()) < 50_000


def test_an_open_quotation_mark_costs_one_row(lead_columns: dict[str, str]) -> None:
    lines = table(lead_columns, *[lead_columns.values()] * 700, end="\n").encode().splitlines(keepends=True)
    lines[2] = b'"' + lines[2]
    parsed = [source().parse(each) for each in read(b"".join(lines))]
    assert len(parsed) == 700
    assert [number for number, each in enumerate(parsed) if isinstance(each, Unparsable)] == [1]


def test_withdrawals_in_a_table_need_only_a_way_to_the_person() -> None:
    data = table(["kind", "brand", "phone", "purposes"], ["withdrawal", "lada", "8 900 000 00 03", "callback;survey"]).encode()
    which = source(default_region="RU")
    (parsed,) = [which.parse(each) for each in read(data, which)]
    assert isinstance(parsed, Withdrawal)
    assert parsed.purposes == ("callback", "survey")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\r\n \r\n", "file_empty"),
        (b"\xff\xfe\x00\x00x", "encoding_broken"),
        (b"\xd0\xcf\x11\xe0rest", "xlsx_locked"),
    ],
)
def test_files_that_are_no_table(data: bytes, code: str) -> None:
    with pytest.raises(IntakeError, match=code):
        read(data)


def test_a_header_alone_is_a_file_without_rows(lead_columns: dict[str, str]) -> None:
    assert read(table(lead_columns).encode()) == []


def test_a_file_beyond_the_limit_is_refused(lead_columns: dict[str, str]) -> None:
    with pytest.raises(IntakeError, match="file_too_large"):
        read(table(lead_columns, lead_columns.values()).encode(), source(max_file_bytes=100))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"columns": {"x": "shoe_size"}}, "options.columns"),
        ({"defaults": {"consent.magic": "1"}}, "options.defaults"),
        ({"timezone": "Mars/Olympus"}, "options.timezone"),
        ({"colums": {}}, "options"),
        ({"max_file_bytes": "many"}, "options.max_file_bytes"),
    ],
)
def test_wrong_options_name_their_place(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(**options)
    assert caught.value.field == f"leadgate.yaml: sources.export.{where}"


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6),
    st.sampled_from(DELIMITERS),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_read_back(cells: list[list[str]], delimiter: str, quoting: Any) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerows(cells)
    found: Iterator[Any] = rows(
        Lines(io.BytesIO(text.getvalue().encode()), encoding="utf-8", limit=10_000), delimiter, limit=10_000
    )
    kept = [row for row in cells if any(cell and not cell.isspace() for cell in row)]
    assert [row.cells for row in found] == kept


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a.jsonl", "a.xlsx"]))
def test_any_bytes_are_rows_or_a_refusal(data: bytes, name: str) -> None:
    which = source(brand="lada", required=("brand",), delimiter=",")
    try:
        for each in read(b"phone,text\n" * name.endswith("csv") + data, which, name):
            json.loads(each.body.reveal()) if name.endswith("csv") else None
            which.parse(each)
    except IntakeError:
        pass
