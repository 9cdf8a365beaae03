"""The gateway: a real Caddy with the rendered configuration, and stubs for the services."""

from __future__ import annotations

import contextlib
import http.server
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tracemypods.local import gateway, ports, table
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.render import caddyfile

SERVICES = tuple(table.load().services)
SANDBOXES = table.load().sandboxes
PUBLIC = [
    (service.name, route.replace("*", "x"))
    for service in table.load().services.values()
    for route in service.routes
]


class Stub(http.server.ThreadingHTTPServer):
    """Stands in for one service: echoes what it gets, streams, or says nothing."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.name = name
        self.paths: list[str] = []
        self.go_on = threading.Event()
        self.caller_left = threading.Event()


class StubHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def stub(self) -> Stub:
        assert isinstance(self.server, Stub)
        return self.server

    def do_GET(self) -> None:
        self.stub.paths.append(self.path)
        if self.path.endswith("/stream"):
            self.stream()
        elif self.path.endswith("/silence"):
            self.stub.go_on.wait()
            self.close_connection = True
        else:
            self.echo()

    def do_POST(self) -> None:
        self.stub.paths.append(self.path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline() or b"0", 16):
                self.rfile.read(size + 2)
        else:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with contextlib.suppress(OSError):
            self.echo()

    def echo(self) -> None:
        body = json.dumps({"service": self.stub.name, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"data: first\n\n" + b":" * 2000 + b"\n\n")
        self.stub.go_on.wait()
        try:
            self.wfile.write(b"data: second\n\n")
            # What a caller who left was sent is only refused from the second time on.
            self.connection.settimeout(10)
            if self.connection.recv(1) == b"":
                self.stub.caller_left.set()
        except OSError:
            self.stub.caller_left.set()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Keep the tests' output clean."""


@dataclass
class Answer:
    """One answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Gateway:
    """A running gateway."""

    port: int
    stubs: dict[str, Stub]
    log: Path
    kept: list[socket.socket] = field(default_factory=list[socket.socket])

    def connect(self, path: str, *headers: str, method: str = "GET") -> socket.socket:
        """Send a request exactly as given: clients tidy up paths."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection

    def get(self, path: str, *headers: str) -> Answer:
        return read(self.connect(path, *headers))

    def post(self, path: str, body: bytes, *headers: str) -> Answer:
        connection = self.connect(path, *headers, method="POST")
        # It may be refused before it was whole.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
        return read(connection)

    def seen(self) -> list[str]:
        return [path for stub in self.stubs.values() for path in stub.paths]


def read(connection: socket.socket) -> Answer:
    received = b""
    # A reset may come after the answer, where the rest of a body was not read.
    with connection, contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, body)


def problem(answer: Answer, status: int, code: str) -> None:
    """Check an error of the gateway's own."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document.pop("detail")
    assert document.pop("title") == HTTPStatus(status).phrase.replace(
        "Content Too Large", "Request Entity Too Large"
    )
    identifier = document.pop("request_id")
    assert identifier == answer.headers["x-request-id"]
    assert identifier.startswith("req_")
    assert len(identifier) == 36
    assert document == {"type": "about:blank", "status": status, "code": code}
    assert "server" not in answer.headers


def listens(port: int) -> bool:
    """Whether somebody does. (Trying to take the port would hinder whom it is for.)"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    folder: Path, dead: tuple[str, ...] = (), *, sandboxes: bool = False, **settings: str
) -> Iterator[Gateway]:
    names = (*SERVICES, *(SANDBOXES if sandboxes else ()))
    data = DataDirectory(folder)
    data.prepare()
    stubs = {name: Stub(name) for name in names if name not in dead}
    for stub in stubs.values():
        threading.Thread(target=stub.serve_forever, args=(0.02,), daemon=True).start()
    upstreams = {
        name: f"127.0.0.1:{stubs[name].server_port}" if name in stubs else None for name in names
    }
    port = ports.Ports(data).of("gateway")
    configuration = folder / "Caddyfile" if sandboxes else None
    if configuration:
        configuration.write_text(caddyfile(table.load(), SANDBOXES.values()))
    part = gateway.part(data, port, upstreams, settings, "", configuration)
    log = data.log("gateway")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            part.command, env=dict(part.environment), stdout=output, stderr=output
        ) as caddy,
    ):
        try:
            while not listens(port):
                assert caddy.poll() is None, log.read_text()
                time.sleep(0.01)
            yield Gateway(port, stubs, log)
        finally:
            for stub in stubs.values():
                stub.go_on.set()
            caddy.send_signal(signal.SIGKILL)
            caddy.wait()
            for stub in stubs.values():
                stub.shutdown()
                stub.server_close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture
