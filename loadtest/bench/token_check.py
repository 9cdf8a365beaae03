"""The token check, `GET /api/token`: our token service against others that do the same work.

All read the records that our service has written to the same Valkey, check the same checksum and
hash with the same keys, and give the same answer. Ours also writes its access log and its metrics;
the others do neither. Each server has one core to itself; Valkey and the clients share another.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2

from loadtest.bench import load
from loadtest.bench.load import Load
from loadtest.bench.peers import install
from tracemypods.local.fleet import Fleet

OURS = "our token service"
EXPRESS = "Express 5 with ioredis (enableAutoPipelining)"
NAIVE = "FastAPI with redis-py"
TOKENS = 500


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, list[Load]]:
    """Load each server `rounds` times for so many seconds, interleaved, after a round to warm up.

    Raises RuntimeError when the servers' answers differ.
    """
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(folder, parts=["redis", "mongo", "token"]))
        tokens = [
            httpx2.post(f"{fleet.url('token')}/api/token").json()["token"] for _ in range(TOKENS)
        ]
        file = folder / "requests.json"
        file.write_text(
            json.dumps([{"headers": {"authorization": f"Bearer {token}"}} for token in tokens])
        )
        redis, ours = fleet.part("redis").pid, fleet.part("token").pid
        if redis is None or ours is None:
            raise RuntimeError("the fleet does not run")
        load.pin(redis, load.OTHER_CORE)
        servers = {OURS: (f"{fleet.url('token')}/api/token", ours)}
        answer = load.wait_until_it_answers(servers[OURS][0], tokens[0]).json()
        for name, command in (
            (EXPRESS, ["node", str(install.express() / "token_check.js")]),
            (NAIVE, [sys.executable, "-m", "loadtest.bench.peers.naive"]),
        ):
            url, process = _start(command, fleet, answer)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            servers[name] = (url, process.pid)
            theirs = load.wait_until_it_answers(url, tokens[0]).json()
            if theirs != answer:
                raise RuntimeError(f"{name} answers {theirs}, and ours {answer}")
        for _, pid in servers.values():
            load.pin(pid, load.SERVER_CORE)
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        names = list(servers)
        for number in range(rounds + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                url, pid = servers[name]
                one = load.run(url, file, pid, seconds if number else 1)
                if number:
                    loads[name].append(one)
            tell(f"  token check: round {number} of {rounds}")
    return loads


def _start(
    command: list[str], fleet: Fleet, answer: dict[str, object]
) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a peer; returns its URL and process."""
    port = load.free_port()
    rest = {"free": {"models": answer["models"], "limits": answer["limits"]}}
    environment = {
        **install.node_environment(),
        "NODE_ENV": "production",
        "PORT": str(port),
        "REDIS_URL": fleet.url("redis"),
        "REDIS_PASSWORD": fleet.secret("redis_password"),
        "CHECKSUM_KEY": fleet.secret("token_checksum_key"),
        "HASH_KEY": fleet.secret("token_hash_key"),
        "REST": json.dumps(rest),
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    return f"http://127.0.0.1:{port}/api/token", process
