"""Finds what was put aside of a person without recognising them; it opens only what waits in quarantine or was refused.

A submission that was put aside has no person: its document was not valid, or nobody was known under it. So it is found by what
makes a person findable: its phone, e-mail and user are read as far as they can be read, and their blind indexes held against
the person's own, before those are destroyed. Bytes that no source can read stay until retention, which is days; nobody can say
whose they are, and the act of destruction says nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from consent.blind_index import BlindIndex, IndexKind
from consent.vault import Vault
from integrations.contract.source import Source
from leadgate.pipeline import withdraw
from leadgate.storage.engine import Ledger
from schemas.contact import email_or_none, phone_or_none
from schemas.errors import ConfigurationError, VaultError
from schemas.submission import LeadDocument, Parsed, Submission, Withdrawal

_PAGE: Final = 500
_ASIDE: Final = (
    "select submission_id, source, event_id, media_type, wrapped_key, key_version, sealed from submission"
    " where sealed is not null and state in ('quarantined', 'refused') and person_id is null and submission_id > :after"
    " order by submission_id limit :limit"
)


class Strays:
    """Looks through what was put aside. It reads; whoever erases destroys what it found."""

    def __init__(self, *, ledger: Ledger, vault: Vault, index: BlindIndex, sources: Mapping[str, Source]) -> None:
        self._ledger = ledger
        self._vault = vault
        self._index = index
        self._sources = sources

    def find(self, person_ids: Sequence[str], *, regions: Mapping[str, str | None]) -> dict[str, list[str]]:
        """By person: the submissions that name one of their identifiers. ``regions`` reads a brand's phones."""
        with self._ledger.snapshot() as tx:
            rows = tx.rows_in("select digest, person_id from identifier where person_id in :values", list(person_ids))
        owners = {bytes(row[0]): str(row[1]) for row in rows}
        found: dict[str, list[str]] = {}
        after = "" if owners else None
        while after is not None:
            with self._ledger.snapshot() as tx:
                page = tx.wide_rows(_ASIDE, after=after, limit=_PAGE)
            for row in page:
                for person_id in {owners[digest] for digest in self._digests(row, regions) if digest in owners}:
                    found.setdefault(person_id, []).append(row[0])
            after = page[-1][0] if page else None
        return found

    def _digests(self, row: Sequence[Any], regions: Mapping[str, str | None]) -> list[bytes]:
        submission_id, source_name, event_id, media_type, wrapped_key, key_version, sealed = row
        source = self._sources.get(source_name)
        if source is None:
            return []
        try:
            body = self._vault.open_submission(submission_id, bytes(wrapped_key), key_version, bytes(sealed))
            parsed = source.parse(Submission(source=source_name, event_id=event_id, media_type=media_type, body=body))
            named = list(_named(parsed, regions))
        except ConfigurationError:
            raise
        except Exception:  # noqa: BLE001 - a seal that does not open, a source that breaks its promise: nobody can read this one
            return []
        return [digest for brand, kind, value in named for digest in self._candidates(brand, kind, value)]

    def _candidates(self, brand: str, kind: IndexKind, value: str) -> list[bytes]:
        try:
            return [each.digest for each in self._index.candidates(kind, brand, value)]
        except VaultError:  # not in the one form that an index takes: nobody is found by it
            return []


def _named(parsed: Parsed, regions: Mapping[str, str | None]) -> Iterator[tuple[str, IndexKind, str]]:
    """(brand, kind, value) of every identifier that can be read, whatever else is wrong with the document."""
    if isinstance(parsed, Withdrawal):
        for kind, value in withdraw.identifiers_of(parsed):
            yield parsed.brand, kind, value
    if not isinstance(parsed, LeadDocument):
        return
    told = parsed.data.reveal()
    words = {name: str(told[name]) for name in ("brand", "phone", "email", "channel", "user") if told.get(name) is not None}
    stated = words.get("brand", "")
    for brand in [stated] if stated in regions else regions:  # an unknown brand may be a misspelt one
        phone = phone_or_none(words.get("phone", ""), regions[brand])
        email = email_or_none(words.get("email", ""))
        if phone:
            yield brand, IndexKind.PHONE, phone
        if email:
            yield brand, IndexKind.EMAIL, email
        if "user" in words:
            yield brand, IndexKind.USER, f"{words.get('channel', '')}:{words['user']}"
