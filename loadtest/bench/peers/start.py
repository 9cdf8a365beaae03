"""Starts a peer on the stores of a fleet, with the keys of the fleet's tokens."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from loadtest.bench.peers import install
from tracemypods.local import ports
from tracemypods.local.fleet import Fleet


def start(
    stack: ExitStack, command: Sequence[str], fleet: Fleet, environment: Mapping[str, str]
) -> tuple[str, int]:
    """Start it; `stack` ends it. Returns its URL and its process id."""
    port = ports.unused()
    pid = run(
        stack,
        command,
        {
            "PORT": str(port),
            "REDIS_URL": fleet.url("redis"),
            "REDIS_PASSWORD": fleet.secret("redis_password"),
            "CHECKSUM_KEY": fleet.secret("token_checksum_key"),
            "HASH_KEY": fleet.secret("token_hash_key"),
            **environment,
        },
    )
    return f"http://127.0.0.1:{port}", pid


def run(stack: ExitStack, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start one that needs no more than it is told; `stack` ends it. Returns its process id."""
    process = subprocess.Popen(
        command,
        env={**install.node_environment(), "NODE_ENV": "production", **environment},
        stdout=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid
