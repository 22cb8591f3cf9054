"""Rotations of keys: the shape of their rows (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table

from leadgate.storage.tables import Micros, metadata

#: Versions of the key-encryption key as this ledger has seen them. Whoever writes under a key looks here whether it is in step;
#: a ledger that never saw a rotation has no row. ``emptied_at``: since when no row hangs on the version.
key_version = Table(
    "key_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("announced_at", Micros, nullable=False),
    Column("promoted_at", Micros),
    Column("emptied_at", Micros),
    Column("dropped_at", Micros),
)
