"""Metrics in Prometheus' text format at `/metrics`: every request, and what a service adds.

Each application has a registry of its own (`app.state.metrics.registry`), so that tests can make as
many applications as they like. Labels never hold what a caller can choose: routes are templates.
"""

from __future__ import annotations

import gc
import platform
from importlib.metadata import version

from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

UNKNOWN_ROUTE = "none"
"""The label of requests that no route took."""


class Metrics:
    """A service's registry and the metrics that every service has."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "http_server_request_duration_seconds",
            "How long requests took, streams included",
            ["method", "route", "status"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        # Looking up a child by its labels costs more than observing does.
        self._children: dict[tuple[str, str | None, int], Histogram] = {}
        self.in_flight = 0
        """Requests that are being handled. A plain number: all is done in one thread."""
        Gauge(
            "http_server_active_requests", "Requests that are being handled", registry=self.registry
        ).set_function(lambda: self.in_flight)
        self.unhandled = Counter(
            "http_server_unhandled_errors",
            "Requests that ended in an error that nothing foresaw",
            registry=self.registry,
        )
        Gauge(
            "service_info",
            "What runs here",
            ["service", "version", "python"],
            registry=self.registry,
        ).labels(service, version(f"tracemypods-{service}"), platform.python_version()).set(1)
        self._garbage = Gauge(
            "python_gc_collections", "Runs of Python's oldest generation", registry=self.registry
        )

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that has ended. `route` is its template, such as `/v1/models/{name}`."""
        child = self._children.get((method, route, status))
        if child is None:
            child = self._seconds.labels(method, route or UNKNOWN_ROUTE, str(status))
            self._children[method, route, status] = child
        child.observe(seconds)

    def render(self) -> bytes:
        """Everything, in Prometheus' text format."""
        self._garbage.set(gc.get_stats()[-1]["collections"])
        return generate_latest(self.registry)


def metrics_router(metrics: Metrics) -> APIRouter:
    """`/metrics`. It is not public: the gateway does not forward it."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
