"""Ways to reach a person. Refused: numbers no exchange has, extensions, vanity letters, addresses no mail server takes.

Both libraries are the judges; the short ways taken before them accept only what they provably answer the same for (a property
test compares every one): a Russian mobile number by the library's own pattern, an ASCII address at a domain the library
already accepted.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import msgspec
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

from schemas.fields.base import Checked
from schemas.fields.hint import Hint
from schemas.fields.text import one_line

#: Characters of a phone number as people write it.
PHONE_LIMIT: Final = 64
#: RFC 5321, 4.5.3.1: 254 octets for the address, 64 for the part before the @.
EMAIL_LIMIT: Final = 254
_LOCAL_LIMIT: Final = 64
#: ISO 3166-1 alpha-2, as far as the phone library knows them.
COUNTRIES: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)


class PhoneNumber(msgspec.Struct, frozen=True):
    """E.164 (RFC 3966 global number without the scheme) and the country that assigned it, None if it spans several."""

    e164: str
    country: str | None


def _pattern_of_russian_mobiles() -> re.Pattern[str]:
    """How Russians write a mobile number: "+7", "8", "7" or nothing, then ten digits of the library's own mobile range."""
    metadata = PhoneMetadata.metadata_for_region("RU")
    if metadata is None or metadata.mobile is None:  # the library always carries Russia; without it nothing takes the short way
        return re.compile(r"(?!)")
    national = metadata.mobile.national_number_pattern
    return re.compile(rf"(\+7|8|7)?({national})", re.ASCII)


_russian_mobile = _pattern_of_russian_mobiles().fullmatch
_PUNCTUATION = str.maketrans("", "", " -()")


def read_phone(value: str, default_region: str | None) -> PhoneNumber:
    """Read a number as a person wrote it. Raises ValidationError."""
    matched = _russian_mobile(value)
    if matched is None and len(value) <= PHONE_LIMIT:
        # Spaces, dashes and brackets mean nothing to the library, wherever they stand.
        matched = _russian_mobile(value.translate(_PUNCTUATION))
    # Without a default of Russia only +7 says the country.
    if matched is not None and (matched[1] == "+7" or default_region == "RU"):
        return PhoneNumber("+7" + matched[2], "RU")
    return read_phone_by_library(value, default_region)


def read_phone_by_library(value: str, default_region: str | None) -> PhoneNumber:
    """As ``read_phone``, asking the library each time."""
    written = one_line(value, PHONE_LIMIT)
    try:
        number = phonenumbers.parse(written, default_region)
    except NumberParseException as error:
        unknown_country = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        if unknown_country and default_region is None and not written.startswith("+"):
            raise ValidationError(Hint.PHONE_NEEDS_COUNTRY) from None
        raise ValidationError(Hint.NOT_A_PHONE) from None
    if number.extension:
        raise ValidationError(Hint.PHONE_EXTENSION)
    if any(character.isalpha() for character in written.removeprefix("tel:")):
        raise ValidationError(Hint.PHONE_LETTERS)
    # What ``is_valid_number`` does, without asking for the region twice.
    country = phonenumbers.region_code_for_number(number)
    if country is None or not phonenumbers.is_valid_number_for_region(number, country):
        possible = phonenumbers.is_possible_number(number)
        raise ValidationError(Hint.PHONE_NOT_IN_USE if possible else Hint.PHONE_LENGTH)
    if not country.isalpha():  # "001": a number of no country
        country = None
    return PhoneNumber(phonenumbers.format_number(number, PhoneNumberFormat.E164), country)


class Phone(Checked[PhoneNumber]):
    """A phone number in any human writing. ``default_region`` is the brand's."""

    default_region: str | None = None

    def read(self, value: object) -> PhoneNumber | None:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**15:
            value = str(value)  # spreadsheets keep numbers as numbers
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_A_PHONE)
        if not value or value.isspace():
            return None
        return read_phone(value, self.default_region)


_PLAIN_EMAIL = re.compile(r"([a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*)@([a-z0-9.-]+)")


@lru_cache(maxsize=4096)
def _accepted_domain(domain: str) -> bool:
    """Whether the library accepts an address at ``domain`` and leaves the domain as it is."""
    try:
        return validate_email(f"a@{domain}", check_deliverability=False, strict=True).normalized == f"a@{domain}"
    except EmailNotValidError:
        return False


def read_email(value: str) -> str:
    """Normalise an address: lower case, NFC. Raises ValidationError."""
    matched = _PLAIN_EMAIL.fullmatch(value) if len(value) <= EMAIL_LIMIT else None
    if matched is not None and len(matched[1]) <= _LOCAL_LIMIT and _accepted_domain(matched[2]):
        return value
    return read_email_by_library(value)


def read_email_by_library(value: str) -> str:
    """As ``read_email``, asking the library each time."""
    written = one_line(value, EMAIL_LIMIT)
    try:
        address = validate_email(written, check_deliverability=False, strict=True).normalized
        # The part before the @ may be case-sensitive by RFC 5321, 2.4; no provider people use makes it so, and the
        # blind index must find the person however the address was typed.
        lowered = unicodedata.normalize("NFC", address.lower())
        return validate_email(lowered, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        raise ValidationError(Hint.NOT_AN_EMAIL) from None


class Email(Checked[str]):
    """An e-mail address; no DNS is asked."""

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if not value or value.isspace():
            return None
        return read_email(value)


class Country(Checked[str]):
    """A country as two letters, one the phone library knows (ISO 3166-1 alpha-2)."""

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if value in COUNTRIES:
            return value
        code = value.strip().upper()
        if code and code not in COUNTRIES:
            raise ValidationError(Hint.NOT_A_COUNTRY)
        return code or None
