"""Recognise who a lead is about: by phone first, then e-mail, then platform user.

It never merges two people: a lead that names two known persons belongs to the one its strongest identifier names, and the
withdrawals of both count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from consent.blind_index import IndexValue
from consent.vault import PersonKey, Vault
from leadgate.storage.inbox import Waiting
from leadgate.storage.people import KnownPerson
from schemas.lead import Lead
from schemas.vocabulary import PersonState


class Candidate(msgspec.Struct, kw_only=True):
    """A valid lead on its way through one admission."""

    waiting: Waiting
    lead: Lead
    fields: Mapping[str, str]
    identifiers: list[tuple[str, tuple[IndexValue, ...]]]  # kind, index under each live key
    digests: list[bytes]  # every digest this lead could be known by
    matches: list[str] = []  # person ids, the strongest identifier's first
    fingerprints: tuple[bytes, ...] = ()  # of the request, under each live key, the current one's first


class Recognition:
    """The people of one batch: those the ledger knows and those who are new in it."""

    def __init__(self, known: Mapping[bytes, KnownPerson], *, vault: Vault, ids: Iterator[str]) -> None:
        self._known = {person.person_id: person for person in known.values()}
        self._owner = {digest: person.person_id for digest, person in known.items()}
        self._vault = vault
        self._ids = ids
        self._keys: dict[str, PersonKey] = {}
        self._unseen: list[str] = []  # ids given to people nobody knows
        self._fresh: dict[str, PersonKey] = {}  # a key for each of them, made together when the first is asked for
        self._new: dict[str, str] = {}  # person id -> brand, of people first seen in this batch and admitted
        self._identifiers: dict[bytes, tuple[bytes, str, str, int]] = {}

    def stored(self, candidate: Candidate) -> list[str]:
        """Those of ``candidate.matches`` whom the ledger holds; of the others it can know nothing."""
        return [person for person in candidate.matches if person in self._known]

    def recognise(self, candidate: Candidate) -> None:
        """Fill ``candidate.matches``; a person nobody knows gets a fresh random id."""
        matches, owner_of = candidate.matches, self._owner
        for digest in candidate.digests:
            owner = owner_of.get(digest)
            if owner is not None and owner not in matches:
                matches.append(owner)
        if not matches:
            person_id = next(self._ids)
            matches.append(person_id)
            self._unseen.append(person_id)
        for digest in candidate.digests:
            owner_of.setdefault(digest, matches[0])

    def known(self, candidate: Candidate) -> str | None:
        """The person of a candidate, if the ledger knows it, or will when the step commits."""
        person_id = candidate.matches[0]
        return person_id if person_id in self._known or person_id in self._new else None

    def key_of(self, candidate: Candidate) -> PersonKey:
        """The key to seal an admitted lead under; notes what must be stored for a new person.

        Raises VaultError if the stored key does not open; then nothing was noted.
        """
        person_id = candidate.matches[0]
        key = self._keys.get(person_id)
        if key is None:
            key = self._keys[person_id] = self._open_key(candidate, person_id)
        owner_of, noted = self._owner, self._identifiers
        for kind, values in candidate.identifiers:
            for value in values:
                if owner_of[value.digest] != person_id:
                    break  # it stays theirs
            else:
                for value in values:  # under an announced key too: whoever writes under that alone must meet it
                    if value.write and (digest := value.digest) not in noted:
                        noted[digest] = (digest, person_id, kind, value.version)
        return key

    def _open_key(self, candidate: Candidate, person_id: str) -> PersonKey:
        if known := self._known.get(person_id):
            return self._vault.unwrap_person_key(person_id, known.wrapped_key, known.key_version)
        if not self._fresh:
            self._fresh = dict(zip(self._unseen, self._vault.new_person_keys(self._unseen), strict=True))
        self._new[person_id] = candidate.lead.brand
        return self._fresh[person_id]

    def new_rows(
        self, stored: Mapping[bytes, KnownPerson], now: int
    ) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        """Rows of new people and of identifiers the ledger does not hold yet."""
        persons: list[tuple[object, ...]] = [
            (person_id, brand, PersonState.KNOWN.value, now, self._keys[person_id].wrapped, self._keys[person_id].key_version)
            for person_id, brand in self._new.items()
        ]
        return persons, [row for digest, row in self._identifiers.items() if digest not in stored]
