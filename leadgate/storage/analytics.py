"""What may be counted of people: the newest request of each who is not erased, restricted, or has taken something back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leadgate.storage.engine import Transaction

_PAGE = 1_000


class Countable(NamedTuple):
    """One person's newest lead, still sealed, with the key that opens it."""

    person_id: str
    wrapped: bytes
    version: int
    lead_id: str
    brand: str
    channel: str
    language: str
    topic: str
    country: str
    received_at: int
    sealed: bytes


def countable(tx: Transaction, *, since: int, until: int) -> Iterator[list[Countable]]:
    """Pages, by person; leads received from ``since`` and before ``until``."""
    after = ""
    while rows := tx.wide_rows(
        "select p.person_id, p.wrapped_key, p.key_version, l.lead_id, l.brand, l.channel, l.language, l.topic, l.country,"
        " l.received_at, l.sealed from person p join lead l on l.lead_id ="
        " (select max(n.lead_id) from lead n where n.person_id = p.person_id and n.sealed is not null"
        " and n.received_at >= :since and n.received_at < :until)"
        " where p.wrapped_key is not null and p.person_id > :after"
        " and not exists (select 1 from withdrawal w where w.person_id = p.person_id)"
        " and not exists (select 1 from restriction r where r.person_id = p.person_id and r.lifted_at is null)"
        " order by p.person_id limit :page",
        since=since,
        until=until,
        after=after,
        page=_PAGE,
    ):
        yield [Countable._make((row[0], bytes(row[1]), *row[2:10], bytes(row[10]))) for row in rows]
        after = rows[-1][0]
