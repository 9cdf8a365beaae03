"""The chat as programs use it: through the gateway, answered by the real model."""

from __future__ import annotations

import time

import httpx2
import openai
import pytest

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events

MODEL = "smollm2:135m"


def test_the_official_openai_client_streams_an_answer(site: str, token: str) -> None:
    with openai.OpenAI(base_url=f"{site}/v1", api_key=token, max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "What is gravity?"}],
                stream=True,
                stream_options={"include_usage": True},
                temperature=0,
                max_tokens=40,
            )
        )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 10
    assert "gravity" in "".join(pieces).lower()
    assert chunks[-1].usage is not None
    assert 0 < chunks[-1].usage.completion_tokens <= 40


def test_from_a_token_to_an_answer_to_a_revoked_token(site: str) -> None:
    with caller(site, None) as anonymous:
        issued = anonymous.post("/api/token")
        assert issued.status_code == 201
        assert issued.headers["ratelimit-limit"] == "1000"
        token = issued.json()["token"]
    with caller(site, token) as person:
        model = person.get("/api/models").json()["items"][0]
        assert (model["name"], model["status"], model["allowed"]) == (MODEL, "ready", True)

        question = {"prompt": "What is gravity?", "stream": True, "max_tokens": 30}
        with person.stream("POST", "/api/ask", json=question) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            names = [name for name, _ in events(response)]
        assert names[0] == "status"
        assert names.count("delta") > 10
        assert names[-1] == "done"

        whole = person.post("/api/ask", json={"prompt": "Say hello.", "max_tokens": 10}).json()
        assert whole["answer"]
        assert whole["usage"]["completion_tokens"] <= 10

        assert person.delete("/api/token").status_code == 204
        refused = person.post("/api/ask", json=question)
        assert refused.status_code == 401
        assert refused.json()["code"] == "token_revoked"


def test_an_id_from_outside_is_not_taken(site: str, token: str) -> None:
    ours = "req_" + "0" * 32
    with caller(site, token) as person:
        answer = person.get("/api/token", headers={"X-Request-Id": ours})
    assert answer.headers["x-request-id"] != ours


def test_a_caller_who_leaves_frees_the_model_while_it_reads_the_prompt(
    site: str, token: str
) -> None:
    """Both slots of the model read a long prompt whose callers leave.

    The model would be busy for as long as reading one takes, which is measured first; a short
    question afterwards must not wait for that.
    """

    def long_prompt(first_word: str) -> str:  # told apart, so that nothing is read from a cache
        return f"{first_word} " + "and then the ship went on over the grey sea " * 180

    with caller(site, token) as person:
        person.timeout = httpx2.Timeout(120)
        started = time.monotonic()
        reading = {"prompt": long_prompt("Once"), "max_tokens": 1}
        assert person.post("/api/ask", json=reading).status_code == 200
        reading_takes = time.monotonic() - started

        for word in ("Twice", "Thrice"):
            with pytest.raises(httpx2.ReadTimeout):
                person.post("/api/ask", json={"prompt": long_prompt(word)}, timeout=0.3)
        started = time.monotonic()
        assert person.post("/api/ask", json={"prompt": "Hi", "max_tokens": 1}).status_code == 200
        assert time.monotonic() - started < reading_takes / 2
