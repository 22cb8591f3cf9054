"""docs/bad-input.md names codes that exist, and leaves out none that a file or a row can get."""

from __future__ import annotations

import re

from integrations.sources.moderation_export.rejection import RUSSIAN
from schemas.vocabulary import Reason
from tests.architecture.tree import ROOT, modules

PAGE = (ROOT / "docs/bad-input.md").read_text(encoding="utf-8")
_CODE = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
#: Said of a person who took consent back, of a term, or of our own routes: not bad input.
_NOT_INPUT = {
    Reason.WITHDRAWN,
    Reason.CONSENT_EXPIRED,
    Reason.NOTICE_RETIRED,
    Reason.CONSENT_STALE,
    Reason.NO_DESTINATION,
    Reason.NO_TRANSFER_BASIS,
}


def test_every_code_on_the_page_exists() -> None:
    sources = "\n".join(module.text for module in modules("schemas", "consent", "integrations", "leadgate"))
    missing = {code for code in _CODE.findall(PAGE) if f'"{code}"' not in sources}
    assert missing == set()


def test_every_reason_and_refusal_stands_on_the_page() -> None:
    named = set(_CODE.findall(PAGE)) | set(re.findall(r"`([a-z]+)`", PAGE))
    assert {reason.value for reason in set(Reason) - _NOT_INPUT} <= named
    assert RUSSIAN.keys() <= named
