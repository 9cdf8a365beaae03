"""Traces: off without an endpoint, and with one what a receiver gets. Each in its own process."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROGRAM = """
import asyncio, json, sys
import httpx2
from fastapi import APIRouter
from tracemypods.kit.app import create_service
from tracemypods.kit.http import HttpClient
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.kit.telemetry import trace_id

router = APIRouter()

@router.get("/things/{name}")
async def thing(name: str) -> dict[str, str | None]:
    return {"trace": trace_id()}

settings = ServiceSettings.model_validate({"mode": Mode.LOCAL})
app = create_service("token", settings, routers=[router])

async def run() -> None:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://token") as client:
        answer = await client.get(
            "/things/alice?secret=hunter2", headers={"Authorization": "Bearer hunter2"}
        )
        await client.get("/livez")
    json.dump(
        {
            "trace": answer.json()["trace"],
            "imported": any(name.startswith("opentelemetry.sdk") for name in sys.modules),
        },
        sys.stdout,
    )

asyncio.run(run())
app.state.end_telemetry()
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Keep the tests' output clean."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []
    handler = type("Handler", (Receiver,), {"bodies": bodies})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


def run(environment: dict[str, str]) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_off_without_an_endpoint() -> None:
    assert run({}) == {"trace": None, "imported": False}


def test_a_request_is_one_span_with_its_template(receiver: tuple[str, list[bytes]]) -> None:
    url, bodies = receiver
    said = run({"OTEL_EXPORTER_OTLP_ENDPOINT": url})

    received = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    resource = {
        attribute.key: attribute.value.string_value
        for attribute in received[0].resource_spans[0].resource.attributes
    }
    spans = [
        span
        for request in received
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    assert [span.name for span in spans] == ["GET /things/{name}"]  # neither /livez nor pieces
    attributes = {one.key: one.value.string_value for one in spans[0].attributes}
    assert attributes["http.route"] == "/things/{name}"
    assert spans[0].trace_id.hex() == said["trace"]
    assert resource["service.name"] == "token"
    assert resource["deployment.environment.name"] == "local"
    assert b"hunter2" not in b"".join(bodies)
