"""People who do not exist, for simulators, conformance and fixtures. Numbers are from +7 900 000-xx-xx, addresses at
example.org. ``canaries`` are values that must never be found where a person does not belong; ``traces`` spells one in the ways
it could leak.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from urllib.parse import quote

from schemas.delivery import Disclosure
from schemas.lead import PLAIN_FIELDS
from schemas.personal import Personal

#: A value for every field a manifest may disclose; a topic's own field that is not here gets its name as a value.
FIELDS: Mapping[str, str] = {
    "given_name": "Аглаяканарейка",
    "family_name": "Канарейкина",
    "phone": "+79000004217",
    "email": "canary.aglaya@example.org",
    "city": "Канарейкинск",
    "region": "Канареечный край",
    "text": "Позвоните мне, канарейка ждёт звонка",
    "user": "vk:900000042171",
    "account": "vk:900000001",
    "thread_id": "900000777",
    "message_ids": "1001 1002",
    "permalink": "https://social.example.org/wall-900000001_canary4217",
    "moderator": "staff-17",
    "brand": "lada",
    "channel": "vk",
    "language": "ru",
    "topic": "test_drive",
    "country": "RU",
    "purpose": "callback",
    "consent_id": "0197e9a0-0000-7000-8000-000000000001",
    "consent_given_at": "2026-03-02T09:00:00Z",
    "notice_id": "lada-contact",
    "notice_version": "2",
    "received_at": "2026-03-02T09:05:00Z",
    "calling_window": "09:00-21:00 Europe/Moscow",
    "car_model": "Vesta SW Cross",
    "dealer": "DLR-077",
    "booking_reference": "CNRY42",
    "flight": "S7 4217",
}
#: Fields whose value says who somebody is.
_TELLING = ("given_name", "family_name", "phone", "email", "city", "region", "text", "user", "permalink", "booking_reference")


def key(number: int) -> str:
    """The key of the lead ``number``: 26 characters of [a-z2-7], as the pseudonyms have."""
    return base64.b32encode(sha256(b"invented lead %d" % number).digest()).decode().lower()[:26]


def disclosure(number: int, names: Iterable[str], *, purpose: str = "callback", **values: str) -> Disclosure:
    """One invented lead that discloses ``names``; ``values`` replaces some. Phones and e-mails differ by number."""
    fields = {name: values.get(name) or _value(name, number) for name in names}
    return Disclosure(delivery_id=f"delivery-{number}", key=key(number), purpose=purpose, fields=Personal(fields))


def batch(count: int, names: Iterable[str], *, start: int = 0) -> list[Disclosure]:
    """``count`` invented leads."""
    wanted = tuple(names)
    return [disclosure(number, wanted) for number in range(start, start + count)]


def _value(name: str, number: int) -> str:
    if name == "lead_ref":
        return key(number)
    if name == "phone":
        return f"+7900000{(4217 + number) % 10000:04d}"
    if name == "email":
        return f"canary.aglaya.{number}@example.org"
    return FIELDS.get(name, f"{name} {number}")


def canaries(disclosed: Iterable[Disclosure]) -> set[str]:
    """Every telling value of ``disclosed``."""
    found: set[str] = set()
    for one in disclosed:
        fields = one.fields.reveal()
        found |= {fields[name] for name in fields if name in _TELLING and name not in PLAIN_FIELDS}
    return found


def traces(value: str) -> Iterator[str]:
    """``value`` as it could turn up in a log: as it is, in digits, hex, base64, percent signs, escapes."""
    raw = value.encode()
    yield value
    yield value.casefold()
    yield raw.hex()
    yield base64.b64encode(raw).decode().rstrip("=")
    yield quote(value)
    yield json.dumps(value)[1:-1]
    yield repr(raw)[2:-1]
    if value.startswith("+"):
        yield value[1:]
        yield value[-10:]  # the national number, whatever was put before it
