"""Builders for what senders send. Every person is invented."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest

DIGEST = "d" * 32
SHA = "ab" * 32

_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
_ROOT = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>"
)
_STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


def letters(number: int) -> str:
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def cell_xml(row: int, column: int, value: object) -> str:
    """Text, a number, or raw XML for the inside of a cell as ``("attributes", "inside")``."""
    place = f'r="{letters(column)}{row}"'
    if isinstance(value, tuple):
        return f"<c {place} {value[0]}>{value[1]}</c>"
    if isinstance(value, (int, float)):
        return f"<c {place}><v>{value!r}</v></c>"
    return f'<c {place} t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def sheet_xml(rows: Mapping[int, list[object]]) -> str:
    body = "".join(
        f'<row r="{number}">'
        + "".join(cell_xml(number, column, value) for column, value in enumerate(cells) if value is not None)
        + "</row>"
        for number, cells in rows.items()
    )
    return f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{body}</sheetData></worksheet>'


def build_workbook(sheets: Mapping[str, str], extra: Mapping[str, bytes] | None = None, hidden: tuple[str, ...] = ()) -> bytes:
    """Pack sheets, given as their XML by name, into an XLSX file."""
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}" '
        f'state="{"hidden" if name in hidden else "visible"}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    relations = "".join(
        f'<Relationship Id="rId{number}" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        f'Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    relations += (
        '<Relationship Id="rIdS" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" '
        'Target="styles.xml"/>'
    )
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _ROOT,
        "xl/styles.xml": _STYLES,
        "xl/workbook.xml": (
            '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
            f"<sheets>{listed}</sheets></workbook>"
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>'
        ),
    }
    parts |= {f"xl/worksheets/sheet{number}.xml": xml for number, xml in enumerate(sheets.values(), start=1)}
    parts |= extra or {}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture(scope="session")
def workbook() -> Callable[..., bytes]:
    """Build an XLSX file: rows by number for its one sheet, or several sheets by name."""

    def build(rows: Mapping[int, list[object]] | None = None, **kinds: Any) -> bytes:
        sheets = kinds.get("sheets") or {"Leads": rows or {}}
        return build_workbook(
            {name: content if isinstance(content, str) else sheet_xml(content) for name, content in sheets.items()},
            kinds.get("extra"),
            kinds.get("hidden", ()),
        )

    return build


@pytest.fixture(scope="session")
def lead_columns() -> dict[str, str]:
    """One complete lead as columns of a table."""
    return {
        "brand": "lada",
        "channel": "vk",
        "account": "club1",
        "thread_id": "t-1",
        "message_ids": "m-1;m-2",
        "permalink": "https://vk.example.org/im?sel=1",
        "moderator": "m-17",
        "language": "ru",
        "given_name": "Мария",
        "family_name": "Орлова",
        "phone": "+7 900 000-00-01",
        "email": "maria.orlova@example.org",
        "city": "Тольятти",
        "user": "1001",
        "topic.code": "test_drive",
        "topic.fields.car_model": "Vesta",
        "text": "Позвоните после шести",
        "consent.purposes": "callback",
        "consent.notice_id": "lada-callback",
        "consent.notice_version": "3",
        "consent.notice_language": "ru",
        "consent.text_sha256": SHA,
        "consent.given_at": "2026-11-20T10:00:00+03:00",
        "consent.indication": "direct_message",
        "consent.evidence": f"{SHA};{SHA}",
    }
