"""What the vector service measures."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class VectorMetrics:
    """The service's own metrics, in its registry. There are few collections, so each is a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Gauge(
            "vector_entries",
            "Entries that are kept, as the last sweep found them",
            ["collection"],
            registry=registry,
        )
        self.expired = Counter(
            "vector_expired_entries", "Entries that were deleted when expired", registry=registry
        )
        self.failed_sweeps = Counter(
            "vector_failed_sweeps", "Sweeps that the store did not let through", registry=registry
        )
