"""Reads leads whose values are plainly written as they are kept, many values at a glance. For every other document it answers
None, and the fields read it one by one (``schemas.lead_reader``). It complains of nothing, and takes nothing that
``LeadSchema`` would read otherwise: a property test holds both together (docs/adr/0007-validation.md).

Documents of one source mostly have the same keys, so what is to be looked at is worked out once for each set of keys. Lines and
identifiers are joined and looked at together; words of our own configuration are read by their fields once and remembered. No
value that could say who a person is is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar, cast

from marshmallow import ValidationError, fields

from schemas.fields.base import Checked, Many, Word
from schemas.fields.contact import COUNTRIES, Country, Email, Phone, read_email, read_phone
from schemas.fields.text import (
    LINE_LIMIT,
    Code,
    FreeText,
    Https,
    Identifier,
    Line,
    Name,
    is_digest,
    is_plain_https,
    plain_identifiers,
    plain_lines,
)
from schemas.fields.topic import TopicField
from schemas.lead import PERSONAL_FIELDS, ConsentClaim, Lead
from schemas.lead_schema import UNKNOWN_COUNTRY, ConsentSchema, LeadSchema
from schemas.personal import Personal

T = TypeVar("T")
Document = dict[str, Any]
Take = Callable[[Document], tuple[Any, ...]]
#: Sets of keys, and groups of words, remembered at most: whoever always sends others must not fill the memory.
_REMEMBERED: Final = 200
#: The commonest way to write a moment (RFC 3339); the others go the long way.
_is_plain_moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII).fullmatch
_CLAIM_WORDS: Final = ("notice_id", "notice_version", "notice_language", "text_sha256", "indication")
_take_claim_words = itemgetter(*_CLAIM_WORDS)
_CLAIM_KEYS: Final = len(_CLAIM_WORDS) + 2  # the moment and the purposes; evidence may be absent
#: The fields this module knows by name. Names, lines, identifiers and words it knows by their class.
_BY_NAME: Final = {
    "message_ids": Many,
    "permalink": Https,
    "phone": Phone,
    "email": Email,
    "country": Country,
    "topic": TopicField,
    "text": FreeText,
    "consent": fields.Nested,
}
_read_text: Final = FreeText().read


class _NotPlainError(Exception):
    """The document goes the long way."""


#: What happens where something else stands than text, a list or an object, or where only a field itself can tell.
_ODD: Final = (_NotPlainError, ValidationError, TypeError, KeyError, AttributeError, ValueError)


class _Shape(NamedTuple):
    """What is looked at in documents that have the same keys in the same order."""

    take_lines: Take  # names first
    names: int
    limit: int  # of the shortest line
    take_identifiers: Take
    words: tuple[str, ...]  # channel and language first
    take_words: Take
    met: dict[tuple[Any, ...], tuple[Any, ...]]  # words of documents: what channel and language were read as
    personal: tuple[str, ...]  # in the order of the sealed document
    take_personal: Take


class PlainLeads:
    """The leads of one brand. Not thread-safe."""

    __slots__ = (
        "_claims",
        "_consent",
        "_fields",
        "_most_messages",
        "_region",
        "_required",
        "_shapes",
        "_topics",
        "_topics_met",
    )

    def __init__(self, schema: LeadSchema) -> None:
        self._fields: Mapping[str, Any] = schema.fields
        self._consent: Mapping[str, Any] = ConsentSchema().fields
        for name, field in self._fields.items():
            if type(field) is not _BY_NAME.get(name) and type(field) not in (Name, Line, Identifier, Code, Word):
                raise TypeError(f"{name}: this kind of field cannot be read at a glance")
        self._most_messages = cast("Many", schema.fields["message_ids"]).most
        self._region = schema.policy.default_region
        self._required = {name for name, field in self._fields.items() if field.required}
        self._topics = {code: topic.fields for code, topic in schema.policy.topics.items()}
        self._topics_met: set[tuple[str, ...]] = set()  # a topic and its fields that were given
        self._shapes: dict[tuple[Any, ...], _Shape] = {}
        self._claims: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def read(self, document: Document) -> Lead | None:
        """The lead, or None if this document, which names this brand, is not plainly one."""
        try:
            return self._read(document)
        except _ODD:
            pass
        try:
            eased = self._eased(document)
            return None if eased is None else self._read(eased)
        except _ODD:
            return None

    def _eased(self, document: Document) -> Document | None:
        """The same document without nulls, which say the same as nothing, and with identifiers that are whole numbers as text.

        Some tools always write so. None if nothing was eased, or if a key is not known: a null must not hide it.
        """
        numbers = [name for name, value in document.items() if type(value) is int and type(self._fields[name]) is Identifier]
        if not (numbers or None in document.values()) or not document.keys() <= self._fields.keys():
            return None
        eased = {name: value for name, value in document.items() if value is not None}
        for name in numbers:
            eased[name] = self._fields[name].read(eased[name])
        return eased

    def _read(self, document: Document) -> Lead:
        keys = tuple(document)
        shape = self._shapes.get(keys) or self._shape(keys)
        words = shape.take_words(document)
        channel, language = shape.met.get(words) or self._meet_words(shape, words)
        topic = document["topic"]
        code, told = topic["code"], topic["fields"]
        if len(topic) > 2 or (code, *told) not in self._topics_met:  # noqa: PLR2004 - its code and its fields
            self._meet_topic(topic, code, told)
        lines = (*shape.take_lines(document), *told.values())
        if lines and not plain_lines(lines, shape.limit, shape.names):
            raise _NotPlainError
        personal = dict(zip(shape.personal, shape.take_personal(document)))  # noqa: B905 - they are of one length
        country = self._reach(personal, document.get("country"))
        self._origin(personal, channel, shape.take_identifiers(document))
        personal |= told
        return Lead(
            brand=document["brand"],
            channel=channel,
            language=language,
            topic=code,
            country=country,
            fields=Personal(personal),
            consent=self._claim(document["consent"]),
        )

    def _reach(self, personal: Document, declared: Any) -> str:
        """Normalise how the person is reached, and their words. Answers their country."""
        country: str = UNKNOWN_COUNTRY
        if declared is not None:
            if declared not in COUNTRIES:
                raise _NotPlainError
            country = declared
        if "phone" in personal:
            phone = read_phone(personal["phone"], self._region)
            personal["phone"] = phone.e164
            country = phone.country or country
        if "email" in personal:
            personal["email"] = read_email(personal["email"])
        if "text" in personal:
            text = personal["text"] = _read_text(personal["text"])
            if text is None:
                raise _NotPlainError
        return country

    def _origin(self, personal: Document, channel: str, identifiers: tuple[Any, ...]) -> None:
        """Look at where the lead comes from, and write it as it is sealed."""
        if "message_ids" in personal:
            messages = personal["message_ids"]
            if type(messages) is not list or not 0 < len(set(messages)) == len(messages) <= self._most_messages:
                raise _NotPlainError
            identifiers = (*identifiers, *messages)
            personal["message_ids"] = " ".join(messages)
        if identifiers and not plain_identifiers(identifiers):
            raise _NotPlainError
        if "user" in personal:
            personal["user"] = channel + ":" + personal["user"]
        if "permalink" in personal:
            link = personal["permalink"]
            if len(link) > Https.LIMIT or not is_plain_https(link):
                raise _NotPlainError

    def _claim(self, consent: Document) -> ConsentClaim:
        purposes, at = consent["purposes"], consent["given_at"]
        if type(purposes) is not list or len(consent) != _CLAIM_KEYS + ("evidence" in consent):
            raise _NotPlainError
        words = (*_take_claim_words(consent), *purposes)
        notice_id, version, language, digest, indication, agreed = self._claims.get(words) or self._meet_claim(words)
        given_at = datetime.fromisoformat(at) if _is_plain_moment(at) else self._consent["given_at"].read(at)
        evidence = consent.get("evidence")
        proofs: tuple[str, ...] = ()
        if evidence is None:
            pass
        elif type(evidence) is list and len(evidence) == 1 and is_digest(evidence[0]):
            proofs = (evidence[0],)
        else:
            proofs = self._consent["evidence"].read(evidence) or ()
        if given_at is None:
            raise _NotPlainError
        return ConsentClaim(
            purposes=agreed,
            notice_id=notice_id,
            notice_version=version,
            notice_language=language,
            text_sha256=digest,
            given_at=given_at,
            indication=indication,
            evidence=proofs,
        )

    # -- what is met for the first time ----------------------------------------------------------------------------------

    def _shape(self, keys: tuple[Any, ...]) -> _Shape:
        if not self._required <= set(keys) <= self._fields.keys():
            raise _NotPlainError
        names, lines, identifiers = (self._of(keys, kind) for kind in (Name, Line, Identifier))
        words = ("channel", "language", *(name for name in self._of(keys, Code, Word) if name not in {"channel", "language"}))
        personal = tuple([name for name in PERSONAL_FIELDS if name in keys])
        shape = _Shape(
            take_lines=_taking((*names, *lines)),
            names=len(names),
            limit=min([LINE_LIMIT, *(self._fields[name].limit for name in (*names, *lines))]),
            take_identifiers=_taking(identifiers),
            words=words,
            take_words=_taking(words),
            met={},
            personal=personal,
            take_personal=_taking(personal),
        )
        return _remember(self._shapes, keys, shape)

    def _of(self, keys: Iterable[str], *kinds: type) -> tuple[str, ...]:
        return tuple([name for name in keys if type(self._fields[name]) in kinds])

    def _meet_words(self, shape: _Shape, words: tuple[Any, ...]) -> tuple[Any, ...]:
        read = [_word(self._fields[name], word) for name, word in zip(shape.words, words, strict=True)]
        return _remember(shape.met, words, tuple(read[:2]))

    def _meet_claim(self, words: tuple[Any, ...]) -> tuple[Any, ...]:
        count = len(_CLAIM_WORDS)
        read = [_word(self._consent[name], word) for name, word in zip(_CLAIM_WORDS, words[:count], strict=True)]
        purposes = words[count:]
        if self._consent["purposes"].read(purposes) != purposes:
            raise _NotPlainError
        return _remember(self._claims, words, (*read, purposes))

    def _meet_topic(self, topic: Document, code: Any, told: Any) -> None:
        declared = self._topics[code]
        required = {name for name, needed in declared.items() if needed}
        if len(topic) > 2 or type(told) is not dict or not required <= told.keys():  # noqa: PLR2004 - its code and its fields
            raise _NotPlainError
        if [name for name in declared if name in told] != list(told):  # other fields, or another order
            raise _NotPlainError
        if len(self._topics_met) >= _REMEMBERED:
            self._topics_met.clear()
        self._topics_met.add((code, *told))


def _word(field: Checked[str], word: Any) -> str:
    """What the field reads, if the word is written as it is kept; of a vocabulary, its member."""
    read = field.read(word)
    # Only text is remembered: True is 1 to a dict.
    if read is None or type(word) is not str or (read != word and not isinstance(field, Word)):
        raise _NotPlainError
    return read


def _remember(memory: dict[tuple[Any, ...], T], key: tuple[Any, ...], value: T) -> T:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
    return value


def _taking(names: Sequence[str]) -> Take:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda document: tuple([document[name] for name in names])  # itemgetter of one name answers no tuple
