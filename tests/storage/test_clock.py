"""A moment reads the same whether the library or the ledger's clock writes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.storage.clock import LATEST, from_micros, rfc3339, to_micros

EARLIEST = to_micros(datetime.min.replace(tzinfo=UTC))


@given(st.integers(EARLIEST, LATEST))
def test_rfc3339_is_what_the_library_writes(micros: int) -> None:
    assert rfc3339(micros) == from_micros(micros).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@pytest.mark.parametrize("micros", [LATEST + 1, EARLIEST - 1, 2**80])
def test_what_is_no_moment_is_refused(micros: int) -> None:
    with pytest.raises(OverflowError):
        rfc3339(micros)
