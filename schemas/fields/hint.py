"""The only sentences a finding about a document may carry. A message that does not stand here never leaves the schema.

marshmallow quotes keys and sometimes input in its own messages; ``Hint`` is the sieve: whatever is not a member becomes
``Hint.INVALID`` (see ``schemas.findings``).
"""

from __future__ import annotations

from enum import StrEnum

from schemas.vocabulary import Reason


class Hint(StrEnum):
    """What a person can do about a field, in our own words."""

    INVALID = "is not valid"
    REQUIRED = "is required"
    NOT_TEXT = "must be text"
    NOT_A_LIST = "must be a list"
    NOT_AN_OBJECT = "must be an object"
    TOO_LONG = "is longer than this field allows"
    TOO_MANY = "holds more items than this field allows"
    CONTROL_CHARACTER = "holds a control character or half of a surrogate pair"
    NO_LETTER = "holds no letter"
    UNKNOWN_KEY = "is not a key of a lead"
    UNKNOWN_WORD = "is not one of the words this field knows"
    NOT_AN_IDENTIFIER = "must be printable ASCII without spaces, or a whole number"
    NOT_A_CODE = "must be letters, digits, dot, dash or underscore"
    NOT_A_COUNTRY = "must be a country as two letters (ISO 3166-1 alpha-2)"
    NOT_HTTPS = "must be an https address without user name or spaces"
    NOT_A_DIGEST = "must be a SHA-256 digest as 64 hexadecimal digits"
    NOT_A_MOMENT = "must be a date and time as in RFC 3339"
    NO_TIME_ZONE = "must say its offset from UTC (RFC 3339)"
    NOT_AN_EMAIL = "is not an e-mail address"
    NOT_A_PHONE = "is not a phone number"
    PHONE_LETTERS = "holds letters: write the number in digits"
    PHONE_EXTENSION = "holds an extension: only a direct number can be called back"
    PHONE_LENGTH = "has too few or too many digits for its country; write a foreign number with + and its country code"
    PHONE_NOT_IN_USE = "is in no number range of its country; write a foreign number with + and its country code"
    PHONE_NEEDS_COUNTRY = "must begin with + and the country code: this brand has no default country"
    UNKNOWN_BRAND = "is not a brand of this installation"
    UNKNOWN_TOPIC = "is not a topic of this brand"
    NOT_A_TOPIC_FIELD = "is not a field of this topic"
    NO_CONSENT = "no consent is stated"


#: A hint that is more than an invalid field.
REASONS: dict[Hint, Reason] = {
    Hint.UNKNOWN_BRAND: Reason.UNKNOWN_BRAND,
    Hint.UNKNOWN_TOPIC: Reason.UNKNOWN_TOPIC,
    Hint.NO_CONSENT: Reason.NO_CONSENT,
}
