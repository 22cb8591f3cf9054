"""Notices and consent events: the shape of their rows (see ``tables``). Rows are added and never changed, but for the moment a
notice was retired.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from leadgate.storage.tables import Id, Micros, Word, metadata

#: What became of a consent. The row of ``consent_record`` is the event that it was given.
consent_event = Table(
    "consent_event",
    metadata,
    Column("event_id", Id, primary_key=True),
    Column("consent_id", Id),  # null: every record of the person
    Column("person_id", Id, nullable=False),
    Column("purpose", Word),  # null: every purpose
    Column("state", Word, nullable=False),
    Column("event_type", Word, nullable=False),
    Column("event_time", Micros, nullable=False),
    Column("recorded_at", Micros, nullable=False),
    Column("origin", Word, nullable=False),
    Column("actor", Word, nullable=False),
    Column("facts", Text, nullable=False),  # JSON of what a leaf may say
    Column("policy_version", Word),
)
Index("consent_event_person", consent_event.c.person_id)

#: Every notice that was ever in force here, as it was when we first saw it: leadgate.yaml is compared with it at each start.
notice = Table(
    "notice",
    metadata,
    Column("brand", Word, primary_key=True),
    Column("notice_id", Word, primary_key=True),
    Column("version", Word, primary_key=True),
    Column("language", String(2), primary_key=True),
    Column("text", Text, nullable=False),
    Column("text_sha256", String(64), nullable=False),
    Column("purposes", Text, nullable=False),  # space-separated
    Column("one_purpose", Integer, nullable=False),
    Column("valid_from", Micros, nullable=False),
    Column("valid_until", Micros),
    Column("renewal_from", Micros),  # null: consents under earlier versions stand
    Column("published_at", Micros, nullable=False),
    Column("actor", Word, nullable=False),
)
