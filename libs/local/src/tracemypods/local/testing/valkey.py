"""A Valkey server that a test can stop, hang and start again; its data survives that."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

from tracemypods.local import tether
from tracemypods.local.valkey import binary

_ANSWER_SECONDS = 10.0
_PAUSE_SECONDS = 0.005


class Valkey:
    """The server. Use as a context manager; `url` and `password` are how to reach it."""

    def __init__(self) -> None:
        self.password = secrets.token_urlsafe(24)
        self._folder = tempfile.TemporaryDirectory(prefix="tracemypods-valkey-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Valkey:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, on the same port and with the data that it had; no-op when it runs."""
        if self._process is not None:
            return
        configuration = f"""\
bind 127.0.0.1
port {self.port}
requirepass {self.password}
dir "{self._folder.name}"
appendonly yes
save ""
"""
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *(str(binary()), "-"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        self._process = process
        if process.stdin is not None:
            process.stdin.write(configuration.encode())
            process.stdin.close()
        self._await_answer(process)

    def stop(self) -> None:
        """Stop it; it accepts no connections then."""
        if self._process is not None:
            self.resume()
            self._process.terminate()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Hang it: it still accepts connections, and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Send one command and return the raw answer, up to its first line's end or more."""
        with socket.create_connection(("127.0.0.1", self.port), _ANSWER_SECONDS) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{' '.join(words)}\r\n".encode())
            received = b""
            while received.count(b"\r\n") < 2:
                received += connection.recv(65536)
        return received.decode().split("\r\n", 1)[1]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            try:
                if self.command("PING").startswith("+PONG"):
                    return
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
