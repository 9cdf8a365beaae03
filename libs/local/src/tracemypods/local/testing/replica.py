"""A service in a process of its own, which a test kills, hangs and starts again.

It is started as an image starts it (`python -m tracemypods.SERVICE`), and nobody starts it again
but the test.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Self

import httpx2

from tracemypods.local import checkout, ports, tether
from tracemypods.local.testing.waiting import until


def variables(*settings: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of settings that all services name alike, such as `redis_url`."""
    return {f"TRACEMYPODS_{name.upper()}": text for one in settings for name, text in one.items()}


class Replica:
    """One replica. Use as a context manager; `url` is its address, `port` that of its
    socket, both also after a restart.

    Start it from the main thread, since the kernel ties it to the thread that did. What it logs
    shows with a test that failed, or goes to the file `log`. `program` is what Python runs, where
    that is not the service alone; both it and `environment` may be changed until it is started.
    """

    def __init__(
        self,
        service: str,
        settings: Mapping[str, str],
        log: Path | None = None,
        *,
        program: tuple[str, ...] = (),
    ) -> None:
        self.port = ports.unused()
        self.url = f"http://127.0.0.1:{self.port}"
        self.program = program or ("-m", f"tracemypods.{service}")
        self._log = log
        self.environment = {
            "PATH": os.defpath,
            "TRACEMYPODS_MODE": "local",
            "TRACEMYPODS_PORT": str(self.port),
            "TRACEMYPODS_CONFIG_DIR": str(checkout.CONFIG),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """The process that runs."""
        return self._running().pid

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def start(self, *, may_end: bool = False) -> None:
        """Start it and wait until it is ready, or has ended where it `may_end`."""
        tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        with nullcontext() if self._log is None else self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*tethered, sys.executable, "-I", *self.program],
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        until(lambda: self.has_ended or self._is_ready(), f"{self.program} is ready")
        if self.has_ended and not may_end:
            raise RuntimeError(f"{self.program} does not start")

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._running().kill()
        self.await_end()

    def stop(self) -> None:
        """Have it end in its own time, if it runs."""
        if self._process is not None:
            self.tell_to_stop()
            self.await_end()

    def tell_to_stop(self) -> None:
        """Send what an orchestrator sends first; returns at once."""
        self._running().send_signal(signal.SIGTERM)

    def await_end(self) -> None:
        """Wait until it has ended."""
        self._running().wait()
        self._process = None

    def pause(self) -> None:
        """Hang it: it still accepts connections, and does nothing."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process

    def _is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        return False
