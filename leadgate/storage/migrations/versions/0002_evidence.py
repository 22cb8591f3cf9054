"""Evidence: what became of a consent, who was told, which clocks run, what was destroyed, what was published; lighter rows."""

from __future__ import annotations

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
