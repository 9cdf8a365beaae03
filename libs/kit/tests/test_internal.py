"""Routes between services: each opens to the key of its own edge, and to nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends

from tracemypods.kit.app import create_service
from tracemypods.kit.internal import EdgeKeys, calls_from, edge_bearer, edge_variable
from tracemypods.kit.settings import Mode, ServiceSettings, SettingsError
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp

CALLERS = ("order", "ask", "admin")
SERVICES = (*CALLERS, "token", "payment")
EDGES = [edge for edge in product(SERVICES, SERVICES) if edge[0] != edge[1]]
KEYS = {edge: secrets.token_urlsafe(32) for edge in EDGES}

router = APIRouter(prefix="/internal")


@router.post("/order", dependencies=[Depends(calls_from("order"))])
async def for_order() -> None:
    """Only order may."""


@router.get("/ask")
async def for_ask(name: Annotated[str, Depends(calls_from("ask"))]) -> str:
    return name


@router.get("/both")
async def for_both(name: Annotated[str, Depends(calls_from("order", "admin"))]) -> str:
    return name


ROUTES = {
    ("POST", "/internal/order"): {"order"},
    ("GET", "/internal/ask"): {"ask"},
    ("GET", "/internal/both"): {"order", "admin"},
}


@pytest.fixture
def all_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any service should have: the keys of every edge there could be."""
    for (source, target), key in KEYS.items():
        (tmp_path / edge_variable(source, target).lower()).write_text(f"{key}\n")
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", str(tmp_path))


@pytest.fixture
def client(all_keys: None) -> Iterator[httpx2.Client]:
    settings = ServiceSettings.model_validate({"mode": Mode.LOCAL})
    with (
        ServedApp(create_service("token", settings, routers=[router])) as served,
        caller(served.url, None) as client,
    ):
        yield client


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
def test_every_key_against_every_route(client: httpx2.Client, method: str, path: str) -> None:
    for (source, target), key in KEYS.items():
        answer = client.request(method, path, headers={"Authorization": f"Bearer {key}"})
        if target == "token" and source in ROUTES[method, path]:
            assert answer.status_code == 200, (source, target)
            assert answer.json() in (source, None)
        else:
            assert answer.status_code == 403, (source, target)
            assert answer.json()["code"] == "edge_key_wrong"
            assert key not in answer.text


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "edge_key_missing"),
        ("", 401, "edge_key_missing"),
        ("Bearer", 401, "edge_key_missing"),
        (f"Basic {KEYS['order', 'token']}", 401, "edge_key_missing"),
        (KEYS["order", "token"], 401, "edge_key_missing"),
        (f"Bearer {KEYS['order', 'token'][:-1]}", 403, "edge_key_wrong"),
        (f"Bearer {KEYS['order', 'token']}x", 403, "edge_key_wrong"),
        ("Bearer \u00e4\u00f6\u00fc", 403, "edge_key_wrong"),
    ],
)
def test_what_is_no_key(client: httpx2.Client, header: str | None, status: int, code: str) -> None:
    if header is not None:
        client.headers.encoding = "latin-1"
        client.headers["Authorization"] = header
    answer = client.post("/internal/order")
    assert answer.status_code == status
    assert answer.json()["code"] == code


def test_a_service_without_keys_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEMYPODS_SECRETS_DIR", raising=False)
    settings = ServiceSettings.model_validate({"mode": Mode.LOCAL})
    with (
        ServedApp(create_service("token", settings, routers=[router])) as served,
        caller(served.url, KEYS["order", "token"]) as client,
    ):
        assert client.post("/internal/order").status_code == 403


def test_keys_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEMYPODS_SECRETS_DIR", raising=False)
    monkeypatch.setenv("TRACEMYPODS_EDGE_ASK_TOKEN", KEYS["ask", "token"])
    keys = EdgeKeys.load("token")
    assert keys.caller_with(KEYS["ask", "token"], ("order", "ask")) == "ask"
    assert keys.caller_with(KEYS["ask", "token"], ("order",)) is None
    assert keys.caller_with("", ("order", "ask")) is None
    assert edge_bearer("ask", "token").get_secret_value() == KEYS["ask", "token"]


@pytest.mark.parametrize("value", ["", "hunter2"])
def test_a_key_that_is_missing_or_short_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.delenv("TRACEMYPODS_SECRETS_DIR", raising=False)
    monkeypatch.setenv("TRACEMYPODS_EDGE_ASK_TOKEN", value)
    with pytest.raises(SettingsError, match="TRACEMYPODS_EDGE_ASK_TOKEN") as refused:
        edge_bearer("ask", "token")
    assert "hunter2" not in str(refused.value)


def test_openapi_names_who_may_call(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()["paths"]
    assert described["/internal/ask"]["get"]["security"] == [{"calls_from_ask": []}]
    assert described["/internal/both"]["get"]["security"] == [{"calls_from_order_or_admin": []}]
