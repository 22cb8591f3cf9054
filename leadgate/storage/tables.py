"""The tables. A person appears here only sealed, or as a keyed digest; everything else is ids, words, counts and times.

Deleting ``person.wrapped_key``, the person's ``identifier`` rows and the ``wrapped_key`` of the person's submissions destroys
the person in every table at once (docs/keys.md).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _index(name: str, *columns: Column[Any], only: str) -> None:
    """A partial index: it holds the few rows that somebody looks for, and costs the others nothing."""
    Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


Id = String(36)  # uuid7 with dashes: sorts by time, so inserts stay at the right edge of every index
Word = String(64)
Micros = BigInteger
# SQLite counts only INTEGER PRIMARY KEY by itself; Postgres wants the wide one
Serial = BigInteger().with_variant(Integer, "sqlite")

#: The inbox. ``sealed`` and ``wrapped_key`` are emptied once the lead is in the vault or the retention is over.
submission = Table(
    "submission",
    metadata,
    Column("submission_id", Id, primary_key=True),
    Column("source", Word, nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("media_type", String(120), nullable=False),
    Column("received_at", Micros, nullable=False),
    Column("state", Word, nullable=False),
    Column("kind", Word),
    Column("brand", Word),
    Column("decided_at", Micros),
    Column("findings", Text),  # JSON list of {reason, field, hint}; names and our words only
    Column("person_id", Id),
    Column("lead_id", Id),
    Column("wrapped_key", LargeBinary),
    Column("key_version", Integer),
    Column("sealed", LargeBinary),
    UniqueConstraint("source", "event_id", name="submission_once"),
)
_index("submission_waiting", submission.c.submission_id, only="state = 'received'")
_index("submission_person", submission.c.person_id, only="person_id is not null and sealed is not null")

person = Table(
    "person",
    metadata,
    Column("person_id", Id, primary_key=True),
    Column("brand", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("erased_at", Micros),
    Column("wrapped_key", LargeBinary),
    Column("key_version", Integer),
)
# "Is one of these erased?" is asked before each batch that is sent; the answer is nearly always an empty index.
_index("person_erased", person.c.person_id, only="wrapped_key is null")

#: Blind indexes. The digest is keyed and domain-separated by brand and kind, so it is the whole key.
identifier = Table(
    "identifier",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("kind", Word, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("layered_from", Integer),  # the version a layered digest began under (consent.blind_index)
)
Index("identifier_person", identifier.c.person_id)

lead = Table(
    "lead",
    metadata,
    Column("lead_id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("submission_id", Id, nullable=False),
    Column("consent_id", Id, nullable=False),
    Column("brand", Word, nullable=False),
    Column("channel", Word, nullable=False),
    Column("language", Word, nullable=False),
    Column("topic", Word, nullable=False),
    Column("country", String(2), nullable=False),
    Column("field_names", Text, nullable=False),  # space-separated
    Column("received_at", Micros, nullable=False),
    Column("admitted_at", Micros, nullable=False),
    Column("commitment", String(64), nullable=False),
    Column("sealed", LargeBinary),
    Column("fingerprint", LargeBinary, nullable=False),  # keyed digest: same person, topic and purposes
)
Index("lead_person", lead.c.person_id)
Index("lead_fingerprint", lead.c.fingerprint)

consent_record = Table(
    "consent_record",
    metadata,
    Column("consent_id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("brand", Word, nullable=False),
    Column("purposes", Text, nullable=False),  # space-separated
    Column("notice_id", Word, nullable=False),
    Column("notice_version", Word, nullable=False),
    Column("notice_language", String(2), nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("indication", Word, nullable=False),
    Column("evidence", Text, nullable=False),  # space-separated digests
    Column("given_at", Micros, nullable=False),
    Column("recorded_at", Micros, nullable=False),
    Column("schema_version", String(8), nullable=False),
)

#: One row for each purpose a person took back; the gate reads it at admission and again at sending.
withdrawal = Table(
    "withdrawal",
    metadata,
    Column("person_id", Id, primary_key=True),
    Column("purpose", Word, primary_key=True),
    Column("withdrawn_at", Micros, nullable=False),
    Column("submission_id", Id),
)

#: The outbox.
delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("lead_id", Id, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("destination", Word, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("key", String(32), nullable=False),  # pseudonym of the lead at this destination
    Column("state", Word, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("not_before", Micros),  # null once the outcome is final, and while a ``hand_over`` speaks for the delivery
    Column("lease_until", Micros),
    Column("worker", Word),
    Column("decided_at", Micros),
    Column("vendor_ref", String(200)),
    Column("reason", Word),
    Column("sent_sha256", String(64)),
    UniqueConstraint("lead_id", "destination", name="delivery_once"),
    postgresql_with={"fillfactor": 35},
)
# Claiming changes none of these columns, so that Postgres can update the row in place (heap-only tuple).
_index("delivery_due", delivery.c.destination, delivery.c.not_before, only="not_before is not null")

#: What one batch of admission gave to one destination while it was in hand: the claimed deliveries of ``worker`` between two
#: ids. It stands for their entries in ``delivery_due``, and goes when their outcomes are written.
hand_over = Table(
    "hand_over",
    metadata,
    Column("destination", Word, primary_key=True),
    Column("first_id", Id, primary_key=True),
    Column("last_id", Id, nullable=False),
    Column("worker", Word, nullable=False),
    Column("lease_until", Micros, nullable=False),
)

#: Leaves that are committed with their state but not yet ordered; the integrator moves them to ``audit_leaf``.
#: ``about`` is the lead, or the submission as long as there is no lead: what a trace looks for.
audit_pending = Table(
    "audit_pending",
    metadata,
    Column("pending_id", Serial, primary_key=True, autoincrement=True),
    Column("about", Id),
    Column("body", LargeBinary, nullable=False),
)

audit_leaf = Table(
    "audit_leaf",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("about", Id),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
_index("audit_leaf_about", audit_leaf.c.about, only="about is not null")

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # compact range, so that the next batch needs no re-reading
    Column("note", Text, nullable=False),
    Column("signed_at", Micros, nullable=False),
)

#: What we know of a destination between calls: circuit breaker and rate limit, shared by all workers.
destination_state = Table(
    "destination_state",
    metadata,
    Column("destination", Word, primary_key=True),
    Column("failures", Integer, nullable=False),  # outages in a row
    Column("open_until", Micros),  # circuit breaker
    Column("next_call_at", Micros, nullable=False),  # rate limit
    Column("last_code", Word),
    Column("last_success_at", Micros),
)

#: The balance as it was printed, kept for whoever asks later.
balance = Table(
    "balance",
    metadata,
    Column("taken_at", Micros, primary_key=True),
    Column("tree_size", BigInteger, nullable=False),
    Column("counts", Text, nullable=False),
)

#: Facts about this very ledger, such as which keyring seals it.
ledger_property = Table(
    "ledger_property",
    metadata,
    Column("name", Word, primary_key=True),
    Column("value", Text, nullable=False),
)
