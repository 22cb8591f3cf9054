"""Rectification: the right value is sealed under the person's own key; recipients that hold the wrong one get the right one.

1. The new envelope, its commitment and the leaf that makes it the committed one are written in one transaction.
2. The old number or address no longer finds the person, the new one does; unless it is somebody else's: nobody is merged.
3. Who must be told is written down in the same transaction (``leadgate.pipeline.corrections``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.audit.digest import lead_columns_digest
from consent.blind_index import BlindIndex, IndexKind
from consent.vault import PersonKey, Vault
from leadgate.pipeline.corrections import Corrections
from leadgate.pipeline.recorder import Recorder
from leadgate.storage import cases, leads, people
from leadgate.storage.cases import HeldLead
from leadgate.storage.engine import Transaction
from schemas.field_reader import read_field
from schemas.personal import Personal
from schemas.policy import BrandPolicy
from schemas.vocabulary import Event

_INDEXED: Final[Mapping[str, IndexKind]] = {"phone": IndexKind.PHONE, "email": IndexKind.EMAIL}
_COLUMNS: Final = dict(zip(leads.LEAD_COLUMNS, range(len(leads.LEAD_COLUMNS)), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectified:
    """What was put right: how many leads, and how many recipients must learn of it; ``elsewhere``: a value finds another."""

    leads: int
    recipients: int
    elsewhere: bool = False


class Rectifier:
    """Seals what is right."""

    def __init__(
        self,
        *,
        vault: Vault,
        index: BlindIndex,
        corrections: Corrections,
    ) -> None:
        self._vault = vault
        self._index = index
        self._corrections = corrections

    def correct(
        self,
        tx: Transaction,
        recorder: Recorder,
        person_ids: Sequence[str],
        values: Personal[dict[str, str]],
        *,
        case_id: str,
        policy: BrandPolicy,
        only: Sequence[str] = (),
    ) -> Rectified:
        """Seal ``values`` in the leads that have these fields; in all of them if none has. The caller holds the people."""
        right = values.reveal()
        country = _country(policy, right)
        held = [
            (each, self._key(each))
            for each in cases.held_leads(tx, person_ids, leads.LEAD_COLUMNS, lock=True)
            if not only or each.row[0] in only
        ]
        meant = [each for each in held if not right.keys().isdisjoint(_names(each[0]))] or held
        rows = [self._resealed(recorder, each, key, right, case_id=case_id, country=country) for each, key in meant]
        cases.reseal(tx, rows)
        elsewhere = self._reindex(tx, meant, right)
        told = self._corrections.ask(tx, person_ids, [each.row[0] for each, _ in meant], case_id=case_id)
        return Rectified(leads=len(rows), recipients=told, elsewhere=elsewhere)

    def _key(self, held: HeldLead) -> PersonKey:
        return self._vault.unwrap_person_key(held.row[_COLUMNS["person_id"]], held.wrapped_key, held.key_version or 0)

    def _resealed(
        self,
        recorder: Recorder,
        held: HeldLead,
        key: PersonKey,
        right: Mapping[str, str],
        *,
        case_id: str,
        country: str | None,
    ) -> tuple[str, bytes, str, str, str]:
        row = held.row
        lead_id = row[0]
        fields = self._vault.open_all(key, lead_id, bytes(row[_COLUMNS["sealed"]])).reveal() | dict(right)
        sealed = self._vault.seal_lead(key, lead_id, Personal(fields))
        names = " ".join(sorted(fields))
        where = country if country is not None and "phone" in right else row[_COLUMNS["country"]]
        columns: list[Any] = list(row[: _COLUMNS["commitment"] + 1])
        columns[_COLUMNS["country"]], columns[_COLUMNS["field_names"]] = where, names
        columns[_COLUMNS["commitment"]] = sealed.commitment
        recorder.note(
            Event.SUBJECT_RECTIFIED,
            lead_id=lead_id,
            person_id=key.person_id,
            facts={
                "case_id": case_id,
                "fields": sorted(right),
                "commitment": sealed.commitment,
                "sealed_sha256": sealed.envelope_sha256,
                "record_sha256": lead_columns_digest(columns, sealed.envelope_sha256),
            },
        )
        return lead_id, sealed.envelope, sealed.commitment, names, where

    def _reindex(self, tx: Transaction, meant: Sequence[tuple[HeldLead, PersonKey]], right: Mapping[str, str]) -> bool:
        """Let the right value find the person, and the wrong one nobody. Whether a right value finds somebody else."""
        elsewhere = False
        for person_id, brand, old in self._old_values(meant, right):
            for name in right.keys() & _INDEXED.keys():
                kind = _INDEXED[name]
                wanted = self._index.candidates(kind, brand, right[name])
                known = people.find(tx, [value.digest for value in wanted])
                owners = {found.person_id for found in known.values()} - {person_id}
                elsewhere = elsewhere or bool(owners)
                if not owners:
                    fresh = [value for value in wanted if value.write and value.digest not in known]
                    people.add_identifiers(tx, [(value.digest, person_id, kind.value, value.version) for value in fresh])
                for wrong in old.get(name, set()) - {right[name]}:
                    digests = [value.digest for value in self._index.candidates(kind, brand, wrong)]
                    cases.forget_identifiers(tx, digests, person_id)
        return elsewhere

    def _old_values(
        self, meant: Sequence[tuple[HeldLead, PersonKey]], right: Mapping[str, str]
    ) -> list[tuple[str, str, dict[str, set[str]]]]:
        """(person, brand, values by field as they were) of every person concerned."""
        found: dict[tuple[str, str], dict[str, set[str]]] = {}
        for held, key in meant:
            known = found.setdefault((key.person_id, held.row[_COLUMNS["brand"]]), {})
            wanted = right.keys() & _INDEXED.keys()
            opened = self._vault.open_lead(key, held.row[0], bytes(held.row[_COLUMNS["sealed"]]), wanted).reveal()
            for name, value in opened.items():
                known.setdefault(name, set()).add(value)
        return [(person, brand, values) for (person, brand), values in found.items()]


def _names(held: HeldLead) -> list[str]:
    names: str = held.row[_COLUMNS["field_names"]]
    return names.split()


def _country(policy: BrandPolicy, right: Mapping[str, str]) -> str | None:
    """The country a right phone says."""
    read = read_field(policy, "phone", right["phone"]) if "phone" in right else None
    return read[1] if isinstance(read, tuple) else None
