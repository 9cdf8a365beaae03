"""A Kafka broker that a test can stop, hang and start again, on the same address.

It is the embedded one: what lies in it is gone when it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from tracemypods.contracts.events import TOPICS
from tracemypods.local import ports, tether
from tracemypods.local.kafka import server_command, url


class Kafka:
    """The broker. Use as a context manager; `url` is how to reach it."""

    keeps = False
    """Whether it still has after a start what it had before."""

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        if topics is None:
            topics = {topic.name: topic.partitions for topic in TOPICS}
        self._topics = topics
        self.port = ports.unused()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, which stays the same."""
        return url(self.port)

    def __enter__(self) -> Kafka:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; no-op when it runs. Returns when it answers."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *server_command(self.port, self._topics),
            ],
            stdout=subprocess.PIPE,
        )
        if self._process.stdout is not None:
            with self._process.stdout as said:
                if b"listening" not in said.readline():
                    raise AssertionError("the embedded broker did not start")

    def stop(self) -> None:
        """Stop it; it accepts no connections then."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Hang it: it still accepts connections, and says nothing."""
        self._signal(signal.SIGSTOP)
        if self._process is not None:
            # The signal is not obeyed before it is delivered; what is sent meanwhile is answered.
            os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.resume()
            self._process.wait()
            self._process = None
