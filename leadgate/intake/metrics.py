"""What Prometheus is told. Labels are configured names and our own codes: no id, no address, no value of a request."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class IntakeMetrics:
    """One registry a service."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "leadgate_intake_requests_total", "Requests by source and our answer.", ("source", "code"), registry=registry
        )
        self.seconds = Histogram(
            "leadgate_intake_request_seconds", "Time to answer.", ("source",), buckets=_SECONDS, registry=registry
        )
        self.new = Counter("leadgate_intake_submissions_new_total", "Submissions stored.", registry=registry)
        self.repeated = Counter("leadgate_intake_submissions_repeated_total", "Submissions we had already.", registry=registry)
        self.group = Histogram("leadgate_intake_group_size", "Submissions a transaction.", buckets=_SIZES, registry=registry)
        self.in_flight = Gauge("leadgate_intake_in_flight", "Requests being answered.", registry=registry)

        self.clocks = Gauge(
            "leadgate_clocks",
            "Legal clocks by how they stand; absent while the ledger cannot be asked.",
            ("state",),
            registry=registry,
        )

    def stand(self, clocks: Mapping[str, int]) -> None:
        """How the legal clocks stand now; empty if nobody could say."""
        self.clocks.clear()
        for state, count in clocks.items():
            self.clocks.labels(state).set(count)

    def page(self) -> bytes:
        return generate_latest(self._registry)
