"""Every notice that was ever in force here, as it was first seen. Rows are added; only the moment of retirement changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from leadgate.storage.clock import from_micros, to_micros
from leadgate.storage.engine import Transaction
from schemas.policy import Notice
from schemas.vocabulary import Language

COLUMNS: Final = {
    "brand": "text",
    "notice_id": "text",
    "version": "text",
    "language": "text",
    "text": "text",
    "text_sha256": "text",
    "purposes": "text",
    "one_purpose": "bigint",
    "valid_from": "bigint",
    "valid_until": "bigint",
    "renewal_from": "bigint",
    "published_at": "bigint",
    "actor": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A notice as the ledger keeps it: whose, since when, and who put it there."""

    brand: str
    notice: Notice
    published_at: datetime
    actor: str


def published(tx: Transaction, brand: str | None = None) -> list[Published]:
    """All notices, of one brand if one is named, by brand, id and moment."""
    rows = tx.rows(
        f"select {', '.join(COLUMNS)} from notice where :brand in ('', brand) order by brand, notice_id, valid_from, language",
        brand=brand or "",
    )
    return [_published(tuple(row)) for row in rows]


def add(tx: Transaction, notices: Sequence[Published]) -> None:
    """Keep notices; one that another process has just added is passed over."""
    tx.insert_new("notice", COLUMNS, [_row(each) for each in notices])


def retire(tx: Transaction, brand: str, notice: Notice, until: datetime | None) -> None:
    """Change the moment from which nobody can agree to it."""
    tx.run(
        "update notice set valid_until = :until"
        " where brand = :brand and notice_id = :id and version = :version and language = :language",
        until=None if until is None else to_micros(until),
        brand=brand,
        id=notice.notice_id,
        version=notice.version,
        language=notice.language.value,
    )


def leaves(tx: Transaction, references: Sequence[str]) -> dict[str, list[bytes]]:
    """By what they are found by: the leaves about notices, oldest first, those last that wait for their place."""
    found: dict[str, list[bytes]] = {}
    for table, order in (("audit_leaf", "leaf_index"), ("audit_pending", "pending_id")):
        rows = tx.rows_in(f"select about, body, {order} from {table} where about in :values", references)
        for about, body, _ in sorted(rows, key=lambda row: int(row[2])):
            found.setdefault(about, []).append(bytes(body))
    return found


def _row(each: Published) -> tuple[Any, ...]:
    notice = each.notice
    return (
        each.brand,
        notice.notice_id,
        notice.version,
        notice.language.value,
        notice.text,
        notice.text_sha256,
        " ".join(sorted(notice.purposes)),
        int(notice.one_purpose),
        to_micros(notice.valid_from),
        None if notice.valid_until is None else to_micros(notice.valid_until),
        None if notice.renewal_from is None else to_micros(notice.renewal_from),
        to_micros(each.published_at),
        each.actor,
    )


def _published(row: tuple[Any, ...]) -> Published:
    brand, notice_id, version, language, text, digest, purposes, one, begins, ends, renewal, published_at, actor = row
    return Published(
        brand=brand,
        notice=Notice(
            notice_id=notice_id,
            version=version,
            language=Language(language),
            text=text,
            text_sha256=digest,
            purposes=frozenset(purposes.split()),
            one_purpose=bool(one),
            valid_from=from_micros(begins),
            valid_until=None if ends is None else from_micros(ends),
            renewal_from=None if renewal is None else from_micros(renewal),
        ),
        published_at=from_micros(published_at),
        actor=actor,
    )
