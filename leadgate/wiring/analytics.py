"""Analytics, as the doors say it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from consent.anonymize import Places
from leadgate.logging import get_logger
from leadgate.pipeline.analytics import AnalyticsExport, AnalyticsExporter
from leadgate.wiring.parts import Parts

_log = get_logger(__name__)
#: Leads older than this do not exist.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def export_analytics(
    house: Parts,
    target: Path | None,
    *,
    k: int | None = None,
    l_diversity: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str,
) -> AnalyticsExport:
    """Write anonymized figures; with no ``target`` say what would be written. What is not given comes from leadgate.yaml."""
    rules = house.settings.analytics
    exporter = AnalyticsExporter(ledger=house.ledger, vault=house.vault, places=Places(rules.places), clock=house.clock)
    done = exporter.run(
        target,
        k=k if k is not None else rules.k,
        l_diversity=l_diversity if l_diversity is not None else rules.l_diversity,
        suppress=rules.suppress,
        since=since or _BEGINNING,
        until=until or house.clock(),
        actor=actor,
    )
    _log.info("figures exported", counts={"rows": done.rows, "suppressed": done.suppressed, "classes": done.classes})
    return done
