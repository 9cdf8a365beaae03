"""What callers may ask: limits that hold across replicas, and counts that end with the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tracemypods.ask.quotas.scripts import ENTER
from tracemypods.coalescing.client import CoalescingRedis, Script
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey

QUESTION = {"prompt": "Hi?", "max_tokens": 100}
CHAT = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi?"}]}
RESERVED = 100 + len("Hi?") + 8 + 40
"""The answer's limit, a token for each byte, and what the template may add."""

MakeAsk = Callable[..., ServedApp]


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
        yield redis


def keys(redis: Redis, pattern: str) -> list[str]:
    """The keys that are there."""
    return [str(key) for key in redis.scan_iter(pattern)]


def spent(redis: Redis, scope: str = "token") -> int:
    """Tokens that the only token or network has used or reserved today."""
    (key,) = keys(redis, f"ask:quota:{scope}:*:day")
    return int(str(redis.get(key)))


def await_settled(redis: Redis) -> None:
    """Wait until no request is open any more; the test's own time limit ends a wait in vain."""
    while keys(redis, "ask:quota:*:open"):
        pass


def test_a_thousand_parallel_requests_never_exceed_a_tokens_quota(
    make_ask: MakeAsk, token: str, stub: ModelStub
) -> None:
    limits = {"requests_per_minute": 40}
    replicas = [make_ask(free_limits=limits, parallel=50).url for _ in range(2)]

    async def ask_all() -> list[httpx2.Response]:
        headers = {"Authorization": f"Bearer {token}", "Cache-Control": "no-store"}
        pool = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(headers=headers, limits=pool, timeout=100) as client:
            asked = [
                client.post(f"{replicas[number % 2]}/api/ask", json=QUESTION)
                for number in range(1000)
            ]
            return await asyncio.gather(*asked)

    answers = asyncio.run(ask_all())
    assert Counter(answer.status_code for answer in answers) == {200: 40, 429: 960}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    remaining = {int(one.headers["ratelimit-remaining"]) for one in answers if one.is_success}
    assert remaining == set(range(40))
    assert len(stub.requests) == 40


def test_concurrent_requests_have_a_limit_across_replicas(
    make_ask: MakeAsk, token: str, stub: ModelStub
) -> None:
    here, there = (make_ask(free_limits={"concurrent": 2}).url for _ in range(2))
    stub.fault = "busy_after_first"
    streamed = {**QUESTION, "stream": True}
    with (
        caller(here, token) as one,
        caller(there, token) as other,
        one.stream("POST", "/api/ask", json=streamed) as first,
        other.stream("POST", "/api/ask", json=streamed) as second,
    ):
        refused = one.post("/api/ask", json=QUESTION)
        in_openai = other.post("/v1/chat/completions", json=CHAT)
        stub.resume()
        assert [list(events(each))[-1][0] for each in (first, second)] == ["done", "done"]
        # Settled before `done` is sent: whoever has that may ask at once.
        assert one.post("/api/ask", json=QUESTION).status_code == 200
    assert refused.status_code == in_openai.status_code == 429
    assert refused.json()["code"] == in_openai.json()["error"]["code"] == "rate_limited"
    assert in_openai.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) > 0


def test_tokens_are_reserved_and_settled_with_what_was_used(
    make_ask: MakeAsk, token: str, stub: ModelStub, redis: Redis
) -> None:
    served = make_ask(free_limits={"tokens_per_day": RESERVED + 11})
    stub.fault = "busy_after_first"
    with caller(served.url, token) as client:
        with client.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response:
            arriving = events(response)
            next(arriving)
            assert spent(redis) == spent(redis, "network") == RESERVED
            stub.resume()
            assert list(arriving)[-1][0] == "done"
        await_settled(redis)
        assert spent(redis) == spent(redis, "network") == 11  # as the model server counted
        assert client.post("/api/ask", json=QUESTION).status_code == 200
        await_settled(redis)
        assert spent(redis) == 22
        refused = client.post("/api/ask", json=QUESTION)
        in_openai = client.post("/v1/chat/completions", json={**CHAT, "max_tokens": 100})
        shorter = client.post("/api/ask", json={**QUESTION, "max_tokens": 89})
    assert refused.status_code == in_openai.status_code == 429
    assert refused.json()["code"] == in_openai.json()["error"]["code"] == "quota_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 86400
    assert refused.headers["ratelimit-limit"] == str(RESERVED + 11)
    assert refused.headers["ratelimit-remaining"] == str(RESERVED - 11)
    assert shorter.status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_leaves_pays_for_what_was_made(
    make_ask: MakeAsk, token: str, stub: ModelStub, redis: Redis, stream: bool
) -> None:
    served = make_ask()
    stub.fault = "busy_after_first"
    body = {**QUESTION, "stream": stream}
    with caller(served.url, token) as client:
        try:
            with client.stream("POST", "/api/ask", json=body, timeout=2) as response:
                arriving = events(response)
                assert [next(arriving)[0] for _ in range(2)] == ["status", "delta"]
        except httpx2.ReadTimeout:
            assert not stream
    await_settled(redis)
    guess = 1 + 8 + 40  # three bytes make a token, and the template's share
    # Whether ask had the first part when a caller gave up on the whole is not to be seen from here.
    assert spent(redis) in ({guess + 1} if stream else {guess, guess + 1})


