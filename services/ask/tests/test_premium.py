"""Premium tokens at ask: found through the token service, cached, and revoked in mid-answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from tracemypods.contracts.tokens import TokenRecord, record_key, tombstone_key
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.http_stub import HttpStub
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import KEYS, new_token, store_token
from tracemypods.local.testing.valkey import Valkey

QUESTION = {"prompt": "Hi?"}
RECORD = TokenRecord.model_validate(
    {
        "id": "tok_1",
        "plan": "premium",
        "issued_at": "2026-01-01T00:00:00Z",
        "expires_at": "2999-01-01T00:00:00Z",
    }
)


@pytest.fixture
def token_service() -> Iterator[HttpStub]:
    with HttpStub() as stub:
        yield stub


@pytest.fixture
def ask(make_ask: Callable[..., ServedApp], token_service: HttpStub) -> str:
    return make_ask(token_url=token_service.url).url


def known(token: str) -> dict[str, Any]:
    return {"record": RECORD.model_dump(mode="json"), "hash": KEYS.keyed_hash(token)}


def test_a_token_that_redis_does_not_know_is_asked_about_once(
    ask: str, token_service: HttpStub
) -> None:
    token = new_token("premium")
    token_service.answer = (200, known(token))
    with caller(ask, token) as person:
        for _ in range(3):
            assert person.post("/api/ask", json=QUESTION).status_code == 200
    (asked,) = token_service.requests
    assert asked.path == "/internal/tokens/check"
    assert asked.json == {"hashes": [KEYS.keyed_hash(token)]}
    assert asked.headers["authorization"] == "Bearer edge-key-from-ask-to-token-012345678"
    assert token not in str(asked)


def test_a_copy_in_redis_spares_the_token_service(
    ask: str, token_service: HttpStub, valkey: Valkey
) -> None:
    with caller(ask, store_token(valkey, plan="premium")) as person:
        assert person.post("/api/ask", json=QUESTION).status_code == 200
    assert token_service.requests == []


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ((200, {"record": None}), 401, "token_revoked"),
        ((503, {"code": "token_store_unavailable"}), 503, "token_store_unavailable"),
        ((200, {"nonsense": 1}), 503, "token_store_unavailable"),
        ((403, {}), 503, "token_store_unavailable"),
    ],
)
def test_what_the_token_service_may_say(
    ask: str, token_service: HttpStub, answer: tuple[int, Any], status: int, code: str
) -> None:
    token_service.answer = answer
    with caller(ask, new_token("premium")) as person:
        refused = person.post("/api/ask", json=QUESTION)
    assert refused.status_code == status
    assert refused.json()["code"] == code


def test_a_token_service_that_is_away_is_a_named_failure(
    make_ask: Callable[..., ServedApp], token_service: HttpStub, valkey: Valkey
) -> None:
    url = make_ask(token_url="http://127.0.0.1:9").url
    with caller(url, new_token("premium")) as person:
        refused = person.post("/api/ask", json=QUESTION)
    assert refused.status_code == 503
    assert refused.json()["code"] == "token_store_unavailable"
    with caller(url, store_token(valkey)) as person:  # free tokens need it for nothing
        assert person.post("/api/ask", json=QUESTION).status_code == 200


def test_a_tombstone_outweighs_what_was_learnt(
    ask: str, token_service: HttpStub, valkey: Valkey
) -> None:
    token = new_token("premium")
    token_service.answer = (200, known(token))
    with caller(ask, token) as person, redis(valkey) as store:
        assert person.post("/api/ask", json=QUESTION).status_code == 200
        store.set(tombstone_key(KEYS.keyed_hash(token)), 1)
        refused = person.post("/api/ask", json=QUESTION)
    assert refused.json()["code"] == "token_revoked"


@pytest.mark.parametrize("plan", ["free", "premium"])
@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
def test_an_open_stream_ends_when_its_token_is_revoked(
    ask: str, stub: ModelStub, valkey: Valkey, plan: Any, path: str
) -> None:
    stub.fault = "busy_after_first"
    token = store_token(valkey, plan=plan)
    body: dict[str, Any] = {"stream": True, "messages": [{"role": "user", "content": "Hi?"}]}
    if path != "/api/ask":
        body["model"] = "smollm2:135m"
    with (
        caller(ask, token) as person,
        person.stream("POST", path, json=body) as response,
        redis(valkey) as store,
    ):
        arriving = events(response)
        next(arriving)
        next(arriving)
        store.set(tombstone_key(KEYS.keyed_hash(token)), 1)
        store.delete(record_key(KEYS.keyed_hash(token)))
        last = list(arriving)[-1][1]
    assert (last["code"] if path == "/api/ask" else last["error"]["code"]) == "token_revoked"
    assert stub.left.wait(20)


def test_a_whole_answer_ends_too(ask: str, stub: ModelStub, valkey: Valkey) -> None:
    stub.fault = "busy_after_first"
    token = store_token(valkey)
    with (
        caller(ask, token) as person,
        redis(valkey) as store,
        ThreadPoolExecutor(1) as pool,
    ):
        asking = pool.submit(person.post, "/api/ask", json=QUESTION)
        while not stub.requests and not asking.done():
            time.sleep(0.01)
        store.set(tombstone_key(KEYS.keyed_hash(token)), 1)
        refused = asking.result()
    assert refused.status_code == 401
    assert refused.json()["code"] == "token_revoked"


def redis(valkey: Valkey) -> Redis:
    return Redis(port=valkey.port, password=valkey.password)
