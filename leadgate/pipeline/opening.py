"""Open: the second look of the gate, then exactly the fields this destination is told, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from consent.gate import Gate
from consent.vault import Vault
from leadgate.storage import people
from leadgate.storage.clock import from_micros
from leadgate.storage.engine import Transaction
from leadgate.storage.outbox import Claimed
from schemas.consent_record import ConsentRecord
from schemas.delivery import Disclosure
from schemas.errors import VaultError
from schemas.lead import PLAIN_FIELDS
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Indication, Language


class Opener:
    """Opens claimed deliveries of one destination."""

    def __init__(self, *, vault: Vault, policies: Mapping[str, BrandPolicy], destination: str) -> None:
        self._vault = vault
        self._gates = {brand: Gate(policy) for brand, policy in policies.items()}
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
            record = _record(one)
        except (ValueError, OverflowError):  # somebody wrote to the row; verify names it, and the others go on
            return "record_unreadable"
        finding = gate.may_send(record, destination=self._destination, purpose=one.purpose, withdrawn=withdrawn, now=now)
        if finding is not None:
            return finding.reason.value
        return "erased" if one.sealed is None or one.wrapped_key is None or one.key_version is None else None

    def names(self, one: Claimed) -> tuple[str, ...]:
        """Names of the fields this delivery's destination is told, if the lead has them."""
        return self._gates[one.brand].fields_to_disclose(self._destination, one.purpose)

    def open(self, one: Claimed, withdrawn: Mapping[str, datetime], now: datetime) -> Disclosure | str:
        """The disclosure, or the reason why there is none."""
        reason = self.refuses(one, withdrawn, now)
        if reason is not None or one.sealed is None or one.key_version is None:
            return reason or "erased"
        personal, plain = self._fields(one.brand, one.purpose)
        try:
            key = self._vault.unwrap_person_key(one.person_id, one.wrapped_key, one.key_version)
            fields = self._vault.open_lead(key, one.lead_id, one.sealed, personal).reveal()
        except VaultError as error:
            return f"seal_{error.code}"
        fields.update(_plain(one, plain))
        return Disclosure(delivery_id=one.delivery_id, key=one.key, purpose=one.purpose, fields=Personal(fields))

    def _disclosed(self, brand: str, purpose: str) -> tuple[frozenset[str], frozenset[str]]:
        names = frozenset(self._gates[brand].fields_to_disclose(self._destination, purpose))
        return names.difference(PLAIN_FIELDS), names.intersection(PLAIN_FIELDS)


def _record(one: Claimed) -> ConsentRecord:
    return ConsentRecord(
        consent_id=one.consent_id,
        person_id=one.person_id,
        brand=one.brand,
        purposes=tuple(one.purposes.split()),
        notice_id=one.notice_id,
        notice_version=one.notice_version,
        notice_language=Language(one.notice_language),
        text_sha256=one.text_sha256,
        indication=Indication(one.indication),
        evidence=tuple(one.evidence.split()),
        given_at=from_micros(one.given_at),
        recorded_at=from_micros(one.recorded_at),
    )


def _plain(one: Claimed, names: frozenset[str]) -> list[tuple[str, str]]:
    safe = {
        "lead_ref": one.key,
        "brand": one.brand,
        "channel": one.channel,
        "language": one.language,
        "topic": one.topic,
        "country": one.country,
        "purpose": one.purpose,
        "consent_id": one.consent_id,
        "notice_id": one.notice_id,
        "notice_version": one.notice_version,
    }
    if "consent_given_at" in names:
        safe["consent_given_at"] = _rfc3339(one.given_at)
    if "received_at" in names:
        safe["received_at"] = _rfc3339(one.received_at)
    return [(name, value) for name, value in safe.items() if name in names]


def _rfc3339(micros: int) -> str:
    return from_micros(micros).isoformat(timespec="seconds").replace("+00:00", "Z")
