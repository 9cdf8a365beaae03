"""How fast one streamed answer comes: through the gateway, from ask, and from llama.cpp itself.

All three are asked the same question with the same seed, another one each round, in interleaved
rounds on one fleet, so that each does the same work and a machine whose speed drifts treats them
alike.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from tracemypods.local.fleet import Fleet

MODEL = "smollm2:135m"
PROMPT = "Tell me a long story about a lighthouse keeper and the sea, in {number} chapters."
TOKENS = 256


@dataclass(frozen=True)
class Speed:
    """One measured answer: tokens a second over the whole answer, seconds to its first text."""

    tokens_per_second: float
    first_text_seconds: float


@dataclass(frozen=True)
class Way:
    """One way to the model: where, with which key."""

    name: str
    url: str
    key: str


def measure(fleet: Fleet, rounds: int, tell: Callable[[str], None]) -> dict[str, list[Speed]]:
    """Measure each way `rounds` times after one round that does not count."""

    def new_token() -> str:
        # One for each way: what one token was answered is kept for it, and would be no measure.
        return httpx2.post(f"{fleet.url()}/api/token").json()["token"]

    ways = [
        Way("llama.cpp directly", fleet.url("models"), fleet.secret("models_api_key")),
        Way("ask", f"{fleet.url('ask')}/v1", new_token()),
        Way("gateway and ask", f"{fleet.url()}/v1", new_token()),
    ]
    speeds: dict[str, list[Speed]] = {way.name: [] for way in ways}
    with httpx2.Client(timeout=120) as client:
        for number in range(rounds + 1):
            # Another order each round: whoever comes after a pause may find a cooler machine.
            for way in ways[number % 3 :] + ways[: number % 3]:
                speed = _one_answer(client, way, number)
                if number:
                    speeds[way.name].append(speed)
            tell(f"  round {number} of {rounds}")
    return speeds


def _one_answer(client: httpx2.Client, way: Way, number: int) -> Speed:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPT.format(number=number + 2)}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    first: float | None = None
    tokens = 0
    started = time.perf_counter()
    with client.stream(
        "POST",
        f"{way.url}/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {way.key}"},
    ) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            if first is None and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                first = time.perf_counter() - started
            if chunk.get("usage"):
                tokens = chunk["usage"]["completion_tokens"]
    seconds = time.perf_counter() - started
    if first is None or not tokens:
        raise RuntimeError(f"{way.name} gave no answer")
    return Speed(tokens / seconds, first)


def median_ratio(speeds: list[Speed], base: list[Speed]) -> float:
    """The median of the ratios of tokens a second, round by round."""
    return statistics.median(
        one.tokens_per_second / other.tokens_per_second
        for one, other in zip(speeds, base, strict=True)
    )
