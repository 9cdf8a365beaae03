"""A replica of ask that leads an answer which others share is killed, told to stop, or hangs.

Two real processes on one Redis. Their callers hear a named error or get an answer, and the caller's
token is not held up by what the replica had open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from typing import Any

import httpx2
import pytest
from redis import Redis
from replicas import ask_replica

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import until

QUESTION = {"prompt": "What is a pod?"}
ANOTHER = {"prompt": "And a service?"}
STREAMED = {**QUESTION, "stream": True}
WHOLE = "Hello, world."
FOLLOWERS = 4

Received = list[tuple[str, Any]]


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with ModelStub() as stub:
        yield stub


class Pair:
    """Two replicas, and the same caller at each: `leading` asks first."""

    def __init__(self, stack: ExitStack, valkey: Valkey, stub: ModelStub, **settings: Any) -> None:
        self.leader, self.other = (
            stack.enter_context(ask_replica(valkey, stub, **settings)) for _ in range(2)
        )
        self.token = store_token(valkey)
        self.leading, self.following = (
            stack.enter_context(caller(replica.url, self.token, cached=True))
            for replica in (self.leader, self.other)
        )

    def works_again(self) -> None:
        """The same question and another one are answered, and the first is kept for all."""
        assert self.following.post("/api/ask", json=QUESTION).json()["answer"] == WHOLE
        another = self.following.post("/api/ask", json=ANOTHER)
        assert (another.headers["x-cache"], another.json()["answer"]) == ("miss", WHOLE)
        kept = self.following.post("/api/ask", json=QUESTION)
        assert kept.headers["x-cache"] == "exact"


@pytest.fixture
def make_pair(valkey: Valkey, stub: ModelStub) -> Iterator[Callable[..., Pair]]:
    """Start two replicas with settings of the test's choice."""
    with ExitStack() as stack:
        yield lambda **settings: Pair(stack, valkey, stub, **settings)


def begin(stack: ExitStack, person: httpx2.Client, *first: str) -> tuple[str, Iterator[Any]]:
    """Ask for a stream and read it up to these events; returns X-Cache and the rest.

    The stream stays open until the stack is closed, whether or not anybody reads the rest.
    """
    response = stack.enter_context(person.stream("POST", "/api/ask", json=STREAMED))
    arriving = stack.enter_context(nullcontext(events(response)))
    for name in first:
        assert next(arriving)[0] == name
    return response.headers["x-cache"], arriving


def read(arriving: Iterator[Any]) -> Received:
    """The rest of a stream, without its heartbeats."""
    return [(name, data) for name, data in arriving if name != ":"]


def text_of(received: Received) -> str:
    return "".join(data["text"] for name, data in received if name == "delta")


def said(answer: httpx2.Response) -> str:
    """The text of a whole answer, or the code of the problem."""
    return answer.json()["answer" if answer.status_code == 200 else "code"]


def in_background(pool: ThreadPoolExecutor, streams: list[Iterator[Any]]) -> list[Future[Received]]:
    return [pool.submit(read, arriving) for arriving in streams]


def is_interrupted(received: Received) -> bool:
    name, data = received[-1]
    return (name, data.get("code")) == ("error", "answer_interrupted")


def test_killed_in_mid_stream(make_pair: Callable[..., Pair], stub: ModelStub) -> None:
    """Who had a part of the answer hears that there will be no more, and may ask again at once."""
    pair = make_pair()
    stub.fault = "busy_after_first"
    with ExitStack() as stack, ThreadPoolExecutor(FOLLOWERS + 1) as pool:
        state, led = begin(stack, pair.leading, "status", "delta")
        assert state == "miss"
        found = [begin(stack, pair.following, "status", "delta") for _ in range(FOLLOWERS)]
        assert {state for state, _ in found} == {"exact"}
        whole = pool.submit(pair.following.post, "/api/ask", json=QUESTION)
        pair.leader.kill()
        stub.fault = None
        with pytest.raises(httpx2.TransportError):
            list(led)
        followed = in_background(pool, [arriving for _, arriving in found])
        assert all(is_interrupted(one.result()) for one in followed)
        # It may have come before that or after.
        assert said(whole.result()) in ("answer_interrupted", WHOLE)
    assert stub.left.wait(20)  # the model works for nobody any more
    pair.works_again()


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_gone_before_any_text(make_pair: Callable[..., Pair], stub: ModelStub, how: str) -> None:
    """Followers get a whole answer all the same, all from one call of their own replica."""
    pair = make_pair()
    stub.fault = "never_begin"
    with ExitStack() as stack, ThreadPoolExecutor(2 * FOLLOWERS) as pool:
        state, led = begin(stack, pair.leading, "status")
        assert state == "miss"
        until(lambda: stub.requests)
        found = [begin(stack, pair.following, "status") for _ in range(FOLLOWERS)]
        assert {state for state, _ in found} == {"exact"}
        wholes = [
            pool.submit(pair.following.post, "/api/ask", json=QUESTION) for _ in range(FOLLOWERS)
        ]
        stub.fault = None  # for who asks from now on
        if how == "killed":
            pair.leader.kill()
            with pytest.raises(httpx2.TransportError):
                list(led)
        else:
            pair.leader.pause()
        followed = in_background(pool, [arriving for _, arriving in found])
        for received in [one.result() for one in followed]:
            assert text_of(received) == WHOLE
            assert received[-1][0] == "done"
        assert {one.result().json()["answer"] for one in wholes} == {WHOLE}
        assert len(stub.requests) == 2
    pair.works_again()
    assert len(stub.requests) == 3


