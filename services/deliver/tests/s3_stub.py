"""A server in place of S3 that answers whatever a test wants, byte by byte."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request. Names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]


Respond = Callable[[Asked], bytes]


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it goes over the wire; underscores in headers' names become hyphens."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}Connection: close\r\n\r\n"
    return head.encode() + body


def error(status: str, code: str) -> bytes:
    """An error as S3 words it."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>AKIA-SHOWN</Message></Error>"
    return answer(status, text.encode(), Content_Type="application/xml")


class S3Stub:
    """The server. Use as a context manager; `respond` makes the answers."""

    def __init__(self, respond: Respond) -> None:
        self.requests: list[Asked] = []
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._take()

            def do_HEAD(self) -> None:
                self._take()

            def do_PUT(self) -> None:
                self._take()

            def _take(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers)
                stub.requests.append(asked)
                with contextlib.suppress(OSError):  # a caller who has lost patience
                    self.wfile.write(respond(asked))
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
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
        self._server.shutdown()
        self._server.server_close()
