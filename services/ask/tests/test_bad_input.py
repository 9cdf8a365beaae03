"""Every bad request gets a clear error that names the field, and never a 500."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.tokens import KEYS, store_token
from tracemypods.local.testing.valkey import Valkey

KIB64 = 64 * 1024


@pytest.fixture(scope="module")
def stub() -> Iterator[ModelStub]:
    """One model server for all these tests: none of them should ever reach it."""
    with ModelStub() as stub:
        yield stub


@pytest.fixture(scope="module")
def ask_url(stub: ModelStub, make_app: Callable[..., FastAPI]) -> Iterator[str]:
    with ServedApp(make_app(stub)) as served:
        yield served.url


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"prompt": ""}, 422, "invalid_request", "prompt"),
        ({"prompt": " \n\t"}, 422, "invalid_request", "prompt"),
        ({"prompt": "x" * (KIB64 + 1)}, 413, "prompt_too_large", "prompt"),
        ({"prompt": "ü" * (KIB64 // 2 + 1)}, 413, "prompt_too_large", "prompt"),
        ({"prompt": 7}, 422, "invalid_request", "prompt"),
        ({"prompt": ["x"]}, 422, "invalid_request", "prompt"),
        ({"prompt": None}, 422, "invalid_request", ""),
        ({}, 422, "invalid_request", ""),
        ([], 422, "invalid_request", ""),
        ("x", 422, "invalid_request", ""),
        ({"prompt": "x", "promt": "y"}, 422, "invalid_request", "promt"),
        ({"prompt": "x", "messages": []}, 422, "invalid_request", ""),
        ({"messages": []}, 422, "invalid_request", "messages"),
        ({"messages": [{"role": "user"}]}, 422, "invalid_request", "messages.0.content"),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            422,
            "invalid_request",
            "messages.0.role",
        ),
        (
            {"messages": [{"role": "assistant", "content": "x"}]},
            422,
            "invalid_request",
            "messages",
        ),
        (
            {"messages": [{"role": "user", "content": "x" * (KIB64 + 1)}]},
            413,
            "prompt_too_large",
            "messages.0.content",
        ),
        ({"prompt": "x", "temperature": -1}, 422, "invalid_request", "temperature"),
        ({"prompt": "x", "temperature": "hot"}, 422, "invalid_request", "temperature"),
        ({"prompt": "x", "max_tokens": 0}, 422, "invalid_request", "max_tokens"),
        ({"prompt": "x", "max_tokens": 10**9}, 422, "invalid_request", "max_tokens"),
        ({"prompt": "x", "stream": "perhaps"}, 422, "invalid_request", "stream"),
        ({"prompt": "x", "model": "gpt-9"}, 404, "model_unknown", None),
        ({"prompt": "x", "model": {"$ne": 1}}, 422, "invalid_request", "model"),
    ],
)
def test_bodies(
    client: httpx2.Client, stub: ModelStub, body: Any, status: int, code: str, field: str | None
) -> None:
    answer = client.post("/api/ask", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert [error["field"] for error in problem.get("errors", [])] == (
        [] if field is None else [field]
    )
    assert stub.requests == []


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe\xfa", b'{"prompt": "\xe4"}', b"[" * 100_000, b"null", b"NaN"]
)
def test_bytes_that_are_no_json(client: httpx2.Client, raw: bytes) -> None:
    answer = client.post("/api/ask", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("malformed_body", "invalid_request")


def test_text_that_is_no_unicode(client: httpx2.Client) -> None:
    """A lone surrogate is valid JSON, but no text."""
    answer = client.post(
        "/api/ask",
        content=rb'{"prompt": "\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "prompt"


def test_a_body_over_the_limit_is_refused_announced_or_not(client: httpx2.Client) -> None:
    huge = b'{"prompt": "' + b"x" * 2_000_000 + b'"}'
    pieces = iter([huge[:1_000_000], huge[1_000_000:]])
    for content in (huge, pieces):
        answer = client.post(
            "/api/ask", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"


def test_a_question_that_cannot_fit_is_refused(client: httpx2.Client, stub: ModelStub) -> None:
    answer = client.post("/api/ask", json={"prompt": "word " * 5000})
    assert answer.status_code == 422
    assert answer.json()["code"] == "context_exceeded"
    assert stub.requests == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("Bearer", "token_missing"),
        ("Basic dXNlcjpwYXNz", "token_missing"),
        ("Bearer nonsense", "token_malformed"),
        ("Bearer tmpods_free_" + "a" * 38, "token_malformed"),
        ("Bearer " + "x" * 5000, "token_malformed"),
        ("Bearer tmpods_free_\u00e9" + "a" * 37, "token_malformed"),
    ],
)
@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
def test_tokens_that_are_none(ask_url: str, path: str, header: str | None, code: str) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode("latin-1"))]
    with caller(ask_url, None) as anonymous:
        answer = anonymous.post(path, json={"prompt": "x"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    body = answer.json()
    if path == "/api/ask":
        assert body["code"] == code
    else:
        assert body["error"]["code"] == {"token_malformed": "invalid_api_key"}.get(code, code)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"expires_in": -1}, "token_expired"),
        ({"revoked": True}, "token_revoked"),
    ],
)
def test_tokens_that_hold_no_more(
    ask_url: str, valkey: Valkey, record: dict[str, Any], code: str
) -> None:
    with caller(ask_url, store_token(valkey, **record)) as client:
        answer = client.post("/api/ask", json={"prompt": "x"})
    assert answer.status_code == 401
    assert answer.json()["code"] == code


def test_a_token_whose_record_is_gone_has_expired(ask_url: str) -> None:

    with caller(ask_url, KEYS.new_free_token()) as client:
        answer = client.post("/api/ask", json={"prompt": "x"})
    assert answer.json()["code"] == "token_expired"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/ask", 405),
        ("POST", "/api/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/api/models", 405),
    ],
)
def test_wrong_paths_and_methods(
    client: httpx2.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert ("error" in answer.json()) == path.startswith("/v1")
