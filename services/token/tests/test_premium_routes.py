"""Premium tokens over HTTP: validation for anybody, routes for services, routes for operators."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from redis import Redis
from token_store import EDGE_KEYS

from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.tokens import KEYS, new_token
from tracemypods.local.testing.valkey import Valkey


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def edge(caller: str) -> dict[str, str]:
    return bearer(EDGE_KEYS[caller].get_secret_value())


def issue(service: httpx2.Client, order_id: str = "ord_1", **fields: Any) -> httpx2.Response:
    body = {"order_id": order_id, **fields}
    return service.post("/internal/tokens", json=body, headers=edge("order"))


def validate(service: httpx2.Client, token: str) -> Any:
    return service.post("/api/validate-premium-token", json={"token": token}).json()


def test_from_an_order_to_a_valid_token(anonymous: httpx2.Client) -> None:
    issued = issue(anonymous, days=30)
    assert issued.status_code == 200
    body = issued.json()
    assert body["token"].startswith("tmpods_premium_")
    assert body["expires_at"] == "2030-06-16T12:00:00Z"
    assert issue(anonymous, days=60).json() == body

    assert validate(anonymous, body["token"]) == {
        "valid": True,
        "plan": "premium",
        "models": anonymous.get("/api/token", headers=bearer(body["token"])).json()["models"],
        "expires_at": "2030-06-16T12:00:00Z",
    }
    shown = anonymous.get("/api/token", headers=bearer(body["token"])).json()
    assert shown["plan"] == "premium"


def test_calls_at_once_give_one_token(anonymous: httpx2.Client) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: issue(anonymous).json()["token"], range(20)))
    assert len(set(answers)) == 1


@pytest.mark.parametrize(
    "token", ["", "nonsense", KEYS.new_free_token(), new_token("premium"), "x" * 200]
)
def test_what_is_no_premium_token_is_not_valid(anonymous: httpx2.Client, token: str) -> None:
    assert validate(anonymous, token) == {"valid": False}


def test_a_free_token_is_no_premium_token(anonymous: httpx2.Client) -> None:
    assert validate(anonymous, anonymous.post("/api/token").json()["token"]) == {"valid": False}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "token"),
        ({"token": 5}, "token"),
        ({"token": "x" * 201}, "token"),
        ({"token": "x", "plan": "premium"}, "plan"),
    ],
)
def test_bad_bodies_name_the_field(
    anonymous: httpx2.Client, body: dict[str, Any], field: str
) -> None:
    answer = anonymous.post("/api/validate-premium-token", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_a_holder_cannot_give_up_a_paid_token_by_a_click(anonymous: httpx2.Client) -> None:
    token = issue(anonymous).json()["token"]
    answer = anonymous.delete("/api/token", headers=bearer(token))
    assert answer.status_code == 409
    assert answer.json()["code"] == "premium_token_kept"
    assert validate(anonymous, token)["valid"] is True


def test_expiry(anonymous: httpx2.Client, clock: MovableClock) -> None:
    token = issue(anonymous, days=1).json()["token"]
    clock.move(hours=24)
    assert validate(anonymous, token) == {"valid": False}
    shown = anonymous.get("/api/token", headers=bearer(token))
    assert shown.json()["code"] == "token_expired"


def test_ask_checks_by_hash(anonymous: httpx2.Client) -> None:
    token = issue(anonymous).json()["token"]

    def check(hashes: list[str]) -> Any:
        answer = anonymous.post(
            "/internal/tokens/check", json={"hashes": hashes}, headers=edge("ask")
        )
        assert answer.status_code == 200
        return answer.json()["record"]

    assert check(KEYS.hashes(token))["plan"] == "premium"
    assert check(KEYS.hashes(new_token("premium"))) is None


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/internal/tokens", "order"),
        ("/internal/tokens/suspend", "order"),
        ("/internal/tokens/resume", "order"),
        ("/internal/tokens/revoke", "order"),
        ("/internal/tokens/check", "ask"),
    ],
)
def test_each_internal_route_opens_to_its_caller_only(
    anonymous: httpx2.Client, path: str, allowed: str
) -> None:
    body: dict[str, Any] = {"order_id": "ord_1"} if allowed == "order" else {"hashes": ["h" * 43]}
    issue(anonymous)
    other = "ask" if allowed == "order" else "order"
    for headers, status in [
        ({}, 401),
        (bearer(KEYS.new_free_token()), 403),
        (edge(other), 403),
        (edge(allowed), 200),
    ]:
        assert anonymous.post(path, json=body, headers=headers).status_code == status


def test_a_suspended_token_holds_again_once_it_is_resumed(
    anonymous: httpx2.Client, valkey: Valkey
) -> None:
    token = issue(anonymous).json()["token"]

    def change(how: str) -> tuple[int, str]:
        answer = anonymous.post(
            f"/internal/tokens/{how}", json={"order_id": "ord_1"}, headers=edge("order")
        )
        body = answer.json()
        return answer.status_code, body["status"] if answer.is_success else body["code"]

    def is_valid() -> bool:
        body = {"token": token}
        return anonymous.post("/api/validate-premium-token", json=body).json()["valid"]

    assert is_valid()
    for _ in range(2):
        for _ in range(2):  # repeating a call changes nothing
            assert change("suspend") == (200, "suspended")
            assert not is_valid()
        assert issue(anonymous).json()["code"] == "order_suspended"
        with Redis(port=valkey.port, password=valkey.password) as redis:
            redis.flushdb()  # no tombstone is needed for that
        assert not is_valid()
        for _ in range(2):
            assert change("resume") == (200, "active")
            assert is_valid()
        assert issue(anonymous).json()["token"] == token
    assert change("suspend") == (200, "suspended")
    assert change("revoke") == (200, "revoked")
    assert change("resume") == change("suspend") == (409, "order_revoked")
    assert not is_valid()


@pytest.mark.parametrize("how", ["suspend", "resume"])
def test_an_order_without_a_token_has_nothing_to_suspend(
    anonymous: httpx2.Client, how: str
) -> None:
    answer = anonymous.post(
        f"/internal/tokens/{how}", json={"order_id": "ord_none"}, headers=edge("order")
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")


def test_a_test_orders_token_is_worth_nothing_in_production(
    make_token_service: Callable[..., httpx2.Client],
) -> None:
    demo, production = make_token_service(mode="demo"), make_token_service(mode="production")
    for number, (service, valid) in enumerate([(demo, True), (production, False)], 1):
        token = issue(demo, order_id=f"ord_{number}", livemode=False).json()["token"]
        assert validate(service, token)["valid"] is valid
    for order_id in ("ord_1", "ord_3"):
        refused = issue(production, order_id=order_id, livemode=False)
        assert (refused.status_code, refused.json()["code"]) == (409, "test_order")


def test_an_operator_issues_extends_and_revokes(
    anonymous: httpx2.Client, operator_key: Callable[..., str]
) -> None:
    asha = bearer(operator_key("tokens:issue", "tokens:extend", "tokens:revoke"))
    issued = anonymous.post("/api/tokens", json={"order_id": "gift-1", "days": 1}, headers=asha)
    token = issued.json()["token"]
    assert validate(anonymous, token)["expires_at"] == "2030-05-18T12:00:00Z"

    extended = anonymous.post("/api/tokens/gift-1/extend", json={"days": 2}, headers=asha)
    assert extended.json()["expires_at"] == "2030-05-20T12:00:00Z"
    assert validate(anonymous, token)["expires_at"] == "2030-05-20T12:00:00Z"

    revoked = anonymous.post("/api/tokens/gift-1/revoke", headers=asha)
    assert revoked.json() == {"order_id": "gift-1", "status": "revoked", "expires_at": None}
    assert validate(anonymous, token) == {"valid": False}
    shown = anonymous.get("/api/token", headers=bearer(token))
    assert shown.json()["code"] == "token_revoked"
    assert issue(anonymous, "gift-1").json()["code"] == "order_revoked"
    again = anonymous.post("/api/tokens/gift-1/extend", json={"days": 2}, headers=asha)
    assert again.json()["code"] == "order_revoked"


def test_operators_routes_want_the_scope(
    anonymous: httpx2.Client, operator_key: Callable[..., str]
) -> None:
    asha = bearer(operator_key("tokens:extend"))
    token = issue(anonymous).json()["token"]
    for headers, status in [({}, 401), (bearer(token), 401), (edge("order"), 401), (asha, 403)]:
        answer = anonymous.post("/api/tokens/ord_1/revoke", headers=headers)
        assert answer.status_code == status
    assert validate(anonymous, token)["valid"] is True
    missing = anonymous.post("/api/tokens/ord_9/extend", json={"days": 1}, headers=asha)
    assert missing.json()["code"] == "order_unknown"


def test_redis_emptied_costs_free_tokens_only(anonymous: httpx2.Client, valkey: Valkey) -> None:
    free = anonymous.post("/api/token").json()["token"]
    premium = issue(anonymous).json()["token"]
    valkey.command("FLUSHALL")
    gone = anonymous.get("/api/token", headers=bearer(free))
    assert gone.status_code == 401
    assert gone.json()["code"] == "token_expired"
    assert anonymous.get("/api/token", headers=bearer(premium)).status_code == 200
