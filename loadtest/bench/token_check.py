"""The token check, `GET /api/token`: our token service against others that do the same work.

All read the records that our service has written to the same Valkey, check the same checksum and
hash with the same keys, and give the same answer. Ours also writes its access log and its metrics;
the others do neither. Each server has one core to itself; Valkey and the clients share another.

One more of ours, in a fleet of its own with tokens of its own, also traces every request.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from loadtest.bench import load
from loadtest.bench.load import Load, Target
from loadtest.bench.otlp_sink import Sink
from loadtest.bench.peers import install, start
from tracemypods.local.fleet import Fleet

OURS = "our token service"
TRACED = "our token service, every request traced"
EXPRESS = "Express 5 with ioredis (enableAutoPipelining)"
NAIVE = "FastAPI with redis-py"
TOKENS = 500
PATH = "/api/token"


@dataclass(frozen=True)
class Ours:
    """A token service that has issued tokens: its fleet, one of the tokens, requests with all."""

    fleet: Fleet
    token: str
    target: Target


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, list[Load]]:
    """Load each server `rounds` times for so many seconds, interleaved, after a round to warm up.

    Raises RuntimeError when the servers' answers differ, or when requests were not traced.
    """
    with ExitStack() as stack:
        sink = Sink(stack)
        ours = _ours(stack, folder / "untraced", {})
        traced = _ours(stack, folder / "traced", sink.environment)
        targets = {OURS: ours.target, TRACED: traced.target}
        answer = _answer(ours.target.url, ours.token)
        rest = {"free": {"models": answer["models"], "limits": answer["limits"]}}
        for name, command in (
            (EXPRESS, ["node", str(install.express() / "token_check.js")]),
            (NAIVE, [sys.executable, "-m", "loadtest.bench.peers.naive"]),
        ):
            url, pid = start.start(stack, command, ours.fleet, {"REST": json.dumps(rest)})
            targets[name] = Target(f"{url}{PATH}", pid, ours.target.requests)
            load.wait_until_it_listens(url)
            theirs = _answer(f"{url}{PATH}", ours.token)
            if theirs != answer:
                raise RuntimeError(f"{name} answers {theirs}, and ours {answer}")
        loads = load.measure("token check", targets, rounds, seconds, tell)
        sink.require(load.answers(loads[TRACED]))
    return loads


def _ours(stack: ExitStack, folder: Path, environment: Mapping[str, str]) -> Ours:
    parts = ["redis", "mongo", "token"]
    fleet = stack.enter_context(Fleet(folder, parts=parts, environment=environment))
    load.pin(load.pid(fleet, "redis"), load.OTHER_CORE)
    url = f"{fleet.url('token')}{PATH}"
    tokens = [httpx2.post(url).json()["token"] for _ in range(TOKENS)]
    requests = folder / "requests.json"
    requests.write_text(
        json.dumps([{"headers": {"authorization": f"Bearer {token}"}} for token in tokens])
    )
    return Ours(fleet, tokens[0], Target(url, load.pid(fleet, "token"), requests))


def _answer(url: str, token: str) -> dict[str, Any]:
    """What a server says of a token. Raises RuntimeError."""
    answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code != 200:
        raise RuntimeError(f"{url} answered {answer.status_code}: {answer.text}")
    return answer.json()
