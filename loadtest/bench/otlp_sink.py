"""Takes traces over OTLP/HTTP and counts the requests in them: `python -m loadtest.bench.otlp_sink`
prints its URL."""

from __future__ import annotations

import http.server
import json
import threading
import time
from contextlib import ExitStack

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from loadtest.bench import own_process

_LAST_SECONDS = 7
"""OpenTelemetry's batches leave after five seconds at the latest."""
_NEARLY_ALL = 0.99


class Sink:
    """The receiver, until `stack` ends it. `environment` has a fleet trace every request to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._url = own_process.serve(stack, __name__)
        self.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._url,
            "OTEL_TRACES_SAMPLER": "always_on",
        }

    def require(self, requests: int) -> None:
        """Raise RuntimeError when fewer requests than these were traced, but for a few."""
        time.sleep(_LAST_SECONDS)
        traced: int = httpx2.get(self._url).json()
        if traced < _NEARLY_ALL * requests:
            raise RuntimeError(f"{traced} of {requests} requests were traced")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = 0
    counting = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        count = sum(
            span.kind == Span.SpanKind.SPAN_KIND_SERVER
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        with self.counting:
            _Handler.requests += count
        self._answer(b"", "application/x-protobuf")

    def do_GET(self) -> None:
        self._answer(json.dumps(_Handler.requests).encode(), "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def main() -> None:
    """Serve until told to stop."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
