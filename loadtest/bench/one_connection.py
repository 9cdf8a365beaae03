"""One HTTP connection that is kept, over a blocking socket: light, so that what it measures is the
server.

`python -m loadtest.bench.one_connection FILE` sends a file's requests one after another, and prints
how long each took as JSON.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Timing:
    """How long one answer took: until the text that was looked for came, and until its end."""

    first_text_seconds: float
    seconds: float


class Connection:
    """The connection. Use as a context manager."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host = address.hostname or ""
        self._socket = socket.create_connection((self._host, address.port), _TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._text = b""
        self._first: float | None = None
        self._sent = 0.0

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """The socket's number, for who waits on several connections."""
        return self._socket.fileno()

    @property
    def body(self) -> bytes:
        """The body of the last answer, as it was sent."""
        return self._received.partition(b"\r\n\r\n")[2]

    def send(self, request: bytes, text: bytes) -> None:
        """Send a request, in whose answer a text will be looked for."""
        self._received = b""
        self._text = text
        self._first = None
        self._sent = time.perf_counter()
        self._socket.sendall(request)

    def receive(self) -> Timing | None:
        """Read what has come, or wait for it; the timing once that was the answer's end.

        Raises RuntimeError when the answer is not 200 or does not hold the text.
        """
        piece = self._socket.recv(65536)
        now = time.perf_counter()
        self._received += piece
        if self._first is None and self._text in self._received:
            self._first = now - self._sent
        if not _is_whole(self._received):
            if not piece:
                raise RuntimeError("the server hung up")
            return None
        if self._first is None or not self._received.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the server answered {self._received[:500]!r}")
        return Timing(self._first, now - self._sent)

    def ask(self, request: bytes, text: bytes) -> Timing:
        """Send a request and read its answer. Raises RuntimeError as `receive` does."""
        self.send(request, text)
        while True:
            if timing := self.receive():
                return timing


def encode(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A request as it is sent."""
    address = urlsplit(url)
    lines = [f"{method} {address.path} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _is_whole(received: bytes) -> bool:
    """Whether an answer has ended. A text in it could look like the last chunk; ours does not."""
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        return False
    head += b"\r\n"
    if _CHUNKED.search(head):
        return body.endswith(b"0\r\n\r\n")
    length = _LENGTH.search(head)
    if length is None:
        raise RuntimeError("an answer without a length")
    return len(body) >= int(length[1])


def main() -> None:
    """Send the requests of a file: its URL, headers, body, the text to look for, and how many."""
    with open(sys.argv[1]) as file:  # noqa: PTH123 - nothing else is done with the path
        asked = json.load(file)
    request = encode("POST", asked["url"], asked["headers"], json.dumps(asked["body"]).encode())
    text = asked["text"].encode()
    with Connection(asked["url"]) as connection:
        timings = [connection.ask(request, text) for _ in range(asked["requests"])]
    print(json.dumps([[one.first_text_seconds, one.seconds] for one in timings]))


if __name__ == "__main__":
    main()
