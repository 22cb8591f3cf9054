"""Open: the second look of the gate, then exactly the fields this destination is told, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from consent.calling import window_text
from consent.gate import Gate
from consent.vault import PersonKey, Vault
from leadgate.storage import people
from leadgate.storage.clock import from_micros, rfc3339
from leadgate.storage.engine import Transaction
from leadgate.storage.outbox import Claimed
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


class Opened(NamedTuple):
    """What may be told about one delivery, and the key of its person; memory only."""

    claimed: Claimed
    disclosure: Disclosure
    key: PersonKey
    names: list[str]  # of the fields that are told


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
    """The fields of one purpose: those in the vault, and those in the claim with the attribute they are read from."""

    sealed: frozenset[str]
    plain: tuple[tuple[str, str], ...]
    moments: tuple[tuple[str, str], ...]
    window: bool  # whether it is told when the person may be called


class Opener:
    """Opens claimed deliveries of one destination."""

    def __init__(self, *, vault: Vault, policies: Mapping[str, BrandPolicy], destination: str) -> None:
        self._vault = vault
        self._gates = {brand: Gate(policy) for brand, policy in policies.items()}
        self._windows = {brand: policy.calling_windows for brand, policy in policies.items()}
        self._destination = destination
        self._fields = lru_cache(maxsize=None)(self._disclosed)

    def standing(self, tx: Transaction, claimed: Sequence[Claimed]) -> dict[str, dict[str, datetime]]:
        """What the claimed people took back, read right before the send."""
        taken = people.withdrawals(tx, {one.person_id for one in claimed})
        return {
            person: {purpose: from_micros(moment) for purpose, moment in purposes.items()} for person, purposes in taken.items()
        }

    def erased(self, tx: Transaction, claimed: Sequence[Claimed]) -> set[str]:
        """Which of the claimed people have no key any more; a claim may be older than the erasure."""
        return people.erased(tx, {one.person_id for one in claimed})

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

    def open(self, one: Claimed, withdrawn: Mapping[str, datetime], now: datetime) -> Opened | str:
        """The disclosure, or the reason why there is none."""
        reason = self.refuses(one, withdrawn, now)
        if reason is not None or one.sealed is None or one.key_version is None:
            return reason or "erased"
        wanted = self._fields(one.brand, one.purpose)
        try:
            key = self._vault.unwrap_person_key(one.person_id, one.wrapped_key, one.key_version)
            fields = self._vault.open_lead(key, one.lead_id, one.sealed, wanted.sealed).reveal()
        except VaultError as error:
            return f"seal_{error.code}"
        fields.update([(name, getattr(one, attribute)) for name, attribute in wanted.plain])
        fields.update([(name, rfc3339(getattr(one, attribute))) for name, attribute in wanted.moments])
        window = self._windows[one.brand].get(one.country) if wanted.window else None
        if window is not None and (hours := window_text(window, zones_of_phone(fields.get("phone", "")), now=now)):
            fields[_WINDOW] = hours
        disclosure = Disclosure(delivery_id=one.delivery_id, key=one.key, purpose=one.purpose, fields=Personal(fields))
        return Opened(one, disclosure, key, sorted(fields))

    def _disclosed(self, brand: str, purpose: str) -> _Fields:
        names = self._gates[brand].fields_to_disclose(self._destination, purpose)
        return _Fields(
            frozenset(names).difference(PLAIN_FIELDS),
            tuple((name, _PLAIN[name]) for name in names if name in _PLAIN and name not in _MOMENTS and name != _WINDOW),
            tuple((name, _MOMENTS[name]) for name in names if name in _MOMENTS),
            _WINDOW in names,
        )


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
