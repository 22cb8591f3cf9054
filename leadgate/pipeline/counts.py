"""What a dispatch came to, in numbers that add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchCount:
    """``resolved`` counts doubts that a read-back ended; ``late`` outcomes came after somebody else took the claim over."""

    accepted: int = 0
    rejected: int = 0
    deferred: int = 0
    uncertain: int = 0
    dead: int = 0
    suppressed: int = 0
    queued: int = 0  # given back unsent
    resolved: int = 0
    late: int = 0

    def __add__(self, other: DispatchCount) -> DispatchCount:
        mine, theirs = asdict(self), asdict(other)
        return DispatchCount(**{name: mine[name] + theirs[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        return asdict(self)
