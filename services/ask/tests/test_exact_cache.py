"""The exact cache over HTTP, in both wire formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey

QUESTION = {"prompt": "What is a pod?"}
CHAT = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "What is a pod?"}]}


@pytest.fixture
def person(ask_url: str, token: str) -> Iterator[httpx2.Client]:
    with caller(ask_url, token, cached=True) as person:
        yield person


def ask(person: httpx2.Client, **fields: Any) -> Any:
    answer = person.post("/api/ask", json={**QUESTION, **fields})
    assert answer.status_code == 200
    body = answer.json()
    assert answer.headers["x-cache"] == body["cache"]["state"]
    return body


def test_a_repeated_question_does_not_reach_the_model(
    person: httpx2.Client, stub: ModelStub
) -> None:
    first, second = ask(person), ask(person)
    assert first["cache"] == {"state": "miss"}
    assert second["cache"]["state"] == "exact"
    assert second["cache"]["age"] >= 0
    for field in ("answer", "usage", "finish_reason", "model"):
        assert second[field] == first[field]
    assert len(stub.requests) == 1


def test_a_hit_is_there_while_the_model_is_not(person: httpx2.Client, stub: ModelStub) -> None:
    ask(person)
    stub.stop()
    assert ask(person)["cache"]["state"] == "exact"


def test_a_streamed_hit(person: httpx2.Client, stub: ModelStub) -> None:
    ask(person)
    with person.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response:
        assert response.headers["x-cache"] == "exact"
        assert int(response.headers["age"]) >= 0
        received = list(events(response))
    assert [name for name, _ in received] == ["status", "delta", "done"]
    assert received[1][1]["text"] == "Hello, world."
    assert received[2][1]["cache"]["state"] == "exact"
    assert len(stub.requests) == 1


def test_both_wire_formats_share_answers_to_the_same_question(
    person: httpx2.Client, stub: ModelStub
) -> None:
    ask(person)
    answer = person.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["x-cache"] == "exact"
    assert answer.json()["choices"][0]["message"]["content"] == "Hello, world."
    with person.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as response:
        assert response.headers["x-cache"] == "exact"
        assert [data for _, data in events(response)][-1] == "[DONE]"
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("control", "states"), [("no-cache", ["miss", "exact"]), ("no-store", ["bypass", "exact"])]
)
def test_cache_control(
    person: httpx2.Client, stub: ModelStub, control: str, states: list[str]
) -> None:
    ask(person)
    afresh = person.post("/api/ask", json=QUESTION, headers={"Cache-Control": control})
    assert afresh.headers["x-cache"] == states[0]
    assert ask(person)["cache"]["state"] == states[1]
    assert len(stub.requests) == 2


def test_another_token_gets_an_answer_of_its_own(
    person: httpx2.Client, ask_url: str, valkey: Valkey, stub: ModelStub
) -> None:
    ask(person)
    with caller(ask_url, store_token(valkey), cached=True) as other:
        assert ask(other)["cache"]["state"] == "miss"
    assert len(stub.requests) == 2


def test_shared_answers_stay_within_a_plan(
    make_ask: Callable[..., ServedApp], valkey: Valkey, stub: ModelStub
) -> None:
    url = make_ask(cache_shared=True).url
    states: list[str] = []
    for plan in ("premium", "free", "free", "premium"):
        with caller(url, store_token(valkey, plan=plan), cached=True) as person:
            states.append(ask(person)["cache"]["state"])
    assert states == ["miss", "miss", "exact", "exact"]
    assert len(stub.requests) == 2


def test_a_hundred_at_once_over_two_replicas_make_one_call(
    make_ask: Callable[..., ServedApp], token: str, stub: ModelStub
) -> None:
    stub.seconds_between = 0.2
    with (
        caller(make_ask().url, token, cached=True) as one,
        caller(make_ask().url, token, cached=True) as other,
        ThreadPoolExecutor(50) as pool,
    ):
        answers = list(pool.map(lambda n: ask((one, other)[n % 2]), range(100)))
    assert {answer["answer"] for answer in answers} == {"Hello, world."}
    assert len(stub.requests) == 1
    assert [answer["cache"]["state"] for answer in answers].count("miss") == 1


def test_hits_count_as_requests_and_not_as_tokens(
    make_ask: Callable[..., ServedApp], token: str
) -> None:
    limits = {"requests_per_minute": 5, "tokens_per_day": 3000}
    url = make_ask(free_limits=limits).url
    with caller(url, token, cached=True) as person:
        statuses = [
            person.post("/api/ask", json={**QUESTION, "max_tokens": 1000}).status_code
            for _ in range(6)
        ]
    assert statuses == [200] * 5 + [429]


def test_who_leaves_does_not_take_the_answer_from_others(
    person: httpx2.Client, stub: ModelStub
) -> None:
    stub.fault = "busy_after_first"
    body = {**QUESTION, "stream": True}
    with person.stream("POST", "/api/ask", json=body) as follower:
        with person.stream("POST", "/api/ask", json=body) as leaver:
            arriving = events(leaver)
            assert next(arriving)[0] == "status"
            assert next(arriving)[0] == "delta"
        stub.resume()
        names = [name for name, _ in events(follower)]
    assert names[-1] == "done"
    assert len(stub.requests) == 1
