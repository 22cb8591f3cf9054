"""Prints a template. Data is data: it reaches typst as one JSON input and jinja2 through its escaping, never as source.

A document named ``receipt`` is three files in ``templates/``: ``receipt.typ`` (the page), ``receipt.html.j2`` (the screen) and
``receipt.words.json`` (every sentence in both languages; ``layout.words.json`` holds those that all documents share). In all of
them ``data`` is what the caller gave, ``page`` a ``Page``, ``words`` the sentences in the reader's language.

PDFs are PDF/A-3a and PDF/UA-1: they embed their fonts, can be read aloud, and stay readable for as long as the law keeps them;
the third part of PDF/A is the one that may carry files, so that a proof travels inside the paper it proves. Nothing is
fetched: fonts come with typst, templates read only their own folder, a page for the screen forbids the browser every request.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from leadgate.documents.letters import spelled, undrawable
from leadgate.documents.saying import prepared
from schemas.errors import ConfigurationError
from schemas.vocabulary import Language
from schemas.words import Said

TEMPLATES: Final = Path(__file__).with_name("templates")
#: What every document of ours conforms to.
STANDARDS: Final = ("a-3a", "ua-1")
#: Each names one more kind of letter that no font has. Nobody writes in so many.
_MOST_TRIES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What stands around every document. ``title`` replaces the one of the template's words."""

    operator: str
    document_id: str
    made_at: datetime  # aware; the same moment makes the same bytes
    origin: str = ""  # of the log
    leaf_index: int | None = None  # where the log speaks of it
    title: Said | None = None
    subtitle: str | Said = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that travels inside the document."""

    name: str
    content: str
    media_type: str = "text/plain"
    description: str = ""


def words(template: str, language: Language) -> dict[str, str]:
    """The sentences of a document in one language: its own, then those that all documents share."""
    return {name: said.in_(language) for name, said in _said(template).items()}


def pdf(
    template: str, data: Mapping[str, Any], language: Language, *, page: Page, attachments: Sequence[Attachment] = ()
) -> bytes:
    """The document as PDF. Raises ConfigurationError if the template and the data do not fit each other."""
    import typst  # noqa: PLC0415 - a fifth of a second and twenty megabytes, for who prints

    facts = _facts(template, data, language, page, attachments)
    for _ in range(_MOST_TRIES):
        complaint = ""
        try:
            made = typst.compile(
                TEMPLATES / f"{template}.typ",
                root=TEMPLATES,
                ignore_system_fonts=True,
                font_paths=[],
                sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
                pdf_standards=list(STANDARDS),
                timestamp=page.made_at.astimezone(UTC).replace(microsecond=0),  # as PDF writes moments
                format="pdf",
            )
        except (RuntimeError, OSError) as error:
            made, complaint = None, str(error)  # it quotes what it could not print: it must not become the context of ours
        if isinstance(made, bytes):
            return made
        letters = undrawable(complaint)
        if not letters:
            break
        # what is attached stays as it is: nobody draws it
        facts |= {name: spelled(facts[name], letters) for name in ("data", "page")}
    raise _no_fit(template, ".typ")


def html(
    template: str, data: Mapping[str, Any], language: Language, *, page: Page, attachments: Sequence[Attachment] = ()
) -> str:
    """The document as one page of HTML that needs no other file. Raises ConfigurationError as ``pdf`` does."""
    facts = _facts(template, data, language, page, attachments)
    for each in facts["attachments"]:
        each["link"] = f"data:{each['media_type']};base64,{b64encode(each['content'].encode()).decode('ascii')}"
    made: str | None = None
    with suppress(TemplateError, TypeError):  # as above
        made = _environment().get_template(f"{template}.html.j2").render(facts)
    if made is None:
        raise _no_fit(template, ".html.j2")
    return made


def _facts(
    template: str, data: Mapping[str, Any], language: Language, page: Page, attachments: Sequence[Attachment]
) -> dict[str, Any]:
    said = words(template, language)
    around = prepared(page, language, place="page")
    around["title"] = around["title"] or said["title"]
    around["made_at_iso"] = page.made_at.isoformat()
    return {
        "language": language.value,
        "words": said,
        "page": around,
        "attachments": [prepared(each, language, place="attachment") for each in attachments],
        "data": prepared(data, language),
    }


@cache
def _said(template: str) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for name in ("layout", template):
        try:
            told = json.loads((TEMPLATES / f"{name}.words.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ConfigurationError("no_words", "a document's words are missing or damaged", field=name) from None
        found |= {key: Said(en=each["en"], ru=each["ru"]) for key, each in told.items()}
    return found


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # whatever a template is called
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _no_fit(template: str, kind: str) -> ConfigurationError:
    return ConfigurationError("document_not_made", "the template and what it was given do not fit", field=f"{template}{kind}")
