"""Base models are prompted as what they are: with a text to continue, and where to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

from tracemypods.ask.conversation import Message
from tracemypods.ask.prompts import prompt_of
from tracemypods.contracts.catalogue import PromptTemplate
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import Fault, ModelStub
from tracemypods.local.testing.served import ServedApp

PHI2, PHI15 = "phi:2.7b", "phi1.5:1.3b"
TEMPLATE = PromptTemplate(question="Q: {text}\n", answer="A: {text}\n", stop=("\nQ:",))
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "Two?"},
]


@pytest.fixture(autouse=True)
def installed(stub: ModelStub) -> None:
    """The stub has both, and writes as base models do: a space first, then ever more."""
    stub.models = [PHI2, PHI15]
    stub.pieces = [" ", " Two", ".\nInst", "ruct: Three?\n", "Output: Three."]


def test_a_question_becomes_a_prompt(client: httpx2.Client, stub: ModelStub) -> None:
    answer = client.post("/api/ask", json={"prompt": " Two? ", "model": PHI2, "temperature": 0})

    assert answer.status_code == 200
    assert answer.json()["answer"] == "Two."
    assert answer.json()["model"] == PHI2
    assert answer.json()["finish_reason"] == "stop"
    (sent,) = stub.requests
    assert sent["prompt"] == "Instruct: Two?\nOutput:"
    assert sent["stop"] == ["\nInstruct:", "\nOutput:"]
    assert sent["max_tokens"] == 384
    assert sent["temperature"] == 0
    assert "messages" not in sent


def test_history_and_instructions_are_folded_in(client: httpx2.Client, stub: ModelStub) -> None:
    for model in (PHI2, PHI15):
        body = {"messages": CONVERSATION, "model": model}
        assert client.post("/api/ask", json=body).status_code == 200
    assert [sent["prompt"] for sent in stub.requests] == [
        "Instruct: Be brief.\nOne?\nOutput: 1\nInstruct: Two?\nOutput:",
        "Question: Be brief.\nOne?\n\nAnswer: 1\n\nQuestion: Two?\n\nAnswer:",
    ]


def test_a_streamed_answer_has_no_space_in_front(client: httpx2.Client) -> None:
    body = {"prompt": "Two?", "model": PHI2, "stream": True}
    with client.stream("POST", "/api/ask", json=body) as response:
        received = list(events(response))
    assert "".join(data["text"] for name, data in received if name == "delta") == "Two."
    name, done = received[-1]
    assert name == "done"
    assert done["usage"]["prompt_tokens"] == 7


def test_openai_clients_chat_with_them_all_the_same(
    ask_url: str, token: str, stub: ModelStub
) -> None:
    with openai.OpenAI(base_url=f"{ask_url}/v1", api_key=token, max_retries=0) as sdk:
        answer = sdk.chat.completions.create(
            model=PHI2, messages=[{"role": "user", "content": "Two?"}], stop=["\n\n"], seed=7
        )
        chunks = list(
            sdk.chat.completions.create(
                model=PHI2, messages=[{"role": "user", "content": "Two?"}], stream=True
            )
        )
    assert answer.choices[0].message.content == "Two."
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Two."
    assert stub.requests[0]["stop"] == ["\nInstruct:", "\nOutput:", "\n\n"]
    assert stub.requests[0]["seed"] == 7


def test_history_that_does_not_fit_is_cut_before_it_is_folded_in(
    client: httpx2.Client, stub: ModelStub
) -> None:
    old = [{"role": role, "content": "word " * 1500} for role in ("user", "assistant")]
    body = {"messages": [CONVERSATION[0], *old, CONVERSATION[-1]], "model": PHI2}
    assert client.post("/api/ask", json=body).json()["dropped_messages"] == 2
    assert stub.requests[0]["prompt"] == "Instruct: Be brief.\nTwo?\nOutput:"


@pytest.mark.parametrize("fault", ["break_off", "error_event", "no_end", "garbage"])
def test_answers_that_break_off(client: httpx2.Client, stub: ModelStub, fault: Fault) -> None:
    stub.fault = fault
    body = {"prompt": "Two?", "model": PHI2}
    whole = client.post("/api/ask", json=body)
    assert whole.status_code == 502
    assert whole.json()["code"] == "answer_interrupted"
    with client.stream("POST", "/api/ask", json={**body, "stream": True}) as response:
        name, problem = list(events(response))[-1]
    assert name == "error"
    assert problem["code"] == "answer_interrupted"


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        ((503, {"error": {"message": "Loading model"}}), 503, "model_busy"),
        ((400, {"error": {"type": "exceed_context_size_error"}}), 422, "context_exceeded"),
        ((500, {}), 502, "model_failed"),
    ],
)
def test_refusals(
    client: httpx2.Client,
    stub: ModelStub,
    refusal: tuple[int, dict[str, Any]],
    status: int,
    code: str,
) -> None:
    stub.fault, stub.refusal = "refuse", refusal
    answer = client.post("/api/ask", json={"prompt": "Two?", "model": PHI2})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_hung_server_is_noticed(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(silence_seconds=0.1, probe_seconds=2)
    with caller(served.url, token) as client:
        assert client.get("/api/models").status_code == 200
        stub.fault = "hang_after_first"
        answer = client.post("/api/ask", json={"prompt": "Two?", "model": PHI2})
    assert answer.status_code == 504
    assert answer.json()["code"] == "model_timeout"
    assert stub.left.wait(20)


@pytest.mark.parametrize(
    ("roles", "prompt"),
    [
        ("u", "Q: 0\nA:"),
        ("su", "Q: 0\n1\nA:"),
        ("ssu", "Q: 0\n1\n2\nA:"),
        ("uasu", "Q: 0\nA: 1\nQ: 2\n3\nA:"),
        ("uu", "Q: 0\nQ: 1\nA:"),
        ("au", "A: 0\nQ: 1\nA:"),
    ],
)
def test_prompts(roles: str, prompt: str) -> None:
    names = {"s": "system", "u": "user", "a": "assistant"}
    messages: list[Any] = [Message(names[role], f" {at}\n") for at, role in enumerate(roles)]  # pyright: ignore[reportArgumentType]
    assert prompt_of(TEMPLATE, messages) == prompt


def test_a_text_that_looks_like_a_pattern_stays_as_it_is() -> None:
    assert prompt_of(TEMPLATE, [Message("user", "{text} {0}")]) == "Q: {text} {0}\nA:"
