"""The closed list of what a leaf may say. Refuses every name that is not listed, and every value that has not its shape.

A leaf cannot be erased, so no person may ever stand in one. That is held here and not by looking for what resembles a phone: a
fact is a digest, an id, a word of code, a version, a count, a moment, a yes/no or a list of field names. None of the shapes
admits spaces, ``@``, ``+`` or letters outside ASCII, and words of code hold at most nine digits, so that an international
number does not pass for one.

A new fact is one line below. A line is never removed: leaves that used it stay in the log for ever.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, cast

from schemas.audit import LeafValue
from schemas.verdict import Route

#: Integers beyond this are not exact as IEEE doubles, so RFC 8785 would write them differently.
MAX_INT: Final = 2**53 - 1

DIGEST: Final = re.compile(r"[0-9a-f]{64}")
#: A uuid, 26 characters of base32 (pseudonyms), or 16 or 32 random bytes in hex.
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ID: Final = re.compile(rf"{_UUID}|[a-z2-7]{{26}}|[0-9a-f]{{32}}|[0-9a-f]{{64}}")
#: A word of ours, of the configuration or of a vendor. At most nine digits in all: E.164 numbers of people have more.
CODE: Final = re.compile(r"(?!(?:[^0-9]*[0-9]){10})[A-Za-z0-9][A-Za-z0-9_.:/=-]{0,79}")
#: A version: a digest cut or whole, or a word such as ``3``, ``2026-01-15``, ``v2.1``.
VERSION: Final = re.compile(rf"[0-9a-f]{{16,64}}|{CODE.pattern}")
#: Name of a field of ours.
FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
COUNTRY: Final = re.compile(r"[A-Z]{2}")
#: RFC 3339 in UTC, with or without a fraction.
MOMENT: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?Z")

#: What stands instead of a vendor's word that is none; see ``code_word``.
WITHHELD: Final = "withheld"

_DIGEST_DIGITS: Final = 64


Check = Callable[[LeafValue], object]


def _is_count(value: LeafValue) -> bool:
    return type(value) is int and 0 <= value <= MAX_INT


def _is_flag(value: LeafValue) -> bool:
    return type(value) is bool


def _is_digest(value: LeafValue) -> bool:
    """``DIGEST.fullmatch`` at a third of its price: hex that reads back to itself is lower case and holds no blank."""
    try:
        return len(value) == _DIGEST_DIGITS and unhexlify(value).hex() == value  # type: ignore[arg-type] # TypeError is expected
    except ValueError:
        return False


def _remembering(shape: re.Pattern[str]) -> Check:
    """The shape's check for words that come again and again. Only words that fit are remembered: a refusal is raised."""
    match = shape.fullmatch

    @lru_cache(maxsize=4096)
    def check(value: str) -> bool:
        if not match(value):
            raise ValueError
        return True

    return check  # type: ignore[return-value] # raises TypeError for what is no str


def _each(shape: re.Pattern[str]) -> Check:
    """Every element of a list has the shape. Lists of field names and of purposes come again and again too."""
    match = shape.fullmatch

    @lru_cache(maxsize=4096)
    def check(values: tuple[str, ...]) -> bool:
        if not all(map(match, values)):
            raise ValueError
        return True

    return lambda values: type(values) is list and check(tuple(values))


#: What a fact's value must be: a shape for a string, ``int``, ``bool``, or a shape in a one-element tuple for a list of it.
Shape = re.Pattern[str] | type[int] | type[bool] | tuple[re.Pattern[str]]


