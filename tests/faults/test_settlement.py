"""What has ended is settled: its caller may ask again at once, and a service that stops settles.

Limits are so tight that a lease which is still open, or tokens that are still reserved, would have
the next question refused; and commands take longer to get to Redis than a caller takes to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Literal

import httpx2
import pytest
from replicas import ask_replica
from slow_link import SlowLink

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import until

Format = Literal["native", "native whole", "openai", "openai whole"]

TEXT = "Hi?"
LIMIT = {"max_tokens": 100}
RESERVED = 100 + len(TEXT) + 8 + 40
"""The answer's limit, a token for each byte, and what the template may add."""
USED = 11
"""As the model stub counts."""
QUESTIONS = 12
"""Fewer than would use as much as one question reserves, so that each one is a test."""
TOKENS = 3
LINK_SECONDS = 0.03

ONE_AT_ONCE = {"concurrent": 1}
TIGHT = {"tokens_per_day": RESERVED + (QUESTIONS - 1) * USED}


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with ModelStub() as stub:
        yield stub


@pytest.fixture
def make_far(valkey: Valkey, stub: ModelStub) -> Iterator[Callable[..., Replica]]:
    """Start a replica that is far from its Redis, with settings of the test's choice."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Replica:
            link = stack.enter_context(SlowLink(valkey.url, LINK_SECONDS))
            far = ask_replica(valkey, stub, redis_url=link.url, **settings)
            stack.enter_context(far)
            with caller(far.url, store_token(valkey)) as first:  # Redis learns the scripts
                assert ask(first, "native") == "done"
            stub.requests.clear()
            return far

        yield make


def ask(person: httpx2.Client, wanted: Format, text: str = TEXT) -> str:
    """Ask, and go away as soon as the answer's end is there: "done", or the problem's code."""
    url, question = "/api/ask", {"prompt": text}
    if "openai" in wanted:
        url = "/v1/chat/completions"
        question = {"model": "smollm2:135m", "messages": [{"role": "user", "content": text}]}
    stream = "whole" not in wanted
    with person.stream("POST", url, json={**LIMIT, **question, "stream": stream}) as response:
        if response.status_code != 200 or not stream:
            response.read()
            return "done" if response.status_code == 200 else code_of(response.json())
        for name, data in events(response):
            if name == "done" or data == "[DONE]":
                return "done"
            if name == "error" or "error" in data:
                return code_of(data)
    raise AssertionError("a stream without an end")


def code_of(problem: Any) -> str:
    return problem.get("error", problem)["code"]


FORMATS: list[Format] = ["native", "native whole", "openai", "openai whole"]


@pytest.mark.parametrize("wanted", FORMATS)
def test_the_next_question_finds_the_last_one_settled(
    make_far: Callable[..., Replica], valkey: Valkey, wanted: Format
) -> None:
    far = make_far(free_limits={**ONE_AT_ONCE, **TIGHT})
    for _ in range(TOKENS):
        with caller(far.url, store_token(valkey)) as person:
            said = [ask(person, wanted) for _ in range(QUESTIONS)]
            assert said == ["done"] * QUESTIONS
            assert ask(person, wanted) == "quota_exceeded"


@pytest.mark.parametrize("wanted", ["native", "native whole"])
@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("break_off", "answer_interrupted"),
        ("refuse", "model_failed"),
        ("too long", "context_exceeded"),
        ("kept", "done"),
    ],
)
def test_so_does_the_next_one_after_another_end(
    make_far: Callable[..., Replica],
    valkey: Valkey,
    stub: ModelStub,
    wanted: Format,
    how: Any,
    code: str,
) -> None:
    far = make_far(free_limits=ONE_AT_ONCE)
    text = "word " * 5000 if how == "too long" else TEXT
    with caller(far.url, store_token(valkey), cached=how == "kept") as person:
        if how == "kept":
            assert ask(person, wanted, text) == "done"
        elif how != "too long":
            stub.fault = how
        assert [ask(person, wanted, text) for _ in range(QUESTIONS)] == [code] * QUESTIONS


@pytest.mark.parametrize("cached", [False, True])
def test_a_replica_that_is_told_to_stop_settles_what_is_open(
    make_far: Callable[..., Replica], valkey: Valkey, stub: ModelStub, cached: bool
) -> None:
    """A whole answer, a streamed one, and a question that still waits for its model."""
    limits = {**ONE_AT_ONCE, "tokens_per_day": RESERVED + 60}
    going = make_far(free_limits=limits, parallel=2, drain_seconds=1)
    stub.fault = "busy_after_first"
    tokens = [store_token(valkey) for _ in range(3)]
    with (
        ask_replica(valkey, stub, free_limits=limits) as staying,
        ExitStack() as stack,
        ThreadPoolExecutor(1) as pool,
    ):
        whole, streamed, waiting = (
            stack.enter_context(caller(going.url, token, cached=cached)) for token in tokens
        )
        answer = pool.submit(ask, whole, "native whole")
        until(lambda: stub.requests)
        arriving = [begin(stack, streamed, "status", "delta"), begin(stack, waiting, "status")]
        assert len(stub.requests) == 2
        going.tell_to_stop()
        assert answer.result() == "shutting_down"
        for received in map(list, arriving):
            name, problem = received[-1]
            assert (name, problem["code"]) == ("error", "shutting_down")
        going.await_end()
        stub.fault = None
        for token in tokens:
            with caller(staying.url, token, cached=cached) as person:
                # Another question: an answer may be kept, but this is about what it took.
                assert ask(person, "native", "Ho?") == "done"


def begin(stack: ExitStack, person: httpx2.Client, *first: str) -> Iterator[tuple[str, Any]]:
    """Ask for a stream and read it up to these events; returns the rest."""
    body = {**LIMIT, "prompt": TEXT, "stream": True}
    response = stack.enter_context(person.stream("POST", "/api/ask", json=body))
    arriving = events(response)
    for name in first:
        assert next(arriving)[0] == name
    return arriving
