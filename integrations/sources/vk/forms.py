"""Says what the answers of a VK lead form mean. It refuses to invent consent: what was agreed is what the operator configured
for this very form, and where a form asks for agreement, only the configured answer is one.

VK writes answers in two shapes, one in callbacks (``answer`` is text) and one when leads are polled (``answer`` is an object
or a list of objects). Both become the same document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

#: VK's own questions, by the key every form gives them.
STANDARD_QUESTIONS: Mapping[str, str] = {
    "first_name": "given_name",
    "last_name": "family_name",
    "phone_number": "phone",
    "phone": "phone",
    "email": "email",
    "location": "city",
}
_TOPIC = "topic.fields."


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The question of a form by which the person agrees, and the answers that mean yes."""

    question: str
    yes: tuple[str, ...]


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One lead form of one group: what people are called back about, and what they agreed to by sending it."""

    topic: str
    notice_id: str
    notice_version: str
    notice_language: str
    text_sha256: str
    purposes: tuple[str, ...]
    language: str = "ru"
    questions: dict[str, str] = {}  # question key -> field of a lead, beside VK's own
    constants: dict[str, str] = {}  # field of a lead -> value the form stands for, e.g. topic.fields.car_model
    agreement: Agreement | None = None


def lead_document(event: Mapping[str, Any], form: Form, *, brand: str, account: str, received_at: str) -> dict[str, Any]:
    """Build the lead document of one ``lead_forms_new`` object, or of one polled lead."""
    answers = _answers(event.get("answers"))
    topic: dict[str, Any] = {"code": form.topic, "fields": {}}
    document: dict[str, Any] = {"kind": "lead", "brand": brand, "channel": "vk", "account": account, "language": form.language}
    for field, value in form.constants.items():
        _put(document, topic, field, value)
    for question, answer in answers.items():
        meant = form.questions.get(question) or STANDARD_QUESTIONS.get(question)
        if meant and answer:
            _put(document, topic, meant, answer)
    document["topic"] = topic
    for key, name in (("user_id", "user"), ("form_id", "thread_id")):
        if isinstance(event.get(key), int | str) and event[key] not in (0, ""):
            document[name] = str(event[key])
    if isinstance(event.get("lead_id"), int | str):
        document["message_ids"] = [str(event["lead_id"])]
    document["consent"] = {
        "purposes": list(form.purposes) if _agreed(answers, form.agreement) else [],
        "notice_id": form.notice_id,
        "notice_version": form.notice_version,
        "notice_language": form.notice_language,
        "text_sha256": form.text_sha256,
        "given_at": _given_at(event.get("date"), received_at),
        "indication": "lead_form",
    }
    return document


def _answers(listed: object) -> dict[str, str]:
    answers: dict[str, str] = {}
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and isinstance(item.get("key"), str):
            answers[item["key"]] = _text(item.get("answer"))
    return answers


def _text(answer: object) -> str:
    if isinstance(answer, list):
        return ", ".join(text for part in answer if (text := _text(part)))
    if isinstance(answer, dict):
        return _text(answer.get("value"))
    return str(answer).strip() if isinstance(answer, str | int | float) else ""


def _agreed(answers: Mapping[str, str], agreement: Agreement | None) -> bool:
    if agreement is None:
        return True
    return answers.get(agreement.question, "").casefold() in {yes.casefold() for yes in agreement.yes}


def _given_at(date: object, received_at: str) -> str:
    """Polled leads carry the moment they were sent; a callback is that moment."""
    if isinstance(date, int) and not isinstance(date, bool):
        try:
            return datetime.fromtimestamp(date, tz=UTC).isoformat()
        except (OverflowError, OSError, ValueError):
            return ""
    return received_at


def _put(document: dict[str, Any], topic: dict[str, Any], field: str, value: str) -> None:
    if field.startswith(_TOPIC):
        topic["fields"][field.removeprefix(_TOPIC)] = value
    else:
        document[field] = value
