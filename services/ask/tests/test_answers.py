"""What a caller gets when all is well: whole and streamed answers in our own format."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp

MODEL = "smollm2:135m"


def test_a_whole_answer(client: httpx2.Client, stub: ModelStub) -> None:
    answer = client.post("/api/ask", json={"prompt": "Hi?"})

    assert answer.status_code == 200
    body = answer.json()
    assert body["answer"] == "Hello, world."
    assert body["model"] == MODEL
    assert body["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    assert body["cache"] == {"state": "bypass"}
    assert body["request_id"] == answer.headers["x-request-id"]
    sent = stub.requests[0]
    assert sent["messages"] == [{"role": "user", "content": "Hi?"}]
    assert sent["model"] == MODEL
    assert sent["max_tokens"] == 512


def test_a_streamed_answer(client: httpx2.Client) -> None:
    with client.stream("POST", "/api/ask", json={"prompt": "Hi?", "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        received = list(events(response))

    assert received[0] == ("status", {"state": "waiting"})
    # What the model server sent together may come together.
    assert "".join(data["text"] for name, data in received if name == "delta") == "Hello, world."
    name, done = received[-1]
    assert name == "done"
    assert "answer" not in done
    assert done["usage"]["total_tokens"] == 11


def test_text_arrives_before_the_answer_is_complete(client: httpx2.Client, stub: ModelStub) -> None:
    stub.fault = "busy_after_first"
    with client.stream("POST", "/api/ask", json={"prompt": "Hi?", "stream": True}) as response:
        arriving = events(response)
        assert next(arriving)[0] == "status"
        assert next(arriving) == ("delta", {"text": "Hello"})  # the rest does not exist yet
        stub.resume()
        rest = list(arriving)
        assert "".join(data["text"] for name, data in rest if name == "delta") == ", world."
        assert rest[-1][0] == "done"


def test_a_conversation_reaches_the_model_in_order(client: httpx2.Client, stub: ModelStub) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Two?"},
    ]
    body = {"messages": messages, "model": MODEL, "temperature": 0, "max_tokens": 9}
    assert client.post("/api/ask", json=body).status_code == 200
    sent = stub.requests[0]
    assert sent["messages"] == messages
    assert sent["temperature"] == 0
    assert sent["max_tokens"] == 9


def test_history_that_does_not_fit_is_cut_and_the_caller_told(
    client: httpx2.Client, stub: ModelStub
) -> None:
    # The stub counts words: three times 700 do not fit a context of 2,048 tokens with the answer.
    old = [
        {"role": role, "content": "word " * 700}
        for role in ("user", "assistant", "user", "assistant")
    ]
    body = {"messages": [*old, {"role": "user", "content": "And now?"}]}

    whole = client.post("/api/ask", json=body).json()
    with client.stream("POST", "/api/ask", json={**body, "stream": True}) as response:
        first = next(events(response))

    assert whole["dropped_messages"] == 2
    assert first == ("status", {"state": "waiting", "dropped_messages": 2})
    assert [one["role"] for one in stub.requests[0]["messages"]] == ["user", "assistant", "user"]


def test_an_answer_cut_at_its_limit_says_so(client: httpx2.Client, stub: ModelStub) -> None:
    stub.finish_reason = "length"
    assert client.post("/api/ask", json={"prompt": "Hi?"}).json()["finish_reason"] == "length"


def test_a_silent_stream_carries_a_heartbeat(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(heartbeat_seconds=0.05)
    stub.fault = "busy_after_first"
    with (
        caller(served.url, token) as client,
        client.stream("POST", "/api/ask", json={"prompt": "Hi?", "stream": True}) as response,
    ):
        arriving = events(response)
        assert [next(arriving)[0] for _ in range(4)] == ["status", "delta", ":", ":"]
        stub.resume()
        assert [name for name, _ in arriving if name != ":"][-1] == "done"


@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_who_goes_away_frees_the_model(
    client: httpx2.Client, stub: ModelStub, stream: bool
) -> None:
    stub.fault = "busy_after_first"
    try:
        with client.stream(
            "POST", "/api/ask", json={"prompt": "Hi?", "stream": stream}, timeout=0.5
        ) as response:
            arriving = events(response)
            assert next(arriving)[0] == "status"
            assert next(arriving)[0] == "delta"
    except httpx2.ReadTimeout:
        assert not stream  # a whole answer is not there yet: this caller gives up on it
    assert stub.left.wait(20)


def test_models_are_listed_with_their_status(
    client: httpx2.Client, make_ask: Callable[..., ServedApp], stub: ModelStub
) -> None:
    model = client.get("/api/models").json()["items"][0]
    assert model["name"] == MODEL
    assert model["status"] == "ready"
    assert model["allowed"] is True
    assert model["licence"]["name"] == "Apache-2.0"

    stub.models = ["another"]
    with caller(make_ask().url, None) as anonymous:
        model = anonymous.get("/api/models").json()["items"][0]
    assert model["status"] == "not_installed"

    stub.stop()
    with caller(make_ask().url, None) as anonymous:
        model = anonymous.get("/api/models").json()["items"][0]
    assert model["status"] == "down"


def test_open_streams_get_a_last_event_when_the_service_stops(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(drain_seconds=0.2)
    stub.fault = "busy_after_first"
    with (
        caller(served.url, token) as client,
        client.stream("POST", "/api/ask", json={"prompt": "Hi?", "stream": True}) as response,
    ):
        arriving = events(response)
        assert next(arriving)[0] == "status"
        assert next(arriving)[0] == "delta"
        served.tell_to_stop()
        name, problem = next(arriving)
    assert name == "error"
    assert problem["code"] == "shutting_down"
    assert stub.left.wait(20)
