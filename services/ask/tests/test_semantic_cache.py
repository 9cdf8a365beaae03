"""The semantic cache over HTTP: what it answers, for whom, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from redis import Redis
from semantic_person import ASKED, OTHER, SAME, Person
from semantic_stubs import Embedder, Fault, Vectors

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.valkey import Valkey


def test_a_question_in_other_words_is_answered_at_once(
    make_person: Callable[..., Person], stub: ModelStub
) -> None:
    person = make_person()
    first, second = person.ask(ASKED, kept=True), person.ask(SAME)
    assert first["cache"] == {"state": "miss"}
    cache = second["cache"]
    assert (cache["state"], cache["question"]) == ("semantic", ASKED)
    assert 0.7 <= cache["similarity"] <= 1
    assert cache["age"] >= 0
    for field in ("answer", "usage", "finish_reason", "model"):
        assert second[field] == first[field]
    assert len(stub.requests) == 1
    assert person.states(OTHER) == ["miss"]


def test_streamed_and_in_openais_format(make_person: Callable[..., Person]) -> None:
    person = make_person()
    person.ask(ASKED, kept=True)
    with person.client.stream("POST", "/api/ask", json={"prompt": SAME, "stream": True}) as answer:
        assert answer.headers["x-cache"] == "semantic"
        assert 0.7 <= float(answer.headers["x-cache-similarity"]) <= 1
        name, done = list(events(answer))[-1]
    assert (name, done["cache"]["question"]) == ("done", ASKED)
    chat = {"model": "smollm2:135m", "messages": [{"role": "user", "content": SAME}]}
    answer = person.client.post("/v1/chat/completions", json=chat)
    assert answer.headers["x-cache"] == "semantic"
    assert int(answer.headers["age"]) >= 0


def test_it_counts_as_a_request_and_not_as_tokens(
    make_person: Callable[..., Person], valkey: Valkey
) -> None:
    person = make_person(free_limits={"tokens_per_day": 600, "concurrent": 1})
    person.ask(ASKED, kept=True, max_tokens=200)
    states = {person.ask(SAME, max_tokens=200)["cache"]["state"] for _ in range(20)}
    assert states == {"semantic"}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "smollm2:135m-plus"},
        {"max_tokens": 7},
        {"temperature": 0.5},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user"}]},
        {"messages": [{"role": "user"}, {"role": "assistant"}, {"role": "user"}]},
    ],
)
def test_what_else_an_answer_depends_on(
    make_person: Callable[..., Person], change: dict[str, Any]
) -> None:
    person = make_person(plan="premium")
    person.ask(ASKED, kept=True)
    if "messages" in change:
        messages = [{"content": SAME, **message} for message in change["messages"]]
        answer = person.client.post("/api/ask", json={"messages": messages})
        assert answer.json()["cache"]["state"] == "miss"
    else:
        assert person.ask(SAME, **change)["cache"]["state"] == "miss"
    assert person.ask(SAME)["cache"]["state"] in ("semantic", "exact")


def test_nobody_gets_an_answer_of_somebody_elses(
    make_person: Callable[..., Person], make_semantic: Callable[..., ServedApp]
) -> None:
    served = make_semantic(cache_shared=True)
    asha, ben, paying = (
        make_person(served),
        make_person(served),
        make_person(served, plan="premium"),
    )
    paying.ask(ASKED, kept=True)
    assert ben.states(SAME) == ["miss"]
    assert asha.ask("Show me how to list pods in a namespace")["cache"]["state"] == "miss"


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the weather in Pune today?",
        "Where is my order?",
        "Is sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56 a good key?",
        "Who has the number 98765 43210?",
        "word " * 300,
    ],
)
def test_what_is_not_looked_up(
    make_person: Callable[..., Person], embedder: Embedder, prompt: str
) -> None:
    make_person().ask(prompt)
    assert embedder.requests == []


def test_asked_afresh(make_person: Callable[..., Person], stub: ModelStub) -> None:
    person = make_person()
    person.ask(ASKED, kept=True)
    fresh = person.client.post(
        "/api/ask", json={"prompt": SAME}, headers={"Cache-Control": "no-cache"}
    )
    assert fresh.json()["cache"]["state"] == "miss"
    assert len(stub.requests) == 2


def test_text_that_the_embedder_cuts_is_not_judged(
    make_person: Callable[..., Person], embedder: Embedder, vectors: Vectors
) -> None:
    embedder.truncates = True
    person = make_person()
    assert [person.ask(text)["cache"]["state"] for text in (ASKED, SAME)] == ["miss", "miss"]
    assert vectors.requests == []


def test_vectors_of_another_space_never_meet(
    make_person: Callable[..., Person], embedder: Embedder
) -> None:
    person = make_person()
    person.ask(ASKED, kept=True)
    embedder.space = "other letters"
    assert person.states(SAME) == ["miss"]


def test_in_shadow_the_model_answers_and_it_is_counted(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
) -> None:
    served = make_semantic(semantic_cache="shadow")
    assert make_person(served).states(ASKED, SAME, OTHER) == ["miss", "miss", "miss"]
    seen = operator(served).get("/api/semantic-cache").json()
    assert seen["mode"] == "shadow"
    assert seen["look_ups"]["shadow"] == 1
    assert seen["look_ups"]["hit"] == 0


def test_off_in_production_until_it_is_switched_on(make_ask: Callable[..., ServedApp]) -> None:
    beside = {"embedding_url": "http://127.0.0.1:9", "vector_url": "http://127.0.0.1:9"}
    modes = {
        mode: make_ask(mode=mode, **beside).app.state.ask.settings.semantic_modes.default
        for mode in ("local", "demo", "production")
    }
    assert modes == {"local": "on", "demo": "on", "production": "off"}


@pytest.mark.parametrize("broken", ["embedder", "vectors"])
@pytest.mark.parametrize("fault", ["fail", "garbage", "hang"])
def test_what_is_beside_it_fails(
    make_person: Callable[..., Person],
    embedder: Embedder,
    vectors: Vectors,
    broken: str,
    fault: Fault,
) -> None:
    person = make_person(semantic_look_up_seconds=2 if fault == "hang" else 10)
    person.ask(ASKED, kept=True)
    {"embedder": embedder, "vectors": vectors}[broken].fault = fault
    assert person.ask(SAME)["cache"]["state"] == "miss"
    assert person.ask(OTHER)["cache"]["state"] == "miss"


def test_a_wrong_answer_is_deleted_by_who_got_it_alone(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
) -> None:
    served = make_semantic()
    person, other = make_person(served), make_person(served)
    person.ask(ASKED, kept=True)
    wrong = {"entry": person.ask(SAME)["cache"]["entry"]}
    foreign = other.client.post("/api/wrong-answer", json=wrong)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "entry_unknown")
    assert person.ask(SAME)["cache"]["state"] == "semantic"
    assert person.client.post("/api/wrong-answer", json=wrong).status_code == 204
    assert person.client.post("/api/wrong-answer", json=wrong).status_code == 404
    assert person.ask("Show me how to list pods in a namespace")["cache"]["state"] == "miss"
    assert operator(served).get("/api/semantic-cache").json()["wrong_answers"] == 1


@pytest.mark.parametrize("how", ["entry", "model", "epoch"])
def test_operators_delete(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
    how: str,
) -> None:
    served = make_semantic()
    person, client = make_person(served), operator(served)
    person.ask(ASKED, kept=True)
    entry = person.ask(SAME)["cache"]["entry"]
    if how == "entry":
        assert client.delete(f"/api/semantic-cache/entries/{entry}").status_code == 204
        assert client.delete(f"/api/semantic-cache/entries/{entry}").status_code == 404
    elif how == "model":
        query = {"model": "smollm2:135m"}
        gone = client.delete("/api/semantic-cache/entries", params=query)
        assert gone.json() == {"deleted": 1}
    else:
        assert client.post("/api/semantic-cache/epoch").json() == {"deleted": 1}
    assert person.ask("Show me how to list pods in a namespace")["cache"]["state"] == "miss"


@pytest.mark.parametrize("how", ["wrong", "entry", "model", "epoch"])
def test_another_replica_that_has_not_looked_yet_deletes_too(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
    vectors: Vectors,
    how: str,
) -> None:
    person = make_person(make_semantic())
    person.ask(ASKED, kept=True)
    entry = person.ask(SAME)["cache"]["entry"]
    other = make_semantic()
    if how == "wrong":
        with caller(other.url, person.token) as there:
            assert there.post("/api/wrong-answer", json={"entry": entry}).status_code == 204
    elif how == "entry":
        assert operator(other).delete(f"/api/semantic-cache/entries/{entry}").status_code == 204
    elif how == "model":
        query = {"model": "smollm2:135m"}
        gone = operator(other).delete("/api/semantic-cache/entries", params=query)
        assert gone.json() == {"deleted": 1}
    else:
        assert operator(other).post("/api/semantic-cache/epoch").json() == {"deleted": 1}
    assert vectors.points == {}


def test_an_old_epoch_does_not_come_back_when_redis_is_lost(
    make_semantic: Callable[..., ServedApp],
    make_person: Callable[..., Person],
    operator: Callable[[ServedApp], httpx2.Client],
    vectors: Vectors,
    valkey: Valkey,
) -> None:
    served = make_semantic()
    person = make_person(served, plan="premium")
    person.ask(ASKED, kept=True)
    vectors.fault = "fail"  # so that nothing is deleted
    assert operator(served).post("/api/semantic-cache/epoch").status_code == 503
    vectors.fault = None
    assert len(vectors.points) == 1
    with Redis(port=valkey.port, password=valkey.password) as redis:
        redis.delete("ask:semantic:epoch")
    again = make_person(make_semantic())
    again.client.headers["Authorization"] = person.client.headers["Authorization"]
    assert again.ask(SAME)["cache"]["state"] == "miss"


def test_who_may_delete(
    make_semantic: Callable[..., ServedApp], make_person: Callable[..., Person]
) -> None:
    person = make_person(make_semantic())
    assert person.client.get("/api/semantic-cache").status_code == 401
    assert person.client.post("/api/semantic-cache/epoch").status_code == 401
    assert person.client.delete("/api/semantic-cache/entries?model=x").status_code == 401


def test_without_one_there_is_none(ask_url: str, token: str) -> None:
    with caller(ask_url, token) as person:
        entry = {"entry": "0199c0de-0000-7000-8000-000000000000"}
        answer = person.post("/api/wrong-answer", json=entry)
    assert (answer.status_code, answer.json()["code"]) == (404, "semantic_cache_off")


def test_vectors_for_token_holders(
    make_person: Callable[..., Person], embedder: Embedder, vectors: Vectors
) -> None:
    person = make_person()
    sdk = openai.OpenAI(
        base_url=str(person.client.base_url.join("/v1")), api_key=person.token, max_retries=0
    )
    made = sdk.embeddings.create(model="letters", input=["abc", "b"])
    assert [one.index for one in made.data] == [0, 1]
    assert made.data[1].embedding[1] == 1
    plain = person.client.post("/v1/embeddings", json={"input": "abc", "encoding_format": "float"})
    assert plain.json()["data"][0]["embedding"] == pytest.approx(made.data[0].embedding)
    assert int(plain.headers["ratelimit-remaining"]) >= 0
    refused = person.client.post("/v1/embeddings", json={"input": ""})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[0]")
    assert "truncated" not in plain.json()["data"][0]
    embedder.truncates = True
    cut = person.client.post("/v1/embeddings", json={"input": "a long text"})
    assert cut.json()["data"][0]["truncated"] is True
    embedder.fault = "fail"
    away = person.client.post("/v1/embeddings", json={"input": "abc"})
    assert (away.status_code, away.json()["error"]["code"]) == (503, "embedding_busy")


def test_vectors_need_a_token_and_the_service(ask_url: str, token: str) -> None:
    with caller(ask_url, token) as person, caller(ask_url, None) as nobody:
        assert nobody.post("/v1/embeddings", json={"input": "abc"}).status_code == 401
        off = person.post("/v1/embeddings", json={"input": "abc"})
    assert (off.status_code, off.json()["error"]["code"]) == (404, "embeddings_off")
