"""Clocks and subject requests: the shape of their rows (see ``tables``).

A case keeps what is needed to go on with it sealed under a key of its own: it outlives the person's key, and its deletion
shreds it.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, text

from leadgate.storage.tables import Id, Micros, Word, metadata

#: Legal clocks. The moments are decided when a clock starts and are never computed again.
clock = Table(
    "clock",
    metadata,
    Column("clock_id", Id, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("jurisdiction", Word, nullable=False),
    Column("term", Word, nullable=False),
    Column("law", Text, nullable=False),
    Column("subject", Word, nullable=False),  # withdrawal, case, person, incident
    Column("about", Id, nullable=False),
    Column("brand", Word, nullable=False),
    Column("person_id", Id),
    Column("started_at", Micros, nullable=False),
    Column("recorded_at", Micros, nullable=False),
    Column("due_at", Micros, nullable=False),
    Column("warn_at", Micros, nullable=False),
    Column("latest_at", Micros),  # with the extension
    Column("extended_at", Micros),
    Column("extended_for", Word),  # one word why
    Column("extension_notice", Word),  # reference of the reasoned notice
    Column("met_at", Micros),
    Column("outcome", Word),
    Column("flag", Word),  # a clock of a machine that cannot be right
    UniqueConstraint("subject", "about", "kind", "started_at", name="clock_once"),
)
_RUNNING = text("met_at is null")
Index(
    "clock_running",
    clock.c.subject,
    clock.c.about,
    clock.c.kind,
    unique=True,
    sqlite_where=_RUNNING,
    postgresql_where=_RUNNING,
)
_OF_A_PERSON = text("person_id is not null")
Index("clock_person", clock.c.person_id, sqlite_where=_OF_A_PERSON, postgresql_where=_OF_A_PERSON)
Index("clock_due", clock.c.due_at, sqlite_where=_RUNNING, postgresql_where=_RUNNING)

#: Requests of data subjects. ``sealed`` holds identifiers under ``wrapped_key``; both go a term after the case is closed.
subject_case = Table(
    "subject_case",
    metadata,
    Column("case_id", Id, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("brand", Word, nullable=False),
    Column("owner", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("policy_version", Word, nullable=False),  # pinned when it was opened
    Column("jurisdiction", Word, nullable=False),
    Column("received_at", Micros, nullable=False),
    Column("opened_at", Micros, nullable=False),
    Column("closed_at", Micros),
    Column("result", Word),
    Column("person_ids", Text, nullable=False),  # space-separated; empty: nobody is known
    Column("details", Text, nullable=False),  # JSON of field names, purposes and lead ids
    Column("sealed", LargeBinary),
    Column("wrapped_key", LargeBinary),
    Column("key_version", Integer),
    Column("forget_at", Micros),  # when the identifiers are destroyed
)
_OPEN = text("closed_at is null")
Index("subject_case_open", subject_case.c.opened_at, sqlite_where=_OPEN, postgresql_where=_OPEN)
_SEALED = text("sealed is not null and forget_at is not null")
Index("subject_case_to_forget", subject_case.c.forget_at, sqlite_where=_SEALED, postgresql_where=_SEALED)

#: What must be done in a case, and what was. A step is done once.
case_step = Table(
    "case_step",
    metadata,
    Column("case_id", Id, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("step", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("reason", Word),
    Column("result", Text, nullable=False),  # JSON of counts, ids, words and digests
    Column("done_at", Micros),
    Column("actor", Word),
)

#: People nothing may be sent about. The gate reads a withdrawal of "*"; this row says since when, and lets it be lifted.
restriction = Table(
    "restriction",
    metadata,
    Column("person_id", Id, primary_key=True),
    Column("case_id", Id, nullable=False),
    Column("restricted_at", Micros, nullable=False),
    Column("lifted_at", Micros),
)

#: A corrected lead on its way to a recipient that holds the old one.
correction = Table(
    "correction",
    metadata,
    Column("case_id", Id, primary_key=True),
    Column("delivery_id", Id, primary_key=True),
    Column("lead_id", Id, nullable=False),
    Column("destination", Word, nullable=False),
    Column("state", Word, nullable=False),  # queued, sent, by_hand, done, failed
    Column("attempt", Integer, nullable=False),
    Column("reason", Word),
    Column("decided_at", Micros),
    Column("sent_sha256", String(64)),
)
