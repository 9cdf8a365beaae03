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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from loadtest.bench.peers import install
from tracemypods.local.fleet import Fleet

SERVER_CORE, OTHER_CORE = 0, 1
CONNECTIONS = 64
_START_SECONDS = 30


@dataclass(frozen=True)
class Target:
    """A server that runs: the URL to load, its process, and a file as `run` takes it."""

    url: str
    pid: int
    requests: Path


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


def pid(fleet: Fleet, part: str) -> int:
    """The process of a part. Raises RuntimeError when it has none."""
    found = fleet.part(part).pid
    if found is None:
        raise RuntimeError(f"{part} does not run")
    return found


def processor_seconds(pid: int) -> float:
    """The processor time, user and system, that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def wait_until_it_listens(url: str, seconds: float = _START_SECONDS) -> None:
    """Wait until a server that starts takes connections. Raises TimeoutError."""
    give_up = time.monotonic() + seconds
    address = urlsplit(url)
    while True:
        try:
            socket.create_connection((address.hostname, address.port)).close()
        except OSError:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{url} did not start") from None
            time.sleep(0.05)
        else:
            return


def run(url: str, requests: Path, server: int, seconds: int) -> Load:
    """Load `url` for so many seconds; `server` is its process id.

    `requests` is a JSON file: a list of objects with headers and, where needed, method and body.

    Raises RuntimeError when an answer was not a success.
    """
    before = processor_seconds(server)
    command: Sequence[str] = ["node", "load.js", url, str(requests), str(CONNECTIONS), str(seconds)]
    client = subprocess.Popen(
        command, cwd=install.express(), env=install.node_environment(), stdout=subprocess.PIPE
    )
    pin(client.pid, OTHER_CORE)
    output, _ = client.communicate()
    used = processor_seconds(server) - before
    result = json.loads(output)
    if result["failures"] or not result["answers"]:
        raise RuntimeError(f"{url}: {result}")
    return Load(result["answers"], result["seconds"], used, result["p99"])


def measure(
    name: str,
    targets: Mapping[str, Target],
    rounds: int,
    seconds: int,
    tell: Callable[[str], None],
) -> dict[str, list[Load]]:
    """Load each target `rounds` times for so many seconds, interleaved, after a round to warm up.

    `name` says what is measured. Raises RuntimeError when an answer was not a success.
    """
    for target in targets.values():
        pin(target.pid, SERVER_CORE)
    loads: dict[str, list[Load]] = {one: [] for one in targets}
    names = list(targets)
    for number in range(rounds + 1):
        turn = number % len(names)
        for one in names[turn:] + names[:turn]:
            target = targets[one]
            done = run(target.url, target.requests, target.pid, seconds if number else 1)
            if number:
                loads[one].append(done)
        tell(f"  {name}: round {number} of {rounds}")
    return loads


def answers(loads: Sequence[Load]) -> int:
    """How many answers were given in all rounds."""
    return sum(one.answers for one in loads)


def ratios(ours: Sequence[Load], theirs: Sequence[Load]) -> list[float]:
    """How many times as many answers a core ours gives as a peer, round by round."""
    return [one.per_core / other.per_core for one, other in zip(ours, theirs, strict=True)]
