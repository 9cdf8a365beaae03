"""Leases of answers that take longer than a lease lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tracemypods.ask.quotas import quotas
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
        yield redis


def runs_out_at(redis: Redis) -> object:
    """When the only open lease of the only token runs out, in milliseconds since 1970."""
    (key,) = redis.scan_iter("ask:quota:token:*:open")
    ((_, score),) = redis.zrange(key, 0, -1, withscores=True)
    return score


def test_an_answer_counts_as_open_as_long_as_it_takes(
    make_ask: Callable[..., ServedApp],
    stub: ModelStub,
    redis: Redis,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quotas, "RENEWAL_SECONDS", 0.05)
    url = make_ask(free_limits={"concurrent": 1}).url
    stub.fault = "busy_after_first"
    body = {"prompt": "Hi?", "stream": True}
    with caller(url, token) as client, client.stream("POST", "/api/ask", json=body) as response:
        arriving = events(response)
        assert next(arriving)[0] == "status"
        first = runs_out_at(redis)
        while runs_out_at(redis) == first:
            pass  # the test's own time limit ends a wait in vain
        stub.resume()
        assert [name for name, _ in arriving][-1] == "done"