@pytest.mark.parametrize(
    ("fault", "parts"), [("break_off", 1), ("garbage", 0), ("refuse", 0), ("no_end", 4)]
)
def test_an_upstream_that_dies_is_settled_too(
    client: httpx2.Client, stub: ModelStub, redis: Redis, fault: Any, parts: int
) -> None:
    stub.fault = fault
    assert client.post("/api/ask", json=QUESTION).status_code >= 500
    await_settled(redis)
    assert spent(redis) == 1 + 8 + 40 + parts


def test_what_never_reached_the_model_takes_no_tokens(
    client: httpx2.Client, stub: ModelStub, redis: Redis
) -> None:
    stub.models = []
    assert client.post("/api/ask", json=QUESTION).status_code == 409
    await_settled(redis)
    assert spent(redis) == 0


def test_many_free_tokens_of_one_network_buy_nothing(
    make_ask: MakeAsk, valkey: Valkey, redis: Redis
) -> None:
    served = make_ask(network_limits={"requests_per_minute": 2})

    def ask(address: str, plan: Any = "free") -> int:
        with caller(served.url, store_token(valkey, plan=plan)) as client:
            headers = {"X-Forwarded-For": address}
            return client.post("/api/ask", json=QUESTION, headers=headers).status_code

    same_64 = [f"2001:db8:1:2::{number}" for number in range(1, 4)]
    assert [ask(address) for address in same_64] == [200, 200, 429]
    assert ask("2001:db8:1:3::1") == 200
    assert [ask("198.51.100.1") for _ in range(3)] == [200, 200, 429]
    assert ask("198.51.100.1", "premium") == 200
    assert not [key for key in keys(redis, "*") if "2001:db8" in key or "198.51" in key]


def test_all_counters_expire_by_themselves(client: httpx2.Client, redis: Redis) -> None:
    assert client.post("/api/ask", json=QUESTION).status_code == 200
    names = keys(redis, "ask:quota:*")
    assert len(names) == 4  # nothing is open any more
    assert all(int(str(redis.ttl(name))) > 0 for name in names)


def test_a_replica_that_was_killed_holds_no_place_for_long(
    make_ask: MakeAsk, token: str, redis: Redis
) -> None:
    served = make_ask(free_limits={"concurrent": 1, "requests_per_minute": 9})
    with caller(served.url, token) as client:
        assert client.post("/api/ask", json=QUESTION).status_code == 200
        (day,) = keys(redis, "ask:quota:token:*:day")
        leases = day.replace(":day", ":open")
        # What a killed replica leaves behind: a lease that nobody renews.
        redis.incrby(day, RESERVED)
        redis.zadd(leases, {"of a killed replica": 4e12})
        assert client.post("/api/ask", json=QUESTION).json()["code"] == "rate_limited"
        redis.zadd(leases, {"of a killed replica": 1})
        assert client.post("/api/ask", json=QUESTION).status_code == 200
    await_settled(redis)
    assert spent(redis) == 11 + RESERVED + 11  # what it had reserved counts as used


def test_limits_show_on_answers(make_ask: MakeAsk, token: str) -> None:
    served = make_ask(free_limits={"requests_per_minute": 5})
    with caller(served.url, token) as client:
        first = client.post("/api/ask", json=QUESTION)
        with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as second:
            second.read()
    assert first.headers["ratelimit-limit"] == second.headers["ratelimit-limit"] == "5"
    assert first.headers["ratelimit-remaining"] == "4"
    assert second.headers["ratelimit-remaining"] == "3"
    assert 1 <= int(second.headers["ratelimit-reset"]) <= 60


def test_limits_by_mode_and_setting(make_ask: MakeAsk) -> None:
    local = make_ask().app.state.ask.settings.limits
    own = make_ask(mode="demo", free_limits={"concurrent": 3}).app.state.ask.settings.limits
    assert local.free.requests_per_minute > 1000
    assert own.free.concurrent == 3
    assert own.free.requests_per_minute == 20
    assert own.premium.requests_per_minute == 120


def test_a_request_whose_count_was_lost_is_given_back(
    make_ask: MakeAsk, token: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has counted it, but its answer did not arrive: the caller gets 503, and no lease."""
    script = CoalescingRedis.script

    async def deaf(self: CoalescingRedis, text: Script, *arguments: Any) -> Any:
        answer = await script(self, text, *arguments)
        if text is ENTER:
            raise RedisConnectionError("lost")
        return answer

    served = make_ask()
    with caller(served.url, token) as client:
        monkeypatch.setattr(CoalescingRedis, "script", deaf)
        refused = client.post("/api/ask", json=QUESTION)
        assert refused.status_code == 503
        assert refused.json()["code"] == "token_store_unavailable"
        await_settled(redis)
        assert spent(redis) == 0
        monkeypatch.undo()
        assert client.post("/api/ask", json=QUESTION).status_code == 200
