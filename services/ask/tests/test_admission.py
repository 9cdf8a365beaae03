"""The queue before a model: places, refusals, slots that come free, and streams nobody reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, cast

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from tracemypods.ask.admission.model_queues import ModelQueues
from tracemypods.ask.admission.queue import ModelBusy
from tracemypods.ask.admission.turn import Turn
from tracemypods.ask.answers import Event
from tracemypods.ask.quotas.quotas import Lease
from tracemypods.ask.streams import EventStream
from tracemypods.kit.app import Draining
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey

STREAMED = {"prompt": "Hi?", "stream": True}
CHAT = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi?"}]}


@contextmanager
def asking(client: httpx2.Client, **body: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """A streamed question's events. Each has a prompt of its own."""
    with client.stream("POST", "/api/ask", json={**STREAMED, **body}) as response:
        assert response.status_code == 200
        yield events(response)


def next_status(arriving: Iterator[tuple[str, Any]]) -> Any:
    name, data = next(one for one in arriving if one[0] != ":")
    assert name == "status"
    return data


def test_the_place_in_the_queue_is_told_whenever_it_changes(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str, valkey: Valkey
) -> None:
    served = make_ask(parallel=1)
    stub.fault = "busy_after_first"
    with ExitStack() as stack:
        free = stack.enter_context(caller(served.url, token))
        premium = stack.enter_context(caller(served.url, store_token(valkey, plan="premium")))
        first = stack.enter_context(asking(free, prompt="1"))
        assert next_status(first) == {"state": "waiting"}
        assert next(first)[0] == "delta"
        second = stack.enter_context(asking(free, prompt="2"))
        assert next_status(second) == {"state": "queued", "position": 1}
        third = stack.enter_context(asking(premium, prompt="3"))
        assert next_status(third) == {"state": "queued", "position": 1}
        assert next_status(second) == {"state": "queued", "position": 2}
        stub.resume()
        assert [name for name, _ in first][-1] == "done"
        assert next_status(third) == {"state": "waiting"}
        assert next_status(second) == {"state": "queued", "position": 1}
        assert [name for name, _ in third][-1] == "done"
        assert next_status(second) == {"state": "waiting"}
        assert [name for name, _ in second][-1] == "done"
    asked = [request["messages"][-1]["content"] for request in stub.requests]
    assert asked == ["1", "3", "2"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_full_queue_refuses_at_once(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str, stream: bool
) -> None:
    served = make_ask(parallel=1, queue_places=0)
    stub.fault = "busy_after_first"
    with caller(served.url, token) as client, asking(client) as first:
        next_status(first)
        refused = client.post("/api/ask", json={"prompt": "2", "stream": stream})
        in_openai = client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
        stub.resume()
        assert [name for name, _ in first][-1] == "done"
        assert client.post("/api/ask", json={"prompt": "3"}).status_code == 200
    assert refused.status_code == in_openai.status_code == 503
    assert refused.json()["code"] == in_openai.json()["error"]["code"] == "model_busy"
    for answer in (refused, in_openai):
        assert int(answer.headers["ratelimit-remaining"]) >= 0
    assert int(refused.headers["retry-after"]) > 0
    assert len(stub.requests) == 2


@pytest.mark.parametrize("stream", [True, False])
def test_nobody_waits_longer_than_the_deadline(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str, stream: bool
) -> None:
    served = make_ask(parallel=1, queue_seconds=0.1)
    stub.fault = "busy_after_first"
    with caller(served.url, token) as client, asking(client) as first:
        next_status(first)
        with client.stream("POST", "/api/ask", json={"prompt": "2", "stream": stream}) as response:
            if stream:
                received = list(events(response))
                assert [name for name, _ in received] == ["status", "error"]
                assert received[0][1] == {"state": "queued", "position": 1}
                problem = received[1][1]
            else:
                response.read()
                assert response.status_code == 503
                problem = response.json()
        stub.resume()
        assert [name for name, _ in first][-1] == "done"
    assert problem["code"] == "model_busy"


@pytest.mark.parametrize("fault", ["break_off", "garbage", "refuse", "no_end"])
def test_an_answer_that_fails_frees_its_slot(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str, fault: Any
) -> None:
    served = make_ask(parallel=1, queue_places=0)
    with caller(served.url, token) as client:
        for stream in (True, False):
            stub.fault = fault
            client.post("/api/ask", json={"prompt": "1", "stream": stream})
            stub.fault = None
            assert client.post("/api/ask", json={"prompt": "2"}).status_code == 200


def test_callers_who_leave_give_up_their_places_and_slots(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(parallel=1, queue_places=2)
    stub.fault = "busy_after_first"
    with caller(served.url, token) as client, ExitStack() as stack:
        with asking(client, prompt="1") as first:
            next_status(first)
            assert next(first)[0] == "delta"
            with asking(client, prompt="leaves the queue") as second:
                assert next_status(second)["position"] == 1
                third = stack.enter_context(asking(client, prompt="3"))
                assert next_status(third)["position"] == 2
            assert next_status(third)["position"] == 1
        assert stub.left.wait(20)
        assert next_status(third) == {"state": "waiting"}
        stub.resume()
        assert [name for name, _ in third][-1] == "done"
    asked = [request["messages"][-1]["content"] for request in stub.requests]
    assert asked == ["1", "3"]


def test_queues_are_in_the_metrics(client: httpx2.Client) -> None:
    assert client.post("/api/ask", json={"prompt": "Hi?"}).status_code == 200
    metrics = client.get("/metrics").text
    assert 'ask_model_running{model="smollm2:135m"} 0.0' in metrics
    assert 'ask_model_waiting{model="smollm2:135m"} 0.0' in metrics
    assert 'ask_model_wait_seconds_count{model="smollm2:135m",plan="free"} 1.0' in metrics


def test_a_stream_that_nobody_reads_is_cut(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(parallel=1, queue_places=0, stall_seconds=0.2)
    # More than all buffers between model and caller can hold.
    stub.pieces = ["x" * 60_000] * 2_000
    body = b'{"prompt": "Hi?", "stream": true}'
    host, port = served.url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(
            b"POST /api/ask HTTP/1.1\r\nHost: ask\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        assert stub.left.wait(60), "the model works on for a caller who does not read"
    stub.pieces = ["Hi."]
    with caller(served.url, token) as client:
        answer = client.post("/api/ask", json={"prompt": "2"})
        while answer.status_code == 503:  # the stub notices a moment before ask has cleaned up
            answer = client.post("/api/ask", json={"prompt": "2"})
    assert answer.json()["answer"] == "Hi."


class SpyLease:
    """Remembers with how many tokens it was settled."""

    def __init__(self) -> None:
        self.settled_with: list[int] = []

    def settle(self, used: int) -> None:
        self.settled_with.append(used)


def make_turn(queues: ModelQueues, lease: SpyLease) -> Turn:
    return Turn(queues, "m", "free", cast("Lease", lease), prompt_tokens=5)


async def no_source() -> AsyncGenerator[Event]:
    raise AssertionError("nobody asked the model")
    yield


def make_queues() -> ModelQueues:
    return ModelQueues(
        CollectorRegistry(), slots=1, slots_by_model={}, places=1, deadline=float(10**6)
    )


def test_an_answer_that_was_never_begun_gives_its_slot_up() -> None:
    async def main() -> None:
        queues, leases = make_queues(), [SpyLease(), SpyLease(), SpyLease()]
        first, second, third = (make_turn(queues, lease) for lease in leases)
        first.enter()
        second.enter()
        with pytest.raises(ModelBusy):
            third.enter()
        first.answer(no_source())  # made, and never asked for anything
        first.abandon()
        assert queues.of("m").running == 1  # the second one has it now
        second.abandon()
        third.abandon()
        assert (queues.of("m").running, queues.of("m").waiting) == (0, 0)
        assert [lease.settled_with for lease in leases] == [[0], [0], [0]]

    asyncio.run(main())


def test_leaving_the_queue_takes_no_tokens() -> None:
    async def main() -> None:
        queues, lease = make_queues(), SpyLease()
        holder = queues.of("m").enter("free")
        turn = make_turn(queues, lease)

        async def wait() -> None:
            async for _ in turn.answer(no_source()):
                pass

        waiting = asyncio.create_task(wait())
        async for position in turn.positions():
            assert position == 1
            waiting.cancel()
        await asyncio.wait({waiting})
        holder.leave()
        assert (queues.of("m").running, queues.of("m").waiting) == (0, 0)
        assert lease.settled_with == [0]

    asyncio.run(main())


@pytest.mark.parametrize("blocked_at", ["start", "first", "heartbeat"])
def test_a_stream_that_is_not_read_ends(blocked_at: str) -> None:
    """Whatever cannot be sent: the headers, a frame, or a heartbeat while nothing is made."""
    closed: list[str] = []

    async def frames() -> AsyncGenerator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.append("frames")

    async def send(message: Any) -> None:
        body = message.get("body", b"")
        reached = {
            "start": message["type"] == "http.response.start",
            "first": body == b"first",
            "heartbeat": body.startswith(b":"),
        }
        if reached[blocked_at]:
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        response = EventStream(
            frames(),
            draining=Draining(),
            grace=1,
            watching=nullcontext(asyncio.get_running_loop().create_future()),
            heartbeat=0.01,
            stall=0.02,
            last_frame=lambda _problem: b"last",
            ended=lambda: closed.append("ended"),
        )
        await response({}, receive, send)

    asyncio.run(main())
    assert closed == (["ended"] if blocked_at == "start" else ["frames", "ended"])
