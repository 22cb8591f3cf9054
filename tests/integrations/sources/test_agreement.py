"""What sources hand on is what LeadSchema reads: the same lead from a table, a workbook, a line, a webhook and a VK form."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.contract.source import FileOrigin, Request, SourceSettings
from integrations.sources.document import DocumentRules, parse_document
from integrations.sources.moderation_export import ModerationExport
from integrations.sources.moderation_export.columns import FIELDS, is_field
from integrations.sources.vk import VK
from schemas.lead import Lead
from schemas.lead_reader import LeadReader
from schemas.lead_schema import ConsentSchema, LeadSchema
from schemas.personal import Personal
from schemas.policy import BrandPolicy, Topic
from schemas.submission import LeadDocument, Submission, Withdrawal
from schemas.verdict import Finding
from schemas.vocabulary import Reason

POLICY = BrandPolicy(
    brand="lada",
    title="Lada",
    home_country="RU",
    countries=frozenset({"RU"}),
    default_region="RU",
    notices={},
    purposes={},
    topics={"test_drive": Topic(code="test_drive", fields={"car_model": True, "dealer": False})},
    recipients={},
    duplicate_window=timedelta(days=1),
    version="v",
)
READER = LeadReader({"lada": POLICY})
EXPORT = ModerationExport(
    SourceSettings(name="export", connector="moderation_export", options={"timezone": "Europe/Moscow", "default_region": "RU"})
)


def lead(document: Any) -> Lead:
    assert isinstance(document, LeadDocument)
    read = READER.read(document.data.reveal())
    assert isinstance(read, Lead), read
    return read


def findings(document: Any) -> tuple[Finding, ...]:
    assert isinstance(document, LeadDocument)
    read = READER.read(document.data.reveal())
    assert isinstance(read, tuple)
    return read


def from_file(data: bytes, name: str) -> list[Any]:
    submissions: list[Submission] = list(EXPORT.read(io.BytesIO(data), FileOrigin(name=name, digest="a" * 32)))
    return [EXPORT.parse(each) for each in submissions]


def nested(columns: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": "lead"}
    for name, value in columns.items():
        place = document
        *steps, last = name.split(".")
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = value.split(";") if last in {"message_ids", "purposes", "evidence"} else value
    return document


def table(*rows: dict[str, str], delimiter: str = ";") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("cp1251")


def test_the_same_lead_in_every_form_is_the_same_lead(lead_columns: dict[str, str], workbook: Any) -> None:
    document = json.dumps(nested(lead_columns)).encode()
    expected = lead(parse_document(document, DocumentRules()))
    assert expected.fields.reveal()["phone"] == "+79000000001"
    sheet = workbook({1: list(lead_columns), 2: list(lead_columns.values())})
    for data, name in ((document, "a.jsonl"), (table(lead_columns), "a.csv"), (sheet, "a.xlsx")):
        (parsed,) = from_file(data, name)
        assert lead(parsed) == expected


def test_excels_numbers_and_dates_are_a_valid_lead(lead_columns: dict[str, str], workbook: Any) -> None:
    cells: dict[str, object] = lead_columns | {
        "phone": 79000000001.0,
        "user": 1001.0,
        "consent.notice_version": 3,
        "consent.given_at": ('s="1"', "<v>46346.4166666667</v>"),
    }
    (parsed,) = from_file(workbook({1: list(cells), 2: list(cells.values())}), "a.xlsx")
    read = lead(parsed)
    assert read.fields.reveal()["phone"] == "+79000000001"
    assert read.fields.reveal()["user"] == "vk:1001"
    assert read.consent.given_at.tzinfo is not None


def test_every_column_is_a_key_the_schema_knows() -> None:
    """A column LeadSchema does not know would quarantine every row; ``purposes`` belongs to withdrawals."""
    consent = {f"consent.{name}" for name in ConsentSchema().fields}
    known = set(LeadSchema(POLICY).fields) - {"consent", "topic"} | consent | {"topic.code"}
    assert known == FIELDS - {"purposes"}
    assert is_field("topic.fields.car_model")


@pytest.mark.parametrize("name", ["given_name", "city", "phone", "email", "thread_id"])
def test_a_nul_byte_is_a_finding_about_its_field(lead_columns: dict[str, str], name: str) -> None:
    first, second = from_file(table(lead_columns | {name: "a\0b"}, lead_columns), "a.csv")
    assert [finding.field for finding in findings(first)] == [name]
    lead(second)


def test_duplicate_rows_are_two_submissions_of_the_same_lead(lead_columns: dict[str, str]) -> None:
    first, second = from_file(table(lead_columns, lead_columns), "a.csv")
    assert lead(first) == lead(second)  # which of them counts is the gate's word


def test_a_vk_form_is_a_valid_lead_and_without_agreement_none() -> None:
    form = {
        "topic": "test_drive",
        "notice_id": "lada-form",
        "notice_version": "1",
        "notice_language": "ru",
        "text_sha256": "ab" * 32,
        "purposes": ["callback"],
        "questions": {"model": "topic.fields.car_model"},
        "agreement": {"question": "consent", "yes": ["Да"]},
    }
    options = {"group_id": 5, "confirmation": "x", "forms": {"42": form}}
    secrets = (Personal("s"),)
    vk = VK(SourceSettings(name="vk", connector="vk", brand="lada", options=options, secrets=secrets))

    def sent(*answers: tuple[str, str]) -> Any:
        content = {
            "lead_id": 77,
            "user_id": 1001,
            "form_id": 42,
            "answers": [{"key": key, "question": "?", "answer": answer} for key, answer in answers],
        }
        event = {"type": "lead_forms_new", "group_id": 5, "event_id": "e", "secret": "s", "object": content}
        at = datetime(2026, 11, 22, tzinfo=UTC)
        reception = vk.receive(Request(headers={}, body=Personal(json.dumps(event).encode()), received_at=at))
        return vk.parse(reception.submissions[0])

    known = (("first_name", "Мария"), ("phone_number", "8 900 000-00-01"), ("model", "Vesta"))
    assert lead(sent(*known, ("consent", "да"))).fields.reveal()["user"] == "vk:1001"
    assert [finding.reason for finding in findings(sent(*known, ("consent", "Нет")))] == [Reason.NO_CONSENT]


def test_a_withdrawal_finds_the_lead_however_both_were_typed(lead_columns: dict[str, str]) -> None:
    document = nested(lead_columns | {"phone": "8 (900) 000-00-01", "email": "Maria.Orlova@Example.ORG"})
    kept = lead(parse_document(json.dumps(document).encode(), DocumentRules())).fields.reveal()
    asked = {"kind": "withdrawal", "brand": "lada", "channel": "vk"}
    asked |= {"phone": "+7 900 000 00 01", "email": "maria.orlova@EXAMPLE.org", "user": 1001}
    withdrawal = parse_document(json.dumps(asked).encode(), DocumentRules(default_region="RU"))
    assert isinstance(withdrawal, Withdrawal)
    assert withdrawal.phone == Personal(kept["phone"])
    assert withdrawal.email == Personal(kept["email"])
    assert withdrawal.user == Personal(kept["user"])
