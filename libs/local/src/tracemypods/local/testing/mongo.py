"""A MongoDB that a test can stop, hang and start again; its data survives that.

It is the embedded server, or the one at TRACEMYPODS_TEST_MONGO_URL, which is not ours to hurt:
tests that want that are skipped there.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tracemypods.local import ports, tether
from tracemypods.local.mongo import server_command, url
from tracemypods.local.testing.waiting import PATIENCE_SECONDS

TEST_URL_VARIABLE = "TRACEMYPODS_TEST_MONGO_URL"

_ANSWER_MILLISECONDS = 10_000


class Mongo:
    """The server. Use as a context manager; `url` and `database` are how to reach it."""

    def __init__(self) -> None:
        self.patience_seconds = PATIENCE_SECONDS
        self._theirs = os.environ.get(TEST_URL_VARIABLE)
        self._folder = tempfile.TemporaryDirectory(prefix="tracemypods-mongo-")
        self.port = ports.unused()
        self._process: subprocess.Popen[bytes] | None = None
        self.database = new_name()

    @property
    def url(self) -> str:
        """Its address."""
        return self._theirs or url(self.port)

    def login(self) -> dict[str, str]:
        """The settings with which a service reaches it."""
        return {
            "mongo_answer_seconds": str(self.patience_seconds),
            "mongo_url": self.url,
            "mongo_database": self.database,
        }

    def __enter__(self) -> Mongo:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGTERM)
        self._folder.cleanup()

    def client(self) -> MongoClient[dict[str, Any]]:
        """A plain client for what a test wants to look at or put there; close it."""
        return MongoClient(
            self.url, serverSelectionTimeoutMS=_ANSWER_MILLISECONDS, tz_aware=True, w="majority"
        )

    def start(self) -> None:
        """Start it, on the same port and with the data that it had; no-op when it runs."""
        if self._theirs or self._process is not None:
            return
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *server_command(self.port, Path(self._folder.name)),
            ]
        )
        with self.client() as client:
            client.admin.command("ping")

    def stop(self) -> None:
        """Stop it; it accepts no connections then."""
        self._ours()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._ours()
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Hang it: it still accepts connections, and says nothing."""
        self._ours()
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def use_new_database(self) -> None:
        """Have `database` name one that is not there yet."""
        self.database = new_name()

    def drop_database(self) -> None:
        """Delete what a test has written."""
        with self.client() as client:
            client.drop_database(self.database)

    def _ours(self) -> None:
        if self._theirs:
            pytest.skip("the MongoDB that the tests were given is not theirs to stop")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.resume()
            self._process.wait()
            self._process = None


def new_name() -> str:
    """A name of a database that nobody has used."""
    return f"test_{secrets.token_hex(8)}"
