"""Says which column of a table is which field of a lead. It refuses a header with a column twice or without what a lead
needs, and it never quotes a header: a file whose header is missing has a person's data in that place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import IntakeError

#: Every column that is a field of the document, dotted where the document nests.
FIELDS: frozenset[str] = (
    frozenset(("kind", "brand", "channel", "account", "thread_id", "message_ids", "permalink", "moderator", "language"))
    | {"script_version"}
    | {"given_name", "family_name", "phone", "email", "country", "city", "region", "user", "topic.code", "text", "purposes"}
    | {"consent.purposes", "consent.notice_id", "consent.notice_version", "consent.notice_language", "consent.text_sha256"}
    | {"consent.given_at", "consent.indication", "consent.evidence"}
)
#: A brand's topic brings its own fields; which ones exist is LeadSchema's word.
_TOPIC_FIELD = re.compile(r"topic\.fields\.[a-z][a-z0-9_]{0,63}")
LISTS: frozenset[str] = frozenset({"message_ids", "purposes", "consent.purposes", "consent.evidence"})
MOMENTS: frozenset[str] = frozenset({"consent.given_at"})

#: Without these no row of the file could be a lead. A file with a ``kind`` column may hold withdrawals and needs only a
#: way to find the person.
REQUIRED: tuple[str, ...] = (
    "brand",
    "channel",
    "language",
    "topic.code",
    "consent.purposes",
    "consent.notice_id",
    "consent.notice_version",
    "consent.notice_language",
    "consent.text_sha256",
    "consent.given_at",
    "consent.indication",
)
REACH: tuple[str, ...] = ("phone", "email", "user")

_WRITTEN_AS: Mapping[str, str] = {
    "kind": "тип, вид записи",
    "brand": "бренд",
    "channel": "канал, соцсеть, platform",
    "account": "аккаунт, сообщество, page",
    "thread_id": "диалог, id диалога, thread, conversation id",
    "message_ids": "сообщения, id сообщений, message id",
    "permalink": "ссылка, link, url",
    "moderator": "модератор",
    "script_version": "версия скрипта, script, script version",
    "language": "язык, lang",
    "given_name": "имя, first name, name",
    "family_name": "фамилия, last name, surname",
    "phone": "телефон, номер телефона, мобильный, мобильный телефон, phone number, mobile, telephone, tel",
    "email": "почта, эл почта, эл. почта, электронная почта, e mail, mail, email address",
    "country": "страна",
    "city": "город, town",
    "region": "регион, область, state",
    "user": "пользователь, id пользователя, user id",
    "topic.code": "тема, topic",
    "text": "текст, сообщение, комментарий, обращение, message, comment",
    "purposes": "цели",
    "topic.fields.car_model": "модель, модель автомобиля, car model",
    "topic.fields.dealer": "дилер, дилерский центр, dealer",
    "topic.fields.booking_reference": "бронь, номер брони, booking, booking reference, pnr",
    "topic.fields.flight": "рейс, номер рейса, flight, flight number",
    "consent.purposes": "цели согласия, согласие на, consent purposes",
    "consent.notice_id": "уведомление, notice, notice id",
    "consent.notice_version": "версия уведомления, notice version",
    "consent.notice_language": "язык уведомления, notice language",
    "consent.text_sha256": "хеш текста, хеш текста согласия, sha256, text sha256",
    "consent.given_at": "дата согласия, время согласия, consent date, consent time, given at",
    "consent.indication": "способ согласия, indication",
    "consent.evidence": "доказательства, evidence",
}


#: What people write in cells of closed vocabularies. Other words stay as they are, and LeadSchema refuses them by field.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "kind": {"lead": "лид, заявка", "withdrawal": "отзыв, отзыв согласия"},
    "channel": {
        "vk": "вк, вконтакте, vkontakte",
        "facebook": "фейсбук, fb",
        "instagram": "инстаграм, инстаграмм, ig, insta",
    },
    "language": {"ru": "русский, рус, russian", "en": "английский, англ, english"},
    "consent.indication": {
        "direct_message": "личное сообщение, сообщение, dm, direct",
        "comment": "комментарий",
        "form_checkbox": "галочка, чекбокс, checkbox",
        "lead_form": "форма, лид-форма, lead form",
        "spoken": "устно, по телефону",
    },
}
_WORDS = {**_WORDS, "consent.notice_language": _WORDS["language"]}


def fold(header: str) -> str:
    """Bring a header to the form in which two writings of one name are equal."""
    text = (
        unicodedata.normalize("NFKC", header).casefold().replace("\N{CYRILLIC SMALL LETTER IO}", "\N{CYRILLIC SMALL LETTER IE}")
    )
    text = text.replace("\ufeff", "").replace("\u200b", "")
    return " ".join(re.sub(r"[\s_-]+", " ", text).split())


ALIASES: Mapping[str, str] = {fold(name): name for name in FIELDS} | {
    fold(written): field for field, writings in _WRITTEN_AS.items() for written in writings.split(",")
}


WORDS: Mapping[str, Mapping[str, str]] = {
    field: {written.strip(): word for word, line in words.items() for written in (word, *line.split(","))}
    for field, words in _WORDS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What headers mean at one configured source: the built-in names, and the operator's own."""

    aliases: Mapping[str, str]

    def field(self, header: str) -> str | None:
        found = self.aliases.get(fold(header))
        if found is not None:
            return found
        name = header.strip()
        return name if _TOPIC_FIELD.fullmatch(name) else None

    def known(self, headers: Iterable[str]) -> int:
        return sum(1 for header in headers if self.field(header) is not None)


