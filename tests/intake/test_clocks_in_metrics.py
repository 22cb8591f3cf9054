"""Legal clocks on the page of metrics: counts only, and nothing at all while nobody can say."""

from __future__ import annotations

from collections.abc import Callable

import httpx

Start = Callable[..., httpx.Client]


def test_clocks_are_counted(start: Start) -> None:
    page = start(clocks=lambda: {"open": 4, "overdue": 1}).get("/metrics").text
    assert 'leadgate_clocks{state="overdue"} 1.0' in page
    assert 'leadgate_clocks{state="open"} 4.0' in page


def test_a_ledger_that_is_gone_leaves_no_stale_figure(start: Start) -> None:
    answers = [{"overdue": 1}]

    def asked() -> dict[str, int]:
        return answers.pop()

    service = start(clocks=asked)
    assert "leadgate_clocks{" in service.get("/metrics").text
    page = service.get("/metrics")
    assert page.status_code == 200
    assert "leadgate_clocks{" not in page.text
    assert "leadgate_intake_requests_total" in page.text
