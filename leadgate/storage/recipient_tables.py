"""Withdrawals as they were asked for, the recipients that must be told of them, and what is remembered of people who are gone:
the shape of their rows (see ``tables``).
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, text

from leadgate.storage.tables import Id, Micros, Word, metadata

#: One request to take consent back, a row for each person its identifiers name. Never changed. ``withdrawal`` keeps beside it
#: the one moment the gate asks for.
withdrawal_request = Table(
    "withdrawal_request",
    metadata,
    Column("withdrawal_id", Id, primary_key=True),
    Column("person_id", Id, primary_key=True),
    Column("brand", Word, nullable=False),
    Column("purposes", Text, nullable=False),  # space-separated
    Column("withdrawn_at", Micros, nullable=False),  # when the person said it
    Column("recorded_at", Micros, nullable=False),
    Column("actor", Word, nullable=False),
    Column("submission_id", Id),  # null: an officer or moderator passed it on
)
Index("withdrawal_request_person", withdrawal_request.c.person_id)

#: What one request meant for one delivery (``DeliveryEffect``), as it was decided. Never changed.
withdrawal_effect = Table(
    "withdrawal_effect",
    metadata,
    Column("withdrawal_id", Id, primary_key=True),
    Column("delivery_id", Id, primary_key=True),
    Column("effect", Word, nullable=False),
)
Index("withdrawal_effect_delivery", withdrawal_effect.c.delivery_id)

#: One recipient that must be told about one record of ours. A second request finds the row, and tells nobody twice.
telling = Table(
    "telling",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("lead_id", Id, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("destination", Word, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("key", String(32), nullable=False),  # pseudonym of the lead there: all that a telling discloses
    Column("cause", Word, nullable=False),  # withdrawal, erasure ...
    Column("withdrawal_id", Id),  # of the first request, if it was one
    Column("wants", Word, nullable=False),  # suppress, erase: the most that is asked
    Column("state", Word, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("not_before", Micros),  # null: nothing is asked any more, or a delivery's outcome is waited for; else also the lease
    Column("worker", Word),
    Column("code", Word),
    Column("suppressed_at", Micros),
    Column("erased_at", Micros),
    Column("told_at", Micros),  # by hand
    Column("decided_at", Micros),
)
Index("telling_person", telling.c.person_id)
Index(
    "telling_due",
    telling.c.destination,
    telling.c.not_before,
    sqlite_where=text("not_before is not null"),
    postgresql_where=text("not_before is not null"),
)
Index(
    "telling_waiting",
    telling.c.delivery_id,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

#: Who took consent back, as a digest under a key of its own that finds nothing else: a late lead with an older consent is
#: refused though the person was erased. Gone once no older consent could still carry.
suppression = Table(
    "suppression",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("purpose", Word, primary_key=True),
    Column("withdrawn_at", Micros, nullable=False),
    Column("until", Micros, nullable=False),
)
