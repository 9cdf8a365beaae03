"""Valkey and the model server stopped, hung, slow and failing: quick, named, and over again.

"Quick" is no absolute time here: what hangs, hangs for ever, so a test that ends at all has seen
the service give up by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import Fault, ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey

QUESTION = {"prompt": "Hi?"}


@pytest.fixture
def impatient(make_ask: Callable[..., ServedApp], token: str) -> Iterator[httpx2.Client]:
    """A caller of a service whose patience is short, so that tests are."""
    served = make_ask(silence_seconds=0.1, probe_seconds=2, connect_seconds=2)
    with caller(served.url, token) as client:
        yield client


def test_valkey_stopped(client: httpx2.Client, valkey: Valkey) -> None:
    assert client.post("/api/ask", json=QUESTION).status_code == 200
    valkey.stop()
    answer = client.post("/api/ask", json=QUESTION)
    assert answer.status_code == 503
    assert answer.json()["code"] == "token_store_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert list(ready.json()["missing"]) == ["redis"]
    assert client.get("/livez").status_code == 200
    valkey.start()
    assert client.post("/api/ask", json=QUESTION).status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.impatient
def test_valkey_hung(client: httpx2.Client, valkey: Valkey) -> None:
    valkey.pause()
    try:
        answer = client.post("/api/ask", json=QUESTION)
    finally:
        valkey.resume()
    assert answer.status_code == 503
    assert answer.json()["code"] == "token_store_unavailable"
    assert client.post("/api/ask", json=QUESTION).status_code == 200


def test_valkey_slow(client: httpx2.Client, valkey: Valkey) -> None:
    valkey.command("CLIENT", "PAUSE", "300")  # milliseconds for which it answers nobody
    assert client.post("/api/ask", json=QUESTION).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_model_server_stopped(impatient: httpx2.Client, stub: ModelStub, stream: bool) -> None:
    stub.stop()
    answer = impatient.post("/api/ask", json={**QUESTION, "stream": stream})
    assert answer.status_code == 503
    assert answer.json()["code"] == "model_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert list(impatient.get("/readyz").json()["missing"]) == ["models"]
    stub.start()
    await_recovery(impatient)


@pytest.mark.parametrize("stream", [True, False])
def test_model_server_hung(impatient: httpx2.Client, stub: ModelStub, stream: bool) -> None:
    stub.fault = "hang"
    answer = impatient.post("/api/ask", json={**QUESTION, "stream": stream})
    assert answer.status_code == 503
    assert answer.json()["code"] == "model_unavailable"
    stub.fault = None
    await_recovery(impatient)


def test_model_server_hangs_after_it_was_seen_well(
    impatient: httpx2.Client, stub: ModelStub
) -> None:
    assert impatient.post("/api/ask", json=QUESTION).status_code == 200
    stub.fault = "hang"  # what it has is still remembered, so the question itself is sent
    with impatient.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response:
        received = list(events(response))
    assert received[0][0] == "status"
    name, problem = received[-1]
    assert name == "error"
    assert problem["code"] == "model_timeout"
    stub.fault = None
    await_recovery(impatient)


def test_model_server_hangs_in_mid_answer(impatient: httpx2.Client, stub: ModelStub) -> None:
    assert impatient.get("/api/models").json()["items"][0]["status"] == "ready"
    stub.fault = "hang_after_first"
    with impatient.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response:
        received = list(events(response))
    assert [name for name, _ in received] == ["status", "delta", "error"]
    assert received[-1][1]["code"] == "model_timeout"
    assert stub.left.wait(20)


def test_a_busy_model_server_is_not_taken_for_a_hung_one(
    impatient: httpx2.Client, stub: ModelStub
) -> None:
    """It is silent for longer than `silence_seconds`, but says that it is there."""
    stub.seconds_between = 0.5
    answer = impatient.post("/api/ask", json=QUESTION)
    assert answer.status_code == 200
    assert answer.json()["answer"] == "Hello, world."


def test_an_answer_that_never_begins_is_given_up(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(silence_seconds=0.05, first_text_seconds=0.2)
    stub.fault = "never_begin"
    with caller(served.url, token) as client:
        answer = client.post("/api/ask", json=QUESTION)
    assert answer.status_code == 504
    assert answer.json()["code"] == "model_timeout"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("break_off", "answer_interrupted"),
        ("error_event", "answer_interrupted"),
        ("no_end", "answer_interrupted"),
        ("garbage", "answer_interrupted"),
    ],
)
def test_an_upstream_that_fails_in_mid_stream(
    client: httpx2.Client, stub: ModelStub, fault: Fault, code: str
) -> None:
    stub.fault = fault
    with client.stream("POST", "/api/ask", json={**QUESTION, "stream": True}) as response:
        assert response.status_code == 200
        name, problem = list(events(response))[-1]
    assert name == "error"
    assert problem["code"] == code
    assert problem["request_id"].startswith("req_")

    whole = client.post("/api/ask", json=QUESTION)
    assert whole.status_code == 502
    assert whole.json()["code"] == code


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (503, {"error": {"message": "Loading model"}}, 503, "model_busy"),
        (429, {"error": {"message": "busy"}}, 503, "model_busy"),
        (404, {"error": {"message": "no such model"}}, 409, "model_not_installed"),
        (400, {"error": {"type": "exceed_context_size_error"}}, 422, "context_exceeded"),
        (400, {"error": "a string"}, 502, "model_failed"),
        (500, {"error": {"message": "boom"}}, 502, "model_failed"),
        (401, {}, 502, "model_failed"),
        (302, {}, 502, "model_failed"),
    ],
)
def test_what_the_model_server_refuses(
    client: httpx2.Client,
    stub: ModelStub,
    status: int,
    body: dict[str, Any],
    expected: int,
    code: str,
) -> None:
    stub.fault = "refuse"
    stub.refusal = (status, body)
    answer = client.post("/api/ask", json=QUESTION)
    assert answer.status_code == expected
    assert answer.json()["code"] == code


def test_a_model_that_is_not_installed(client: httpx2.Client, stub: ModelStub) -> None:
    stub.models = []
    answer = client.post("/api/ask", json=QUESTION)
    assert answer.status_code == 409
    assert answer.json()["code"] == "model_not_installed"
    assert stub.requests == []


def await_recovery(client: httpx2.Client) -> None:
    """Ask until it works again. What is known of a server that failed holds for a moment."""
    answer = client.post("/api/ask", json=QUESTION)
    while answer.status_code == 503:
        answer = client.post("/api/ask", json=QUESTION)
    assert answer.status_code == 200
