"""Which models a caller may use, and what is said about the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from tracemypods.contracts.catalogue import CatalogueError
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import store_token
from tracemypods.local.testing.valkey import Valkey

FREE, PLUS, MISTRAL, LLAMA = "smollm2:135m", "smollm2:135m-plus", "mistral:7b", "llama2:7b"


@pytest.fixture
def premium(valkey: Valkey) -> str:
    return store_token(valkey, plan="premium")


def listed(client: httpx2.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/api/models")
    assert answer.status_code == 200
    return {model["name"]: model for model in answer.json()["items"]}


@pytest.mark.parametrize("model", [PLUS, MISTRAL])
def test_a_locked_model_says_how_to_get_it(
    client: httpx2.Client, stub: ModelStub, model: str
) -> None:
    answer = client.post("/api/ask", json={"prompt": "Hi?", "model": model})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "model_locked"
    assert "premium token" in answer.json()["detail"]
    assert "operator" in answer.json()["detail"]

    body = {"model": model, "messages": [{"role": "user", "content": "Hi?"}]}
    for refused in (
        client.post("/v1/chat/completions", json=body),
        client.get(f"/v1/models/{model}"),
    ):
        assert refused.status_code == 403
        error = refused.json()["error"]
        assert error["code"] == "model_locked"
        assert error["type"] == "invalid_request_error"
        assert "premium token" in error["message"]
    assert stub.requests == []


def test_a_premium_token_opens_the_premium_profile(
    ask_url: str, premium: str, stub: ModelStub
) -> None:
    with caller(ask_url, premium) as client:
        answer = client.post("/api/ask", json={"prompt": "Hi?", "model": PLUS, "max_tokens": 2000})
        assert client.get(f"/v1/models/{PLUS}").json()["id"] == PLUS
    assert answer.status_code == 200
    assert answer.json()["model"] == PLUS
    assert stub.requests[0]["model"] == FREE  # the same weights
    assert stub.requests[0]["max_tokens"] == 2000


def test_the_premium_profile_remembers_more(ask_url: str, token: str, premium: str) -> None:
    old = [{"role": role, "content": "word " * 1500} for role in ("user", "assistant")]
    messages = [*old, {"role": "user", "content": "And now?"}]

    def dropped(token: str, model: str) -> int:
        with caller(ask_url, token) as client:
            body = {"messages": messages, "model": model, "max_tokens": 512}
            return client.post("/api/ask", json=body).json()["dropped_messages"]

    assert dropped(token, FREE) == 2
    assert dropped(premium, PLUS) == 0


def test_the_list_reflects_tiers(ask_url: str, token: str, premium: str) -> None:
    with caller(ask_url, None) as anonymous, caller(ask_url, token) as free:
        for_anonymous, for_free = listed(anonymous), listed(free)
    with caller(ask_url, premium) as paying:
        for_premium = listed(paying)

    assert for_anonymous == for_free
    assert {name for name, model in for_free.items() if model["allowed"]} == {
        name for name, model in for_free.items() if model["tier"] == "free"
    }
    assert not for_free[PLUS]["allowed"]
    assert all(model["allowed"] for model in for_premium.values())
    assert {name: model["status"] for name, model in for_free.items()} == {
        name: "ready" if name in (FREE, PLUS) else "not_installed" for name in for_free
    }


def test_the_list_tells_what_the_catalogue_knows(client: httpx2.Client) -> None:
    models = listed(client)
    assert next(iter(models)) == FREE
    assert models["phi:2.7b"]["kind"] == "base"
    mistral = models[MISTRAL]
    assert mistral["kind"] == "chat"
    assert mistral["size_bytes"] == 4_200_000_000
    assert (mistral["memory_bytes"], mistral["memory_most_bytes"]) == (
        8_000_000_000,
        16_000_000_000,
    )
    assert "8 GB" in mistral["gpu"]
    assert mistral["context_tokens"] == 32_768
    assert mistral["licence"] == {
        "name": "Apache-2.0",
        "url": "https://www.apache.org/licenses/LICENSE-2.0",
        "use_policy": None,
        "notice": None,
    }
    assert "upstream" not in mistral


def test_one_look_at_the_model_server_serves_the_whole_list(
    client: httpx2.Client, stub: ModelStub
) -> None:
    for _ in range(5):
        assert len(listed(client)) > 5
    assert stub.listed == 1


def test_a_hung_model_server_holds_the_list_up_once(
    make_ask: Callable[..., ServedApp], stub: ModelStub, token: str
) -> None:
    served = make_ask(probe_seconds=0.2)
    stub.fault = "hang"
    with caller(served.url, token) as client:
        assert {model["status"] for model in listed(client).values()} == {"down"}
    assert stub.listed == 1


def test_ollama_names_models_without_a_tag_latest(client: httpx2.Client, stub: ModelStub) -> None:
    stub.models = ["tinyllama:latest", FREE]
    assert listed(client)["tinyllama"]["status"] == "ready"
    assert client.post("/api/ask", json={"prompt": "Hi?", "model": "tinyllama"}).status_code == 200
    assert stub.requests[0]["model"] == "tinyllama"


def test_ollama_tells_which_models_are_loaded(ask_url: str, token: str, stub: ModelStub) -> None:
    stub.models = ["smollm2:135m", "tinyllama:latest"]
    stub.ollama = {"smollm2:135m": "a" * 64, "tinyllama:latest": "b" * 64}
    stub.loaded = ["tinyllama:latest"]
    with caller(ask_url, token, cached=True) as client:
        listed = {one["name"]: one["status"] for one in client.get("/api/models").json()["items"]}
        assert listed["smollm2:135m"] == "cold"
        assert listed["tinyllama"] == "ready"
        assert listed["mistral:7b"] == "not_installed"
        assert client.post("/api/ask", json={"prompt": "Hi?"}).status_code == 200


def test_other_weights_under_the_same_name_give_no_kept_answers(
    make_ask: Callable[..., ServedApp], token: str, stub: ModelStub
) -> None:
    stub.ollama = {"smollm2:135m": "a" * 64}
    question = {"prompt": "Hi?"}

    def states(url: str) -> list[str]:
        with caller(url, token, cached=True) as client:
            client.get("/api/models")  # so that it has looked
            return [
                client.post("/api/ask", json=question).json()["cache"]["state"] for _ in range(2)
            ]

    assert states(make_ask().url) == ["miss", "exact"]
    assert states(make_ask().url) == ["exact", "exact"]
    stub.ollama = {"smollm2:135m": "b" * 64}
    assert states(make_ask().url) == ["miss", "exact"]


def test_models_under_terms_that_are_not_accepted_are_unknown(
    ask_url: str, premium: str, stub: ModelStub
) -> None:
    stub.models = [FREE, LLAMA, "gemma:2b"]
    with caller(ask_url, premium) as client:
        assert not {LLAMA, "codellama:7b", "gemma:2b"} & set(listed(client))
        answer = client.post("/api/ask", json={"prompt": "Hi?", "model": LLAMA})
        ids = [model["id"] for model in client.get("/v1/models").json()["data"]]
        v1 = client.get(f"/v1/models/{LLAMA}")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_unknown")
    assert LLAMA not in answer.json()["detail"].partition("Use one of")[2]
    assert ids == [FREE, PLUS]
    assert v1.status_code == 404


def test_models_under_accepted_terms_are_offered_with_their_notice(
    make_ask: Callable[..., ServedApp], premium: str, stub: ModelStub
) -> None:
    stub.models = [FREE, LLAMA]
    served = make_ask(accepted_terms=("llama2",))
    with caller(served.url, premium) as client:
        models = listed(client)
        assert client.post("/api/ask", json={"prompt": "Hi?", "model": LLAMA}).status_code == 200
    assert "gemma:2b" not in models
    llama = models[LLAMA]
    assert llama["status"] == "ready"
    assert llama["terms"] == "llama2"
    assert llama["licence"]["notice"].startswith("Llama 2 is licensed under the LLAMA 2 Community")
    assert llama["licence"]["url"] == "https://ai.meta.com/llama/license/"
    assert llama["licence"]["use_policy"] == "https://ai.meta.com/llama/use-policy/"


def test_terms_are_a_setting_that_must_be_right(
    make_ask: Callable[..., ServedApp],
    monkeypatch: pytest.MonkeyPatch,
    stub: ModelStub,
    token: str,
) -> None:
    with pytest.raises(CatalogueError, match=r"ACCEPTED_TERMS names 'llama3'"):
        make_ask(accepted_terms=("llama3",))
    with pytest.raises(ValidationError):
        make_ask(accepted_terms="llama2")
    monkeypatch.setenv("TRACEMYPODS_ACCEPTED_TERMS", '["gemma"]')
    with caller(make_ask().url, token) as client:
        assert listed(client)["gemma:2b"]["allowed"]
