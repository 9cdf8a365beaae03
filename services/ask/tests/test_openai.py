"""`/v1` with the official OpenAI client, and with requests that it would not send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import httpx2
import openai
import pytest
from openai.types.chat import completion_create_params

from tracemypods.ask.openai_api.wire import ChatRequest
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp

MODEL = "smollm2:135m"
HELLO: list[Any] = [{"role": "user", "content": "Hi?"}]


@pytest.fixture
def sdk(ask_url: str, token: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{ask_url}/v1", api_key=token, max_retries=0) as client:
        yield client


def test_every_field_that_openai_documents_is_known() -> None:
    documented = set(get_type_hints(completion_create_params.CompletionCreateParamsBase))
    assert documented - set(ChatRequest.model_fields) == set()


def test_a_whole_answer(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "Hello, world."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 11
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == MODEL


def test_a_streamed_answer_with_its_usage_in_the_last_chunk(sdk: openai.OpenAI) -> None:
    chunks = list(
        sdk.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello, world."
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_ends_with_done_and_without_usage_when_none_is_asked(
    client: httpx2.Client,
) -> None:
    body = {"model": MODEL, "messages": HELLO, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        received = [data for _, data in events(response)]
    assert received[-1] == "[DONE]"
    assert all("usage" not in chunk for chunk in received[:-1])
    assert received[-2]["choices"][0]["finish_reason"] == "stop"


def test_what_is_honoured_reaches_the_model(sdk: openai.OpenAI, stub: ModelStub) -> None:
    honoured: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["\n"],
        "seed": 7,
        "presence_penalty": 1.0,
        "frequency_penalty": -1.0,
        "logit_bias": {"5": -100},
    }
    sdk.chat.completions.create(
        model=MODEL, messages=HELLO, max_completion_tokens=5, user="u", store=False, **honoured
    )
    sent = stub.requests[0]
    assert {name: sent[name] for name in honoured} == honoured
    assert sent["max_tokens"] == 5
    assert "user" not in sent
    assert "store" not in sent


def test_content_parts_and_developer_messages(sdk: openai.OpenAI, stub: ModelStub) -> None:
    sdk.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        ],
    )
    assert stub.requests[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a\nb"},
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 10**6}, "max_tokens"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": "Hi"}, "messages"),
        ({"model": 5}, "model"),
    ],
)
def test_what_cannot_be_met_is_refused_by_name(
    client: httpx2.Client, stub: ModelStub, fields: dict[str, Any], param: str
) -> None:
    body = {"model": MODEL, "messages": HELLO, **fields}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert stub.requests == []


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"tools": []},
        {"tools": None},
        {"tool_choice": "none"},
        {"response_format": {"type": "text"}},
        {"logprobs": False},
        {"stream": None},
        {"metadata": {"a": "b"}},
        {"service_tier": "auto"},
        {"reasoning_effort": "low"},
    ],
)
def test_harmless_values_are_taken(client: httpx2.Client, fields: dict[str, Any]) -> None:
    answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": HELLO, **fields})
    assert answer.status_code == 200


def test_errors_are_those_that_the_client_knows(sdk: openai.OpenAI, stub: ModelStub) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.chat.completions.create(model="gpt-9", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="nonsense").models.list()

    stub.fault = "error_event"
    with pytest.raises(openai.APIError, match="Ask again"):
        list(sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True))


def test_models(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == [MODEL]
    assert sdk.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("gpt-9")


def test_history_that_was_cut_shows_in_a_header(client: httpx2.Client) -> None:
    old = [{"role": role, "content": "word " * 3000} for role in ("user", "assistant")]
    answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": old + HELLO})
    assert answer.headers["x-dropped-messages"] == "2"


def test_cross_origin_access_is_off_until_an_origin_is_named(
    make_ask: Callable[..., ServedApp], client: httpx2.Client
) -> None:
    preflight = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    def allowed(url: str, path: str, origin: str) -> str | None:
        headers = {**preflight, "Origin": origin}
        answer = client.options(f"{url}{path}", headers=headers)
        return answer.headers.get("access-control-allow-origin")

    closed = str(client.base_url).rstrip("/")
    opened = make_ask(cors_origins=["https://app.example"]).url
    chat = "/v1/chat/completions"
    assert allowed(closed, chat, "https://app.example") is None
    assert allowed(opened, chat, "https://app.example") == "https://app.example"
    assert allowed(opened, chat, "https://evil.example") is None
    assert allowed(opened, "/api/ask", "https://app.example") is None
