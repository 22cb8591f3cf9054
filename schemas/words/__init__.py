"""What our words of code mean, in the two languages people read. It refuses to guess: a word that does not stand here is said
as it is, so a stranger's code stays a code and is never dressed up as one of ours.

``words.vocabulary`` holds the closed vocabularies, ``words.hints`` the sentences a finding about a document may carry,
``words.audit`` what a verification finds. Words of code are stored, logged and put into JSON; these are only ever shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import Language
from schemas.words.audit import finding_in_russian
from schemas.words.hints import hint
from schemas.words.vocabulary import CODES, OUTCOMES, PERSONS, REASON_ADVICE, REASONS, RETENTION, SUBMISSIONS, TELLINGS, Said

__all__ = [
    "CODES",
    "OUTCOMES",
    "PERSONS",
    "REASONS",
    "REASON_ADVICE",
    "RETENTION",
    "SUBMISSIONS",
    "TELLINGS",
    "Said",
    "code_in",
    "finding_in_russian",
    "hint",
    "say",
]


def say(words: Mapping[str, Said], code: str, language: Language) -> str:
    """``code`` in the reader's language; itself, if ``words`` does not know it."""
    known = words.get(code)
    return code if known is None else known.in_(language)


def code_in(code: str, language: Language) -> str:
    """Why a delivery stands where it stands: a reason of the gate, a code of ours, or a vendor's as it is."""
    return say(CODES, code, language) if code in CODES else say(REASONS, code, language)
