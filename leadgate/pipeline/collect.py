"""Collect: pick up finished files from every inbox folder, each content once.

The order that makes it safe is the pick-up's (integrations.sources.moderation_export.pickup): rows first, then the move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from integrations.contract.source import FileSource
from integrations.sources.moderation_export.pickup import FileOutcome, FilePath, FileReport, PickupRules, collect
from leadgate.pipeline.receive import Receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectCount:
    """``waiting`` files are still being written; ``foreign`` are not ours; ``failed`` stay where they are and want a person."""

    files: int = 0
    processed: int = 0
    rejected: int = 0
    failed: int = 0
    waiting: int = 0
    foreign: int = 0
    swept: int = 0  # files dealt with long ago, removed now
    rows: int = 0
    new: int = 0
    repeated: int = 0
    reports: tuple[FileReport, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, int]:
        """Counts for XCom and the console."""
        counts = asdict(self)
        del counts["reports"]
        return counts


class Collector:
    """Goes through the inbox folders. An overlapping run is harmless: the rows are committed under the same ids."""

    def __init__(
        self,
        *,
        inboxes: Mapping[str, tuple[FileSource, str]],
        receiver: Receiver,
        digest: Callable[[BinaryIO], str],
        clock: Callable[[], datetime],
        rules: PickupRules,
    ) -> None:
        self._inboxes = inboxes
        self._receiver = receiver
        self._digest = digest
        self._clock = clock
        self._rules = rules

    def run(self, path: Callable[[str], Any]) -> CollectCount:
        """Collect from every inbox; ``path`` makes a path of a configured place (pathlib, UPath, ObjectStoragePath)."""
        reports: list[FileReport] = []
        waiting = foreign = swept = 0
        for source, place in self._inboxes.values():
            folder: FilePath = path(place)
            folder.mkdir(parents=True, exist_ok=True)
            found = collect(
                folder, source, commit=self._receiver.commit, digest=self._digest, now=self._clock(), rules=self._rules
            )
            reports += found.reports
            waiting += found.waiting
            foreign += found.foreign
            swept += found.swept
        outcomes = Counter(report.outcome for report in reports)
        return CollectCount(
            files=len(reports),
            processed=outcomes[FileOutcome.PROCESSED],
            rejected=outcomes[FileOutcome.REJECTED],
            failed=outcomes[FileOutcome.FAILED],
            waiting=waiting + outcomes[FileOutcome.CHANGED],
            foreign=foreign,
            swept=swept,
            rows=sum(report.rows for report in reports),
            new=sum(report.new for report in reports),
            repeated=sum(report.repeated for report in reports),
            reports=tuple(reports),
        )
