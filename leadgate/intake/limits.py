"""What the intake service allows itself. Every bound is a number somebody can change, none is absent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """Sizes in bytes, times in seconds."""

    max_body: int = 1024 * 1024
    max_in_flight: int = 512  # requests; with ``max_body`` this bounds the memory bodies can take
    body_seconds: float = 10.0  # for a whole body to arrive: slow senders must not hold places
    commit_seconds: float = 12.0  # below the 15 s after which senders give up (Standard Webhooks, "timeouts")
    group_size: int = 512  # submissions of waiting requests that share one transaction
    retry_after: int = 5  # what a sender is told when the ledger cannot be written, or all places are taken
