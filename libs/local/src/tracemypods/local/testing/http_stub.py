"""A server that gives the answers that a test wants, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

Answer = tuple[int, Any]
"""Status and body, which is sent as JSON."""


@dataclass(frozen=True)
class Asked:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    json: Any


class HttpStub:
    """The server. Use as a context manager.

    `answer` is what it gives to everything, unless `respond` makes that from the request (in a
    thread of that request's own); None breaks the connection off.
    """

    def __init__(self) -> None:
        self.answer: Answer = (200, {})
        self.respond: Callable[[Asked], Answer | None] | None = None
        self.requests: list[Asked] = []
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def do_PUT(self) -> None:
                self._take()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, json.loads(body or b"null"))
                stub.requests.append(asked)
                said = stub.respond(asked) if stub.respond else stub.answer
                if said is None:
                    self.close_connection = True
                    return
                status, answer = said
                content = json.dumps(answer).encode()
                with contextlib.suppress(OSError):  # a caller who has lost patience
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Keep tests' output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()
