"""Traces through Kafka: a span for what is sent and what is made of it, in one trace.

The names are OpenTelemetry's for messaging. Nothing of it is imported while telemetry is off.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from tracemypods.kit import telemetry

Operation = Literal["send", "process"]


@contextmanager
def span(operation: Operation, what: str, traceparent: str | None = None) -> Generator[None]:
    """A span such as `send orders`, which continues `traceparent` where no span is current."""
    if not telemetry.enabled():
        yield
        return
    from opentelemetry import propagate, trace
    from opentelemetry.trace import SpanKind

    parent = None
    if traceparent is not None and not trace.get_current_span().get_span_context().is_valid:
        parent = propagate.extract({"traceparent": traceparent})
    attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": what,
        "messaging.operation.type": operation,
    }
    kind = SpanKind.PRODUCER if operation == "send" else SpanKind.CONSUMER
    tracer = trace.get_tracer("tracemypods.events")
    with tracer.start_as_current_span(f"{operation} {what}", parent, kind, attributes):
        yield


def current() -> str | None:
    """The `traceparent` of the span that is current; None without one."""
    if not telemetry.enabled():
        return None
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")
