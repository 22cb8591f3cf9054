"""Fixtures of the stories: an office of today over an empty ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.testing.sandbox import Sandbox
from tests.stories.outside import Office, office_at


@pytest.fixture
def office(empty_ledgers: Path, sandbox: Sandbox, keys: Path, tmp_path: Path) -> Iterator[Office]:
    """A whole house of today on SQLite, with an inbox folder."""
    opened = office_at(tmp_path, keys=keys, ledger=empty_ledgers, sandbox=sandbox)
    yield opened
    opened.close()
