"""Premium tokens through the whole fleet: issued by an operator, used, revoked in mid-answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import pytest
from redis import Redis

from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events

QUESTION = {"prompt": "Say hello.", "max_tokens": 5}


@pytest.fixture
def operator(fleet: Fleet, site: str) -> Iterator[httpx2.Client]:
    with caller(site, fleet.secret("operator_key")) as operator:
        yield operator


def issue(operator: httpx2.Client, order_id: str) -> str:
    answer = operator.post("/api/tokens", json={"order_id": order_id, "days": 1})
    assert answer.status_code == 200
    return answer.json()["token"]


def test_a_premium_token_opens_premium_models(site: str, operator: httpx2.Client) -> None:
    with caller(site, issue(operator, "journey-1")) as person:
        models = {one["name"]: one for one in person.get("/api/models").json()["items"]}
        premium = next(one for one in models.values() if one["tier"] == "premium")
        assert premium["allowed"] is True
        answer = person.post("/api/ask", json={**QUESTION, "model": "smollm2:135m-plus"})
        assert answer.status_code == 200
        valid = person.post(
            "/api/validate-premium-token", json={"token": issue(operator, "journey-1")}
        ).json()
        assert valid["valid"] is True
        assert "smollm2:135m-plus" in valid["models"]
    token = httpx2.post(f"{site}/api/token").json()["token"]
    with caller(site, token) as person:
        locked = person.post("/api/ask", json={**QUESTION, "model": "smollm2:135m-plus"})
        assert locked.status_code == 403
        assert locked.json()["code"] == "model_locked"


def test_redis_emptied_costs_no_premium_token(
    fleet: Fleet, site: str, operator: httpx2.Client
) -> None:
    free = httpx2.post(f"{site}/api/token").json()["token"]
    premium = issue(operator, "journey-2")
    with Redis.from_url(fleet.url("redis"), password=fleet.secret("redis_password")) as redis:
        redis.flushall()
    with caller(site, free) as person:
        gone = person.post("/api/ask", json=QUESTION)
        assert gone.status_code == 401
        assert gone.json()["code"] == "token_expired"
    with caller(site, premium) as person:
        assert person.post("/api/ask", json=QUESTION).status_code == 200


def test_a_revocation_ends_an_open_stream(site: str, operator: httpx2.Client) -> None:
    token = issue(operator, "journey-3")
    long = {"prompt": "Tell me a very long story.", "stream": True, "temperature": 0}
    with caller(site, token) as person, person.stream("POST", "/api/ask", json=long) as response:
        arriving = events(response)
        while next(arriving)[0] != "delta":
            pass
        assert operator.post("/api/tokens/journey-3/revoke").status_code == 200
        name, problem = list(arriving)[-1]
    assert (name, problem["code"]) == ("error", "token_revoked")
    with caller(site, token) as person:
        assert person.post("/api/ask", json=QUESTION).json()["code"] == "token_revoked"


def test_services_killed_under_load_lose_no_paid_token(
    fleet: Fleet, operator: httpx2.Client
) -> None:
    """Whatever was answered with a token still holds once both stores of it were killed."""
    restarts = {name: fleet.part(name).restarts for name in ("token", "mongo")}
    issued: dict[str, str] = {}

    def issue_one(number: int) -> None:
        order_id = f"load-{number}"
        with suppress(httpx2.TransportError):  # killed after its headers, before its body
            answer = operator.post("/api/tokens", json={"order_id": order_id})
            if answer.status_code == 200:
                issued[order_id] = answer.json()["token"]

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(issue_one, number) for number in range(60)]
        fleet.kill("token")
        fleet.kill("mongo")
        for one in running:
            one.result()
    for name, before in restarts.items():
        fleet.wait_until_ready(name, after_restarts=before)
    assert issued
    for order_id, token in issued.items():
        valid = operator.post("/api/validate-premium-token", json={"token": token}).json()
        assert valid["valid"] is True
        assert issue(operator, order_id) == token


def test_the_gateway_forwards_no_internal_route(
    site: str, fleet: Fleet, operator: httpx2.Client
) -> None:
    key = fleet.secret("edge_ask_token")
    with caller(site, key) as insider:
        for path in ("/internal/tokens", "/internal/tokens/check"):
            assert insider.post(path, json={}).status_code == 404
    assert operator.get("/internal/tokens").status_code == 404
