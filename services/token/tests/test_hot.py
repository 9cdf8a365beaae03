"""The plain ASGI token check answers as the FastAPI route does, in every way that callers see."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from redis import Redis

from tracemypods.contracts.tokens import NO_RECORD, TokenRecord, record_key, tombstone_key
from tracemypods.kit.access_log import AccessLog
from tracemypods.kit.log import JsonFormatter
from tracemypods.local.testing.clock import MovableClock
from tracemypods.local.testing.tokens import HASH_KEY, KEYS, new_token
from tracemypods.local.testing.valkey import Valkey

# FastAPI's route takes what has a body, so that the same request with an empty one is its answer.
WITH_BODY = {"Content-Length": "0"}
GIVEN_ID = "req_" + "0123456789abcdef" * 2


@pytest.fixture
def redis(valkey: Valkey) -> Iterator[Redis]:
    with Redis(port=valkey.port, password=valkey.password) as redis:
        yield redis


def both(client: httpx2.Client, headers: dict[str, str]) -> tuple[httpx2.Response, httpx2.Response]:
    """The answers of the plain ASGI route and of FastAPI's."""
    return (
        client.get("/api/token", headers=headers),
        client.get("/api/token", headers={**headers, **WITH_BODY}),
    )


def seen(answer: httpx2.Response) -> Any:
    """All that a caller sees of an answer, but for what differs from request to request."""
    identifier = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    body = answer.text.replace(identifier, "ID")
    return answer.status_code, {**headers, "x-request-id": "ID"}, body


def store(redis: Redis, clock: MovableClock, token: str, **changes: Any) -> None:
    """Store a record for a token."""
    record = TokenRecord(
        id="tok_1",
        plan="premium" if "premium" in token else "free",
        issued_at=clock.now,
        expires_at=clock.now + timedelta(hours=1),
    ).model_copy(update=changes)
    redis.set(record_key(KEYS.keyed_hash(token)), record.model_dump_json(exclude_none=True))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("plan", ["free", "premium"])
def test_records(anonymous: httpx2.Client, redis: Redis, clock: MovableClock, plan: Any) -> None:
    hour = timedelta(hours=1)
    cases: dict[str, tuple[dict[str, Any], int]] = {
        "holds": ({}, 200),
        "microseconds": ({"issued_at": clock.now + timedelta(microseconds=1)}, 200),
        "expired": ({"expires_at": clock.now - hour}, 401),
        "expires this moment": ({"expires_at": clock.now}, 401),
        "revoked": ({"revoked_at": clock.now}, 401),
    }
    for name, (changes, status) in cases.items():
        token = new_token(plan)
        store(redis, clock, token, **changes)
        ours, theirs = both(anonymous, bearer(token))
        assert seen(ours) == seen(theirs), name
        assert ours.status_code == status, name


@pytest.mark.parametrize("plan", ["free", "premium"])
@pytest.mark.parametrize("with_record", [True, False])
@pytest.mark.parametrize("tombstone", ["1", ""])
def test_tombstones(
    anonymous: httpx2.Client,
    redis: Redis,
    clock: MovableClock,
    plan: Any,
    with_record: bool,
    tombstone: str,
) -> None:
    token = new_token(plan)
    if with_record:
        store(redis, clock, token)
    redis.set(tombstone_key(KEYS.keyed_hash(token)), tombstone)
    ours, theirs = both(anonymous, bearer(token))
    assert seen(ours) == seen(theirs)
    assert ours.json()["code"] == "token_revoked"


@pytest.mark.parametrize("plan", ["free", "premium"])
@pytest.mark.parametrize("stored", [None, NO_RECORD, "not JSON", '{"id": "incomplete"}'])
@pytest.mark.filterwarnings("default")
def test_what_is_no_record(
    anonymous: httpx2.Client, redis: Redis, plan: Any, stored: str | None
) -> None:
    token = new_token(plan)
    if stored is not None:
        redis.set(record_key(KEYS.keyed_hash(token)), stored)
    ours, theirs = both(anonymous, bearer(token))
    assert seen(ours) == seen(theirs)
    assert ours.status_code == (401 if stored in (None, NO_RECORD) else 500)


ISSUED, EXPIRES = '"issued_at":"2030-05-17T11:00:00', '"expires_at":"2030-05-17T13:00:00'


@pytest.mark.parametrize(
    "stored",
    [
        f'{{"id":"tok_1","plan":"free",{ISSUED}Z",{EXPIRES}Z"}}',
        f'{{"id":"tok_1", "plan":"free", {ISSUED}Z", {EXPIRES}Z"}}',
        f'{{"id":"tok_1","plan":"free",{ISSUED}.5Z",{EXPIRES}.250Z"}}',
        f'{{"id":"tok_1","plan":"free",{ISSUED}+05:30",{EXPIRES}+00:00"}}',
        f'{{"id":"tok_1","plan":"free",{ISSUED}Z",{EXPIRES}Z","order_id":"order_1"}}',
        f'{{"plan":"premium",{EXPIRES}Z",{ISSUED}Z","id":"\u00fc\\"}}',
        f'{{"id":"tok_1","plan":"free",{ISSUED}Z",{EXPIRES}Z"}}\n',
        f'{{"id":"tok_1","plan":"free",{ISSUED}Z","expires_at":"2030-13-41T13:00:00Z"}}',
        f'{{"id":"tok_1","plan":"gold",{ISSUED}Z",{EXPIRES}Z"}}',
    ],
)
@pytest.mark.filterwarnings("default")
def test_records_in_other_spellings(anonymous: httpx2.Client, redis: Redis, stored: str) -> None:
    token = new_token()
    redis.set(record_key(KEYS.keyed_hash(token)), stored)
    ours, theirs = both(anonymous, bearer(token))
    assert seen(ours) == seen(theirs)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "bearer {token}",
        "BEARER  {token}",
        "Token {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {token} {token}",
        "Bearer {token}\u00e9",
        "Bearer " + "x" * 4000,
        "Bearer tmpods_premium_" + "0" * 38,
    ],
)
def test_authorization_headers(
    anonymous: httpx2.Client, redis: Redis, clock: MovableClock, authorization: str
) -> None:
    token = new_token()
    store(redis, clock, token)
    value = authorization.format(token=token).encode("latin-1")
    ours, theirs = (
        anonymous.get("/api/token", headers=[(b"Authorization", value), *more])
        for more in ([], [(b"Content-Length", b"0")])
    )
    assert seen(ours) == seen(theirs)


