r"""Words people write. Refused: control characters in names and one-line values, halves of surrogate pairs, over-long input.

What is changed instead of refused, per field:

=============  =============================================================================================
names          NFC; bidi controls removed (they can make one name read as another: Unicode TR 36, 2.5);
               runs of white space become one space; at least one letter of any script must remain
one line       as names, without the letter
free text      NFC; line ends become ``\n``; control characters other than ``\n`` and tab are dropped, halves of
               surrogate pairs become U+FFFD (they cannot be encoded); emoji and bidi marks stay, they are speech
identifiers    nothing is changed: a platform's id is compared byte by byte; white space around it is removed
=============  =============================================================================================

Lengths are counted in code points after normalisation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from marshmallow import ValidationError

from schemas.fields.base import Checked
from schemas.fields.hint import Hint

#: Code points of a name. The longest registered names in use stay far below; a 300-character "name" is a pasted text.
NAME_LIMIT: Final = 100
#: Code points of other one-line values.
LINE_LIMIT: Final = 200
#: Code points of the person's own words; the largest platform message is VK's with 4,096 characters.
TEXT_LIMIT: Final = 10_000
IDENTIFIER_LIMIT: Final = 200
#: Integers beyond this many digits are no id of any platform; also keeps ``str(int)`` cheap.
_INTEGER_LIMIT: Final = 10**40

# LRM, RLM, ALM, LRE..RLO, LRI..PDI, the byte order mark and the soft hyphen. ZWJ and ZWNJ stay: Persian names need them.
_INVISIBLE = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\u00ad]")
# Cc without tab, LF, CR and NEL (white space), and Cs.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_TEXT_TO_CLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TEXT_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Latin and Cyrillic letters in one code point each. None of them is changed by NFC, and no two of them compose:
# where there is no combining mark, no invisible and no white space but single spaces, there is nothing to normalise.
_LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0400-\u0481\u048a-\u04ff"
_VISIBLE = rf"!-~{_LETTER}\u00ab\u00bb\u2013\u2014\u2116"
_is_plain_name = re.compile(rf"[{_LETTER}]+(?:[ '-][{_LETTER}]+)*").fullmatch
_is_plain_line = re.compile(rf"[{_VISIBLE}]+(?: [{_VISIBLE}]+)*").fullmatch
_is_code = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
is_plain_https = re.compile(r"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/[!-~]*").fullmatch
is_digest = re.compile(r"[0-9a-f]{64}").fullmatch
# userinfo ("@" before the path) would be a credential; everything printable in ASCII is left as it is.
_is_https = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:[/?#][!-~]*)?", re.ASCII | re.IGNORECASE
).fullmatch


def one_line(value: str, limit: int) -> str:
    """Normalise one line; answers "" if nothing is left. Raises ValidationError."""
    if len(value) > 4 * limit:  # before normalising: the work must not grow with hostile input
        raise ValidationError(Hint.TOO_LONG)
    if _CONTROL.search(value):
        raise ValidationError(Hint.CONTROL_CHARACTER)
    # Removing an invisible can bring a letter and its accent together, so NFC comes after.
    line = " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", value)).split())
    if len(line) > limit:
        raise ValidationError(Hint.TOO_LONG)
    return line


def plain_lines(values: Sequence[Any], limit: int, names: int) -> bool:
    """Whether ``Line`` leaves each of these as it is, and ``Name`` the first ``names``. Raises TypeError for what is no text.

    A blank between the lines keeps them apart: nothing composes with it, and beside a blank or an empty value it stands double.
    Of all white space and everything ``one_line`` refuses or removes, only the blank is printable.
    """
    joined = " ".join(values)
    if not joined.isprintable() or "  " in joined or joined.strip() != joined or not joined:
        return False
    for name in values[:names]:
        if not name[0].isalpha():
            return False
    return (len(joined) <= limit or max(map(len, values)) <= limit) and unicodedata.is_normalized("NFC", joined)


def plain_identifiers(values: Sequence[Any]) -> bool:
    """Whether ``Identifier`` leaves each of these as it is. Raises TypeError for what is no text: whole numbers, say."""
    joined = " ".join(values)
    return (
        len(joined) <= IDENTIFIER_LIMIT
        and joined.isascii()
        and joined.isprintable()
        and joined.count(" ") == len(values) - 1  # there is none within
        and "" not in values
    )


class Line(Checked[str]):
    """One line of text."""

    def __init__(self, *, limit: int = LINE_LIMIT, required: bool = False) -> None:
        super().__init__(required=required)
        self.limit = limit

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if len(value) <= self.limit and _is_plain_line(value):
            return value
        return one_line(value, self.limit) or None


class Name(Checked[str]):
    """A given or family name in any script."""

    limit: Final = NAME_LIMIT

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if len(value) <= NAME_LIMIT and _is_plain_name(value):
            return value
        name = one_line(value, NAME_LIMIT)
        if not name:
            return None
        if not any(character.isalpha() for character in name):
            raise ValidationError(Hint.NO_LETTER)
        return name


class FreeText(Checked[str]):
    """The person's own words, as they were written."""

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if len(value) > 2 * TEXT_LIMIT:
            raise ValidationError(Hint.TOO_LONG)
        if not value.isprintable() and _TEXT_TO_CLEAN.search(value):  # nothing that is cleaned away is printable
            value = _LINE_END.sub("\n", value)
            value = _SURROGATE.sub("\ufffd", _TEXT_CONTROL.sub("", value))
        text = unicodedata.normalize("NFC", value).strip()
        if len(text) > TEXT_LIMIT:
            raise ValidationError(Hint.TOO_LONG)
        return text or None


class Identifier(Checked[str]):
    """A platform's own id of something; whole numbers are accepted because VK's ids are numbers."""

    def read(self, value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value < _INTEGER_LIMIT:
                raise ValidationError(Hint.NOT_AN_IDENTIFIER)
            return str(value)
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_AN_IDENTIFIER)
        text = value.strip()
        if len(text) > IDENTIFIER_LIMIT:
            raise ValidationError(Hint.TOO_LONG)
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValidationError(Hint.NOT_AN_IDENTIFIER)
        return text or None


class Code(Checked[str]):
    """A word of our own configuration: a purpose, a notice, a version."""

    repeats = True

    def read(self, value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _INTEGER_LIMIT:
            return str(value)
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if len(value) > LINE_LIMIT:
            raise ValidationError(Hint.TOO_LONG)
        if _is_code(value):
            return value
        text = value.strip()
        if text and not _is_code(text):
            raise ValidationError(Hint.NOT_A_CODE)
        return text or None


class Https(Checked[str]):
    """An https address. Others are refused: a link a moderator clicks must not leave TLS or run a script."""

    LIMIT: Final = 2048

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if len(value) <= self.LIMIT and is_plain_https(value):
            return value
        text = value.strip()
        if len(text) > self.LIMIT:
            raise ValidationError(Hint.TOO_LONG)
        if text and not _is_https(text):
            raise ValidationError(Hint.NOT_HTTPS)
        return text or None


class Digest(Checked[str]):
    """A SHA-256 digest, lower-case hexadecimal."""

    repeats = True

    def read(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValidationError(Hint.NOT_TEXT)
        if is_digest(value):
            return value
        text = value.strip().lower()
        if text and not is_digest(text):
            raise ValidationError(Hint.NOT_A_DIGEST)
        return text or None
