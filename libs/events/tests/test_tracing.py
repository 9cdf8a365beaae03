"""One trace from who sends an event to what is made of it, and nothing while telemetry is off."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import json, sys
from tracemypods.events.tracing import current, span
from tracemypods.kit.telemetry import enabled

spans = []
if enabled():
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

with span("send", "orders"):
    sent = current()
with span("process", "orders", sent):
    with span("send", "deliveries", "00-" + 32 * "1" + "-" + 16 * "1" + "-01"):
        pass
if enabled():
    spans = [
        {
            "name": one.name,
            "trace": one.context.trace_id,
            "id": one.context.span_id,
            "parent": one.parent and one.parent.span_id,
            "kind": one.kind.name,
        }
        for one in exporter.get_finished_spans()
    ]
imported = any(name.startswith("opentelemetry.sdk") for name in sys.modules)
json.dump({"sent": sent, "spans": spans, "imported": imported}, sys.stdout)
"""


def run(**environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PATH": "", **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_an_event_carries_its_trace() -> None:
    found = run(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    sent, answer, processed = found["spans"]
    assert [sent["name"], answer["name"], processed["name"]] == [
        "send orders",
        "send deliveries",
        "process orders",
    ]
    assert [sent["kind"], processed["kind"]] == ["PRODUCER", "CONSUMER"]
    assert sent["trace"] == processed["trace"] == answer["trace"]
    assert processed["parent"] == sent["id"]
    assert answer["parent"] == processed["id"]
    assert found["sent"].split("-")[1:3] == [f"{sent['trace']:032x}", f"{sent['id']:016x}"]


def test_nothing_is_imported_without_telemetry() -> None:
    assert run() == {"sent": None, "spans": [], "imported": False}