def _same(shape: Shape, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


#: Fact name -> shape of its value.
ALLOWED_FACTS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        # digests: SHA-256 of sealed bytes, of notice texts, of what was sent; salted or keyed wherever a person is beneath
        **_same(DIGEST, "text_sha256 commitment sealed_sha256 sent_sha256 vendor_ref_sha256 body_sha256_keyed"),
        **_same(DIGEST, "record_sha256 consent_sha256 config_sha256 keyed_sha256 file_sha256_keyed evidence_root"),
        **_same(DIGEST, "file_sha256"),  # of a file that holds aggregates only
        **_same(DIGEST, "document_sha256"),  # of paper that was handed out; random salt inside it if it names a person
        # ids of ours
        **_same(ID, "consent_id duplicate_of case_id run_ref batch_id resolves withdrawal_id"),
        # words of code
        **_same(CODE, "source reason destination purpose outcome code kind resolved_by method channel language topic"),
        **_same(CODE, "brand notice_id indication recipient_kind write_mode task mode tenant scope alg state basis"),
        **_same(VERSION, "policy_version notice_version program_version key_id"),
        **_same(VERSION, "measured_by"),
        **_same(FIELD, "field"),
        **_same(COUNTRY, "country recipient_country"),
        **_same(MOMENT, "given_at recorded_at not_before expires_at due_at until cutoff valid_from renewal_from"),
        # clocks and cases
        **_same(ID, "clock_id about"),
        **_same(CODE, "jurisdiction term subject flag step result notice_ref request"),
        **_same(MOMENT, "started_at"),
        **_same(bool, "late"),
        # counts
        **_same(int, "attempt key_version key_version_from count size pending rows received admitted quarantined refused"),
        **_same(int, "queued claimed accepted rejected deferred uncertain dead suppressed resolved replayed"),
        **_same(int, "known withdrawn erased failed skipped duplicates deliveries persons doubles"),
        **_same(int, "reindexed layered dropped k k_reached l_diversity l_reached classes too_few"),
        # yes/no
        **_same(bool, "created dry_run partial found complete one_purpose"),
        # lists of words or of field names
        **_same((CODE,), "reasons findings purposes routes destinations recipients"),
        **_same((CODE,), "levels"),
        **_same((FIELD,), "fields categories"),
        **_same((DIGEST,), "evidence"),
    }
)


def _check_of(shape: Shape) -> Check:
    """Falsy or ValueError: another shape. TypeError: no string at all."""
    if isinstance(shape, tuple):
        return _each(shape[0])
    if shape is DIGEST:
        return _is_digest
    if shape is ID or shape is MOMENT:  # seldom the same twice
        return cast("Check", shape.fullmatch)
    if isinstance(shape, re.Pattern):
        return _remembering(shape)
    return _is_count if shape is int else _is_flag


_CHECKS: Final[Mapping[str, Check]] = {name: _check_of(shape) for name, shape in ALLOWED_FACTS.items()}


def offending(facts: Mapping[str, LeafValue]) -> str | None:
    """Name of the first fact that may not stand in a leaf, ``"?"`` if even its name must not be repeated, None if all may."""
    checks = _CHECKS
    name = "?"
    try:
        for name, value in facts.items():
            if not checks[name](value):
                return _printable(name)
    except (KeyError, TypeError, ValueError):
        return _printable(name)
    return None


def _printable(name: object) -> str:
    return name if isinstance(name, str) and FIELD.fullmatch(name) else "?"


_check_actor: Final = _remembering(CODE)


def is_actor(actor: str) -> bool:
    """Whether this staff reference, or ``system``, may stand in a leaf."""
    try:
        return bool(_check_actor(actor))
    except (TypeError, ValueError):
        return False


def code_word(word: str | None) -> str | None:
    """A vendor's code if it may stand in a leaf, else ``withheld``: a strange answer must never stop its own recording."""
    return word if word is None or CODE.fullmatch(word) else WITHHELD


def code_words(words: Iterable[str]) -> list[str]:
    """``code_word`` for a list fact."""
    return [word if CODE.fullmatch(word) else WITHHELD for word in words]


def route_words(routes: Iterable[Route]) -> list[str]:
    """The ``routes`` fact of ``lead.admitted``: where the lead may go, and for what; ``verify`` holds deliveries against it."""
    return [f"{route.destination}:{route.purpose}" for route in routes]
