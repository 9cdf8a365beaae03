"""Full load on one server that has a core to itself, from clients on another core.

What counts is answers per second of the server's own processor time: the answers a second that a
core gives when nothing else runs on it, whatever a shared machine does meanwhile.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from loadtest.bench.peers import install

SERVER_CORE, OTHER_CORE = 0, 1
CONNECTIONS = 64
_START_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What one server did in one round."""

    answers: int
    seconds: float
    server_seconds: float
    """Processor time of the server, user and system."""
    p99_milliseconds: float

    @property
    def per_core(self) -> float:
        """Answers per second of processor time."""
        return self.answers / self.server_seconds

    @property
    def busy(self) -> float:
        """The share of its core that the server used: far below 1, something else was too slow."""
        return self.server_seconds / self.seconds


def pin(pid: int, core: int) -> None:
    """Keep a process, with the threads it has, on one core; does nothing on a single core."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[core % len(cores)]})


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_until_it_answers(url: str, token: str) -> httpx2.Response:
    """The first answer of a server that starts.

    Raises TimeoutError, or RuntimeError when that answer is not 200.
    """
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}"})
        except httpx2.TransportError:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{url} did not start") from None
            time.sleep(0.05)
            continue
        if answer.status_code != 200:
            raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text}")
        return answer


def run(url: str, requests: Path, server: int, seconds: int) -> Load:
    """Load `url` for so many seconds; `server` is its process id.

    `requests` is a JSON file: a list of objects with headers and, where needed, method and body.

    Raises RuntimeError when an answer was not a success.
    """
    process = psutil.Process(server)
    before = process.cpu_times()
    command: Sequence[str] = ["node", "load.js", url, str(requests), str(CONNECTIONS), str(seconds)]
    client = subprocess.Popen(
        command, cwd=install.express(), env=install.node_environment(), stdout=subprocess.PIPE
    )
    pin(client.pid, OTHER_CORE)
    output, _ = client.communicate()
    after = process.cpu_times()
    result = json.loads(output)
    if result["failures"] or not result["answers"]:
        raise RuntimeError(f"{url}: {result}")
    used = after.user + after.system - before.user - before.system
    return Load(result["answers"], result["seconds"], used, result["p99"])


def ratios(ours: Sequence[Load], theirs: Sequence[Load]) -> list[float]:
    """How many times as many answers a core ours gives as a peer, round by round."""
    return [one.per_core / other.per_core for one, other in zip(ours, theirs, strict=True)]
