"""No word of code reaches a reader untranslated: every member, every retention word and every sentence a finding may carry."""

from __future__ import annotations

import ast
import re
from enum import StrEnum

import pytest

from consent.retention import Action, Why
from schemas import words
from schemas.fields.hint import Hint
from schemas.vocabulary import Language, Outcome, PersonState, Reason, SubmissionState, TellingState
from schemas.words.hints import RUSSIAN
from tests.architecture.tree import ROOT, modules

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_VOCABULARIES = [
    (Reason, words.REASONS),
    (Reason, words.REASON_ADVICE),
    (Outcome, words.OUTCOMES),
    (SubmissionState, words.SUBMISSIONS),
    (PersonState, words.PERSONS),
    (TellingState, words.TELLINGS),
]


@pytest.mark.parametrize(("kind", "known"), _VOCABULARIES)
def test_every_member_has_words_in_both_languages(kind: type[StrEnum], known: dict[str, words.Said]) -> None:
    assert set(known) == set(kind)


def test_every_word_of_retention_is_known() -> None:
    assert set(words.RETENTION) == {*Action, *Why}


@pytest.mark.parametrize(
    "known",
    [words.REASONS, words.REASON_ADVICE, words.OUTCOMES, words.SUBMISSIONS, words.PERSONS, words.CODES, words.RETENTION],
)
def test_each_language_is_that_language(known: dict[str, words.Said]) -> None:
    for said in known.values():
        assert _CYRILLIC.search(said.ru)
        assert not _CYRILLIC.search(said.en)


def _written() -> set[str]:
    """Every sentence the product gives to a finding or to an unreadable document, gaps as {}."""
    found = {hint.value for hint in Hint}
    for module in modules("consent", "leadgate/pipeline", "integrations/sources"):
        for node in module.nodes():
            if isinstance(node, ast.Call):
                found |= {_text(word.value) for word in node.keywords if word.arg == "hint"}
                if getattr(node.func, "id", "") == "_BadFieldError":
                    found.add(_text(node.args[1]))
            elif isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "hint" for each in node.targets):
                found.add(_text(node.value))
            elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "HINTS":
                assert isinstance(node.value, ast.Dict)
                found |= {_text(each) for each in node.value.values}
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
                first, second = node.value.elts  # (Reason.X, "sentence")
                if getattr(getattr(first, "value", None), "id", "") == "Reason":
                    found.add(_text(second))
    return found - {""}


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def test_every_sentence_of_a_finding_has_its_russian() -> None:
    written = _written()
    assert len(written) > 60, f"the search in {ROOT.name} lost its grip: mend this test"
    assert sorted(written - RUSSIAN.keys()) == [], "add the sentence to schemas/words/hints.py"
    assert sorted(RUSSIAN.keys() - written) == [], "nobody says this any more: remove it from schemas/words/hints.py"


def test_gaps_are_carried_over() -> None:
    said = "row 12: the cell shows an Excel error instead of a value"
    assert words.hint(said, Language.RU) == "строка 12: в ячейке ошибка Excel вместо значения"
    assert words.hint(said, Language.EN) == said
    lead = "the same request is already under way as lead 01a201f0-0000-7000-8000-000000000001"
    assert words.hint(lead, Language.RU).endswith("лид 01a201f0-0000-7000-8000-000000000001")


def test_what_nobody_knows_is_said_as_it_is() -> None:
    assert words.hint("astrology forbids it", Language.RU) == "astrology forbids it"
    assert words.code_in("HTTP_418", Language.RU) == "HTTP_418"
    assert words.code_in("withdrawn", Language.RU) == "согласие отозвано"
    assert words.code_in("in_doubt", Language.EN) == "nobody knows whether it arrived"


def _found_by_verify() -> set[str]:
    """Every code that a verification can give."""
    table = (
        (ROOT / "docs/audit-log.md").read_text(encoding="utf-8").partition("## What `verify` finds")[2].partition("\n## ")[0]
    )
    documented = {
        code for line in table.splitlines() for code in re.findall(r"`([a-z_]+)`", line.partition("| somebody")[0][:120])
    }
    given = {
        node.args[0].value
        for module in modules("consent/audit")
        for node in module.nodes()
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"add", "_add"} and node.args
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }
    return given | (documented & words.audit.FINDINGS.keys())


def test_every_finding_of_a_verification_has_its_russian() -> None:
    assert len(_found_by_verify()) > 30
    assert _found_by_verify() <= words.audit.FINDINGS.keys()


def test_a_finding_names_its_place_in_russian() -> None:
    said = words.finding_in_russian("lead_changed", "lead 01a2, committed at leaf 17")
    assert said is not None
    assert said.startswith("лид 01a2, зафиксировано записью журнала 17: сохранённый лид не тот")
    assert words.finding_in_russian("root_mismatch", "between leaf 3 and leaf 9").startswith("между записями журнала 3 и 9: ")  # type: ignore[union-attr]
    assert words.finding_in_russian("astrology", "leaf 3") is None
