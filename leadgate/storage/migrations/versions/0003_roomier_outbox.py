"""A roomier outbox: pages of ``delivery`` keep two thirds free, so that a claim is written beside the row it replaces.

A delivery is written three times: queued, claimed, decided. Where its page has no room, Postgres writes the claim elsewhere and
adds it to every index once more. Pages that are there already fill up as they were; SQLite has nothing to change.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change how full Postgres packs new pages."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("alter table delivery set (fillfactor = 35)")
