"""Spells out what no font of ours can draw. It refuses to lose a letter: what cannot be drawn is named.

People write emoji, and names in every script there is; the fonts that come with typst hold Latin, Cyrillic, Greek and some
more, and PDF/UA refuses a page with a letter nobody sees. So a smiling face is printed as ``[U+1F642 slightly smiling face]``.
The exact text stands in the JSON beside the paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from unicodedata import category, name

#: How typst names what it cannot draw. The text is quoted as Rust does it, with ``\u{301}`` for what has no shape of its own.
_COMPLAINT: Final = re.compile(r'the text `"(?P<text>.+?)"` could not be displayed')
_QUOTED: Final = re.compile(r"\\u\{(?P<code>[0-9a-f]{1,6})\}")
#: Beside what cannot be drawn in one text these may stand, and are never it.
_DRAWN: Final = ("LATIN ", "CYRILLIC ")
_LAST_OF_BMP: Final = 0xFFFF
#: Join or colour the pictures beside them, and say nothing alone.
_JOINING: Final = frozenset("\u200d\ufe0e\ufe0f")


def undrawable(complaint: str) -> frozenset[str]:
    """The letters a complaint of typst is about; none if it is about something else."""
    quoted = "".join(each["text"] for each in _COMPLAINT.finditer(complaint))
    text = _QUOTED.sub(lambda found: chr(int(found["code"], 16)), quoted)
    return frozenset(each for each in text if not each.isascii() and not name(each, "").startswith(_DRAWN))


def spelled(value: Any, letters: frozenset[str]) -> Any:
    """The same with every such letter named, in every text of it; so are their kin, lest each costs a try of its own."""
    if isinstance(value, Mapping):
        return {key: spelled(each, letters) for key, each in value.items()}
    if isinstance(value, list):
        return [spelled(each, letters) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    scripts = {_script(each) for each in letters} - {""}
    return "".join(_named(each) if each in letters or _is_kin(each, scripts) else each for each in value)


def _is_kin(letter: str, scripts: set[str]) -> bool:
    return letter in _JOINING or ord(letter) > _LAST_OF_BMP or (not letter.isascii() and _script(letter) in scripts)


def _script(letter: str) -> str:
    return name(letter, "").partition(" ")[0] if letter.isalpha() else ""


def _named(letter: str) -> str:
    if category(letter) in {"Cf", "Mn"}:
        return ""
    said = name(letter, "").lower()
    # an ideograph's name is its number once more
    return f"[U+{ord(letter):04X}]" if not said or "ideograph" in said else f"[U+{ord(letter):04X} {said}]"
