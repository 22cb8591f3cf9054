"""Circuit breaker and rate limit of a destination, shared by every worker through one row."""

from __future__ import annotations

from dataclasses import dataclass

from leadgate.storage.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``open_until``: no call before this moment, the breaker is open. Times are micros."""

    failures: int
    open_until: int | None
    next_call_at: int

    @property
    def well(self) -> bool:
        """Whether nothing went wrong since the last success."""
        return not self.failures and self.open_until is None


def read(tx: Transaction, destination: str) -> Standing:
    """The destination's standing; a destination never called is in good standing."""
    rows = tx.rows(
        "select failures, open_until, next_call_at from destination_state where destination = :destination",
        destination=destination,
    )
    if not rows:
        return Standing(failures=0, open_until=None, next_call_at=0)
    return Standing(failures=rows[0][0], open_until=rows[0][1], next_call_at=rows[0][2])


def reserve(
    tx: Transaction, *, destination: str, now: int, interval: int, burst: int, latest: int, calls: int = 1
) -> int | None:
    """Reserve the next ``calls`` calls (generic cell rate algorithm, ITU-T I.371) and answer when the first may begin.

    None, and nothing is reserved, if that would be after ``latest``: a turn that nobody takes must not push the others back.
    """
    tolerance = interval * (burst - 1)
    tx.run(
        "insert into destination_state (destination, failures, next_call_at) values (:destination, 0, 0)"
        " on conflict (destination) do nothing",
        destination=destination,
    )
    rows = tx.rows(
        "update destination_state set next_call_at = case when next_call_at < :now then :now else next_call_at end + :advance"
        " where destination = :destination and next_call_at - :tolerance <= :latest returning next_call_at",
        now=now,
        advance=interval * calls,
        tolerance=tolerance,
        latest=latest,
        destination=destination,
    )
    return max(now, int(rows[0][0]) - interval * calls - tolerance) if rows else None


def record(
    tx: Transaction, *, destination: str, code: str | None, failures: int, open_until: int | None, success_at: int | None
) -> None:
    """Write what the last call taught us."""
    tx.run(
        "insert into destination_state (destination, failures, open_until, next_call_at, last_code, last_success_at)"
        " values (:destination, :failures, :open_until, 0, :code, :success_at) on conflict (destination) do update set"
        " failures = excluded.failures, open_until = excluded.open_until, last_code = excluded.last_code,"
        " last_success_at = coalesce(excluded.last_success_at, destination_state.last_success_at)",
        destination=destination,
        failures=failures,
        open_until=open_until,
        code=code,
        success_at=success_at,
    )
