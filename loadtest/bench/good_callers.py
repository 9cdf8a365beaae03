"""Callers with valid tokens who ask for the token check at a steady pace, over connections that
they keep: `python -m loadtest.bench.good_callers URL TOKEN…` prints how long each answer took, as
JSON, once its input ends.

A question that was due while the one before it on its connection was open has waited since then.
"""

from __future__ import annotations

import json
import math
import select
import sys
import time
from contextlib import ExitStack

from loadtest.bench.one_connection import Connection, encode

CONNECTIONS = 10
PER_SECOND = 200
"""Of all connections together."""

_FIRST_SECONDS = 0.5
"""So long at the beginning does not count."""


class _Caller:
    """One connection and when it asks. Times are time.perf_counter's."""

    def __init__(self, connection: Connection, first: float) -> None:
        self.connection = connection
        self._due = first
        self._open = False
        self._late = 0.0
        self._ended = first

    def fileno(self) -> int:
        """The connection's socket."""
        return self.connection.fileno()

    @property
    def asks_at(self) -> float:
        """When it asks next; never, while a question is open."""
        return math.inf if self._open else self._due

    def ask(self, request: bytes) -> None:
        """Send the question that is due."""
        self._late = max(0.0, self._ended - self._due)
        self._open = True
        self._due += CONNECTIONS / PER_SECOND
        self.connection.send(request, b'"plan"')

    def receive(self) -> float | None:
        """How long the answer took, once it is whole."""
        timing = self.connection.receive()
        if timing is None:
            return None
        self._open = False
        self._ended = time.perf_counter()
        return self._late + timing.seconds


def main() -> None:
    """Call until the input ends."""
    url, *tokens = sys.argv[1:]
    requests = [encode("GET", url, {"Authorization": f"Bearer {token}"}) for token in tokens]
    seconds: list[float] = []
    asked = 0
    with ExitStack() as stack:
        began = time.perf_counter()
        callers = [
            _Caller(stack.enter_context(Connection(url)), began + number / PER_SECOND)
            for number in range(CONNECTIONS)
        ]
        while True:
            now = time.perf_counter()
            for caller in callers:
                if caller.asks_at <= now:
                    caller.ask(requests[asked % len(requests)])
                    asked += 1
            next_at = min(caller.asks_at for caller in callers)
            wait = None if next_at == math.inf else max(0.0, next_at - time.perf_counter())
            readable, _, _ = select.select([sys.stdin, *callers], [], [], wait)
            for one in readable:
                if not isinstance(one, _Caller):
                    print(json.dumps(seconds))
                    return
                taken = one.receive()
                if taken is not None and now - began > _FIRST_SECONDS:
                    seconds.append(taken)


if __name__ == "__main__":
    main()
