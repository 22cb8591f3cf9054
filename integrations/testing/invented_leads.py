"""Lead documents of people who do not exist, good and bad, for tests, demo and benchmarks. It refuses to invent anybody who
could exist: phones come from +7 900 000-xx-xx and from ranges that regulators keep for fiction, addresses end in example.org or
example.com, and names spell the lead's number in syllables around a stem of "not real", so that each is found in no other text.

The same policies, moment, seed and number give the same document, byte for byte, in every process.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from schemas.policy import BrandPolicy, Notice
from schemas.vocabulary import Channel, Language, Reason, SubmissionState

#: Phones of one Russian exchange that these tests and demos own by convention; a lead beyond them is somebody's second request.
RUSSIAN: Final = 10_000
#: Bundesnetzagentur, Mitteilung 148/2021: numbers for films and books (Berlin, Frankfurt, Hamburg, Cologne, Munich).
_GERMAN: Final = ("+493023125", "+496990009", "+494066969", "+492214710", "+498999998")
#: NANPA: 555-0100 to 555-0199 are for fiction. Washington, D.C.: a country none of our brands serves.
_AMERICAN: Final = "+120255501"

_RU_GIVEN: Final = ("Вымысла", "Небылина", "Пример", "Фантазия", "Аноним", "Мнима", "Условна", "Никто")
_EN_GIVEN: Final = ("Fictia", "Nemo", "Exampla", "Invento", "Placebo", "Nonesuch", "Quasi", "Pseudo")
_RU_SYLLABLES: Final = tuple(a + b for a in "бвгдзклмнп" for b in "аеиоу")
_EN_SYLLABLES: Final = tuple(a + b for a in "bcdfklmnpt" for b in "aeiou")
_CITIES: Final = {
    Language.RU: ("Выдумск", "Небылинск", "Примерград"),
    Language.EN: ("Fictionville", "Nowhere Bay", "Sampleton"),
}
_TEXTS: Final = {
    Language.RU: (
        "Здравствуйте! Я {name}, перезвоните после шести, пожалуйста.",
        "{name}: хочу узнать цену 🙂 звоните на этот номер",
        "Добрый день,\nэто {name}. Когда удобно подъехать?",
    ),
    Language.EN: (
        "Hello, this is {name}. Please call me back after six.",
        "{name} here 🙂 I would like to know more",
        "Good day,\nmy name is {name}. When could I come by?",
    ),
}


class Flaw(StrEnum):
    """What is wrong with a submission. ``EXPECTED`` says what must become of it."""

    BROKEN_JSON = "broken_json"
    NOT_AN_OBJECT = "not_an_object"
    IMPOSSIBLE_PHONE = "impossible_phone"
    ENDLESS_NAME = "endless_name"
    UNKNOWN_KEY = "unknown_key"
    NO_COUNTRY = "no_country"
    UNKNOWN_BRAND = "unknown_brand"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_NOTICE = "unknown_notice"
    UNKNOWN_PURPOSE = "unknown_purpose"
    OTHER_TEXT = "other_text"
    CONSENT_IN_FUTURE = "consent_in_future"
    CONSENT_BEFORE_NOTICE = "consent_before_notice"
    NO_PHONE = "no_phone"
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    NOTICE_RETIRED = "notice_retired"
    FOREIGN_COUNTRY = "foreign_country"


_Q, _R = SubmissionState.QUARANTINED, SubmissionState.REFUSED
EXPECTED: Final[Mapping[Flaw, tuple[SubmissionState, Reason]]] = {
    Flaw.BROKEN_JSON: (_Q, Reason.UNPARSABLE),
    Flaw.NOT_AN_OBJECT: (_Q, Reason.UNPARSABLE),
    Flaw.IMPOSSIBLE_PHONE: (_Q, Reason.INVALID_FIELD),
    Flaw.ENDLESS_NAME: (_Q, Reason.INVALID_FIELD),
    Flaw.UNKNOWN_KEY: (_Q, Reason.INVALID_FIELD),
    Flaw.NO_COUNTRY: (_Q, Reason.INVALID_FIELD),
    Flaw.UNKNOWN_BRAND: (_Q, Reason.UNKNOWN_BRAND),
    Flaw.UNKNOWN_TOPIC: (_Q, Reason.UNKNOWN_TOPIC),
    Flaw.UNKNOWN_NOTICE: (_Q, Reason.UNKNOWN_NOTICE),
    Flaw.UNKNOWN_PURPOSE: (_Q, Reason.UNKNOWN_PURPOSE),
    Flaw.OTHER_TEXT: (_Q, Reason.NOTICE_TEXT_MISMATCH),
    Flaw.CONSENT_IN_FUTURE: (_Q, Reason.CONSENT_IN_FUTURE),
    Flaw.CONSENT_BEFORE_NOTICE: (_Q, Reason.CONSENT_BEFORE_NOTICE),
    Flaw.NO_PHONE: (_Q, Reason.NO_WAY_TO_REACH),
    Flaw.NO_CONSENT: (_Q, Reason.NO_CONSENT),
    Flaw.CONSENT_EXPIRED: (_R, Reason.CONSENT_EXPIRED),
    Flaw.NOTICE_RETIRED: (_R, Reason.NOTICE_RETIRED),
    Flaw.FOREIGN_COUNTRY: (_R, Reason.COUNTRY_NOT_SERVED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invented:
    """One submission of nobody. ``event_id`` names it within any source; ``body`` is what a source would be handed."""

    number: int
    brand: str
    event_id: str
    document: Mapping[str, Any] = field(repr=False)
    flaw: Flaw | None = None

    @property
    def body(self) -> bytes:
        """The document as JSON, or what the flaw made of it."""
        written = json.dumps(self.document, ensure_ascii=False).encode()
        if self.flaw is Flaw.BROKEN_JSON:
            return written[: len(written) // 2]
        return b"[" + written + b"]" if self.flaw is Flaw.NOT_AN_OBJECT else written

    @property
    def expected(self) -> SubmissionState:
        """What must become of it, if nobody took anything back and nobody asked twice."""
        return EXPECTED[self.flaw][0] if self.flaw else SubmissionState.ADMITTED

    def telling(self) -> tuple[str, ...]:
        """The values of the document that say who somebody is, as they are written in it."""
        names = ("given_name", "family_name", "phone", "email", "text", "user", "permalink", "thread_id")
        return tuple(str(self.document[name]) for name in names if self.document.get(name))


class InventedLeads:
    """Invents for the brands of ``policies`` at the moment ``now``."""

    def __init__(self, policies: Mapping[str, BrandPolicy], *, now: datetime, seed: int = 1) -> None:
        self._policies = policies
        self._brands = sorted(policies)
        self._now = now.replace(microsecond=0)
        self._seed = seed

    def lead(
        self, number: int, *, brand: str | None = None, flaw: Flaw | None = None, purposes: Sequence[str] | None = None
    ) -> Invented:
        """The lead ``number``; the brand goes by number unless it is given."""
        chance = random.Random(f"{self._seed}:{number}")  # noqa: S311 - invents people, guards nothing
        policy = self._policies[brand or self._brands[number % len(self._brands)]]
        document = self._document(number, policy, chance, purposes)
        if flaw is not None and flaw in _FLAWS:  # the others spoil the bytes
            _FLAWS[flaw](document, policy, self._now)
        return Invented(
            number=number, brand=policy.brand, event_id=f"invented-{self._seed}-{number}", document=document, flaw=flaw
        )

    def many(self, count: int, *, start: int = 0, brand: str | None = None, flawed: float = 0.0) -> Iterator[Invented]:
        """``count`` leads from ``start``; a share of ``flawed`` has one flaw each, of all that the brand can have."""
        chance = random.Random(f"{self._seed}:flaws:{start}")  # noqa: S311 - as above
        for number in range(start, start + count):
            policy = self._policies[brand or self._brands[number % len(self._brands)]]
            flaw = chance.choice(possible(policy)) if chance.random() < flawed else None
            yield self.lead(number, brand=policy.brand, flaw=flaw)

    def again(self, lead: Invented, *, channel: Channel) -> Invented:
        """The same request of the same person, seen on another channel."""
        document = {**lead.document, "channel": channel.value, "thread_id": f"again-{lead.number}"}
        return Invented(number=lead.number, brand=lead.brand, event_id=f"{lead.event_id}-{channel.value}", document=document)

    def withdrawal(self, lead: Invented, *, by: str = "phone", purposes: Sequence[str] = ()) -> Invented:
        """The person of ``lead`` takes consent back, naming one identifier: phone, email or user."""
        document: dict[str, Any] = {"kind": "withdrawal", "brand": lead.brand, by: lead.document[by]}
        if by == "user":
            document["channel"] = lead.document["channel"]
        if purposes:
            document["purposes"] = list(purposes)
        return Invented(number=lead.number, brand=lead.brand, event_id=f"{lead.event_id}-stop-{by}", document=document)

    def _document(
        self, number: int, policy: BrandPolicy, chance: random.Random, purposes: Sequence[str] | None
    ) -> dict[str, Any]:
        language = chance.choice(sorted({notice.language for notice in policy.notices.values()}))
        person = number % RUSSIAN
        given, family = name(person, language)
        channel = chance.choice(list(Channel))
        given_at = self._now - timedelta(minutes=chance.randint(1, 120))
        notice = _notice(policy, language, given_at)
        topic = policy.topics[chance.choice(sorted(policy.topics))]
        return {
            "brand": policy.brand,
            "channel": channel.value,
            "account": f"{policy.brand}_invented",
            "thread_id": f"thread-{number}",
            "message_ids": [f"m-{number}-1", f"m-{number}-2"],
            "permalink": f"https://social.example.org/{channel.value}/thread-{number}",
            "moderator": f"staff-{number % 20}",
            "script_version": "2026-03",
            "language": language.value,
            "given_name": given,
            "family_name": family,
            "phone": spelt(phone(person), chance),
            "email": f"{'nikto' if language is Language.RU else 'nobody'}.{person}@example.{'org' if person % 2 else 'com'}",
            "city": chance.choice(_CITIES[language]),
            "user": str(990_000_000 + person),
            "topic": {"code": topic.code, "fields": {each: _topic_value(each, number) for each in topic.fields}},
            "text": chance.choice(_TEXTS[language]).format(name=f"{given} {family}"),
            "consent": {
                "purposes": list(purposes) if purposes is not None else sorted(notice.purposes),
                "notice_id": notice.notice_id,
                "notice_version": notice.version,
                "notice_language": notice.language.value,
                "text_sha256": notice.text_sha256,
                "given_at": given_at.isoformat().replace("+00:00", "Z"),
                "indication": "direct_message",
                "evidence": [sha256(b"evidence %d" % number).hexdigest()],
            },
        }


def name(number: int, language: Language) -> tuple[str, str]:
    """Given and family name of nobody number so-and-so; both spell the number."""
    russian = language is Language.RU
    syllables = _RU_SYLLABLES if russian else _EN_SYLLABLES
    spelling, rest = "", number
    for _ in range(3):
        rest, place = divmod(rest, len(syllables))
        spelling = syllables[place] + spelling
    given = (_RU_GIVEN if russian else _EN_GIVEN)[number % 8] + spelling
    return given, f"Ненас{spelling}тоящая" if russian else f"Unreal{spelling}son"


def phone(number: int) -> str:
    """The E.164 number of nobody number so-and-so."""
    return f"+7900000{number % RUSSIAN:04d}"


def german_phone(number: int) -> str:
    """A German number that is kept for fiction; 5,000 of them."""
    return f"{_GERMAN[number // 1000 % len(_GERMAN)]}{number % 1000:03d}"


def spelt(e164: str, chance: random.Random) -> str:
    """A Russian number as people write it."""
    a, b, c, d = e164[2:5], e164[5:8], e164[8:10], e164[10:12]
    return chance.choice((e164, f"+7 {a} {b}-{c}-{d}", f"8 ({a}) {b}-{c}-{d}", f"8{a}{b}{c}{d}", f"+7({a}){b} {c} {d}"))


def possible(policy: BrandPolicy) -> list[Flaw]:
    """The flaws a lead of this brand can have; a notice can only be retired where one is."""
    retired = any(notice.valid_until is not None for notice in policy.notices.values())
    callable_only = any("phone" in recipient.requires for recipient in policy.recipients.values())
    cannot = {Flaw.NOTICE_RETIRED} if not retired else set()
    if not callable_only:
        cannot.add(Flaw.NO_PHONE)
    if "US" in policy.countries:
        cannot.add(Flaw.FOREIGN_COUNTRY)
    return [flaw for flaw in Flaw if flaw not in cannot]


def _notice(policy: BrandPolicy, language: Language, at: datetime) -> Notice:
    """The notice in force that names the most purposes."""
    found = [
        notice
        for notice in policy.notices.values()
        if notice.language is language and notice.valid_from <= at and (notice.valid_until is None or at < notice.valid_until)
    ]
    if not found:
        raise ValueError(f"{policy.brand} has no notice in force in {language}")
    return max(found, key=lambda notice: (len(notice.purposes), notice.notice_id, notice.version))


def _topic_value(field_name: str, number: int) -> str:
    made: dict[str, str] = {
        "car_model": ("Vesta", "Granta", "Niva", "Largus")[number % 4],
        "dealer": f"DLR-{number:06d}",
        "booking_reference": f"{number:06X}"[-6:],
        "flight": f"S7 {1000 + number % 9000}",
    }
    return made.get(field_name, f"{field_name} {number}")


# -- flaws: each changes one thing ------------------------------------------------------------------------------------------

_Spoil = Callable[[dict[str, Any], BrandPolicy, datetime], object]


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _longest(policy: BrandPolicy, document: Mapping[str, Any]) -> str:
    named: list[str] = document["consent"]["purposes"]
    return max(named, key=lambda code: policy.purposes[code].valid_for)


def _before_notice(document: dict[str, Any], policy: BrandPolicy, _: datetime) -> None:
    consent = document["consent"]
    notice = policy.notices[consent["notice_id"], consent["notice_version"], Language(consent["notice_language"])]
    consent["given_at"] = _moment(notice.valid_from - timedelta(minutes=1))


def _expired(document: dict[str, Any], policy: BrandPolicy, now: datetime) -> None:
    longest = policy.purposes[_longest(policy, document)].valid_for
    document["consent"]["given_at"] = _moment(now - longest - timedelta(hours=1))


def _retired(document: dict[str, Any], policy: BrandPolicy, _: datetime) -> None:
    notice = next(each for each in policy.notices.values() if each.valid_until is not None)
    if notice.valid_until is not None:
        document["consent"] |= {
            "notice_id": notice.notice_id,
            "notice_version": notice.version,
            "notice_language": notice.language.value,
            "text_sha256": notice.text_sha256,
            "purposes": sorted(notice.purposes),
            "given_at": _moment(notice.valid_until + timedelta(minutes=1)),
        }


def _no_phone(document: dict[str, Any], policy: BrandPolicy, _: datetime) -> None:
    del document["phone"]
    document["country"] = policy.home_country
    wanting = {code for one in policy.recipients.values() if "phone" in one.requires for code in one.purposes}
    document["consent"]["purposes"] = [code for code in document["consent"]["purposes"] if code in wanting]


def _no_country(document: dict[str, Any], *_: object) -> None:
    del document["phone"]


_FLAWS: Final[Mapping[Flaw, _Spoil]] = {
    Flaw.IMPOSSIBLE_PHONE: lambda document, *_: document.update(phone="+7 900 00"),
    Flaw.ENDLESS_NAME: lambda document, *_: document.update(given_name=document["given_name"] * 60),
    Flaw.UNKNOWN_KEY: lambda document, *_: document.update(shoe_size="43"),
    Flaw.NO_COUNTRY: _no_country,
    Flaw.UNKNOWN_BRAND: lambda document, *_: document.update(brand="nobody"),
    Flaw.UNKNOWN_TOPIC: lambda document, *_: document["topic"].update(code="astrology"),
    Flaw.UNKNOWN_NOTICE: lambda document, *_: document["consent"].update(notice_version="99"),
    Flaw.UNKNOWN_PURPOSE: lambda document, *_: document["consent"]["purposes"].append("astrology"),
    Flaw.OTHER_TEXT: lambda document, *_: document["consent"].update(text_sha256=sha256(b"another text").hexdigest()),
    Flaw.CONSENT_IN_FUTURE: lambda document, _, now: document["consent"].update(given_at=_moment(now + timedelta(hours=2))),
    Flaw.CONSENT_BEFORE_NOTICE: _before_notice,
    Flaw.NO_PHONE: _no_phone,
    Flaw.NO_CONSENT: lambda document, *_: document.pop("consent"),
    Flaw.CONSENT_EXPIRED: _expired,
    Flaw.NOTICE_RETIRED: _retired,
    Flaw.FOREIGN_COUNTRY: lambda document, *_: document.update(phone=f"{_AMERICAN}{len(document['email']) % 100:02d}"),
}
