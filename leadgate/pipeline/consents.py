"""Consents: how they stand at a moment, and their records for a regulator. It refuses to make a record that lacks a field.

Everything is read in one snapshot, a page at a time, and nothing is opened: who the person is stands in no answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from consent.audit.digest import sealed_digest
from consent.audit.leaf import decode
from consent.json_ld import to_json_ld
from consent.record27560 import Stored, Surroundings, build
from consent.standing import Answer, Rules, standing_of
from leadgate.storage import consents, notices
from leadgate.storage.consents import Agreement
from leadgate.storage.engine import Ledger, Transaction
from schemas.consent_event import ConsentEvent
from schemas.controller import StoragePlace
from schemas.errors import AuditError, ConfigurationError
from schemas.policy import BrandPolicy, Notice, RetentionRules
from schemas.vocabulary import Event, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known of the consents of one person at one brand."""

    person_id: str
    brand: str
    at: datetime
    answers: tuple[Answer, ...]
    agreements: tuple[Agreement, ...]
    events: tuple[ConsentEvent, ...]


class ConsentBook:
    """Answers questions about consents from what the ledger holds and the settings say."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        policies: Mapping[str, BrandPolicy],
        storage: StoragePlace | None,
        retention: RetentionRules,
    ) -> None:
        self._ledger = ledger
        self._policies = policies
        self._storage = storage
        self._retention = retention

    def overview(self, word: str, *, at: datetime, known_at: datetime | None = None) -> Overview | None:
        """How the consents of a person stood at ``at``; ``word`` is the id of the person, of a lead or of a consent record.

        None if nobody ever had this id.
        """
        with self._ledger.snapshot() as tx:
            found = consents.agreements(tx, word)
            person_id = found[0].record.person_id if found else word
            events = consents.events_of(tx, person_id)
            brand = found[0].record.brand if found else consents.brand_of(tx, person_id)
            if brand is None:
                return None
            rules = self._rules(tx, brand, self._admitted(tx, found))
        policy = self._policies.get(brand)
        named = {code for each in found for code in each.record.purposes} | {each.purpose for each in events if each.purpose}
        answers = [
            standing_of(
                purpose=code,
                at=at,
                records=[each.record for each in found],
                events=events,
                rules=rules,
                known_at=known_at,
            )
            for code in sorted(named | (policy.purposes.keys() if policy and not named else set()))
        ]
        return Overview(
            person_id=person_id,
            brand=brand,
            at=at,
            answers=tuple(answers),
            agreements=tuple(found),
            events=tuple(events),
        )

    def records(self, word: str, *, at: datetime) -> list[dict[str, Any]]:
        """The records (ISO/IEC TS 27560) that a word names; see ``overview``."""
        with self._ledger.snapshot() as tx:
            return [record for _, record in self._records(tx, consents.agreements(tx, word), at)]

    def export(self, target: Path, *, at: datetime, brand: str | None = None, json_ld: bool = False) -> int:
        """Write every record at ``target``, one JSON document a line; answer how many. The file must not exist yet."""
        count = 0
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigurationError("unwritable_file", f"cannot be made ({type(error).__name__})", field="FILE") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file, self._ledger.snapshot() as tx:
            for page in consents.all_agreements(tx, brand=brand):
                for _, record in self._records(tx, page, at):
                    document = to_json_ld(record) if json_ld else record
                    file.write(json.dumps(document, ensure_ascii=False, sort_keys=True) + "\n")
                    count += 1
        return count

    def _records(self, tx: Transaction, page: Sequence[Agreement], at: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
        """(consent id, record) of a page of agreements: a handful of queries, however many they are."""
        events = consents.events_of_people(tx, {each.record.person_id for each in page})
        admitted = self._admitted(tx, page)
        rules = {brand: self._rules(tx, brand, admitted) for brand in {each.record.brand for each in page}}
        for each in page:
            record, policy = each.record, self._policies.get(each.record.brand)
            if policy is None:
                raise ConfigurationError("unknown_brand", "leadgate.yaml has no such brand any more", field="brands")
            mine = events.get(record.person_id, [])
            facts = admitted.get(each.lead_id, {})
            version = facts.get("policy_version")
            stored = Stored(
                record=record,
                lead_id=each.lead_id,
                channel=each.channel,
                topic=each.topic,
                country=each.country,
                field_names=each.field_names,
                sealed_sha256=None if each.sealed is None else sealed_digest(each.sealed),
                events=mine,
                policy_version=version if isinstance(version, str) else None,
                routes=tuple(_words(facts.get("routes"))),
            )
            of = rules[record.brand]
            around = Surroundings(
                policy=policy,
                notice=of.notices.get((record.notice_id, record.notice_version, record.notice_language)),
                storage=self._storage,
                retention=self._retention,
                answers={
                    code: standing_of(purpose=code, at=at, records=[record], events=mine, rules=of) for code in record.purposes
                },
            )
            yield record.consent_id, build(stored, around)

    def _rules(self, tx: Transaction, brand: str, admitted: Mapping[str, Mapping[str, Any]]) -> Rules:
        """Notices as they were published, and those the file has beside them; the terms as they are now."""
        policy = self._policies.get(brand)
        known: dict[tuple[str, str, Language], Notice] = dict(policy.notices) if policy else {}
        known.update({each.notice.key: each.notice for each in notices.published(tx, brand)})
        terms = {code: purpose.valid_for for code, purpose in policy.purposes.items()} if policy else {}
        versions = {facts["consent_id"]: facts["policy_version"] for facts in admitted.values() if "policy_version" in facts}
        return Rules.of(known.values(), terms, versions)

    def _admitted(self, tx: Transaction, page: Iterable[Agreement]) -> dict[str, Mapping[str, Any]]:
        """By lead: what the leaf of its admission says."""
        found: dict[str, Mapping[str, Any]] = {}
        for lead_id, leaves in notices.leaves(tx, [each.lead_id for each in page]).items():
            for leaf in leaves:
                try:
                    entry = decode(leaf)
                except AuditError:
                    continue  # verify names it
                if entry.event is Event.LEAD_ADMITTED:
                    found[lead_id] = entry.facts
                    break
        return found


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
