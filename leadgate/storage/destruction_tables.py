"""Destruction, holds and the shred list: the shape of their rows (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text

from leadgate.storage.tables import Id, Micros, Word, metadata

#: A destruction from the decision on: ``intended`` before the shred list is written, ``done`` with the key. What remains of a
#: destroyed person is this row: a random id, when, why, how much.
destruction = Table(
    "destruction",
    metadata,
    Column("destruction_id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("state", Word, nullable=False),
    Column("reason", Word, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("intended_at", Micros, nullable=False),
    Column("done_at", Micros),
    Column("method", Word),
    Column("counts", Text),  # JSON, numbers only
    Column("categories", Text),  # space-separated field names
    Column("recipients", Text),  # space-separated destinations that held a copy, or may have
    Column("key_sha256", String(64)),
    Column("shred_number", BigInteger),  # line of the shred list
    Column("leaf_sha256", String(64)),  # Merkle hash of its first leaf
)
Index("destruction_person", destruction.c.person_id)
Index(
    "destruction_intended",
    destruction.c.person_id,
    unique=True,
    sqlite_where=text("state = 'intended'"),
    postgresql_where=text("state = 'intended'"),
)

#: What must not be destroyed, and why.
legal_hold = Table(
    "legal_hold",
    metadata,
    Column("hold_id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("reason", Word, nullable=False),
    Column("set_at", Micros, nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("until", Micros),
    Column("lifted_at", Micros),
    Column("lifted_by", String(80)),
)
Index(
    "legal_hold_person",
    legal_hold.c.person_id,
    sqlite_where=text("lifted_at is null"),
    postgresql_where=text("lifted_at is null"),
)

#: Acts of destruction: the document's keyed digest, and its content sealed under a key of its own until ``keep_until``.
destruction_act = Table(
    "destruction_act",
    metadata,
    Column("act_id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("made_at", Micros, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("language", String(2), nullable=False),
    Column("document_sha256", String(64), nullable=False),  # keyed: HMAC under the act's own key
    Column("keep_until", Micros, nullable=False),
    Column("wrapped_key", LargeBinary),
    Column("key_version", Integer),
    Column("sealed", LargeBinary),
)
Index("destruction_act_person", destruction_act.c.person_id)
Index(
    "destruction_act_due",
    destruction_act.c.keep_until,
    sqlite_where=text("sealed is not null"),
    postgresql_where=text("sealed is not null"),
)
