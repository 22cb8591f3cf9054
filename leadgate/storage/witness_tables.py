"""The published log and its witnesses: the shape of their rows (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from leadgate.storage.tables import Micros, Word, metadata

#: Signed-note key names are schema-less URLs.
KeyName = String(255)

#: Roots of complete subtrees of 256**level leaves, from level 1: with them a proof reads a few hundred hashes, never the log.
audit_node = Table(
    "audit_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("node_hash", LargeBinary, nullable=False),
)

#: What somebody else signed under a checkpoint of ours: the line as it is appended to the note.
cosignature = Table(
    "cosignature",
    metadata,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", KeyName, primary_key=True),
    Column("line", Text, nullable=False),
    Column("cosigned_at", Micros, nullable=False),  # the witness's clock, as it signed it
    Column("received_at", Micros, nullable=False),
)

#: What we know of each witness between two checkpoints.
witness = Table(
    "witness",
    metadata,
    Column("name", KeyName, primary_key=True),
    Column("tree_size", BigInteger, nullable=False),  # of the last checkpoint it told us it cosigned
    Column("asked_at", Micros, nullable=False),
    Column("answered_at", Micros),  # the last time it cosigned
    Column("failures", Integer, nullable=False),  # in a row
    Column("code", Word),  # why it did not cosign, the last time
)

#: How far the folder that web servers serve has come; one row.
published_log = Table(
    "published_log",
    metadata,
    Column("folder", Word, primary_key=True),
    Column("tree_size", BigInteger, nullable=False),
    Column("minimum_index", BigInteger, nullable=False),  # below it, tiles and entries may be gone (C2SP tlog-tiles, Pruning)
    Column("published_at", Micros, nullable=False),
)
