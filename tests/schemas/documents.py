"""Lead documents of an invented brand, and strategies for the valid, the broken and the hostile ones."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.policy import BrandPolicy, Topic

TEXT_SHA256 = "ab" * 32


def brand(name: str = "lada", default_region: str | None = "RU") -> BrandPolicy:
    return BrandPolicy(
        brand=name,
        title="Brand",
        home_country="RU",
        countries=frozenset({"RU"}),
        default_region=default_region,
        notices={},
        purposes={},
        topics={"test_drive": Topic(code="test_drive", fields={"car_model": True, "dealer": False})},
        recipients={},
        duplicate_window=timedelta(hours=24),
        version="test",
    )


def document(**changes: Any) -> dict[str, Any]:
    """A complete document; ``changes`` replace keys, and a key changed to ... is left out."""
    complete: dict[str, Any] = {
        "kind": "lead",
        "brand": "lada",
        "channel": "vk",
        "account": "lada_primer",
        "thread_id": "2000000001",
        "message_ids": ["101", "102"],
        "permalink": "https://vk.com/gim900000001?sel=1",
        "moderator": "mod-7",
        "script_version": "2026-03",
        "language": "ru",
        "given_name": "Анна",
        "family_name": "Пробная-Иванова",
        "phone": "8 (900) 000-00-01",
        "email": "anna@example.org",
        "country": "RU",
        "city": "Тольятти",
        "region": "Самарская область",
        "user": 900100,
        "topic": {"code": "test_drive", "fields": {"car_model": "Vesta SW", "dealer": "Тольятти-1"}},
        "text": "Хочу на тест-драйв \U0001f697,\nзвоните после 18:00",
        "consent": {
            "purposes": ["callback"],
            "notice_id": "lada-contact",
            "notice_version": "2",
            "notice_language": "ru",
            "text_sha256": TEXT_SHA256,
            "given_at": "2026-11-20T10:00:00+03:00",
            "indication": "direct_message",
            "evidence": ["cd" * 32],
        },
    }
    for key, value in changes.items():
        if value is ...:
            complete.pop(key)
        else:
            complete[key] = value
    return copy.deepcopy(complete)


def consent(**changes: Any) -> dict[str, Any]:
    """The consent block alone, changed like ``document``."""
    block: dict[str, Any] = document()["consent"]
    for key, value in changes.items():
        if value is ...:
            block.pop(key)
        else:
            block[key] = value
    return block


NASTY_TEXTS = [
    "",
    " ",
    "\x00",
    "Ан\x00на",
    "\ud83d",
    "\u202eАнна\u202c",
    "e\u0301",
    "И\u0306ван",
    "\u200f",
    "\ufeffАнна",
    "А" * 101,
    "А" * 300,
    "0" * 20_001,
    "O'Нил",
    "Жан-Поль",
    "محمد",
    "山田 太郎",
    "Nguyễn",
    "Zażółć",
    "  два  слова ",
    "a\tb\nc",
    "12",
    "...",
    "\U0001f600",
    "кот 🐈\r\nи пёс",
    "İ",
    "ß",
    "http://vk.com/x",
    "https://user:pw@vk.com/x",
    "javascript:alert(1)",
    "RU",
    "ru ",
    "ZZ",
    "VK",
    "2026-11-20T10:00:00Z",
    "2026-11-20T10:00:00",
    "2026-02-31T10:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "+7 900 000-00-01",
    "8-900-000-00-01 доб. 5",
    "+375 17 000-00-00",
    "ANNA@Example.ORG",
    "иван@пример.рф",
    "AB" * 32,
    "test_drive",
]
NASTY = st.sampled_from(NASTY_TEXTS)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-5, max_value=10**50),
    st.floats(),
    st.binary(max_size=3),
    st.just([]),
    st.just({}),
    st.just(()),
    st.just([None]),
    st.just(["", "101", "101"]),
    st.just([["deep"]]),
    st.just({"code": "test_drive", "fields": {"car_model": "X", "unknown": "y"}}),
    st.just({"code": "test_drive", "fields": [1]}),
    st.just({"code": ["test_drive"], "more": 1}),
    st.just(datetime(2026, 1, 1, tzinfo=UTC)),
)
VALUES = st.one_of(NASTY, ODD, st.text(max_size=40), st.lists(NASTY, max_size=3))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A good document with some keys, at both levels, replaced, removed or added."""
    made = document()
    for where in (made, made["consent"], made["topic"]):
        for key in draw(st.lists(st.sampled_from(sorted(where)), max_size=3, unique=True)):
            if where is made and key == "brand":
                continue
            if draw(st.booleans()):
                where[key] = draw(VALUES)
            else:
                del where[key]
    for _ in range(draw(st.integers(0, 2))):
        where = draw(st.sampled_from([made, made.get("consent")]))
        if isinstance(where, dict):
            where[draw(st.one_of(st.text(max_size=8), st.just("+79000000001"), st.just("colour")))] = draw(VALUES)
    return made
