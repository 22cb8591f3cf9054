"""Open: the second look of the gate, then exactly the fields this destination is told, and no others.

The gate is asked about every delivery. About what the agreements of a batch have in common (``_SHAPE``) it is asked once: the
yes holds for consent given between two moments (``_span``). Who lies outside, or took something back, is put to the gate alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from sys import intern
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from consent.calling import window_text
from consent.gate import CLOCK_SKEW, Gate
from consent.vault import PersonKey, Vault
from leadgate.storage import people
from leadgate.storage.clock import from_micros, rfc3339, to_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.outbox import Claim, Claimed
from schemas.delivery import Disclosure
from schemas.errors import VaultError
from schemas.fields.zones import zones_of_phone
from schemas.lead import PLAIN_FIELDS
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Indication, Language

#: Where a plain field of a disclosure stands in a claim, and which of them are moments.
_PLAIN: Final = {name: name for name in PLAIN_FIELDS} | {"lead_ref": "key"}
_WINDOW: Final = "calling_window"
_MOMENTS: Final = {"consent_given_at": "given_at", "received_at": "received_at"}
_LANGUAGES: Final = {language.value: language for language in Language}
_INDICATIONS: Final = frozenset(indication.value for indication in Indication)

_AT: Final = {name: at for at, name in enumerate(Claimed._fields)}
#: All that the gate asks of an agreement but the moment it was given; no person among it.
_SHAPE: Final = itemgetter(
    *(
        _AT[name]
        for name in (
            "brand",
            "purpose",
            "purposes",
            "notice_id",
            "notice_version",
            "notice_language",
            "text_sha256",
            "indication",
        )
    )
)
_MICROSECOND: Final = timedelta(microseconds=1)
#: A span in which nothing lies.
_NOBODY: Final = (1, 0)


class Opened(msgspec.Struct, frozen=True):
    """What may be told about one delivery, and the key of its person; memory only."""

    claimed: Claimed
    disclosure: Disclosure
    key: PersonKey
    names: list[str]  # of the fields that are told


class InHand(NamedTuple):
    """A delivery whose person is still open, because its lead was sealed a moment ago; memory only."""

    claimed: Claimed
    key: PersonKey
    fields: Mapping[str, str]


class HandOver(NamedTuple):
    """What one batch of admission gives to one destination: deliveries that were queued under ``claim``, by id."""

    claim: Claim
    records: dict[str, InHand]

    @property
    def span(self) -> tuple[str, str]:
        """The first and the last of their ids. Raises ValueError if there are none."""
        return min(self.records), max(self.records)


_NOTHING_IN_HAND: Final[Mapping[str, InHand]] = MappingProxyType({})


class _Agreed(NamedTuple):
    """What the gate asks of the stored agreement."""

    brand: str
    purposes: tuple[str, ...]
    notice_id: str
    notice_version: str
    notice_language: Language
    text_sha256: str
    given_at: datetime
    withdrawn: tuple[tuple[str, datetime], ...] = ()


class _Fields(NamedTuple):
    """The fields of one purpose: those in the vault, and those in the claim with the places they are read from."""

    sealed: frozenset[str]
    plain: tuple[str, ...]
    values: Callable[[Claimed], tuple[Any, ...]]  # of ``plain``, in its order
    moments: tuple[tuple[str, int], ...]
    window: bool  # whether it is told when the person may be called


class _Told(NamedTuple):
    """What holds for every agreement of one shape in one batch: which may go by when it was given, and what is told."""

    earliest: int  # micros, both inclusive; nobody lies between if the gate says no to the shape
    latest: int
    fields: _Fields | None  # None: a brand nobody knows


class Opener:
    """Opens claimed deliveries of one destination."""

    def __init__(self, *, vault: Vault, policies: Mapping[str, BrandPolicy], destination: str) -> None:
        self._vault = vault
        self._gates = {brand: Gate(policy) for brand, policy in policies.items()}
        self._windows = {brand: policy.calling_windows for brand, policy in policies.items()}
        self._destination = destination
        self._fields = lru_cache(maxsize=None)(self._disclosed)

    def standing(self, tx: Transaction, claimed: Sequence[Claimed]) -> dict[str, dict[str, datetime]]:
        """What the people of these deliveries took back."""
        return _moments(people.withdrawals(tx, {one.person_id for one in claimed}))

    def second_look(self, tx: Transaction, claimed: Sequence[Claimed]) -> tuple[dict[str, dict[str, datetime]], set[str]]:
        """(``standing``, whose key was destroyed since the claim), read right before the send."""
        withdrawn, erased = people.second_look(tx, {one.person_id for one in claimed})
        return _moments(withdrawn), erased

    def refuses(self, one: Claimed, withdrawn: Mapping[str, datetime], now: datetime) -> str | None:
        """Why this delivery must not go, or None; opens nothing."""
        gate = self._gates.get(one.brand)
        if gate is None:
            return "unknown_brand"
        try:
            record = _agreed(one)
        except (LookupError, OverflowError):  # somebody wrote to the row; verify names it, and the others go on
            return "record_unreadable"
        finding = gate.may_send(record, destination=self._destination, purpose=one.purpose, withdrawn=withdrawn, now=now)
        if finding is not None:
            return finding.reason.value
        return "erased" if one.sealed is None or one.wrapped_key is None or one.key_version is None else None

    def names(self, one: Claimed) -> tuple[str, ...]:
        """Names of the fields this delivery's destination is told, if the lead has them."""
        return self._gates[one.brand].fields_to_disclose(self._destination, one.purpose)

    def open_batch(
        self,
        batch: Sequence[Claimed],
        *,
        withdrawn: Mapping[str, Mapping[str, datetime]],
        erased: Collection[str],
        now: datetime,
        in_hand: Mapping[str, InHand] = _NOTHING_IN_HAND,
    ) -> list[Opened | str]:
        """For each delivery what ``open`` answers. ``withdrawn`` and ``erased`` say what became of people since the claim.

        Nothing is unsealed for a delivery that is ``in_hand`` (by id).
        """
        shapes: dict[tuple[str, ...], _Told] = {}
        answers: list[Opened | str] = []
        for one in batch:
            shape = _SHAPE(one)
            told = shapes.get(shape)
            if told is None:
                told = shapes[shape] = self._told(one, now)
            reason: str | None = None
            if one.person_id in erased:
                reason = "erased"
            elif one.person_id in withdrawn or not told.earliest <= one.given_at <= told.latest:
                reason = self.refuses(one, withdrawn.get(one.person_id, {}), now)
            answers.append(reason or self._opened(one, told.fields, now, in_hand.get(one.delivery_id)))
        return answers

    def open(self, one: Claimed, withdrawn: Mapping[str, datetime], now: datetime) -> Opened | str:
        """The disclosure, or the reason why there is none."""
        return self.refuses(one, withdrawn, now) or self._opened(one, self._fields(one.brand, one.purpose), now)

    def _told(self, one: Claimed, now: datetime) -> _Told:
        if one.brand not in self._gates:
            return _Told(*_NOBODY, None)
        return _Told(*self._span(one, now), self._fields(one.brand, one.purpose))

    def _span(self, one: Claimed, now: datetime) -> tuple[int, int]:
        """Between which moments consent like that of ``one`` must have been given, for the gate to say yes now.

        The gate asks four things of that moment, and each is a bound: not in the future, within the notice's time from and
        until, not longer ago than the purpose holds. So there is one span; both its ends are put to the gate, and if it takes
        both, it takes everybody between. A span that is too narrow costs time and nothing else.
        """
        gate = self._gates[one.brand]
        try:
            agreed = _agreed(one._replace(given_at=0))
            notice = gate.policy.notices[agreed.notice_id, agreed.notice_version, agreed.notice_language]
            earliest = max(notice.valid_from, now - gate.policy.purposes[one.purpose].valid_for + _MICROSECOND)
            latest = now + CLOCK_SKEW
        except (
            LookupError,
            OverflowError,
        ):  # nothing the policy knows, or a term longer than the calendar: each is asked alone
            return _NOBODY
        if notice.valid_until is not None:
            latest = min(latest, notice.valid_until - _MICROSECOND)
        for end in (earliest, latest):
            record = agreed._replace(given_at=end)
            if gate.may_send(record, destination=self._destination, purpose=one.purpose, withdrawn={}, now=now) is not None:
                return _NOBODY
        return to_micros(earliest), to_micros(latest)

    def _opened(self, one: Claimed, told: _Fields | None, now: datetime, in_hand: InHand | None = None) -> Opened | str:
        if one.sealed is None or one.wrapped_key is None or one.key_version is None or told is None:
            return "erased"
        if in_hand is not None:
            key, every = in_hand.key, in_hand.fields
            fields = {name: every[name] for name in told.sealed if name in every}
        else:
            try:
                key = self._vault.unwrap_person_key(one.person_id, one.wrapped_key, one.key_version)
                fields = self._vault.open_lead(key, one.lead_id, one.sealed, told.sealed).reveal()
            except VaultError as error:
                return f"seal_{error.code}"
        for name, value in zip(told.plain, told.values(one), strict=True):
            fields[name] = value
        for name, at in told.moments:
            fields[name] = rfc3339(one[at])  # type: ignore[arg-type] # a moment's place
        window = self._windows[one.brand].get(one.country) if told.window else None
        if window is not None and (hours := window_text(window, zones_of_phone(fields.get("phone", "")), now=now)):
            fields[_WINDOW] = hours
        disclosure = Disclosure(delivery_id=one.delivery_id, key=one.key, purpose=one.purpose, fields=Personal(fields))
        return Opened(one, disclosure, key, sorted(fields))

    def _disclosed(self, brand: str, purpose: str) -> _Fields:
        # Interned, as the mapping's names are: the same text is found in a record without comparing it.
        names = [intern(name) for name in self._gates[brand].fields_to_disclose(self._destination, purpose)]
        plain = tuple(name for name in names if name in _PLAIN and name not in _MOMENTS and name != _WINDOW)
        return _Fields(
            frozenset(names).difference(PLAIN_FIELDS),
            plain,
            _reader([_AT[_PLAIN[name]] for name in plain]),
            tuple((name, _AT[_MOMENTS[name]]) for name in names if name in _MOMENTS),
            _WINDOW in names,
        )


def _reader(places: Sequence[int]) -> Callable[[Claimed], tuple[Any, ...]]:
    """``itemgetter`` answers a tuple only from two places on."""
    return itemgetter(*places) if len(places) > 1 else lambda one: tuple([one[at] for at in places])


def _moments(taken: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, datetime]]:
    return {
        person: {purpose: from_micros(moment) for purpose, moment in purposes.items()} for person, purposes in taken.items()
    }


def _agreed(one: Claimed) -> _Agreed:
    """Raises LookupError for a word outside its vocabulary, OverflowError for no moment."""
    if one.indication not in _INDICATIONS:
        raise LookupError
    return _Agreed(
        one.brand,
        _words(one.purposes),
        one.notice_id,
        one.notice_version,
        _LANGUAGES[one.notice_language],
        one.text_sha256,
        from_micros(one.given_at),
    )


@lru_cache(maxsize=256)
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
