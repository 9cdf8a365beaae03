"""Services in processes of their own, as containers run them, beside a fleet's backends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2

from tracemypods.local import ports
from tracemypods.local.fleet import Fleet
from tracemypods.local.plan import url_variable
from tracemypods.local.testing.waiting import until


class Alone:
    """Services, until `stack` ends them. They find each other, and what of a fleet runs.

    They start one after the other, each when those before it are ready.
    """

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        backends: Sequence[str],
        services: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.fleet = stack.enter_context(Fleet(folder, parts=backends, environment=environment))
        self._urls = {name: f"http://127.0.0.1:{ports.unused()}" for name in services}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in services:
            self._processes[name] = self._start(stack, folder, name)
            until(lambda name=name: self._is_ready(name), f"{name} is ready")

    def url(self, service: str) -> str:
        """Where it is."""
        return self._urls[service]

    def pid(self, service: str) -> int:
        """Its process."""
        return self._processes[service].pid

    def require_running(self) -> None:
        """Raise RuntimeError when one of them has ended."""
        ended = [name for name, one in self._processes.items() if one.poll() is not None]
        if ended:
            raise RuntimeError(f"ended by themselves: {', '.join(ended)}")

    def _is_ready(self, service: str) -> bool:
        self.require_running()
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self._urls[service]}/readyz").status_code == 200
        return False

    def _start(self, stack: ExitStack, folder: Path, name: str) -> subprocess.Popen[bytes]:
        others = {url_variable(other): url for other, url in self._urls.items() if other != name}
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", self.fleet.table.ours[name].module],
            env={
                **self.fleet.environment(name),
                **others,
                "TRACEMYPODS_PORT": self._urls[name].rpartition(":")[2],
            },
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        return process
