"""Evidence: what became of a consent, who was told, which clocks run, what was destroyed, what was published; lighter rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables, an area at a time."""
    _lighter_rows()
    _consents()
    _recipients()
    _cases()
    _destruction()
    _published_log()
    _key_rotation()


def _lighter_rows() -> None:
    """What a lead costs: fewer and cheaper index entries."""


def _consents() -> None:
    """Notices, and what became of a consent after it was given."""
    op.create_table(
        "consent_event",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("consent_id", sa.String(length=36), nullable=True),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("consent_event_person", "consent_event", ["person_id"])
    op.create_table(
        "notice",
        sa.Column("brand", sa.String(length=64), nullable=False),
        sa.Column("notice_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("one_purpose", sa.Boolean(), nullable=False),
        sa.Column("requires_renewal", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("brand", "notice_id", "version", "language"),
    )


def _recipients() -> None:
    """Who must be told of a withdrawal, and what they answered."""


def _cases() -> None:
    """Legal clocks, and the requests of data subjects."""


def _destruction() -> None:
    """What was destroyed, what must stay, and what a restored backup must lose again."""


def _published_log() -> None:
    """What was published of the log, and who cosigned it."""


def _key_rotation() -> None:
    """How far a rotation of keys has come."""
