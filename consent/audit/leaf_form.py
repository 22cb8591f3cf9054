"""Leaves of one form, which differ in ids, digests and moments only. Refuses what ``leaf`` refuses, in the same words.

Thousands of leaves of a batch say the same brand, notice, purposes and names of fields. A form is made of what repeats: checked
against the closed list of facts and written by the one writer of leaves, once. A leaf is the form with its own values between.
No value escapes the list: those of a batch are checked a column at a time before the first of its leaves is handed out, and a
column that is not plainly right is left to ``encode_parts``, whose word counts.

The values need no escaping: no shape of an id, a digest or a moment admits a character that JSON escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from consent.audit.facts import ALLOWED_FACTS, DIGEST, ID, MOMENT
from consent.audit.leaf import MAX_LEAF, blank, encode_parts
from schemas.audit import LeafValue
from schemas.errors import AuditError
from schemas.vocabulary import Event

__all__ = ["LeafForm"]

#: The ids of a leaf beside its facts.
_IDS: Final = frozenset({"delivery_id", "lead_id", "person_id", "submission_id"})
#: Stands where a value belongs. No shape of the list admits its first character, so nothing that repeats is mistaken for it.
_HOLE: Final = re.compile("%([a-z0-9_]+)")
#: Digits of hex are told from everything else but dashes and line ends.
_HEX: Final = bytes((ord("h") if chr(each) in "0123456789abcdef" else each if chr(each) in "-\n" else 0) for each in range(256))
_DIGEST: Final = b"h" * 64 + b"\n"
_UUID: Final = b"-".join(b"h" * length for length in (8, 4, 4, 4, 12)) + b"\n"
_MOMENTS: Final = re.compile(rf"(?:{MOMENT.pattern}\n)*")
#: Characters of the longest value, a digest or an id.
_LONGEST: Final = 64
_SOME_TIME: Final = datetime(2026, 1, 15, tzinfo=UTC)


def _digests(column: Sequence[str]) -> bool:
    return _shape_of(column) == _DIGEST * len(column)


def _uuids(column: Sequence[str]) -> bool:
    return _shape_of(column) == _UUID * len(column)


def _shape_of(column: Sequence[str]) -> bytes:
    """One pass over a whole column costs a tenth of a match for each value."""
    return ("\n".join(column) + "\n").encode("ascii", "replace").translate(_HEX)


def _moments(column: Sequence[str]) -> bool:
    return _MOMENTS.fullmatch("\n".join(column) + "\n") is not None


#: What says of a column of a shape that all of it is right. A no means only: look again.
_PLAIN: Final[Mapping[object, Callable[[Sequence[str]], bool]]] = {DIGEST: _digests, ID: _uuids, MOMENT: _moments}


class LeafForm:
    """What repeats in the leaves of one event, with holes for the values that do not."""

    __slots__ = ("_actor", "_event", "_fixed", "_holes", "_pieces", "_plain")

    def __init__(self, event: Event, fixed: Mapping[str, LeafValue], holes: tuple[str, ...], *, actor: str = "system") -> None:
        """``holes`` names facts and ids in the order in which a leaf writes them. Raises AuditError for what may not stand in a
        leaf, and for a hole that is neither an id, nor a digest, nor a moment, or is out of order.
        """
        encode_parts(event, _SOME_TIME, actor, fixed)  # refuses what may not stand in a leaf
        shapes = [ALLOWED_FACTS.get(name, ID if name in _IDS else None) for name in holes]
        if any(shape not in _PLAIN for shape in shapes):
            raise AuditError("leaf_refused", "a hole of a form is an id, a digest or a moment")
        facts = {**fixed, **{name: f"%{name}" for name in holes if name not in _IDS}}
        ids = {name: f"%{name}" for name in holes if name in _IDS}
        self._pieces = _HOLE.split(blank(event, actor, facts, ids, at="%at"))
        if self._pieces[1::2] != ["at", *holes]:
            raise AuditError("leaf_refused", "the holes of a form are named once each, in the order of a leaf")
        if sum(map(len, self._pieces)) + _LONGEST * len(self._pieces) > MAX_LEAF:
            raise AuditError("leaf_too_large", f"a leaf is at most {MAX_LEAF} bytes (C2SP tlog-tiles)")
        self._event, self._actor, self._fixed, self._holes = event, actor, dict(fixed), holes
        self._plain = [_PLAIN[shape] for shape in shapes]

    def fill(self, at: str, values: Sequence[str]) -> bytes:
        """The leaf of these values, in the order of the holes; ``at`` is what ``leaf.moment`` says.

        Nobody may be handed it before ``check`` has seen the values.
        """
        pieces = self._pieces.copy()
        try:
            pieces[1::2] = at, *values
            return "".join(pieces).encode()
        except (TypeError, ValueError):  # none of our strings, or not one for each hole
            self._ask(values)
            raise AuditError("leaf_refused", "a leaf of a form has a value for every hole") from None

    def check(self, rows: Sequence[Sequence[str]]) -> None:
        """Raises AuditError naming the id or fact, of any of these rows of values, that may not stand in a leaf."""
        if not all(plain(column) for plain, column in zip(self._plain, zip(*rows, strict=True), strict=True)):
            for row in rows:
                self._ask(row)

    def _ask(self, values: Sequence[str]) -> None:
        """An id may also be base32 or shorter hex; ``encode_parts`` knows."""
        named = dict(zip(self._holes, values, strict=False))
        ids = {name: named.pop(name) for name in _IDS if name in named}
        encode_parts(self._event, _SOME_TIME, self._actor, {**self._fixed, **named}, **ids)
