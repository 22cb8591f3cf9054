"""The access report as files: JSON for a machine, PDF for a person. Both are private, and neither replaces another file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from leadgate.documents import Page, pdf, write_private
from leadgate.pipeline.access import Report
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language

#: Keys whose values are moments, by their end.
_MOMENTS: Final = ("_at", "_since")


def write_report(report: Report, target: Path, *, language: Language, now: datetime) -> bytes:
    """Write ``target``.pdf and ``target``.json; answer the bytes of the JSON, which name the digest of the PDF.

    Raises ConfigurationError before anything is written if one of the names is taken.
    """
    paper, machine = (target.with_name(f"{target.name}{suffix}") for suffix in (".pdf", ".json"))
    if paper.exists() or machine.exists():
        raise ConfigurationError("file_exists", "a document is never overwritten: choose another name", field="--to")
    document = report.document.reveal()
    page = Page(operator=document["operator"], document_id=document["case_id"], made_at=now.replace(microsecond=0))
    printed = pdf("access_report", _for_people(document), language, page=page)
    whole = document | {"pdf_sha256": sha256(printed).hexdigest()}
    written = json.dumps(whole, ensure_ascii=False, sort_keys=True, indent=1).encode()
    write_private(machine, written)
    write_private(paper, printed)
    return written


def _for_people(value: Any, key: str = "") -> Any:
    """The same with moments that are said in words, and lists of names as they are."""
    if isinstance(value, Mapping):
        return {name: _for_people(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_for_people(each) for each in value]
    if isinstance(value, str) and key.endswith(_MOMENTS):
        return datetime.fromisoformat(value)
    return value
