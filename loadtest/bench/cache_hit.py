"""An answer out of the exact cache, over `/v1/chat/completions`: ask against LiteLLM's proxy.

Both keep their answers in the same Valkey and are asked the same question. It reaches a model
server once; while the load runs, no server of models may be asked at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2

from loadtest.bench import load
from loadtest.bench.load import Load
from loadtest.bench.peers import litellm_proxy
from loadtest.bench.upstream import TEXT, Upstream
from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.model_stub import ModelStub

OURS = "ask, `X-Cache: exact`"
LITELLM = "LiteLLM proxy with Redis cache"
MODEL = "smollm2:135m"
QUESTION = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is gravity?"}],
    "temperature": 0,
}
_KEPT_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A server with an answer in its cache. `upstream_calls` counts what it asked for so far."""

    url: str
    key: str
    pid: int
    upstream_calls: Callable[[], int]


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, list[Load]]:
    """Load each server `rounds` times for so many seconds, interleaved, after a round to warm up.

    Raises RuntimeError when a server answers anything but what its cache holds.
    """
    with ExitStack() as stack:
        stub = stack.enter_context(ModelStub())
        stub.pieces = [TEXT]
        upstream = stack.enter_context(Upstream())
        fleet = stack.enter_context(
            Fleet(
                folder,
                parts=["redis", "mongo", "token", "ask"],
                environment={"TRACEMYPODS_MODELS_URL": stub.url},
            )
        )
        redis, ours = fleet.part("redis").pid, fleet.part("ask").pid
        if redis is None or ours is None:
            raise RuntimeError("the fleet does not run")
        load.pin(redis, load.OTHER_CORE)
        proxy = litellm_proxy.start(
            stack, folder, fleet.url("redis"), fleet.secret("redis_password"), upstream.url, MODEL
        )
        token = httpx2.post(f"{fleet.url('token')}/api/token").json()["token"]
        path = "/v1/chat/completions"
        servers = {
            OURS: Server(f"{fleet.url('ask')}{path}", token, ours, lambda: len(stub.requests)),
            LITELLM: Server(
                f"{proxy.url}{path}", litellm_proxy.KEY, proxy.pid, lambda: upstream.calls
            ),
        }
        files: dict[str, Path] = {}
        for name, server in servers.items():
            _fill(name, server)
            load.pin(server.pid, load.SERVER_CORE)
            files[name] = folder / f"question{len(files)}.json"
            asked = {
                "method": "POST",
                "headers": {
                    "authorization": f"Bearer {server.key}",
                    "content-type": "application/json",
                },
                "body": json.dumps(QUESTION),
            }
            files[name].write_text(json.dumps([asked]))
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        names = list(servers)
        for number in range(rounds + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                server = servers[name]
                calls = server.upstream_calls()
                one = load.run(server.url, files[name], server.pid, seconds if number else 1)
                if server.upstream_calls() != calls:
                    raise RuntimeError(f"{name} has asked the model server under load")
                if number:
                    loads[name].append(one)
            tell(f"  cache hit: round {number} of {rounds}")
    return loads


def _fill(name: str, server: Server) -> None:
    """Ask until the answer comes without the model server. Raises RuntimeError."""
    give_up = time.monotonic() + _KEPT_SECONDS
    while time.monotonic() < give_up:
        calls = server.upstream_calls()
        answer = httpx2.post(
            server.url,
            json=QUESTION,
            headers={"Authorization": f"Bearer {server.key}"},
            timeout=_KEPT_SECONDS,
        )
        if answer.status_code != 200:
            raise RuntimeError(f"{name} answered {answer.status_code}: {answer.text}")
        if answer.json()["choices"][0]["message"]["content"] != TEXT:
            raise RuntimeError(f"{name} does not say what the model server says")
        if server.upstream_calls() == calls:
            return
        time.sleep(0.5)  # LiteLLM writes its cache after it has answered
    raise RuntimeError(f"{name} does not keep its answer")
