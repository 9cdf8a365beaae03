"""A Valkey server that a test can stop, hang and start again; its data survives that.

It has the users that a cluster's has, from the same ACL file, so that services are tested with no
more rights than they have there.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from tracemypods.local import database_users, ports, table, tether
from tracemypods.local.testing.waiting import PATIENCE_SECONDS
from tracemypods.local.valkey import binary

_ANSWER_SECONDS = 10.0
_PAUSE_SECONDS = 0.005


class Valkey:
    """The server. Use as a context manager; `url` and `password` are how to reach it.

    With `password` alone one may do everything, with what `login` says what that service may.
    """

    def __init__(self) -> None:
        self.patience_seconds = PATIENCE_SECONDS
        self.password = secrets.token_urlsafe(24)
        self._passwords = {name: secrets.token_urlsafe(24) for name in table.load().services}
        self._folder = tempfile.TemporaryDirectory(prefix="tracemypods-valkey-")
        self.port = ports.unused()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def login(self, service: str) -> dict[str, str]:
        """The settings with which a service reaches it as the user that it is in a cluster."""
        return {
            "redis_answer_seconds": str(self.patience_seconds),
            "redis_url": self.url,
            "redis_username": service,
            "redis_password": self._passwords[service],
        }

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
        everything = f"user default on #{sha256(self.password.encode()).hexdigest()} ~* &* +@all"
        acl = database_users.valkey_acl(table.load(), self._passwords, self.password)
        users = Path(self._folder.name) / "users.acl"
        users.write_text(acl.replace(database_users.DEFAULT_OFF, everything))
        configuration = f"""\
bind 127.0.0.1
port {self.port}
aclfile "{users}"
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
