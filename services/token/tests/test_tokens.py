"""The life of a free token over HTTP: issue, introspect, expire, revoke, and the day's limit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from redis import Redis

from tracemypods.contracts.tokens import record_key, tombstone_key
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.tokens import KEYS
from tracemypods.local.testing.valkey import Valkey


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def from_client(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def test_a_token_is_issued_and_tells_about_itself(anonymous: httpx2.Client) -> None:
    issued = anonymous.post("/api/token")
    assert issued.status_code == 201
    body = issued.json()
    assert body["token"].startswith("tmpods_free_")
    assert body["plan"] == "free"
    assert body["models"][0] == "smollm2:135m"
    assert body["expires_at"] == "2030-05-17T13:00:00Z"
    assert body["limits"] == {"tokens_per_day": 1000, "seconds": 3600}
    assert issued.headers["cache-control"] == "no-store"

    shown = anonymous.get("/api/token", headers=bearer(body["token"]))
    assert shown.status_code == 200
    assert shown.json() == {name: value for name, value in body.items() if name != "token"}


def test_the_store_holds_no_token(anonymous: httpx2.Client, valkey: Valkey) -> None:
    token = anonymous.post("/api/token").json()["token"]
    with Redis.from_url(valkey.url, password=valkey.password, decode_responses=True) as redis:
        keys = list(redis.scan_iter())
        everything = " ".join(keys + [str(redis.get(key)) for key in keys])
    assert record_key(KEYS.keyed_hash(token)) in keys
    assert token not in everything
    assert token.removeprefix("tmpods_free_")[:32] not in everything
    assert "127.0.0.1" not in everything  # the client's address is no more than a hash either


def test_a_token_expires(anonymous: httpx2.Client, clock: MovableClock) -> None:
    token = anonymous.post("/api/token").json()["token"]
    clock.move(seconds=3599)
    assert anonymous.get("/api/token", headers=bearer(token)).status_code == 200
    clock.move(seconds=1)
    answer = anonymous.get("/api/token", headers=bearer(token))
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_expired"
    assert "POST /api/token" in answer.json()["detail"]


def test_the_store_forgets_a_token_when_it_expires(
    anonymous: httpx2.Client, valkey: Valkey
) -> None:
    token = anonymous.post("/api/token").json()["token"]
    with Redis.from_url(valkey.url, password=valkey.password) as redis:
        assert 0 < redis.ttl(record_key(KEYS.keyed_hash(token))) <= 3600


def test_a_revoked_token_holds_no_more(anonymous: httpx2.Client, valkey: Valkey) -> None:
    token = anonymous.post("/api/token").json()["token"]
    assert anonymous.delete("/api/token", headers=bearer(token)).status_code == 204
    for method in ("GET", "DELETE"):
        answer = anonymous.request(method, "/api/token", headers=bearer(token))
        assert answer.status_code == 401
        assert answer.json()["code"] == "token_revoked"
    with Redis.from_url(valkey.url, password=valkey.password) as redis:
        assert not redis.exists(record_key(KEYS.keyed_hash(token)))
        assert 0 < redis.ttl(tombstone_key(KEYS.keyed_hash(token))) <= 3600


def test_the_limit_of_the_day(
    make_token_service: Callable[..., httpx2.Client], clock: MovableClock
) -> None:
    anonymous = make_token_service(issue_limit=2)
    client = from_client("203.0.113.7")
    first, second, third = (anonymous.post("/api/token", headers=client) for _ in range(3))

    assert [first.status_code, second.status_code, third.status_code] == [201, 201, 429]
    assert first.headers["ratelimit-limit"] == "2"
    assert [one.headers["ratelimit-remaining"] for one in (first, second, third)] == ["1", "0", "0"]
    assert third.headers["ratelimit-reset"] == str(12 * 3600)
    assert third.headers["retry-after"] == str(12 * 3600)
    assert third.json()["code"] == "rate_limited"

    assert anonymous.post("/api/token", headers=from_client("203.0.113.8")).status_code == 201
    clock.move(hours=12)
    assert anonymous.post("/api/token", headers=client).status_code == 201


def test_one_ipv6_network_is_one_client(
    make_token_service: Callable[..., httpx2.Client],
) -> None:
    anonymous = make_token_service(issue_limit=1)
    statuses = [
        anonymous.post("/api/token", headers=from_client(address)).status_code
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    ]
    assert statuses == [201, 429, 201]


def test_the_limit_holds_for_requests_at_once(
    make_token_service: Callable[..., httpx2.Client],
) -> None:
    anonymous = make_token_service(issue_limit=10)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: anonymous.post("/api/token"), range(40)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [429] * 30
    assert len({answer.json()["token"] for answer in answers if answer.is_success}) == 10


def test_a_forged_hop_does_not_make_another_client(
    make_token_service: Callable[..., httpx2.Client],
) -> None:
    anonymous = make_token_service(issue_limit=1)
    statuses = [
        anonymous.post("/api/token", headers=from_client(f"{forged}, 203.0.113.7")).status_code
        for forged in ("1.1.1.1", "2.2.2.2")
    ]
    assert statuses == [201, 429]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 201, None),
        (b"{}", 201, None),
        (b'{"plan": "premium"}', 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b"{", 400, "malformed_body"),
        (b"\xff", 400, "malformed_body"),
        (b" " * 5000, 413, "body_too_large"),
    ],
)
def test_bodies(anonymous: httpx2.Client, content: bytes, status: int, code: str | None) -> None:
    answer = anonymous.post(
        "/api/token", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json().get("code") == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "token_missing"),
        ({"Authorization": "Token abc"}, "token_missing"),
        (bearer("abc"), "token_malformed"),
        (bearer(KEYS.new_free_token()[:-1] + "!"), "token_malformed"),
        (bearer(KEYS.new_free_token()), "token_expired"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_tokens_that_do_not_hold(
    anonymous: httpx2.Client, method: str, header: dict[str, str], code: str
) -> None:
    answer = anonymous.request(method, "/api/token", headers=header)
    assert answer.status_code == 401
    assert answer.json()["code"] == code


def test_junk_is_refused_without_a_look_up(anonymous: httpx2.Client, valkey: Valkey) -> None:
    valkey.stop()
    assert anonymous.get("/api/token", headers=bearer("tmpods_free_junk")).status_code == 401


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_valkey_away_or_hung(anonymous: httpx2.Client, valkey: Valkey, fault: str) -> None:
    token = anonymous.post("/api/token").json()["token"]
    getattr(valkey, fault)()
    answers = [
        anonymous.post("/api/token"),
        anonymous.get("/api/token", headers=bearer(token)),
        anonymous.delete("/api/token", headers=bearer(token)),
    ]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.json()["code"] for answer in answers} == {"token_store_unavailable"}
    valkey.resume()
    valkey.start()
    assert anonymous.get("/api/token", headers=bearer(token)).status_code == 200
