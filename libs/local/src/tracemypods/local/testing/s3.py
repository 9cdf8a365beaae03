"""An S3 server that a test can stop, kill, hang and start again; its files survive that.

Its keys are those of the services that keep files, and open as much as they do in a cluster.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tracemypods.local import database_users, s3, table, tether
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.ports import Ports
from tracemypods.local.probes import NotYet, S3Probe
from tracemypods.local.testing.background import BackgroundLoop
from tracemypods.local.testing.waiting import until


class S3:
    """The server. Use as a context manager; `url`, `bucket` and the keys are how to reach it."""

    bucket = s3.BUCKET

    def __init__(self) -> None:
        self.access_key = secrets.token_urlsafe(24)
        self.secret_key = secrets.token_urlsafe(32)
        self.root = (secrets.token_urlsafe(24), secrets.token_urlsafe(32))
        """The id and the key with which one may do everything."""
        self._folder = tempfile.TemporaryDirectory(prefix="tracemypods-s3-")
        self._data = DataDirectory(Path(self._folder.name))
        self._data.prepare()
        self.ports = s3.choose_ports(Ports(self._data))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return s3.url(self.ports[s3.NAME])

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, "it does not run"  # noqa: S101 - for tests
        return self._process.pid

    def __enter__(self) -> S3:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, on the same ports and with the files that it had; no-op when it runs."""
        if self._process is not None:
            return
        folder, home = self._data.folder(s3.NAME), self._data.run / s3.NAME
        s3.configure(home, folder, self.access_key, self.secret_key)
        fleet = table.load()
        theirs = (self.access_key, self.secret_key)
        users = {name: theirs for name, one in fleet.services.items() if s3.NAME in one.needs}
        identities = database_users.s3_identities(fleet, users, self.root)
        (home / "identities.json").write_text(identities)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *s3.server_command(s3.binary(), self.ports, folder, home),
            ],
            env={"PATH": os.defpath, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Whoever calls this may be in a loop of their own.
        with BackgroundLoop() as background:
            until(lambda: self._answers(background), "S3 is ready")

    def stop(self) -> None:
        """Stop it; it accepts no connections then."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Hang it: it still accepts connections, and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _answers(self, background: BackgroundLoop) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"S3 ended with status {self._process.returncode}")
        probe = S3Probe(self.ports[s3.NAME], self.bucket, self.access_key, self.secret_key)
        try:
            background.run(probe.ask())
        except (NotYet, OSError):
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.resume()
            self._process.wait()
            self._process = None
            s3.remove_sockets(self.ports)
