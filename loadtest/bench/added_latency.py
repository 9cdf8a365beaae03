"""What ask, the gateway before it, and LiteLLM's proxy add to an answer of the model server.

All ask the same upstream, which answers at once, and no cache is asked: ours is told so by
`Cache-Control: no-store`, LiteLLM has none configured. One connection, which is kept, asks one
question after another, of each way in turn and of the upstream directly. What a way adds is its
percentile less the direct one of the same round.

The servers share one core, on which only the one that is asked has anything to do; the upstream and
the client are on the other.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from loadtest.bench import load, own_process
from loadtest.bench.peers import litellm_proxy
from loadtest.bench.upstream import FIRST_WORD, Upstream
from tracemypods.local.fleet import Fleet

ASK = "ask"
GATEWAY = "gateway and ask"
LITELLM = "LiteLLM proxy, cache off"
DIRECT = "the upstream directly"
REQUESTS = 400
"""In one round, of each way and kind."""

_MODEL = "smollm2:135m"
_FIRST_REQUESTS = 20
"""So many at the beginning of a connection do not count."""


@dataclass(frozen=True)
class Added:
    """Milliseconds at the median and at the 99th percentile."""

    p50: float
    p99: float

    def __sub__(self, other: Added) -> Added:
        return Added(self.p50 - other.p50, self.p99 - other.p99)


@dataclass(frozen=True)
class Kinds:
    """Of each round: whole answers that were not streamed, and the first text of streamed ones."""

    whole: list[Added] = field(default_factory=list[Added])
    first_text: list[Added] = field(default_factory=list[Added])


@dataclass(frozen=True)
class Way:
    """One way to the upstream: where, and with which headers."""

    url: str
    headers: dict[str, str]


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> dict[str, Kinds]:
    """What each way adds, and how long the upstream takes directly, in interleaved rounds.

    Raises RuntimeError when an answer did not come from the upstream.
    """
    with ExitStack() as stack:
        upstream = Upstream(stack, _MODEL)
        ways = _ways(stack, folder, upstream)
        kinds = {name: Kinds() for name in ways}
        names = list(ways)
        for number in range(rounds + 1):
            turn = number % len(names)
            for stream in (False, True):
                round_: dict[str, Added] = {}
                for name in names[turn:] + names[:turn]:
                    round_[name] = _one_round(folder, ways[name], upstream, stream=stream)
                for name, one in round_.items() if number else ():
                    taken = one if name == DIRECT else one - round_[DIRECT]
                    (kinds[name].first_text if stream else kinds[name].whole).append(taken)
            tell(f"  added latency: round {number} of {rounds}")
    return kinds


def _ways(stack: ExitStack, folder: Path, upstream: Upstream) -> dict[str, Way]:
    fleet = stack.enter_context(
        Fleet(
            folder / "fleet",
            parts=["redis", "mongo", "token", "ask", "gateway"],
            environment={"TRACEMYPODS_MODELS_URL": upstream.url},
        )
    )
    litellm = litellm_proxy.start(stack, folder, upstream.url, _MODEL, {})
    load.pin(load.pid(fleet, "redis"), load.OTHER_CORE)
    for pid in (load.pid(fleet, "ask"), load.pid(fleet, "gateway"), litellm.pid):
        load.pin(pid, load.SERVER_CORE)
    token = httpx2.post(f"{fleet.url('token')}/api/token").json()["token"]
    ours = {"Authorization": f"Bearer {token}", "Cache-Control": "no-store"}
    return {
        DIRECT: Way(upstream.url, {}),
        ASK: Way(f"{fleet.url('ask')}/v1", ours),
        GATEWAY: Way(f"{fleet.url()}/v1", ours),
        LITELLM: Way(f"{litellm.url}/v1", {"Authorization": f"Bearer {litellm_proxy.KEY}"}),
    }


def _one_round(folder: Path, way: Way, upstream: Upstream, *, stream: bool) -> Added:
    """Ask one way's questions. Raises RuntimeError when the upstream was not asked each of them."""
    body: dict[str, Any] = {
        "model": _MODEL,
        "messages": [{"role": "user", "content": "What is gravity?"}],
        "temperature": 0,
        "stream": stream,
    }
    requests = _FIRST_REQUESTS + REQUESTS
    file = folder / "asked.json"
    file.write_text(
        json.dumps(
            {
                "url": f"{way.url}/chat/completions",
                "headers": {"Content-Type": "application/json", **way.headers},
                "body": body,
                "text": FIRST_WORD,
                "requests": requests,
            }
        )
    )
    calls = upstream.calls()
    timings = own_process.result("loadtest.bench.one_connection", str(file))
    if upstream.calls() - calls != requests:
        raise RuntimeError(f"{way.url} did not ask the upstream each time")
    return _percentiles([one[0 if stream else 1] for one in timings[_FIRST_REQUESTS:]])


def _percentiles(seconds: Sequence[float]) -> Added:
    cuts = statistics.quantiles(seconds, n=100)
    return Added(cuts[49] * 1000, cuts[98] * 1000)
