"""A sandbox, and somebody who receives its webhooks."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest

from tracemypods.local.testing.razorpay import RazorpaySandbox

PATIENCE_SECONDS = 60
"""Ends a wait that would go on for ever."""


@dataclass(frozen=True)
class Received:
    """One webhook as it came. Names of headers are in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def name(self) -> str:
        """The event's name."""
        return self.event["event"]

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.headers["x-razorpay-event-id"]


class Receiver:
    """Takes webhooks. `statuses` are what it says to the next ones; then it says 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self.answering = threading.Event()
        self.answering.set()
        self._changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(
                    Received({name.lower(): value for name, value in self.headers.items()}, body)
                )
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                """Keep tests' output clean."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/payment/webhook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, one: Received) -> int:
        """Remember a webhook; returns what to say."""
        with self._changed:
            self.received.append(one)
            status = self.statuses.pop(0) if self.statuses else 200
            self._changed.notify_all()
        self.answering.wait()
        return status

    def wait_for(self, count: int) -> list[Received]:
        """Wait until that many have come; returns all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, PATIENCE_SECONDS)
            return list(self.received)

    def names(self) -> list[str]:
        """The names of the events that came."""
        return [one.name for one in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who receives webhooks."""
    with Receiver() as one:
        yield one


@pytest.fixture
def sandbox(make_razorpay: Callable[..., RazorpaySandbox]) -> RazorpaySandbox:
    """A sandbox that keeps its webhooks to itself."""
    return make_razorpay()


@pytest.fixture(scope="session")
def refusing() -> Iterator[RazorpaySandbox]:
    """One sandbox for all tests of what is refused, where nothing is ever made."""
    with RazorpaySandbox() as one:
        yield one


@pytest.fixture
def telling(make_razorpay: Callable[..., RazorpaySandbox], receiver: Receiver) -> RazorpaySandbox:
    """A sandbox that sends its webhooks to the receiver."""
    return make_razorpay(webhook_url=receiver.url)


def settled(sandbox: RazorpaySandbox, **query: str) -> list[dict[str, Any]]:
    """The webhooks once none of them waits to be sent."""
    pause = threading.Event()
    while sandbox.webhooks(state="pending"):
        pause.wait(0.01)
    return sandbox.webhooks(**query)
