"""Legal clocks, watched: red before one is missed, and naming clocks by id only.

A clock of the law outlives every run, so no deadline of Airflow can stand for it: a task asks the ledger, each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leadgate.airflow.alerts import alert
from schemas.errors import LeadgateError


def judge_clocks(found: Mapping[str, Any], *, red_in: tuple[str, ...]) -> None:
    """Raise if a clock is missed or soon will be: a task that turns red is what a person sees.

    ``found`` is ``Board.as_dict()``. Raises LeadgateError ``clock_at_risk`` or ``clock_overdue``.
    """
    worst = str(found["worst"])
    if worst not in red_in:
        return
    clocks: Sequence[str] = found["clocks"]
    counts = {name: int(found[name]) for name in ("overdue", "at_risk", "flagged")}
    alert(f"clock_{worst}", clocks=" ".join(clocks), behind=int(bool(found["behind"])), **counts)
    raise LeadgateError(f"clock_{worst}", "`leadgate clocks` says which, and what each is about", field=worst)
