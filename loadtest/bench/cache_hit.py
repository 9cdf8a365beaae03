"""An answer out of the exact cache, over `/v1/chat/completions`: ask against LiteLLM's proxy, and
against Express doing what ask does.

All keep the same answer in the same Valkey and are asked the same questions, each of which has
reached the model server once before; while the load runs, it may not be asked at all. Several
tokens ask, each of them questions of its own: ask and Express keep answers for each token. LiteLLM
knows one key.

Ask remembers what the bodies that it has read lately ask for, and the others do not, so it is asked
a second time with more bodies than it remembers.

One more of ours, in a fleet of its own with tokens of its own, also traces every request.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from loadtest.bench import load
from loadtest.bench.load import Load, Target
from loadtest.bench.otlp_sink import Sink
from loadtest.bench.peers import install, litellm_proxy, start
from loadtest.bench.upstream import TEXT, Upstream
from tracemypods.local.fleet import Fleet

OURS = "ask, `X-Cache: exact`"
READ_ANEW = "ask, every body read anew"
TRACED = "ask, every request traced"
EXPRESS = "Express 5 with ioredis (enableAutoPipelining)"
LITELLM = "LiteLLM proxy with Redis cache"
MODEL = "smollm2:135m"
PATH = "/v1/chat/completions"
TOKENS = 5
QUESTIONS_PER_TOKEN = 20
BODIES_PER_QUESTION = 50
"""So many make more bodies than ask remembers (plain_route.BODIES_KEPT)."""
_KEPT_SECONDS = 20


@dataclass(frozen=True)
class Ours:
    """An ask service and tokens that it knows."""

    fleet: Fleet
    tokens: list[str]

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"{self.fleet.url('ask')}{PATH}"


def measure(
    folder: Path, rounds: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, list[Load]]:
    """Load each server `rounds` times for so many seconds, interleaved, after a round to warm up.

    Raises RuntimeError when a server answers anything but what its cache holds, when Express'
    answer differs from ours, or when requests were not traced.
    """
    with ExitStack() as stack:
        upstream = Upstream(stack, MODEL)
        sink = Sink(stack)
        ours = _ours(stack, folder / "untraced", upstream, {})
        traced = _ours(stack, folder / "traced", upstream, sink.environment)
        express, express_pid = start.start(
            stack,
            ["node", str(install.express() / "cache_hit.js")],
            ours.fleet,
            {"UPSTREAM": upstream.url, "MODEL": MODEL},
        )
        load.wait_until_it_listens(express)
        litellm = litellm_proxy.start(
            stack,
            folder,
            upstream.url,
            MODEL,
            litellm_proxy.redis_cache(ours.fleet.url("redis"), ours.fleet.secret("redis_password")),
        )
        ours_pid, traced_pid = (load.pid(one.fleet, "ask") for one in (ours, traced))
        asked = {
            OURS: (ours.url, ours_pid, requests_of(ours.tokens)),
            READ_ANEW: (ours.url, ours_pid, requests_of(ours.tokens, BODIES_PER_QUESTION)),
            TRACED: (traced.url, traced_pid, requests_of(traced.tokens)),
            EXPRESS: (f"{express}{PATH}", express_pid, requests_of(ours.tokens)),
            LITELLM: (
                f"{litellm.url}{PATH}",
                litellm.pid,
                requests_of([litellm_proxy.KEY] * TOKENS),
            ),
        }
        targets: dict[str, Target] = {}
        answers: dict[str, dict[str, Any]] = {}
        for name, (url, pid, requests) in asked.items():
            answers[name] = _fill(name, url, requests, upstream)
            file = folder / f"requests{len(targets)}.json"
            file.write_text(json.dumps(requests))
            targets[name] = Target(url, pid, file)
        if answers[EXPRESS] != answers[OURS]:
            raise RuntimeError(f"{EXPRESS} says {answers[EXPRESS]}, and ours {answers[OURS]}")
        calls = upstream.calls()
        loads = load.measure("cache hit", targets, rounds, seconds, tell)
        if upstream.calls() != calls:
            raise RuntimeError("the model server was asked under load")
        sink.require(load.answers(loads[TRACED]))
    return loads


def _ours(
    stack: ExitStack, folder: Path, upstream: Upstream, environment: Mapping[str, str]
) -> Ours:
    fleet = stack.enter_context(
        Fleet(
            folder,
            parts=["redis", "mongo", "token", "ask"],
            environment={"TRACEMYPODS_MODELS_URL": upstream.url, **environment},
        )
    )
    load.pin(load.pid(fleet, "redis"), load.OTHER_CORE)
    url = f"{fleet.url('token')}/api/token"
    return Ours(fleet, [httpx2.post(url).json()["token"] for _ in range(TOKENS)])


def requests_of(keys: list[str], bodies: int = 1) -> list[dict[str, Any]]:
    """Each key's questions, no two of them the same, in so many bodies each."""
    return [
        {
            "method": "POST",
            "headers": {"authorization": f"Bearer {key}", "content-type": "application/json"},
            "body": json.dumps(_question(number * QUESTIONS_PER_TOKEN + one, body)),
        }
        for body in range(bodies)
        for number, key in enumerate(keys)
        for one in range(QUESTIONS_PER_TOKEN)
    ]


def _question(number: int, body: int) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You are a patient teacher. Answer in plain words."},
            {"role": "user", "content": f"What is gravity? Name {number + 2} examples."},
        ],
        "temperature": 0,
        "user": f"pupil-{body}",  # changes the body, and nothing of what is asked
    }


def _fill(
    name: str, url: str, requests: list[dict[str, Any]], upstream: Upstream
) -> dict[str, Any]:
    """Ask all until none of the answers comes from the model server.

    Returns the last answer, without what is new in each. Raises RuntimeError.
    """
    give_up = time.monotonic() + _KEPT_SECONDS
    with httpx2.Client(timeout=_KEPT_SECONDS) as client:
        while time.monotonic() < give_up:
            calls = upstream.calls()
            said: dict[str, Any] = {}
            for one in requests:
                answer = client.post(url, content=one["body"], headers=one["headers"])
                if answer.status_code != 200:
                    raise RuntimeError(f"{name} answered {answer.status_code}: {answer.text}")
                said = answer.json()
                if said["choices"][0]["message"]["content"] != TEXT:
                    raise RuntimeError(f"{name} does not say what the model server says")
            if upstream.calls() == calls:
                return {key: said[key] for key in said if key not in ("id", "created")}
            time.sleep(0.5)  # LiteLLM writes its cache after it has answered
    raise RuntimeError(f"{name} does not keep its answers")