def front(shared: Gateway) -> Gateway:
    """A gateway whose stubs have seen nothing."""
    for stub in shared.stubs.values():
        stub.paths.clear()
        stub.go_on.clear()
        stub.caller_left.clear()
    return shared


@pytest.mark.parametrize(("service", "path"), PUBLIC)
def test_public_routes_reach_their_service(front: Gateway, service: str, path: str) -> None:
    answer = front.get(f"{path}?a=//b&c=/../d")
    assert answer.status == 200
    assert answer.json["service"] == service
    assert front.seen() == [f"{path}?a=//b&c=/../d"]
    assert "server" not in answer.headers
    assert "via" not in answer.headers


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway of local mode."""
    with running(tmp_path_factory.mktemp("local"), sandboxes=True) as started:
        yield started


OF_SANDBOXES = [
    (sandbox.name, route.replace("*", "x"))
    for sandbox in SANDBOXES.values()
    for route in sandbox.routes
]


@pytest.mark.parametrize(("sandbox", "path"), OF_SANDBOXES)
def test_a_sandbox_is_reached_in_local_mode_only(
    front: Gateway, local: Gateway, sandbox: str, path: str
) -> None:
    found = local.get(path, "Origin: http://evil.example").json
    assert found["service"] == sandbox
    # It decides by these, so they are passed on as they came.
    assert found["headers"]["Host"] == "localhost"
    assert found["headers"]["Origin"] == "http://evil.example"
    assert front.get(path).json["service"] == "frontend"  # where there is no such page


@pytest.mark.parametrize("path", ["/local", "/local/", "/local/x", "/locale", "/local/inboxes"])
def test_what_no_sandbox_lists_is_no_sandboxs(local: Gateway, path: str) -> None:
    assert local.get(path).json["service"] == "frontend"


@pytest.mark.parametrize(
    "path",
    [
        *("/internal", "/internal/x", "/Internal/x", "/%69nternal/x", "//internal", "//internal/x"),
        *("/api/../internal/x", "/api/%2e%2e/internal/x", "/%2E%2E/internal/x", "/./internal/x"),
        *("/v1/../internal/x", "/v1/..%2finternal/x", "/v1/..%5cinternal", "/v1/..\\internal/x"),
        *("/v1/..", "/v1/.", "/v1/x/..?q", "/v1/%2e", "/api//token", "/api/./token", "//api/token"),
        *("/v1//models", "/v1/x%00", "/livez", "/readyz", "/version", "/metrics", "/openapi.json"),
        *("/LIVEZ", "/%6civez", "/x/../livez", "//livez", "/livez/../livez", "/internal%2fx"),
    ],
)
def test_nothing_else_sneaks_through(front: Gateway, path: str) -> None:
    problem(front.get(path), 404, "gateway_not_found")
    assert front.seen() == []


INTERNAL = [path for service in table.load().services.values() for path in service.internal]


@pytest.mark.parametrize("path", INTERNAL)
@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}?x=1", "{}/x", "/v1/..{}", "/%{:x}{}"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_internal_routes_are_not_forwarded(
    front: Gateway, path: str, spelling: str, method: str
) -> None:
    encoded = f"/%{ord(path[1]):x}{path[2:]}"
    spelt = encoded if spelling == "/%{:x}{}" else spelling.format(path)
    problem(read(front.connect(spelt, method=method)), 404, "gateway_not_found")
    assert front.seen() == []


@pytest.mark.parametrize("path", ["/api/token/", "/api/tokenx", "/api/token/x", "/v1", "/v1x"])
def test_a_route_is_no_more_than_it_says(front: Gateway, path: str) -> None:
    assert front.get(path).json["service"] == "frontend"


def test_what_a_client_says_about_traces_deadlines_and_ids_is_dropped(front: Gateway) -> None:
    headers = front.get(
        "/api/token",
        *("traceparent: 00-1-2-01", "tracestate: a=b", "baggage: user=admin"),
        *(
            "X-Request-Id: req_chosen",
            "X-Deadline: 1",
            "X-Deadline-Ms: 1",
            "Forwarded: for=1.1.1.1",
        ),
        "Authorization: Bearer kept",
    ).json["headers"]
    names = {name.lower() for name in headers}
    assert not names & {"traceparent", "tracestate", "baggage", "forwarded"}
    assert not any(name.startswith("x-deadline") for name in names)
    assert headers["X-Request-Id"].startswith("req_")
    assert headers["X-Request-Id"] != "req_chosen"
    assert headers["Authorization"] == "Bearer kept"


def test_a_client_cannot_choose_its_address(front: Gateway) -> None:
    answer = front.get("/api/token", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.0.0.1")
    assert answer.json["headers"]["X-Forwarded-For"] == "127.0.0.1"


def test_a_trusted_proxy_is_believed_up_to_the_last_address_that_is_not_trusted(
    tmp_path: Path,
) -> None:
    trusted = "127.0.0.0/8 10.0.0.0/8"
    with running(tmp_path, TRACEMYPODS_GATEWAY_TRUSTED_PROXIES=trusted) as front:
        answer = front.get("/api/token", "X-Forwarded-For: 192.0.2.1, 203.0.113.9, 10.0.0.1")
        assert answer.json["headers"]["X-Forwarded-For"] == "203.0.113.9"


@pytest.mark.parametrize("path", ["/v1/stream", "/page/stream"])
def test_streams_are_passed_on_at_once_and_plain(front: Gateway, path: str) -> None:
    with front.connect(path, "Accept-Encoding: gzip, zstd, br") as connection:
        received = b""
        while b"data: first" not in received:
            chunk = connection.recv(65536)
            assert chunk
            received += chunk
        assert b"content-encoding" not in received.lower()
        for stub in front.stubs.values():
            stub.go_on.set()
        while b"data: second" not in received:
            chunk = connection.recv(65536)
            assert chunk
            received += chunk


def test_a_caller_who_leaves_is_let_go_of(front: Gateway) -> None:
    with front.connect("/v1/stream") as connection:
        assert connection.recv(1)
    front.stubs["ask"].go_on.set()
    assert front.stubs["ask"].caller_left.wait(20)


def test_pages_are_compressed(front: Gateway) -> None:
    padding = "X-Padding: " + "x" * 2000
    answer = front.get("/", "Accept-Encoding: gzip", padding)
    assert answer.headers["content-encoding"] == "gzip"


def test_a_body_over_the_limit_is_refused(front: Gateway) -> None:
    size = 3_000_000
    body = b"x" * size
    problem(front.post("/api/ask", body, f"Content-Length: {size}"), 413, "gateway_body_too_large")
    chunked = f"{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    problem(
        front.post("/api/ask", chunked, "Transfer-Encoding: chunked"), 413, "gateway_body_too_large"
    )
    fits = b"x" * 1_900_000
    assert front.post("/api/ask", fits, f"Content-Length: {len(fits)}").status == 200


def test_a_dead_service_is_a_problem_document_or_a_page(tmp_path: Path) -> None:
    with running(tmp_path, dead=("ask",)) as front:
        answer = front.get("/api/ask?secret=query", "Authorization: Bearer secret-token")
        problem(answer, 502, "gateway_unavailable")
        assert answer.headers["retry-after"] == "2"
        page = front.get("/api/models", "Accept: text/html,application/xhtml+xml;q=0.9")
        assert page.status == 502
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert b"Not available right now" in page.body
        assert front.get("/api/token").status == 200
        logged = front.log.read_text()
        assert "/api/ask" in logged
        assert "secret" not in logged


def test_a_hung_service_is_a_timeout(tmp_path: Path) -> None:
    with running(tmp_path, TRACEMYPODS_GATEWAY_ANSWER_TIMEOUT="300ms") as front:
        problem(front.get("/v1/silence"), 504, "gateway_timeout")