def test_hung_in_mid_stream_and_back(make_pair: Callable[..., Pair], stub: ModelStub) -> None:
    """It is taken for dead. Once it goes on, its own callers get the rest of their answer."""
    pair = make_pair()
    stub.fault = "busy_after_first"
    with ExitStack() as stack:
        _, led = begin(stack, pair.leading, "status", "delta")
        _, followed = begin(stack, pair.following, "status", "delta")
        pair.leader.pause()
        assert is_interrupted(read(followed))
        pair.leader.resume()
        stub.fault = None
        stub.resume()
        received = read(led)
        assert "Hello" + text_of(received) == WHOLE
        assert received[-1][0] == "done"
    pair.works_again()


def test_told_to_stop_in_mid_stream(make_pair: Callable[..., Pair], stub: ModelStub) -> None:
    """Its own callers hear why their answer ends; it gives up the lead before it is gone."""
    pair = make_pair(drain_seconds=1)
    stub.fault = "busy_after_first"
    with ExitStack() as stack:
        _, led = begin(stack, pair.leading, "status", "delta")
        _, followed = begin(stack, pair.following, "status", "delta")
        pair.leader.tell_to_stop()
        name, problem = read(led)[-1]
        assert (name, problem["code"]) == ("error", "shutting_down")
        assert is_interrupted(read(followed))
        pair.leader.await_end()
    assert stub.left.wait(20)
    stub.fault = None
    pair.works_again()


def test_told_to_stop_before_any_text(make_pair: Callable[..., Pair], stub: ModelStub) -> None:
    pair = make_pair(drain_seconds=1)
    stub.fault = "never_begin"
    with ExitStack() as stack:
        _, led = begin(stack, pair.leading, "status")
        until(lambda: stub.requests)
        _, followed = begin(stack, pair.following, "status")
        stub.fault = None  # for who asks from now on
        pair.leader.tell_to_stop()
        name, problem = read(led)[-1]
        assert (name, problem["code"]) == ("error", "shutting_down")
        received = read(followed)
        assert text_of(received) == WHOLE
        assert received[-1][0] == "done"
        pair.leader.await_end()
    assert len(stub.requests) == 2


def test_a_replica_that_is_back_joins_in(make_pair: Callable[..., Pair], stub: ModelStub) -> None:
    """Until the lead that it had before runs out, what it wrote down then is all that there is."""
    pair = make_pair()
    stub.fault = "busy_after_first"
    with ExitStack() as stack:
        begin(stack, pair.leading, "status", "delta")
        begin(stack, pair.following, "status", "delta")
        pair.leader.kill()
    stub.fault = None
    pair.leader.start()
    with caller(pair.leader.url, pair.token, cached=True) as back:
        while (answer := said(back.post("/api/ask", json=QUESTION))) != WHOLE:
            assert answer == "answer_interrupted"
        assert back.post("/api/ask", json=QUESTION).headers["x-cache"] == "exact"
    pair.works_again()


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
        yield redis


def kill_with_an_open_answer(pair: Pair, stub: ModelStub) -> None:
    """Kill the replica at which the only answer that its token may have open is being given."""
    stub.fault = "busy_after_first"
    with ExitStack() as stack:
        begin(stack, pair.leading, "status", "delta")
        pair.leader.kill()
    stub.fault = None
    assert said(pair.following.post("/api/ask", json=ANOTHER)) == "rate_limited"


def test_a_lease_of_a_killed_replica_runs_out(
    make_pair: Callable[..., Pair], stub: ModelStub, redis: Redis
) -> None:
    pair = make_pair(free_limits={"concurrent": 1})
    kill_with_an_open_answer(pair, stub)
    (leases,) = redis.scan_iter("ask:quota:token:*:open")
    (lease,) = redis.zrange(leases, 0, -1)
    assert 0 < int(str(redis.pttl(leases))) <= 60_000
    redis.zadd(leases, {str(lease): 1})  # instead of waiting for its end
    assert said(pair.following.post("/api/ask", json=ANOTHER)) == WHOLE


@pytest.mark.long
def test_a_token_is_free_again_a_minute_after_its_replica_was_killed(
    make_pair: Callable[..., Pair], stub: ModelStub
) -> None:
    """The same, with nothing but patience: no replica goes on renewing what another had open."""
    pair = make_pair(free_limits={"concurrent": 1})
    kill_with_an_open_answer(pair, stub)

    def is_answered() -> bool:
        answer = said(pair.following.post("/api/ask", json=ANOTHER))
        assert answer in ("rate_limited", WHOLE)
        return answer == WHOLE

    until(is_answered)