def test_no_header_and_several(anonymous: httpx2.Client, redis: Redis, clock: MovableClock) -> None:
    token = new_token()
    store(redis, clock, token)
    good, bad = ("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")
    for headers, status in (([], 401), ([good, bad], 200), ([bad, good], 401)):
        ours = anonymous.get("/api/token", headers=headers)
        theirs = anonymous.get("/api/token", headers=[*headers, ("Content-Length", "0")])
        assert seen(ours) == seen(theirs)
        assert ours.status_code == status


def test_tokens_under_the_key_before_it_was_rotated(
    make_token_service: Callable[..., httpx2.Client], redis: Redis, clock: MovableClock
) -> None:
    client = make_token_service(
        token_hash_key="another-hash-key-of-the-tests-0123456", token_hash_key_previous=HASH_KEY
    )
    token = new_token()
    store(redis, clock, token)
    ours, theirs = both(client, bearer(token))
    assert seen(ours) == seen(theirs)
    assert ours.status_code == 200


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_redis_away_or_hung(anonymous: httpx2.Client, valkey: Valkey, fault: str) -> None:
    token = anonymous.post("/api/token").json()["token"]
    getattr(valkey, fault)()
    ours, theirs = both(anonymous, bearer(token))
    assert seen(ours) == seen(theirs)
    assert ours.status_code == 503
    assert ours.json()["code"] == "token_store_unavailable"


def test_request_ids(anonymous: httpx2.Client) -> None:
    for given in (GIVEN_ID, "req_short", GIVEN_ID + "0", "x" * 500):
        for answer in both(anonymous, {"X-Request-Id": given}):
            kept = answer.headers["x-request-id"] == given
            assert kept is (given == GIVEN_ID)
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
    identifiers = {anonymous.get("/api/token").headers["x-request-id"] for _ in range(100)}
    assert len(identifiers) == 100
    for one in identifiers:
        assert re.fullmatch(r"req_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", one)


def test_metrics_and_what_else_there_is_at_the_path(anonymous: httpx2.Client) -> None:
    anonymous.get("/api/token")
    anonymous.get("/api/token?token=hunter2")
    assert anonymous.put("/api/token").status_code == 405
    assert anonymous.request("GET", "/api/token", content=b"x" * 5000).status_code == 413
    text = anonymous.get("/metrics").text
    count = "http_server_request_duration_seconds_count"
    assert f'{count}{{method="GET",route="/api/token",status="401"}} 2.0' in text
    assert "http_server_active_requests 1.0" in text  # the question for the metrics itself


def test_openapi_describes_it(anonymous: httpx2.Client) -> None:
    described = anonymous.get("/openapi.json").json()["paths"]["/api/token"]["get"]
    assert set(described["responses"]) >= {"200", "401", "503"}


def listening(handlers: list[logging.Handler]) -> Iterator[None]:
    """While this goes on, all logs go to these handlers alone."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def written(line: str) -> dict[str, Any]:
    """A line of the access log, without what differs from line to line."""
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", entry.pop("time"))
    assert isinstance(entry.pop("milliseconds"), float)
    assert entry.pop("request_id").startswith("req_")
    return entry


def test_the_access_log_is_the_one_of_the_other_routes(anonymous: httpx2.Client) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("token"))
    for _ in listening([handler]):
        both(anonymous, bearer("hunter2"))
        anonymous.get("/version")  # the line of the request before it is written by then
    lines = [line for line in stream.getvalue().splitlines() if "tracemypods.request" in line]
    ours, theirs = lines[:2]
    assert written(ours) == written(theirs)
    assert list(json.loads(ours)) == list(json.loads(theirs))
    assert "hunter2" not in stream.getvalue()


def test_the_lines_of_one_turn_are_one_write() -> None:
    class Counted(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    async def work() -> None:
        log = AccessLog("token")
        for number in range(10):
            log.write(f"req_{number}", "GET", "/api/token", 200, 0.001)
        await asyncio.sleep(0)

    stream = Counted()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("token"))
    for _ in listening([handler]):
        asyncio.run(work())
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == [f"req_{n}" for n in range(10)]
    assert stream.writes == 1


def test_other_handlers_get_their_record(
    anonymous: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tracemypods.request"):
        anonymous.get("/api/token")
        anonymous.get("/version")
    record = next(one for one in caplog.records if one.name == "tracemypods.request")
    assert (record.message, record.__dict__["path"], record.__dict__["status"]) == (
        "request",
        "/api/token",
        401,
    )