def vocabulary(own: Mapping[str, str]) -> Vocabulary:
    """Add the operator's headers to the built-in ones; ``own`` maps a header to a field."""
    return Vocabulary(aliases={**ALIASES, **{fold(header): field for header, field in own.items()}})


def is_field(name: str) -> bool:
    """Whether ``name`` is a column a document has a place for."""
    return name in FIELDS or _TOPIC_FIELD.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a column's values go: the names of the objects around it, its own name, whether it is a list, its closed words."""

    cell: int
    around: tuple[str, ...]
    key: str
    is_list: bool
    words: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header understood: for each cell its field, or None for a column that is not ours."""

    width: int
    fields: tuple[str | None, ...]
    places: tuple[Place, ...]
    defaults: tuple[tuple[tuple[str, ...], str, Any], ...]  # around, key, value
    moments: tuple[int, ...]  # cells that hold a time

    @property
    def foreign(self) -> list[int]:
        """Numbers of the columns that were not read, counted from 1."""
        return [number for number, field in enumerate(self.fields, start=1) if field is None]

    def document(self, cells: Sequence[str]) -> dict[str, Any]:
        """Build the document of one row. A blank cell is a field that was not given; a default fills it."""
        document: dict[str, Any] = {}
        objects: dict[tuple[str, ...], dict[str, Any]] = {(): document}
        for around, key, value in self.defaults:
            _open(objects, around)[key] = value
        for place, text in zip(self.places, map(str.strip, _pick(cells, self.places)), strict=True):
            if text:
                holder = objects.get(place.around)
                if holder is None:
                    holder = _open(objects, place.around)
                if place.words is not None:
                    holder[place.key] = place.words.get(text) or place.words.get(text.casefold(), text)
                else:
                    holder[place.key] = _items(text) if place.is_list else text
        return document


def _pick(cells: Sequence[str], places: Iterable[Place]) -> Iterable[str]:
    count = len(cells)
    return [cells[place.cell] if place.cell < count else "" for place in places]


def _open(objects: dict[tuple[str, ...], dict[str, Any]], around: tuple[str, ...]) -> dict[str, Any]:
    """Return the object of that name, made inside the one around it if this row has none yet."""
    found = objects.get(around)
    if found is None:
        found = objects[around] = {}
        _open(objects, around[:-1])[around[-1]] = found
    return found


def read_header(headers: Sequence[str], words: Vocabulary, *, defaults: Mapping[str, str], required: Sequence[str]) -> Table:
    """Understand a header. Raises IntakeError that names our columns, never theirs."""
    fields = tuple(words.field(header) for header in headers)
    ours = [field for field in fields if field is not None]
    given = set(ours) | set(defaults)
    twice = sorted({field for field in ours if ours.count(field) > 1})
    if twice:
        raise IntakeError("columns_twice", f"these columns stand more than once: {', '.join(twice)}", field=twice[0])
    missing = [] if "kind" in ours else [name for name in required if name not in given]
    if not given & set(REACH):
        missing.append(" or ".join(REACH))
    if missing:
        raise IntakeError("columns_missing", f"the first row must name these columns: {', '.join(missing)}", field=missing[0])
    return Table(
        width=len(headers),
        fields=fields,
        places=tuple(
            Place(cell=cell, around=_around(name), key=_key(name), is_list=name in LISTS, words=WORDS.get(name))
            for cell, name in enumerate(fields)
            if name is not None
        ),
        defaults=tuple(
            (_around(name), _key(name), _items(value) if name in LISTS else value) for name, value in defaults.items()
        ),
        moments=tuple(cell for cell, name in enumerate(fields) if name in MOMENTS),
    )


def _around(name: str) -> tuple[str, ...]:
    return tuple(name.split(".")[:-1])


def _key(name: str) -> str:
    return name.rpartition(".")[2]


def _items(text: str) -> list[str]:
    return [item for part in text.split(";") if (item := part.strip())]
