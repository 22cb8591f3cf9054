"""Hand-overs: what goes express is found by one row for its batch, and not by an entry of each delivery among what is due.

Indexes of ``submission`` keep half of a page free: each row is written once more when it is decided, and its new entries then
find room beside the old ones. Pages that are there already stay as they are; SQLite has nothing to change there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table, and change how full Postgres packs new pages of two indexes."""
    op.create_table(
        "hand_over",
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("first_id", sa.String(36), nullable=False),
        sa.Column("last_id", sa.String(36), nullable=False),
        sa.Column("worker", sa.String(64), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "first_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("alter index submission_pkey set (fillfactor = 50)")
        op.execute("alter index submission_once set (fillfactor = 50)")
