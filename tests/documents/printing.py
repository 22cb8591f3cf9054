"""What the tests of paper share: a page, a reader of PDFs, and a browser that says what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import create_string_buffer
from datetime import UTC, datetime
from html.parser import HTMLParser

import pypdfium2
from pypdfium2 import raw

from leadgate.documents import Page

AT = datetime(2026, 6, 1, 9, 0, 5, tzinfo=UTC)


def page(**changes: object) -> Page:
    """A page of an invented operator."""
    known: dict[str, object] = {
        "operator": "ООО «Пример»",
        "document_id": "0199f000-0000-7000-8000-000000000001",
        "made_at": AT,
        "origin": "leadgate.example.org/primer",
        "leaf_index": 143,
    }
    return Page(**(known | changes))  # type: ignore[arg-type] # names of the dataclass


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """The PDF as a reader opens it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def text_of(pdf: bytes) -> str:
    """Everything a reader can select, on one line; hyphens at line ends are taken away."""
    with opened(pdf) as document:
        whole = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    return " ".join(whole.replace("\u200b", "").replace("\ufffe\r\n", "").replace("\ufffe", "").split())


def attachments_of(pdf: bytes) -> dict[str, bytes]:
    """The files that travel inside, by name."""
    with opened(pdf) as document:
        found = (document.get_attachment(at) for at in range(document.count_attachments()))
        return {each.get_name(): bytes(each.get_data()) for each in found}


def fonts_of(pdf: bytes) -> dict[str, bool]:
    """Families of the text, and whether every font of each is embedded."""
    found: dict[str, bool] = {}
    with opened(pdf) as document:
        for sheet in document:
            for each in sheet.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]):
                font = raw.FPDFTextObj_GetFont(each.raw)
                name = create_string_buffer(200)
                raw.FPDFFont_GetFamilyName(font, name, 200)
                family = name.value.decode()
                found[family] = found.get(family, True) and raw.FPDFFont_GetIsEmbedded(font) == 1
    return found


class Screen(HTMLParser):
    """What a browser would show, fetch and run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._silent = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._silent += tag == "style"
        self.addresses += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "action", "data", "poster"}
        ]
        self.tags += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)

    @property
    def words(self) -> str:
        """The visible text on one line."""
        return " ".join(" ".join(self.text).split())
