"""A walk says what the leaves say, in both languages, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consent.audit import facts
from consent.audit.leaf import encode
from consent.audit.trace import _SENTENCES, _in_russian, render, trace
from schemas.audit import AuditEntry, LeafValue
from schemas.errors import AuditError
from schemas.vocabulary import Event, Language, Outcome, Reason
from tests.consent.audit.synthetic import digest, ident

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


def entry(event: Event, minute: int = 0, **said: LeafValue) -> AuditEntry:
    return AuditEntry(event=event, at=AT + timedelta(minutes=minute), actor="system", lead_id=ident(1, 1), facts=said)


WALK = [
    (4, entry(Event.SUBMISSION_RECEIVED, source="moderation-vk")),
    (
        5,
        entry(
            Event.LEAD_ADMITTED,
            1,
            consent_id=ident(3, 1),
            notice_id="callback-ru",
            notice_version="3",
            purposes=["callback"],
            routes=["center:callback"],
            sealed_sha256=digest(1),
        ),
    ),
    (9, entry(Event.DELIVERY_UNCERTAIN, 2, destination="center", attempt=1, code="timeout")),
    (12, entry(Event.DELIVERY_RESOLVED, 3, destination="center", outcome="accepted", resolved_by="lookup")),
    (20, entry(Event.DELIVERY_SUPPRESSED, 4, destination="crm", reason="withdrawn")),
    (21, entry(Event.SUBJECT_ERASED, 5)),
]


def test_a_walk_is_told_in_the_order_of_the_log_in_both_languages() -> None:
    steps = trace(reversed(WALK), sealed=10)
    assert [(step.index, step.sealed) for step in steps] == [
        (4, True), (5, True), (9, True), (12, False), (20, False), (21, False)
    ]  # fmt: skip
    assert [step.sentence(Language.EN) for step in steps[:2]] == [
        "Received from the source moderation-vk.",
        f"Admitted under consent {ident(3, 1)}, notice callback-ru version 3; purposes: callback; may go to: center:callback.",
    ]
    assert (
        steps[1].sentence(Language.RU).startswith(f"Допущено по согласию {ident(3, 1)}, текст согласия callback-ru версии 3;")
    )
    assert steps[3].ru == "Сомнение в передаче снято (получатель center): принято, способ: lookup."
    assert steps[4].en == "Not sent to crm, reason: withdrawn."
    assert steps[4].ru == "Не отправлено получателю crm, причина: согласие отозвано."
    assert steps[2].at == AT + timedelta(minutes=2)
    assert steps[2].facts["code"] == "timeout"


SAMPLE = {
    facts.DIGEST.pattern: digest(1),
    facts.ID.pattern: ident(1, 1),
    facts.COUNTRY.pattern: "RU",
    facts.MOMENT.pattern: "2026-01-15T09:30:00Z",
}


def test_a_walk_is_printed_with_what_waits_at_its_end() -> None:
    rows: list[tuple[int | None, bytes]] = [(None, encode(WALK[5][1])), (4, encode(WALK[0][1]))]
    lines = render(rows, language=Language.EN).splitlines()
    assert lines == [
        "      #4  2026-01-15 09:30:00.000000Z  Received from the source moderation-vk.",
        "       -  2026-01-15 09:35:00.000000Z  Erased: the key is destroyed, nobody can open this identity any more.",
    ]
    assert "Получено из источника" in render(rows, language=Language.RU)
    with pytest.raises(AuditError, match="leaf 7"):
        render([(7, b"{}")], language=Language.EN)


@pytest.mark.parametrize("event", Event)
def test_every_event_has_a_sentence_with_and_without_facts(event: Event) -> None:
    values: dict[str, LeafValue] = {}
    for name, shape in facts.ALLOWED_FACTS.items():
        if shape is bool:
            values[name] = True
        elif shape is int:
            values[name] = 3
        elif isinstance(shape, tuple):
            values[name] = [digest(1)] if shape[0] is facts.DIGEST else ["phone", "email"]
        else:
            values[name] = SAMPLE.get(shape.pattern, "word") if isinstance(shape, re.Pattern) else ""
    full = replace(entry(event), facts=values)
    assert encode(full)
    for each in (entry(event), full):
        (step,) = trace([(0, each)])
        assert step.en.endswith(".")
        assert step.ru.endswith(".")
        assert "{" not in step.en + step.ru
        assert step.en[0].isupper()
        assert step.ru[0].isupper()
        assert step.en != step.ru


def test_every_part_speaks_of_a_fact_that_a_leaf_may_hold() -> None:
    for parts in _SENTENCES.values():
        assert {part.fact for part in parts if part.fact} <= set(facts.ALLOWED_FACTS)


def test_reasons_and_outcomes_have_russian_words_and_fields_keep_their_names() -> None:
    assert not [word for word in (*Reason, *Outcome) if _in_russian(word) == word]
    assert _in_russian("invalid_field:phone") == "неверное поле: phone"
    assert _in_russian("something_else") == "something_else"
